import fc from 'fast-check'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { minute, plus } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import {
  type CoverageState,
  coverageStates,
  type Findings,
  readCoverage,
  readOwed,
  type Series,
  summarizeCoverage,
  writeCoverage,
} from '../../src/store/coverage.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'
import { aBatch, aCoin, aSeries, candlesIn, load, minutes, now, start } from './loading.ts'

const nothing: Findings = { stored: [], 'no-trades': [], refused: [] }

const find = (pool: Pool, series: Series, findings: Partial<Findings>) =>
  inTransaction(pool, (tx) => writeCoverage(tx.db, series, { ...nothing, ...findings }, now))

const owed = (pool: Pool, series: Series, wanted = minutes(0, 100)) =>
  readOwed(databaseOf(pool), series, wanted, 'retry-refused')
const owedLive = (pool: Pool, series: Series, wanted = minutes(0, 100)) =>
  readOwed(databaseOf(pool), series, wanted, 'settle-for-refused')
const known = (pool: Pool, series: Series) => readCoverage(databaseOf(pool), series, minutes(-1_000, 1_000))

describe('what is owed', () => {
  test('of an untouched series is everything that is wanted', async ({ pool }) => {
    expect(await owed(pool, await aSeries(pool))).toEqual([minutes(0, 100)])
  })

  test('is what is neither stored nor known to be absent', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { stored: [minutes(10, 20), minutes(30, 40)], 'no-trades': [minutes(20, 25)] })
    expect(await owed(pool, series)).toEqual([minutes(0, 10), minutes(25, 30), minutes(40, 100)])
    expect(await owed(pool, series, minutes(12, 25))).toEqual([])
  })

  test('is nothing where another source has stored the candles', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, { ...series, source: 'kraken' }, { stored: [minutes(0, 50)] })
    expect(await owed(pool, series)).toEqual([minutes(50, 100)])
  })

  test('is still owed where only another source has no candles, or refused ones', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(
      pool,
      { ...series, source: 'kraken' },
      { 'no-trades': [minutes(0, 50)], refused: [minutes(50, 60)] },
    )
    expect(await owed(pool, series)).toEqual([minutes(0, 100)])
    expect(await owedLive(pool, series)).toEqual([minutes(0, 100)])
  })

  test('of another timeframe or coin is another matter', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { stored: [minutes(0, 100)] })
    expect(await owed(pool, { ...series, timeframe: '5m' })).toEqual([minutes(0, 100)])
    expect(await owed(pool, await aSeries(pool))).toEqual([minutes(0, 100)])
  })

  test('holds refused candles for a backfill, and not for live work', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { stored: [minutes(0, 50), minutes(51, 100)], refused: [minutes(50, 51)] })
    expect(await owed(pool, series)).toEqual([minutes(50, 51)])
    expect(await owedLive(pool, series)).toEqual([])
  })

  test('is counted absent only up to where the answer has settled', async ({ pool }) => {
    const series = await aSeries(pool)
    const answer = aBatch(series, candlesIn(minutes(0, 5)), {
      answered: minutes(0, 20),
      settledBefore: minutes(12, 13).from,
    })
    await load(pool, answer)
    expect(await owed(pool, series, minutes(0, 20))).toEqual([minutes(12, 20)])
  })

  test('is not counted absent where a row of the answer could not even be dated', async ({ pool }) => {
    const series = await aSeries(pool)
    const undated = [
      { raw: ['?'], reason: 'no open time' },
      { raw: ['!'], reason: 'off the grid', openTime: plus(start, 1) },
    ]
    for (const row of undated) {
      const checked = { candles: candlesIn(minutes(0, 5)), rejected: [row], ignored: 0, roundedValues: 0 }
      await load(pool, aBatch(series, checked.candles, { checked, answered: minutes(0, 10) }))
      expect(await owedLive(pool, series, minutes(0, 10))).toEqual([minutes(5, 10)])
    }
  })
})

describe('a finding', () => {
  test('of a candle takes back that there was none, and that it was refused', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { 'no-trades': [minutes(0, 10)], refused: [minutes(10, 20)] })
    await find(pool, series, { stored: [minutes(5, 15)] })
    expect(await known(pool, series)).toEqual([
      { source: 'binance', state: 'no-trades', range: minutes(0, 5) },
      { source: 'binance', state: 'stored', range: minutes(5, 15) },
      { source: 'binance', state: 'refused', range: minutes(15, 20) },
    ])
  })

  test('never takes back a stored candle', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { stored: [minutes(0, 10)] })
    await find(pool, series, { 'no-trades': [minutes(0, 5)], refused: [minutes(5, 12)] })
    expect(await known(pool, series)).toEqual([
      { source: 'binance', state: 'stored', range: minutes(0, 10) },
      { source: 'binance', state: 'refused', range: minutes(10, 12) },
    ])
  })

  test('of nothing and a refusal replace each other', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { 'no-trades': [minutes(0, 10)] })
    await find(pool, series, { refused: [minutes(3, 4)] })
    expect(await owed(pool, series, minutes(0, 10))).toEqual([minutes(3, 4)])
    await find(pool, series, { 'no-trades': [minutes(3, 4)] })
    expect(await owed(pool, series, minutes(0, 10))).toEqual([])
  })

  test('that is known already does not touch the ledger', async ({ pool }) => {
    const series = await aSeries(pool)
    const findings = { stored: [minutes(0, 10)], 'no-trades': [minutes(10, 20)], refused: [minutes(20, 21)] }
    const rows = async () =>
      (
        await pool.query(
          'select state, ctid::text, updated_at from candle_coverage where coin_id = $1 order by state',
          [series.coinId],
        )
      ).rows
    await find(pool, series, findings)
    const before = await rows()
    await inTransaction(pool, (tx) =>
      writeCoverage(tx.db, series, { ...findings, stored: [minutes(2, 5)] }, plus(now, minute)),
    )
    expect(await rows()).toEqual(before)
  })
})

test('a summary tells from when to when a series is stored, and in how many pieces', async ({ pool }) => {
  const [coinId, silent] = [await aCoin(pool), await aCoin(pool)]
  const series = await aSeries(pool, { coinId })
  await find(pool, series, { stored: [minutes(0, 10), minutes(20, 25)], 'no-trades': [minutes(10, 20)] })
  await find(pool, { ...series, coinId: silent }, { 'no-trades': [minutes(0, 10)] })
  expect(await summarizeCoverage(databaseOf(pool), [coinId, silent])).toEqual([
    { ...series, stored: minutes(0, 25), stretches: 2, candles: 15 },
  ])
})

/** One state for each of the first minutes; `silence` says nothing of it. */
const slots = 16
const answer = fc.record({
  source: fc.constantFrom('binance', 'kraken'),
  found: fc.array(fc.constantFrom('silence', ...coverageStates), { minLength: slots, maxLength: slots }),
})

test('any answers in any order add up to what each minute has shown last, and a candle outweighs all', async ({
  pool,
}) => {
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { minLength: 1, maxLength: 8 }), async (answers) => {
      const series = await aSeries(pool)
      const model = new Map<string, CoverageState>()
      for (const { source, found } of answers) {
        await find(pool, { ...series, source }, findingsOf(found))
        for (const [slot, state] of found.entries()) {
          const key = `${source} ${slot}`
          if (state !== 'silence' && model.get(key) !== 'stored') model.set(key, state)
        }
      }
      const coverage = await known(pool, series)
      const seen = new Map(
        coverage.flatMap(({ range, state, source }) =>
          slotsOf([range]).map((slot) => [`${source} ${slot}`, state] as const),
        ),
      )
      expect(seen).toEqual(model)
      // Were a minute in two states of one source, the slots would count more than the map holds.
      expect(coverage.flatMap(({ range }) => slotsOf([range]))).toHaveLength(model.size)
      for (const source of ['binance', 'kraken']) {
        const isOwed = (slot: number, settling: readonly (CoverageState | undefined)[]) =>
          ![model.get(`binance ${slot}`), model.get(`kraken ${slot}`)].includes('stored') &&
          !settling.includes(model.get(`${source} ${slot}`))
        const expected = (settling: readonly CoverageState[]) =>
          Array.from({ length: slots }, (_, slot) => slot).filter((slot) => isOwed(slot, settling))
        const wanted = minutes(0, slots)
        expect(slotsOf(await owed(pool, { ...series, source }, wanted))).toEqual(expected(['no-trades']))
        expect(slotsOf(await owedLive(pool, { ...series, source }, wanted))).toEqual(
          expected(['no-trades', 'refused']),
        )
      }
    }),
    { numRuns: 60 },
  )
})

const slotsOf = (ranges: readonly Range[]): number[] =>
  ranges.flatMap(({ from, to }) =>
    Array.from({ length: (to - from) / minute }, (_, index) => (from - start) / minute + index),
  )

function findingsOf(found: readonly string[]): Findings {
  const inState = (state: CoverageState) =>
    found.flatMap((each, slot) => (each === state ? [minutes(slot, slot + 1)] : []))
  return { stored: inState('stored'), 'no-trades': inState('no-trades'), refused: inState('refused') }
}
