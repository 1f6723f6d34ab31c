import fc from 'fast-check'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { day, hour, minute, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { readMissing, readMissingOf } from '../../src/store/coverage/missing-candles.ts'
import { readUnresolvedOf } from '../../src/store/coverage/series.ts'
import { summarizeCoverage } from '../../src/store/coverage/summary.ts'
import {
  coverageStates,
  type Findings,
  forgetAbsence,
  lockSeries,
  readCoverage,
  type Series,
  writeCoverages,
} from '../../src/store/coverage.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import {
  aBatch,
  aCandle,
  aCoin,
  aSeries,
  candlesIn,
  load,
  minutes,
  now,
  start,
  waiting,
  writeCoverage,
} from './loading.ts'

const nothing: Findings = { stored: [], 'no-trades': [], refused: [] }

const find = (pool: Pool, series: Series, findings: Partial<Findings>) =>
  inTransaction(pool, (tx) => writeCoverage(tx.db, series, { ...nothing, ...findings }, now))

const missing = (pool: Pool, series: Series, wanted = minutes(0, 100)) =>
  readMissingOf(databaseOf(pool), { ...series, range: wanted }, 'retry-rejected')
const missingLive = (pool: Pool, series: Series, wanted = minutes(0, 100)) =>
  readMissingOf(databaseOf(pool), { ...series, range: wanted }, 'skip-rejected')
const known = (pool: Pool, series: Series) => readCoverage(databaseOf(pool), series, minutes(-1_000, 1_000))

describe('what is owed', () => {
  test('of an untouched series is everything that is wanted', async ({ pool }) => {
    expect(await missing(pool, await aSeries(pool))).toEqual([minutes(0, 100)])
  })

  test('is what is neither stored nor known to be absent', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { stored: [minutes(10, 20), minutes(30, 40)], 'no-trades': [minutes(20, 25)] })
    expect(await missing(pool, series)).toEqual([minutes(0, 10), minutes(25, 30), minutes(40, 100)])
    expect(await missing(pool, series, minutes(12, 25))).toEqual([])
  })

  test('is nothing where another source has stored the candles', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, { ...series, source: 'kraken' }, { stored: [minutes(0, 50)] })
    expect(await missing(pool, series)).toEqual([minutes(50, 100)])
  })

  test('is still missing where only another source has no candles, or refused ones', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(
      pool,
      { ...series, source: 'kraken' },
      { 'no-trades': [minutes(0, 50)], refused: [minutes(50, 60)] },
    )
    expect(await missing(pool, series)).toEqual([minutes(0, 100)])
    expect(await missingLive(pool, series)).toEqual([minutes(0, 100)])
  })

  test('of another timeframe or coin is another matter', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { stored: [minutes(0, 100)] })
    expect(await missing(pool, { ...series, timeframe: '5m' })).toEqual([minutes(0, 100)])
    expect(await missing(pool, await aSeries(pool))).toEqual([minutes(0, 100)])
  })

  test('is told of each series in their order, of one of which nothing is wanted as well', async ({
    pool,
  }) => {
    const [whole, unwanted, half] = [await aSeries(pool), await aSeries(pool), await aSeries(pool)]
    await find(pool, half, { stored: [minutes(0, 50)] })
    const wanted = [
      { ...whole, range: minutes(0, 100) },
      { ...unwanted, range: minutes(1, 0) },
      { ...half, range: minutes(40, 60) },
    ]
    const found = await readMissing(databaseOf(pool), wanted, 'retry-rejected')
    expect(found).toEqual([[minutes(0, 100)], [], [minutes(50, 60)]])
  })

  test('holds refused candles for a backfill, and not for live work', async ({ pool }) => {
    const series = await aSeries(pool)
    await find(pool, series, { stored: [minutes(0, 50), minutes(51, 100)], refused: [minutes(50, 51)] })
    expect(await missing(pool, series)).toEqual([minutes(50, 51)])
    expect(await missingLive(pool, series)).toEqual([])
  })

  test('is counted absent only up to where the answer has resolved', async ({ pool }) => {
    const series = await aSeries(pool)
    const answer = aBatch(series, candlesIn(minutes(0, 5)), {
      answered: minutes(0, 20),
      absentBefore: minutes(12, 13).from,
    })
    await load(pool, answer)
    expect(await missing(pool, series, minutes(0, 20))).toEqual([minutes(12, 20)])
  })

  test('is nothing of an answer with rows off the grid: each concerns the candle that holds it', async ({
    pool,
  }) => {
    const series = await aSeries(pool)
    const rejected = [6, 8].map((minute) => ({
      raw: [minute],
      reason: 'off the grid',
      openTime: plus(minutes(minute, minute + 1).from, 28_789),
    }))
    const undated = { raw: ['?'], reason: 'no open time' }
    const parts = { rejected: [...rejected, undated], answered: minutes(0, 10) }
    await load(pool, aBatch(series, candlesIn(minutes(0, 5)), parts))
    expect(await missingLive(pool, series, minutes(0, 10))).toEqual([])
    expect(await known(pool, series)).toEqual([
      { source: 'binance', state: 'stored', range: minutes(0, 5) },
      { source: 'binance', state: 'no-trades', range: minutes(5, 6) },
      { source: 'binance', state: 'refused', range: minutes(6, 7) },
      { source: 'binance', state: 'no-trades', range: minutes(7, 8) },
      { source: 'binance', state: 'refused', range: minutes(8, 9) },
      { source: 'binance', state: 'no-trades', range: minutes(9, 10) },
    ])
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
    expect(await missing(pool, series, minutes(0, 10))).toEqual([minutes(3, 4)])
    await find(pool, series, { 'no-trades': [minutes(3, 4)] })
    expect(await missing(pool, series, minutes(0, 10))).toEqual([])
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
  await find(pool, series, {
    stored: [minutes(0, 10), minutes(20, 25)],
    provisional: [minutes(24, 25)],
    'no-trades': [minutes(10, 20), minutes(25, 30)],
  })
  await find(pool, { ...series, coinId: silent }, { 'no-trades': [minutes(0, 10)] })
  expect(await summarizeCoverage(databaseOf(pool), [coinId, silent])).toEqual([
    {
      ...series,
      stored: minutes(0, 25),
      rangeCount: 2,
      candles: 15,
      absent: 10,
      rejected: 0,
      provisional: 1,
    },
  ])
})

/** What the ledger says of each of the first minutes, all states and sources together. */
async function coverageOf(pool: Pool, { coinId }: Series): Promise<Map<string, Set<string>>> {
  const { rows } = await pool.query<{ source: string; state: string; slot: number }>(
    `select source, state, (extract(epoch from at - $2::timestamp) / 60)::integer as slot
     from candle_coverage, unnest(ranges) as part, generate_series(lower(part), upper(part) - interval '1 minute', '1 minute') as at
     where coin_id = $1`,
    [coinId, toIso(start)],
  )
  const coverage = new Map<string, Set<string>>()
  for (const { source, state, slot } of rows) {
    const key = `${source} ${slot}`
    coverage.set(key, (coverage.get(key) ?? new Set()).add(state))
  }
  return coverage
}

const slots = 12
const outcomes = ['silence', 'stored', 'provisional', 'no-trades', 'refused'] as const
type Outcome = (typeof outcomes)[number]

/** How old the minutes were when they were asked for. */
const ages = [hour, 2 * day, 40 * day] as const

const anAnswer = fc.record({
  source: fc.constantFrom('binance', 'kraken'),
  ageMs: fc.constantFrom(...ages),
  found: fc.array(fc.constantFrom(...outcomes), { minLength: slots, maxLength: slots }),
})
type Answer = Readonly<{ source: string; ageMs: number; found: readonly Outcome[] }>

const rangesOf = (found: readonly Outcome[], ...wanted: readonly Outcome[]): AlignedRange[] =>
  found.flatMap((each, slot) => (wanted.includes(each) ? [minutes(slot, slot + 1)] : []))

const findingsIn = ({ found }: Answer): Findings => ({
  stored: rangesOf(found, 'stored', 'provisional'),
  provisional: rangesOf(found, 'provisional'),
  'no-trades': rangesOf(found, 'no-trades'),
  refused: rangesOf(found, 'refused'),
})

/** What one minute is in after an answer, by the meaning of the states alone. */
function after(before: ReadonlySet<string> | undefined, outcome: Outcome, ageMs: number): Set<string> {
  if (outcome === 'silence') return new Set(before)
  if (outcome === 'stored') return new Set(['stored'])
  if (outcome === 'provisional') return new Set(['stored', 'provisional'])
  if (before?.has('stored')) return new Set(outcome === 'no-trades' ? ['stored'] : before)
  return new Set([
    outcome,
    ...(ageMs < day ? ['recheck-after-day'] : []),
    ...(ageMs < 30 * day ? ['recheck-after-month'] : []),
  ])
}

const allAt = (answer: Answer) => plus(start, slots * minute + answer.ageMs)

test('any answers in any order add up to what each minute has shown last, and a candle outweighs all', async ({
  pool,
}) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anAnswer, { minLength: 1, maxLength: 8 }), async (answers) => {
      const series = await aSeries(pool)
      const model = new Map<string, Set<string>>()
      for (const answer of answers) {
        const { source, found, ageMs } = answer
        await inTransaction(pool, (tx) =>
          writeCoverage(tx.db, { ...series, source }, findingsIn(answer), allAt(answer)),
        )
        for (const [slot, outcome] of found.entries()) {
          const key = `${source} ${slot}`
          const states = after(model.get(key), outcome, ageMs)
          if (states.size > 0) model.set(key, states)
        }
      }
      expect(await coverageOf(pool, series)).toEqual(model)
      const wanted = minutes(0, slots)
      const { missing: unresolved } = await readUnresolvedOf(databaseOf(pool), { ...series, range: wanted })
      for (const source of ['binance', 'kraken'] as const) {
        const isMissing = (slot: number, resolving: readonly string[]) =>
          ![model.get(`binance ${slot}`), model.get(`kraken ${slot}`)].some((states) =>
            states?.has('stored'),
          ) && !resolving.some((state) => model.get(`${source} ${slot}`)?.has(state))
        const expected = (resolving: readonly string[]) =>
          Array.from({ length: slots }, (_, slot) => slot).filter((slot) => isMissing(slot, resolving))
        expect(slotsOf(await missing(pool, { ...series, source }, wanted))).toEqual(expected(['no-trades']))
        const live = expected(['no-trades', 'refused'])
        expect(slotsOf(await missingLive(pool, { ...series, source }, wanted))).toEqual(live)
        if (source === series.source) expect(slotsOf(unresolved)).toEqual(live)
      }
    }),
    { numRuns: 30 },
  )
})

test('answers that come at the same time leave a ledger in order, and lose no candle', async ({ pool }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anAnswer, { minLength: 2, maxLength: 6 }), async (answers) => {
      const series = await aSeries(pool)
      const other = await aSeries(pool)
      await Promise.all(
        answers.map((answer, index) => {
          const both = [
            { series: { ...series, source: answer.source }, findings: findingsIn(answer) },
            { series: { ...other, source: answer.source }, findings: findingsIn(answer) },
          ]
          // Whoever comes the other way round waits for nobody who waits for him.
          const entries = index % 2 === 0 ? both : both.toReversed()
          return inTransaction(pool, async (tx) => {
            await lockSeries(
              tx.db,
              [series, other].toSorted(() => (index % 2 === 0 ? 1 : -1)),
            )
            await writeCoverages(tx.db, entries, allAt(answer))
          })
        }),
      )
      for (const one of [series, other]) {
        const coverage = await coverageOf(pool, one)
        const primary = [...coverage.values()].map((states) =>
          coverageStates.filter((state) => states.has(state)),
        )
        expect(primary.every((states) => states.length === 1)).toBe(true)
        for (const [key, states] of coverage) {
          if (states.has('provisional')) expect([key, states.has('stored')]).toEqual([key, true])
          if (states.has('recheck-after-day'))
            expect([key, states.has('recheck-after-month')]).toEqual([key, true])
          if (states.has('recheck-after-month')) expect([key, states.has('stored')]).toEqual([key, false])
        }
        for (const { source, found } of answers)
          for (const slot of slotsOf(rangesOf(found, 'stored', 'provisional')))
            expect(coverage.get(`${source} ${slot}`)).toContain('stored')
      }
    }),
    { numRuns: 15 },
  )
})

test('answers of many series, and several of one, are written as one after the other would be', async ({
  pool,
}) => {
  const [one, two] = [await aSeries(pool), await aSeries(pool)]
  await inTransaction(pool, async (tx) => {
    await lockSeries(tx.db, [one, two])
    await writeCoverages(
      tx.db,
      [
        { series: one, findings: { ...nothing, 'no-trades': [minutes(0, 10)] } },
        { series: two, findings: { ...nothing, refused: [minutes(0, 5)] } },
        { series: one, findings: { ...nothing, stored: [minutes(5, 15)] } },
        { series: one, findings: { ...nothing, 'no-trades': [minutes(0, 20)] } },
      ],
      now,
    )
  })
  expect(await known(pool, one)).toEqual([
    { source: 'binance', state: 'no-trades', range: minutes(0, 5) },
    { source: 'binance', state: 'stored', range: minutes(5, 15) },
    { source: 'binance', state: 'no-trades', range: minutes(15, 20) },
  ])
  expect(await known(pool, two)).toEqual([{ source: 'binance', state: 'refused', range: minutes(0, 5) }])
})

test('what another has taken away meanwhile does not come back', async ({ pool }) => {
  const series = await aSeries(pool)
  await find(pool, series, { stored: [minutes(0, 10)] })
  const trimming = await pool.connect()
  try {
    await trimming.query('begin')
    await trimming.query(
      'update candle_coverage set ranges = ranges - tsmultirange(tsrange($1, $2)) where coin_id = $3',
      [toIso(minutes(0, 5).from), toIso(minutes(0, 5).to), series.coinId],
    )
    const writing = find(pool, series, { stored: [minutes(10, 20)] })
    await waiting(pool, 1)
    await trimming.query('commit')
    await writing
  } finally {
    trimming.release()
  }
  expect(await known(pool, series)).toEqual([{ source: 'binance', state: 'stored', range: minutes(5, 20) }])
})

describe('a candle is provisional', () => {
  const provisional = async (pool: Pool, series: Series) =>
    (await readUnresolvedOf(databaseOf(pool), { ...series, range: minutes(-100, 100) })).provisional
  const finalBefore = minutes(8, 9).from

  test('until it was seen unchanged long enough after its close', async ({ pool }) => {
    const series = await aSeries(pool)
    await load(pool, aBatch(series, candlesIn(minutes(0, 10)), { finalBefore }))
    expect(await provisional(pool, series)).toEqual([minutes(8, 10)])
    await load(pool, aBatch(series, candlesIn(minutes(8, 9)), { finalBefore: minutes(9, 10).from }))
    expect(await provisional(pool, series)).toEqual([minutes(9, 10)])
    await load(pool, aBatch(series, candlesIn(minutes(9, 10))))
    expect(await provisional(pool, series)).toEqual([])
  })

  test('again once it was revised, however old', async ({ pool }) => {
    const series = await aSeries(pool)
    await load(pool, aBatch(series, candlesIn(minutes(0, 10))))
    const corrected = [aCandle(minutes(4, 5).from, { volume: '1.00000000' })]
    await load(pool, aBatch(series, corrected))
    expect(await provisional(pool, series)).toEqual([minutes(4, 5)])
    await load(pool, aBatch(series, corrected))
    expect(await provisional(pool, series)).toEqual([])
  })

  test('and asked for no more when its source has none there any longer', async ({ pool }) => {
    const series = await aSeries(pool)
    await load(pool, aBatch(series, candlesIn(minutes(0, 10)), { finalBefore }))
    await load(pool, aBatch(series, [], { answered: minutes(0, 10) }))
    expect(await provisional(pool, series)).toEqual([])
    expect(await known(pool, series)).toEqual([{ source: 'binance', state: 'stored', range: minutes(0, 10) }])
  })
})

test('an absence that is forgotten is not to be looked at again either', async ({ pool }) => {
  const series = await aSeries(pool)
  const findings = { ...nothing, 'no-trades': [minutes(0, 10)], refused: [minutes(10, 12)] }
  await inTransaction(pool, (tx) => writeCoverage(tx.db, series, findings, plus(start, hour)))
  const range = minutes(0, 100)
  expect(await readUnresolvedOf(databaseOf(pool), { ...series, range })).toEqual({
    missing: [minutes(12, 100)],
    provisional: [],
    'recheck-after-day': [minutes(0, 12)],
    'recheck-after-month': [minutes(0, 12)],
  })
  await forgetAbsence(databaseOf(pool), series, minutes(5, 11), now)
  expect(await readUnresolvedOf(databaseOf(pool), { ...series, range })).toMatchObject({
    missing: [minutes(5, 10), minutes(12, 100)],
    'recheck-after-day': [minutes(0, 5), minutes(10, 12)],
    'recheck-after-month': [minutes(0, 5), minutes(10, 12)],
  })
})

const slotsOf = (ranges: readonly AlignedRange[]): number[] =>
  ranges.flatMap(({ from, to }) =>
    Array.from({ length: (to - from) / minute }, (_, index) => (from - start) / minute + index),
  )
