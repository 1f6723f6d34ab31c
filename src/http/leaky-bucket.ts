import type { Poured } from './bucket-store.ts'
import { type BudgetStore, openBucketStore } from './open-bucket-store.ts'
import type { Pace } from './pace.ts'
import type { Lane } from './request.ts'

/** Fullness is measured as ms until empty. */
export type LeakyBucket = Readonly<{
  /** Adds points if they fit the lane's capacity, which they must not exceed. */
  pour(points: number, lane: Lane): Promise<Poured>
  /** Adds points in any case. Returns ms until empty. */
  owe(points: number): Promise<number>
  /** Fills it to `ms` at least. Returns ms until empty. */
  fillFor(ms: number): Promise<number>
}>

/** Longer than any wait. */
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
