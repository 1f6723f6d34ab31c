import type { RedisOptions } from 'ioredis'
import { second } from '../../market/instant.ts'
import type { RedisServers } from '../../settings/redis-url.ts'

const connectTimeoutMs = 5 * second

/** As the types of ioredis expect answers. */
export const replyMapping = 'legacy'

/** How each connection to a server of REDIS_URL is made. */
export const serverOptions = ({ username, password, tls }: RedisServers): RedisOptions => ({
  connectTimeout: connectTimeoutMs,
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
  ...(tls ? { tls: {} } : {}),
})

/** How the Sentinels are asked for the primary. */
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
