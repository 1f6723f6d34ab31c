import { Misconfigured } from '../../fault.ts'
import type { RedisInfo } from '../../queue/redis/short-connection.ts'
import { readTopology } from '../../queue/redis/topology.ts'
import { serversOf } from '../../queue/redis-store.ts'
import { reasonOf } from '../../runtime/when-answering.ts'
import { error, type Finding, warning } from './check.ts'

/** A finding if Redis does not answer or cannot be used. */
export async function readRedisInfo(url: string): Promise<RedisInfo | Finding> {
  try {
    return (await readTopology(serversOf(url))).info
  } catch (cause) {
    if (cause instanceof Misconfigured) return error(messageOf(cause.message), 'Correct REDIS_URL.')
    return error(`Redis does not answer (${reasonOf(cause)}).`, 'Start it, or set REDIS_URL to where it is.')
  }
}

const messageOf = (message: string): string => `${message.charAt(0).toUpperCase()}${message.slice(1)}.`

const oldestRedis = [6, 2] as const

/** BullMQ's minimum. Valkey reports a Redis version. */
export function redisVersionFindings(facts: RedisInfo): Finding[] {
  const text = facts.get('redis_version') ?? ''
  const [major = 0, minor = 0] = text.split('.').map(Number)
  if (major > oldestRedis[0] || (major === oldestRedis[0] && minor >= oldestRedis[1])) return []
  return [error(`Redis ${text} is too old.`, `Use Redis ${oldestRedis.join('.')} or newer, or Valkey.`)]
}

/** Jobs must not be evicted. */
export function redisSettingsFindings(facts: RedisInfo): Finding[] {
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
