import { Fault } from '../../fault.ts'
import { withRedis } from '../../queue/redis-store.ts'
import { reasonOf } from '../../runtime/when-answering.ts'
import { error, type Finding, warning } from './check.ts'

/** What Redis tells of itself: `redis_version` → `7.2.4`. */
export type RedisFacts = ReadonlyMap<string, string>

/** Asks Redis for its facts over one short connection; a finding where it does not answer, or not to us. */
export async function readRedisFacts(url: string): Promise<RedisFacts | Finding> {
  try {
    const info = await withRedis(url, (redis) => redis.info())
    return new Map([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]))
  } catch (cause) {
    return cause instanceof Fault
      ? error(`${cause.message}.`, 'Correct REDIS_URL, and ask again.')
      : error(`Redis does not answer (${reasonOf(cause)}).`, 'Start it, or set REDIS_URL to where it is.')
  }
}

const oldestRedis = [6, 2] as const

/** What BullMQ can work with. A Valkey tells the version of the Redis that it stands for. */
export function redisVersionFindings(facts: RedisFacts): Finding[] {
  const text = facts.get('redis_version') ?? ''
  const [major = 0, minor = 0] = text.split('.').map(Number)
  if (major > oldestRedis[0] || (major === oldestRedis[0] && minor >= oldestRedis[1])) return []
  return [error(`Redis ${text} is too old.`, `Use Redis ${oldestRedis.join('.')} or newer, or Valkey.`)]
}

/** What the queue needs of it: that no job is thrown away to make room. */
export function redisSettingsFindings(facts: RedisFacts): Finding[] {
  const policy = facts.get('maxmemory_policy')
  const [used, most] = [Number(facts.get('used_memory')), Number(facts.get('maxmemory'))]
  const isKept = facts.get('aof_enabled') === '1' || !Number.isNaN(Number(facts.get('rdb_last_save_time')))
  return [
    ...(policy === 'noeviction'
      ? []
      : [
          (policy === undefined ? warning : error)(
            `Redis has the maxmemory-policy ${policy ?? 'that it does not tell'}: it may throw jobs away.`,
            'redis-cli config set maxmemory-policy noeviction, and the same in redis.conf',
          ),
        ]),
    ...(most > 0 && used > 0.9 * most
      ? [error('Redis has almost no memory left: it will refuse jobs.', 'Raise its maxmemory.')]
      : []),
    ...(isKept ? [] : [warning('Redis writes nothing to its disk.', 'redis-cli config set appendonly yes')]),
  ]
}
