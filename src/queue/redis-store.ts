import { createRedisBackend } from 'bullmq'
import { Misconfigured } from '../fault.ts'
import { minute, second } from '../market/instant.ts'
import { silenceOf, type WaitPolicy, whenAnswering } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import { type RedisServers, readRedisUrl } from '../settings/redis-url.ts'
import { serverName } from '../settings/server-list.ts'
import { lockDurationMs, stalledIntervalMs } from './locks.ts'
import { ClusterNodes } from './redis/cluster-nodes.ts'
import { openRedis, type RedisClient, type RedisHealth } from './redis/open-redis.ts'
import { redisRefusal } from './redis/refusal.ts'
import type { RedisInfo } from './redis/short-connection.ts'
import { readTopology } from './redis/topology.ts'
import { type LockedQueue, type Store, StoreRefusal } from './store.ts'

/** For queues only: workers block for longer. */
const commandTimeoutMs = 20 * second

/** On a refusal the client reconnects and resends, without answering. */
const checkLimitMs = 3 * second

/** Written to check whether Redis accepts writes. */
const probeKey = '{beacon}:probe'

type RedisStoreOptions = Readonly<{
  redisUrl: string
  waitPolicy: WaitPolicy
  onError(error: Error): void
}>

export async function openRedisStore({ redisUrl, waitPolicy, onError }: RedisStoreOptions): Promise<Store> {
  const servers = serversOf(redisUrl)
  const names = servers.servers.map(serverName).join(', ')
  const isCluster = await whenAnswering(
    async () => {
      const topology = await readTopology(servers)
      refuseEviction(topology.info, waitPolicy)
      return topology.isCluster
    },
    `${silenceOf(`Redis at ${names}`, waitPolicy.waitMs)}: ${remedyOfSilence(servers)}`,
    waitPolicy,
  )
  const health: RedisHealth = { refusal: undefined }
  const options = { servers, isCluster, nodes: new ClusterNodes(servers), health, onError }
  const ofQueues = openRedis({ ...options, commandTimeoutMs })
  const ofWorkers = openRedis(options)
  if (!isCluster) await reportFormerKeys(ofQueues, waitPolicy)
  return {
    kind: 'redis',
    redis: ofQueues,
    backend: (name, queueOptions, use = {}) => {
      const connection = use.withBlockingConnection ? ofWorkers : ofQueues
      const backend = createRedisBackend(name, { ...queueOptions, connection }, use)
      // Shared connections stay open.
      return Object.assign(backend, { disconnect: () => backend.disconnectBlocking() })
    },
    check: async () => {
      try {
        const written = ofWorkers.set(probeKey, '1', 'PX', minute)
        await within(checkLimitMs, written, 'Redis did not answer in time')
        health.refusal = undefined
      } catch (cause) {
        const refusal = redisRefusal(cause) ?? health.refusal
        throw refusal === undefined ? cause : new StoreRefusal(refusal, { cause })
      }
    },
    forgetJob: (queue, id) => forgetJob(ofQueues, queue, id),
    forgetFuture: async (queue, then) => {
      let removed = 0
      for (const state of ['completed', 'failed']) {
        const ids = await ofQueues.zrangebyscore(queue.toKey(state), `(${then}`, '+inf')
        for (const id of ids) await forgetJob(ofQueues, queue, id)
        removed += ids.length
      }
      return removed
    },
    shortenLocks: async (queue) => {
      // Its time to live blocks the next check for stalled jobs.
      let shortened = await shorten(ofQueues, queue.toKey('stalled-check'), stalledIntervalMs)
      for (const { id } of await queue.getActive()) {
        shortened += await shorten(ofQueues, `${queue.toKey(id ?? '')}:lock`, lockDurationMs)
      }
      return shortened
    },
    close: async () => {
      for (const redis of [ofQueues, ofWorkers]) redis.disconnect()
    },
  }
}

const remedyOfSilence = ({ tls }: RedisServers): string =>
  tls ? 'start it with TLS, or write redis:// in REDIS_URL' : 'start it, or check REDIS_URL'

/** BullMQ's remove and clean skip scheduled jobs. */
async function forgetJob(redis: RedisClient, queue: LockedQueue, id: string): Promise<void> {
  for (const set of ['completed', 'failed', 'delayed', 'prioritized']) await redis.zrem(queue.toKey(set), id)
  for (const list of ['wait', 'paused', 'active']) await redis.lrem(queue.toKey(list), 0, id)
  const key = queue.toKey(id)
  await redis.del(key, `${key}:lock`, `${key}:logs`, `${key}:dependencies`, `${key}:processed`)
}

/** Key expiry lengthens if Redis' clock is set back. Returns 1 if shortened. */
async function shorten(redis: RedisClient, key: string, longestMs: number): Promise<number> {
  if ((await redis.pttl(key)) <= longestMs + second) return 0
  return redis.pexpire(key, longestMs)
}

/** Versions before the braced prefix left keys that are no longer read. */
async function reportFormerKeys(redis: RedisClient, { log }: WaitPolicy): Promise<void> {
  if ((await redis.exists('beacon:upkeep:meta')) === 0) return
  const cli = 'redis-cli -u "$REDIS_URL"'
  log.warn('queue.former-keys', {
    reason: 'an earlier version has left its keys in Redis, which are not read any more',
    remedy: `stop every daemon of that version, then: ${cli} --scan --pattern 'beacon:*' | xargs ${cli} unlink`,
  })
}

export function serversOf(redisUrl: string): RedisServers {
  const servers = readRedisUrl(redisUrl)
  if (typeof servers === 'string') throw new Misconfigured(`REDIS_URL ${servers}`)
  return servers
}

/** Eviction would silently lose jobs. */
function refuseEviction(info: RedisInfo, { log }: WaitPolicy): void {
  // INFO instead of CONFIG GET, which managed servers forbid.
  const policy = info.get('maxmemory_policy')
  if (policy === 'noeviction') return
  if (policy === undefined) {
    log.warn('queue.eviction-unknown', { remedy: 'see that maxmemory-policy of Redis is noeviction' })
    return
  }
  throw new Misconfigured(
    `Redis has the maxmemory-policy ${policy} and would lose jobs: set it to noeviction (redis-cli config set maxmemory-policy noeviction)`,
  )
}
