import { describe, expect } from 'vitest'
import { type LeakyBucket, openLeakyBucket } from '../../src/http/leaky-bucket.ts'
import type { BudgetStore } from '../../src/http/open-bucket-store.ts'
import type { Pace } from '../../src/http/pace.ts'
import { openPauses } from '../../src/http/pauses.ts'
import type { Lane } from '../../src/http/request.ts'
import { hour, second } from '../../src/market/instant.ts'
import { engines } from '../support/database.ts'
import { aSource, testOn } from './stores.ts'

/** So slow that nothing leaks out while a test looks on. */
const slow: Pace = { perPointMs: hour, burst: 10, capacities: { live: 12, repair: 8, backfill: 6 } }

/** What a busy machine may take between pouring and looking. */
const lateMs = 20 * second

const about = (ms: number, expectedMs: number): void => {
  expect(ms).toBeLessThanOrEqual(expectedMs + 1)
  expect(ms).toBeGreaterThan(expectedMs - lateMs)
}

/** How many of many at once fit. */
async function pourMany(buckets: readonly LeakyBucket[], lane: Lane, points = 1): Promise<number> {
  const poured = await Promise.all(
    Array.from({ length: 10 }, () => buckets.map((bucket) => bucket.pour(points, lane))).flat(),
  )
  return poured.filter(({ fits }) => fits).length
}

/** The milliseconds until so many points fit in again. */
async function fitsInMs(bucket: LeakyBucket, points: number, lane: Lane): Promise<number> {
  const poured = await bucket.pour(points, lane)
  if (poured.fits) throw new Error(`${points} points do fit`)
  return poured.fitsInMs
}

describe.each(engines)('a leaky bucket on %s', (engine) => {
  const test = testOn(engine).extend('buckets', ({ stores }): [LeakyBucket, LeakyBucket] => {
    const source = aSource()
    return [openLeakyBucket(stores[0], source, slow), openLeakyBucket(stores[1], source, slow)]
  })

  test('holds just what fits below the capacity of each lane, whoever pours', async ({ buckets }) => {
    expect(await pourMany(buckets, 'backfill')).toBe(6)
    expect(await pourMany(buckets, 'repair')).toBe(2)
    expect(await pourMany(buckets, 'backfill')).toBe(0)
    expect(await pourMany(buckets, 'live', 2)).toBe(2)
  })

  test('tells when it will have leaked dry, and when more fits in', async ({ buckets: [here, there] }) => {
    const poured = await here.pour(4, 'backfill')
    if (!poured.fits) throw new Error('nothing was in it')
    about(poured.emptyInMs, 4 * hour)
    about(await fitsInMs(there, 3, 'backfill'), hour)
    about(await fitsInMs(there, 6, 'repair'), 2 * hour)
  })

  test('takes what is owed, however full it gets', async ({ buckets: [here, there] }) => {
    await here.pour(12, 'live')
    about(await there.owe(1_000), 1_012 * hour)
    about(await fitsInMs(here, 1, 'live'), 1_001 * hour)
  })

  test('is filled for a time, and never for a shorter one', async ({ buckets: [here, there] }) => {
    await here.pour(1, 'live')
    await there.fillFor(20.5 * hour)
    await here.fillFor(2 * hour)
    about(await fitsInMs(here, 1, 'live'), 9.5 * hour)
    about(await fitsInMs(there, 1, 'backfill'), 15.5 * hour)
  })

  test('leaks by the millisecond', async ({ stores }) => {
    const quick = { perPointMs: 40.5, burst: 1, capacities: { live: 1.5, repair: 1, backfill: 1 } }
    const bucket = openLeakyBucket(stores[0], aSource(), quick)
    await bucket.pour(1, 'backfill')
    const waitMs = await fitsInMs(bucket, 1, 'backfill')
    expect(waitMs).toBeGreaterThan(0)
    expect(waitMs).toBeLessThanOrEqual(41)
    await expect.poll(async () => (await bucket.pour(1, 'backfill')).fits, { interval: 10 }).toBe(true)
  })

  test('of one source is not that of another', async ({ buckets: [here], stores }) => {
    await here.owe(100)
    const other = openLeakyBucket(stores[1], aSource(), slow)
    expect((await other.pour(6, 'backfill')).fits).toBe(true)
  })

  test.for([hour, 23 * hour])(
    'whose store had a clock %i ms ahead when it was poured into leaks from now on, as does a stop',
    async (aheadMs, { stores: [store] }) => {
      const source = aSource()
      const bucket = openLeakyBucket(store, source, slow)
      const pauses = openPauses(store)
      await bucket.pour(2, 'live')
      await pauses.write({ source, kind: 'banned', leftMs: 3 * hour })
      await writtenAhead(store, [`budget:${source}`, `stop:${source}`], aheadMs)
      about(await fitsInMs(bucket, 6, 'backfill'), 2 * hour)
      const poured = await bucket.pour(1, 'live')
      about(poured.fits ? poured.emptyInMs : Number.NaN, 3 * hour)
      for (let attempts = 0; attempts < 2; attempts += 1) {
        const stop = await pauses.read(source)
        expect(stop?.kind).toBe('banned')
        about(stop?.leftMs ?? 0, 3 * hour)
      }
      await bucket.fillFor(5 * hour)
      about(await fitsInMs(bucket, 6, 'backfill'), 5 * hour)
    },
  )
})

/** As if what stands there had been written while the store's clock was ahead by so much. */
async function writtenAhead(store: BudgetStore, keys: readonly string[], byMs: number): Promise<void> {
  for (const key of keys) {
    if ('pool' in store) {
      const values = [`beacon:${key}`, byMs * 1_000]
      await store.pool.query(
        'update request_budget set expire = expire + $2::bigint, written_at = written_at + $2::bigint where key = $1',
        values,
      )
      continue
    }
    const [over, written, mark] = ((await store.redis.get(`{beacon}:${key}`)) ?? '').split(' ').map(Number)
    const later = [(over ?? 0) + byMs * 1_000, (written ?? 0) + byMs * 1_000, mark]
    await store.redis.set(`{beacon}:${key}`, later.join(' '))
  }
}
