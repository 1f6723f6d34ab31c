import type { RedisOptions } from 'ioredis'
import { second } from '../../market/instant.ts'
import type { RedisServers } from '../../settings/redis-url.ts'

const connectTimeoutMs = 5 * second

export const replyMapping = 'legacy'

export const serverOptions = ({ username, password, tls }: RedisServers): RedisOptions => ({
  connectTimeout: connectTimeoutMs,
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
  ...(tls ? { tls: {} } : {}),
})

export const sentinelOptions = (
  { servers, tls }: RedisServers,
  { primaryName, username, password }: NonNullable<RedisServers['sentinel']>,
): RedisOptions => ({
  sentinels: [...servers],
  name: primaryName,
  sentinelCommandTimeout: connectTimeoutMs,
  ...(username === undefined ? {} : { sentinelUsername: username }),
  ...(password === undefined ? {} : { sentinelPassword: password }),
  ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
})
