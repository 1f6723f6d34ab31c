import type { RateLimiterStoreAbstract } from 'rate-limiter-flexible'
import { second } from '../market/instant.ts'
import { type BudgetStore, openLimiter } from './leaky-bucket.ts'

/**
 * Why a source is not asked. `slow-down`: we asked too much. `banned`: we went on all the same, or its firewall does not
 * want us. `unserved`: none of its hosts serves the region of our address.
 */
const kinds = ['slow-down', 'banned', 'unserved'] as const
export type StopKind = (typeof kinds)[number]

export type Stop = Readonly<{ source: string; kind: StopKind; leftMs: number }>

/** What stands against asking the sources, known to the whole fleet and kept over restarts. */
export type Stops = Readonly<{
  read(source: string): Promise<Stop | undefined>
  /** Takes the place of what stood before. */
  write(stop: Stop): Promise<void>
}>

export function openStops(store: BudgetStore): Stops {
  const records = new Map<string, RateLimiterStoreAbstract>()
  const recordOf = (source: string) => {
    const found = records.get(source)
    if (found) return found
    // The points of the record are its kind, counted from 1.
    const made = openLimiter(store, {
      keyPrefix: `{beacon}:stop:${source}`,
      points: kinds.length,
      duration: 1,
    })
    records.set(source, made)
    return made
  }
  return {
    read: async (source) => {
      const record = await recordOf(source).get('')
      const kind = kinds[(record?.consumedPoints ?? 0) - 1]
      return record && kind && record.msBeforeNext > 0
        ? { source, kind, leftMs: record.msBeforeNext }
        : undefined
    },
    write: async ({ source, kind, leftMs }) => {
      // Redis keeps whole seconds.
      const seconds = 'redis' in store ? Math.ceil(leftMs / second) : Math.ceil(leftMs) / second
      await recordOf(source).set('', kinds.indexOf(kind) + 1, seconds)
    },
  }
}
