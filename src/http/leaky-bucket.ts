import type { Poured } from './bucket-store.ts'
import { type BudgetStore, openBucketStore } from './open-bucket-store.ts'
import type { Pace } from './pace.ts'
import type { Lane } from './request.ts'

/** The leaky bucket of one source: how long it takes to leak dry is how full it is. */
export type LeakyBucket = Readonly<{
  /** Pours in the points if they stay below the lane's capacity. They must not be more than that. */
  pour(points: number, lane: Lane): Promise<Poured>
  /** Pours in the points, however full it gets. Returns the milliseconds until it has leaked dry. */
  owe(points: number): Promise<number>
  /** Fills it up, unless it is fuller, so that it leaks dry in so long. Returns the milliseconds until it has. */
  fillFor(ms: number): Promise<number>
}>

/** Longer than anything is ever waited for. */
const endlessMs = 1e12

export function openLeakyBucket(
  store: BudgetStore,
  source: string,
  { perPointMs, capacities }: Pace,
): LeakyBucket {
  const buckets = openBucketStore(store)
  const key = `budget:${source}`
  return {
    pour: (points, lane) => buckets.pour(key, points * perPointMs, capacities[lane] * perPointMs),
    owe: async (points) => {
      const poured = await buckets.pour(key, points * perPointMs, endlessMs)
      return poured.fits ? poured.emptyInMs : poured.fitsInMs
    },
    fillFor: (ms) => buckets.fill(key, ms),
  }
}
