import { Redis } from 'ioredis'
import { Misconfigured } from '../../fault.ts'
import { second } from '../../market/instant.ts'
import { certificateRefusal } from '../../runtime/certificate-error.ts'
import type { RedisServers } from '../../settings/redis-url.ts'
import { replyMapping, sentinelOptions, serverOptions } from './options.ts'
import { redisRefusal } from './refusal.ts'

/** What Redis reports of itself: `redis_version` → `7.2.4`. */
export type RedisInfo = ReadonlyMap<string, string>

/** One connection without retries, to the first server or the Sentinels' primary. */
export async function connectShortly<T>(
  servers: RedisServers,
  use: (redis: Redis) => Promise<T>,
): Promise<T> {
  const [address] = servers.servers
  const redis = new Redis({
    ...serverOptions(servers),
    ...(servers.sentinel ? sentinelOptions(servers, servers.sentinel) : address),
    sentinelRetryStrategy: () => null,
    db: 0,
    lazyConnect: true,
    commandTimeout: 5 * second,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    replyMapping,
  })
  let reason: unknown
  redis.on('error', (error) => {
    reason = error
  })
  try {
    await redis.connect()
    return await use(redis)
  } catch (error) {
    // ioredis reports the reason only in its event.
    const cause = isClosed(error) ? (reason ?? error) : error
    throw loginRefused(error) ?? loginRefused(reason) ?? notTrusted(cause) ?? cause
  } finally {
    redis.disconnect()
  }
}

const isClosed = (error: unknown): boolean => error instanceof Error && error.message.includes('is closed')

const loginErrors = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/

function loginRefused(error: unknown): Misconfigured | undefined {
  if (!(error instanceof Error) || !loginErrors.test(error.message)) return undefined
  return new Misconfigured(`${redisRefusal(error)}: check user, password and rights in REDIS_URL`, {
    cause: error,
  })
}

function notTrusted(cause: unknown): Misconfigured | undefined {
  const refusal = certificateRefusal(cause, 'Redis')
  return refusal === undefined ? undefined : new Misconfigured(refusal, { cause })
}

export async function infoOf(redis: Redis): Promise<RedisInfo> {
  const info = await redis.info()
  return new Map([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]))
}
