import type { Cluster, Redis } from 'ioredis'
import type { BucketStore } from './bucket-store.ts'

/** Braces keep all keys on one cluster node. */
const prefix = '{beacon}:'

/**
 * Value: expiry and write time in microseconds, mark. Arguments: action, ms, capacity or mark. Returns: fitted, ms
 * left, mark.
 */
const script = `
  local time = redis.call('time')
  local now = time[1] * 1000000 + time[2]
  local over, written, mark = string.match(redis.call('get', KEYS[1]) or '', '^(%d+) (%d+) (%d+)$')
  over, written, mark = tonumber(over or now), tonumber(written or now), tonumber(mark or 0)
  local setback = written - now
  if setback > 1000000 then over = over - setback else setback = 0 end
  local act, added = ARGV[1], ARGV[2] * 1000
  local fits, new = 1, over
  if act == 'pour' then
    local capacity = ARGV[3] * 1000
    new = math.max(over, now) + added
    if new - now > capacity then
      fits, added = 0, new - now - capacity
      new = over
    end
  elseif act == 'fill' then
    new = math.max(over, now + added)
  elseif act == 'put' then
    new, mark = now + added, tonumber(ARGV[3])
  end
  local left = math.ceil((new - now) / 1000)
  if left <= 0 then
    left = 0
  elseif new ~= over or act == 'put' or setback > 0 then
    redis.call('set', KEYS[1], string.format('%.0f %.0f %.0f', new, now, mark), 'px', left)
  end
  if fits == 0 then left = math.ceil(added / 1000) end
  return { fits, left, mark }`

type Answer = readonly [fits: number, leftMs: number, mark: number]

export function openRedisBuckets(redis: Redis | Cluster): BucketStore {
  const ask = async (key: string, act: string, ms: number, bound: number): Promise<Answer> =>
    (await redis.eval(script, 1, `${prefix}${key}`, act, String(ms), String(bound))) as Answer
  return {
    pour: async (key, ms, capacityMs) => {
      const [fits, leftMs] = await ask(key, 'pour', ms, capacityMs)
      return fits === 1 ? { fits: true, emptyInMs: leftMs } : { fits: false, fitsInMs: leftMs }
    },
    fill: async (key, ms) => (await ask(key, 'fill', ms, 0))[1],
    put: async (key, { leftMs, mark }) => {
      await ask(key, 'put', leftMs, mark)
    },
    read: async (key) => {
      const [, leftMs, mark] = await ask(key, 'read', 0, 0)
      return leftMs > 0 ? { leftMs, mark } : undefined
    },
  }
}
