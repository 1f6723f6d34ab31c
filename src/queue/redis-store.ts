import { type ConnectionOptions, createRedisBackend } from 'bullmq'
import { Redis, ReplyError } from 'ioredis'
import { Misconfigured } from '../fault.ts'
import { second } from '../market/instant.ts'
import { type Patience, silenceOf, whenAnswering } from '../runtime/when-answering.ts'
import type { Store } from './store.ts'

const connectionLimits = {
  maxRetriesPerRequest: null,
  connectTimeout: 5 * second,
  // Without it a connection that died silently is waited on for ever. A worker blocks for up to 10 s, which
  // this must outlast, and then finds its other connection dead too: every second here is one more of absence.
  socketTimeout: 11 * second,
}

/** Of a queue, not of a worker: a worker's blocking read may last, but whoever enqueues wants an answer. */
const commandTimeoutMs = 20 * second

type RedisStoreOptions = Readonly<{ redisUrl: string; patience: Patience }>

/**
 * Waits for Redis or Valkey. Throws Unavailable when it did not answer in time, and Misconfigured where a person
 * must act.
 */
export async function openRedisStore({ redisUrl, patience }: RedisStoreOptions): Promise<Store> {
  await whenAnswering(
    () => withRedis(redisUrl, (redis) => refuseEviction(redis, patience)),
    `${silenceOf(`Redis at ${new URL(redisUrl).host}`, patience.waitMs)}: ${remedyOfSilence(redisUrl)}`,
    patience,
  )
  const ofWorker: ConnectionOptions = { ...connectionLimits, url: redisUrl }
  const ofQueue: ConnectionOptions = { ...ofWorker, commandTimeout: commandTimeoutMs }
  return {
    kind: 'redis',
    backend: (name, queueOptions, use = {}) =>
      createRedisBackend(
        name,
        { ...queueOptions, connection: use.withBlockingConnection ? ofWorker : ofQueue },
        use,
      ),
    ping: () =>
      withRedis(redisUrl, async (redis) => {
        await redis.ping()
      }),
    close: async () => undefined,
  }
}

const remedyOfSilence = (redisUrl: string): string =>
  redisUrl.startsWith('rediss:')
    ? 'start it with TLS, or write redis:// in REDIS_URL'
    : 'start it, or check REDIS_URL'

/**
 * One short connection that fails at once where Redis does not answer. Throws Misconfigured where it refuses the login, or
 * has no database of the number that the URL names: the client would use another without a word.
 */
export async function withRedis<T>(redisUrl: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: connectionLimits.connectTimeout,
    commandTimeout: 5 * second,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  let reason: unknown
  redis.on('error', (error) => {
    reason = error
  })
  try {
    await redis.connect()
    await selectDatabase(redis)
    return await use(redis)
  } catch (error) {
    // ioredis answers "Connection is closed", and tells the reason in its event.
    throw withRemedy(error, reason)
  } finally {
    redis.disconnect()
  }
}

async function selectDatabase(redis: Redis): Promise<void> {
  const { db = 0 } = redis.options
  if (db === 0) return
  try {
    await redis.select(db)
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : ''
    if (/cluster mode/.test(text)) {
      throw new Misconfigured(
        `REDIS_URL names database ${db}, and a cluster has no other than 0: leave /${db} out`,
        { cause },
      )
    }
    if (!/out of range|invalid DB index/i.test(text)) throw cause
    throw new Misconfigured(
      `REDIS_URL names database ${db}, and Redis has ${await databasesOf(redis)}: name one of them, or raise "databases" in redis.conf`,
      { cause },
    )
  }
}

/** `16 (0 to 15)`; managed servers do not say. */
async function databasesOf(redis: Redis): Promise<string> {
  try {
    const [, count] = (await redis.config('GET', 'databases')) as string[]
    return `${count} (0 to ${Number(count) - 1})`
  } catch (error) {
    if (error instanceof ReplyError) return 'fewer'
    throw error
  }
}

/** A Redis that evicts under memory pressure forgets jobs without a word. */
async function refuseEviction(redis: Redis, { log }: Patience): Promise<void> {
  // INFO rather than CONFIG GET: it says the same, and managed servers forbid the other.
  const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1]
  if (policy === 'noeviction') return
  if (policy === undefined) {
    log.warn('queue.eviction-unknown', { remedy: 'see that maxmemory-policy of Redis is noeviction' })
    return
  }
  throw new Misconfigured(
    `Redis has the maxmemory-policy ${policy} and would lose jobs: set it to noeviction (redis-cli config set maxmemory-policy noeviction)`,
  )
}

function withRemedy(error: unknown, reason: unknown): unknown {
  if (error instanceof Misconfigured) return error
  const told = [error, reason].map((one) => (one instanceof Error ? one.message : ''))
  if (told.some((message) => /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/.test(message))) {
    return new Misconfigured('Redis refuses the login: check user, password and rights in REDIS_URL', {
      cause: error,
    })
  }
  return reason ?? error
}
