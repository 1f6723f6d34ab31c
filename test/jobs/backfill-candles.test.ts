import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { Aborted, Fault, Unavailable } from '../../src/fault.ts'
import { chunksOf, jobPlanOf } from '../../src/ingest/backfill/plan.ts'
import { gapsOf } from '../../src/ingest/gaps.ts'
import { type Instant, minute, second, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { floorTo, type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import type { InjectedFault } from '../../src/replay/faults/injected-fault.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { readCandles } from '../../src/store/candles.ts'
import { forgetAbsence, readCoverage, readFirstStored } from '../../src/store/coverage.ts'
import { listRuns, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { count, keptReport, klinesAsked, startWorking, truth, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { aCoin } from '../store/loading.ts'
import { at, plus } from '../support/at.ts'
import { test } from '../support/database.ts'

const symbol = 'BTCUSDT'

/** A day and a half with five minutes in which the exchange itself was away: three pages of one minute candles. */
const withHoles: AlignedRange = { from: at('2024-02-25T00:00Z'), to: at('2024-02-26T12:00Z') }
const holes: AlignedRange[] = [
  { from: at('2024-02-25T15:43Z'), to: at('2024-02-25T15:45Z') },
  { from: at('2024-02-25T17:46Z'), to: at('2024-02-25T17:49Z') },
]

type Request = Readonly<{
  coinId: string
  timeframe?: Timeframe
  range?: AlignedRange
  symbol?: string
  lane?: 'repair'
}>

const payloadOf = ({
  coinId,
  timeframe = '1m',
  range = withHoles,
  symbol: market = symbol,
  lane,
}: Request) => ({
  source: 'binance' as const,
  symbol: market,
  coinId,
  timeframe,
  from: toIso(range.from),
  to: toIso(range.to),
  ...(lane === undefined ? {} : { lane }),
})

const backfill = ({ context }: Working, request: Request, report = keptReport()) =>
  backfillCandles.run(context, payloadOf(request), report)

/** Asks again for all that is missing, as `beacon gaps --repair` does. */
async function repair(working: Working, coinId: string): Promise<void> {
  const { pool } = working.context
  const series = { coinId, timeframe: '1m', source: 'binance' } as const
  for (const { cause, range } of await gaps(pool, coinId))
    if (cause === 'no-trades') await forgetAbsence(databaseOf(pool), series, range, halfPast)
  await backfill(working, { coinId, lane: 'repair' })
}

const stored = (pool: Pool, coinId: string, timeframe: Timeframe = '1m', range = withHoles) =>
  readCandles(databaseOf(pool), { coinId, timeframe }, range, 100_000)

/** Everything that is missing inside the range, by its cause. */
async function gaps(pool: Pool, coinId: string, range = withHoles, now: Instant = halfPast) {
  const coverage = await readCoverage(databaseOf(pool), { coinId, timeframe: '1m' }, range)
  const firstStored = await readFirstStored(databaseOf(pool), { coinId, timeframe: '1m' })
  return gapsOf(range, coverage, '1m', floorTo('1m', plus(now, -10 * minute)), firstStored)
}

const realHoles = holes.map((range) => ({
  range,
  cause: 'no-trades',
  candles: (range.to - range.from) / minute,
}))

/** The time passes in which a page is not kept waiting for the next: each is written by itself. */
function slowly({ context, exchange: { clock } }: Working): Working['context'] {
  const now = () => {
    clock.move(second)
    return clock.now()
  }
  return { ...context, steadyClock: { now } }
}

describe('a backfill', () => {
  test('stores exactly what the exchange has closed, and knows its holes as holes', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    const expected = truth(symbol, '1m', withHoles)
    expect(expected).toHaveLength(2_155)
    expect(await backfill(working, { coinId })).toEqual({
      received: 2_155,
      new: 2_155,
      revised: 0,
      unchanged: 0,
      quarantined: 0,
      requests: 3,
      roundedValues: 0,
    })
    expect(await stored(pool, coinId)).toEqual(expected)
    expect(await gaps(pool, coinId)).toEqual(realHoles)
  })

  test('again asks for nothing and writes nothing', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    await backfill(working, { coinId })
    const asked = working.exchange.requests.length
    expect(await backfill(working, { coinId })).toMatchObject({ received: 0, requests: 0 })
    expect(working.exchange.requests).toHaveLength(asked)
  })

  test('asks only for what is still owed', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    const middle = { from: plus(withHoles.from, 500 * minute), to: plus(withHoles.from, 600 * minute) }
    await backfill(working, { coinId, range: middle })
    await backfill(working, { coinId })
    expect(klinesAsked(working).slice(1)).toEqual([
      { symbol, from: withHoles.from, to: middle.from },
      { symbol, from: middle.to, to: plus(middle.to, 1_000 * minute) },
      { symbol, from: plus(middle.to, 1_000 * minute), to: withHoles.to },
    ])
    expect(await stored(pool, coinId)).toEqual(truth(symbol, '1m', withHoles))
  })

  test.for(['5m', '15m', '1h', '4h', '1d'] satisfies Timeframe[])(
    'of %s candles stores exactly them',
    async (timeframe, { pool }) => {
      await using working = await startWorking(pool)
      const coinId = await aCoin(pool)
      const to = floorTo(timeframe, at('2024-02-28T00:00Z'))
      const range = { from: plus(to, -40 * timeframeMs[timeframe]), to }
      await backfill(working, { coinId, timeframe, range })
      expect(await stored(pool, coinId, timeframe, range)).toEqual(truth(symbol, timeframe, range))
    },
  )

  test('of the years before a listing costs a few requests', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    const range = { from: at('2015-01-01T00:00Z'), to: plus(listedAt, 1_500 * minute) }
    await backfill(working, { coinId, range })
    expect(await stored(pool, coinId, '1m', range)).toEqual(truth(symbol, '1m', range))
    expect((await gaps(pool, coinId, range))[0]).toMatchObject({
      cause: 'before-first',
      range: { from: range.from, to: listedAt },
    })
    expect(klinesAsked(working).length).toBeLessThan(6)
  })

  test('never stores the candle that is still open, and leaves it owed', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    const open = floorTo('1m', halfPast)
    const range = { from: plus(open, -30 * minute), to: plus(open, 10 * minute) }
    await backfill(working, { coinId, range })
    expect(await stored(pool, coinId, '1m', range)).toEqual(truth(symbol, '1m', { ...range, to: open }))
    expect(await gaps(pool, coinId, range)).toMatchObject([{ range: { from: open, to: range.to } }])
    working.exchange.clock.move(minute)
    await backfill(working, { coinId, range })
    expect((await stored(pool, coinId, '1m', range)).at(-1)?.openTime).toBe(open)
  })

  test('believes the time of the exchange, not its own', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    const open = floorTo('1m', halfPast)
    const range = { from: plus(open, -5 * minute), to: plus(open, minute) }
    const hasty = { ...working.context, clock: { now: () => plus(halfPast, 60 * minute) } }
    await backfillCandles.run(hasty, payloadOf({ coinId, range }), keptReport())
    expect((await stored(pool, coinId, '1m', range)).at(-1)?.openTime).toBe(plus(open, -minute))
  })

  test('does not call a candle absent that closed only minutes ago', async ({ pool }) => {
    await using working = await startWorking(pool, {
      faults: [{ when: 'always', fault: { name: 'one-row-short' } }],
    })
    const coinId = await aCoin(pool)
    const to = floorTo('1m', halfPast)
    const range = { from: plus(to, -5 * minute), to }
    await backfill(working, { coinId, range })
    expect(await gaps(pool, coinId, range)).toMatchObject([{ cause: 'late', candles: 1 }])
    working.exchange.setFaults([])
    await backfill(working, { coinId, range })
    expect(await stored(pool, coinId, '1m', range)).toEqual(truth(symbol, '1m', range))
  })

  test('tells how far it is, and at last that it is done', async ({ pool }) => {
    await using working = await startWorking(pool)
    const report = keptReport()
    const payload = payloadOf({ coinId: await aCoin(pool) })
    await backfillCandles.run(slowly(working), payload, report)
    expect(report.steps).toEqual([
      [1_000, 2_160],
      [2_000, 2_160],
      [2_160, 2_160],
    ])
    expect(report.lines).toEqual(['2160 candles were missing: 2155 new, 0 quarantined, 3 requests'])
  })

  test('that is stopped keeps the pages it has, and the next one brings the rest', async ({ pool }) => {
    const stop = new AbortController()
    await using working = await startWorking(pool, { signal: stop.signal })
    const coinId = await aCoin(pool)
    const report = keptReport()
    const stopping = { ...report, progress: async () => stop.abort() }
    await expect(backfillCandles.run(slowly(working), payloadOf({ coinId }), stopping)).rejects.toThrow(
      Aborted,
    )
    const firstPage = { from: withHoles.from, to: plus(withHoles.from, 1_000 * minute) }
    expect(await stored(pool, coinId)).toEqual(truth(symbol, '1m', firstPage))
    const fresh = { ...working.context, signal: new AbortController().signal }
    expect(await backfillCandles.run(fresh, payloadOf({ coinId }), report)).toMatchObject({
      requests: 2,
      unchanged: 0,
    })
    expect(await stored(pool, coinId)).toEqual(truth(symbol, '1m', withHoles))
  })

  test('that fails has written down what it did until then, and what it asked for', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, {
      faults: [{ when: { nth: 3 }, fault: { name: 'server-error', status: 503 } }],
    })
    const payload = payloadOf({ coinId: await aCoin(pool) })
    const start = { job: 'backfill-candles', queue: 'binance', jobId: 'one', attempt: 1, payload }
    const runId = await startRun(databaseOf(pool), { ...start, startedAt: halfPast })
    const failing = backfillCandles.run({ ...working.context, runId }, payload, keptReport())
    await expect(failing).rejects.toThrow(Unavailable)
    const [run] = await listRuns(databaseOf(pool), 1)
    expect(run?.outcome).toMatchObject({ received: 1_995, new: 1_995, requests: 3 })
    expect(working.exchange.requests).toHaveLength(3)
  })

  test('whose page ends in a hole asks for the end once more than was planned', async ({ pool }) => {
    await using working = await startWorking(pool)
    const hole = holes[0] ?? expect.fail('there is no hole')
    const range = { from: plus(hole.to, -1_000 * minute), to: plus(hole.to, 500 * minute) }
    const payload = payloadOf({ coinId: await aCoin(pool), range })
    expect(jobPlanOf(payload, halfPast)).toMatchObject({ requests: 2 })
    // The second page begins where the candles of the first one ended, and then ends later than planned.
    expect(await backfillCandles.run(working.context, payload, keptReport())).toMatchObject({ requests: 2 })
    const short = payloadOf({ coinId: await aCoin(pool), range: { from: range.from, to: hole.to } })
    expect(jobPlanOf(short, halfPast)).toMatchObject({ requests: 1 })
    expect(await backfillCandles.run(working.context, short, keptReport())).toMatchObject({ requests: 3 })
  })

  test('in chunks side by side adds up to the same', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    const series = { coinId, timeframe: '1m', source: 'binance' } as const
    const chunks = chunksOf({ series, symbol, missing: [withHoles] }, 300, 'from-start')
    await Promise.all(
      chunks.map((chunk) =>
        backfillCandles.run(working.context, { ...chunk, source: 'binance' }, keptReport()),
      ),
    )
    expect(await stored(pool, coinId)).toEqual(truth(symbol, '1m', withHoles))
    expect(await gaps(pool, coinId)).toEqual(realHoles)
  })

  test('in jobs whose ranges overlap requests and counts each candle once', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    const cuts = [
      withHoles,
      { from: at('2024-02-26T09:20Z'), to: withHoles.to },
      { from: withHoles.from, to: at('2024-02-25T05:00Z') },
    ]
    const results = await Promise.all(cuts.map((range) => backfill(working, { coinId, range })))
    const received = results.map((result) => Number(result.received))
    expect(received).toEqual([2_155, 0, 0])
    expect(klinesAsked(working)).toHaveLength(3)
    expect(await stored(pool, coinId)).toEqual(truth(symbol, '1m', withHoles))
  })

  test('of a market that is not there fails with words that name it', async ({ pool }) => {
    await using working = await startWorking(pool)
    const unknown = backfill(working, { coinId: await aCoin(pool), symbol: 'NOPEUSDT' })
    await expect(unknown).rejects.toMatchObject({ code: 'UNKNOWN_MARKET', remedy: 'give-up' })
  })
})

const someRow = 700
const faults: readonly InjectedFault[] = [
  { name: 'duplicate-row', row: someRow },
  { name: 'conflicting-duplicate', row: someRow },
  { name: 'conflicting-duplicate', row: -1 },
  { name: 'disorder' },
  { name: 'future-candle' },
  { name: 'unaligned-time', row: someRow, byMs: 1 },
  { name: 'unaligned-time', row: -1, byMs: 30_000 },
  { name: 'seconds-for-milliseconds' },
  { name: 'high-below-low', row: 0 },
  { name: 'high-below-low', row: -1 },
  ...[0, 1, 4, 5, 6].map((column): InjectedFault => ({ name: 'missing-column', row: someRow, column })),
  ...[
    'NaN',
    null,
    '',
    '0x10',
    '-1.00000000',
    '1e-9',
    '1_000',
    'Infinity',
    1,
    [],
    '1e400',
    '99999999999999999',
  ].map((value): InjectedFault => ({ name: 'value', row: someRow, column: 4, value })),
  { name: 'value', row: someRow, column: 5, value: 'NaN' },
  { name: 'value', row: someRow, column: 5, value: '1000000000000000000000000' },
  { name: 'value', row: someRow, column: 0, value: '1709251200000' },
  { name: 'value', row: someRow, column: 0, value: 17_092_512_000_001 },
  { name: 'value', row: someRow, column: 6, value: 0 },
  { name: 'ignored-start' },
  { name: 'object-for-rows' },
  { name: 'html' },
  { name: 'cut', atByte: 0 },
  { name: 'cut', atByte: 1 },
  { name: 'cut', atByte: 90_000 },
  { name: 'reset', when: 'within-body' },
  { name: 'too-long-length', bytes: 10 },
  { name: 'huge-body', megabytes: 4, gzip: true },
  { name: 'server-error', status: 503 },
]

describe('an exchange that lies', () => {
  test.for(faults)(
    'with %o never gets a wrong row into the table, and the truth later completes it',
    async (fault, { pool }) => {
      await using working = await startWorking(pool, {
        faults: [{ source: 'binance', when: 'always', fault }],
      })
      const coinId = await aCoin(pool)
      const expected = truth(symbol, '1m', withHoles)
      const known = new Map(expected.map((candle) => [candle.openTime, candle]))
      const outcome = await backfill(working, { coinId }).catch((error: unknown) => error)
      // A failure was foreseen, or there was none.
      expect(outcome).toSatisfy((result) => !(result instanceof Error) || result instanceof Fault)
      for (const candle of await stored(pool, coinId)) expect(candle).toEqual(known.get(candle.openTime))

      working.exchange.setFaults([])
      await repair(working, coinId)
      expect(await stored(pool, coinId)).toEqual(expected)
      expect(await gaps(pool, coinId)).toEqual(realHoles)
      expect(await backfill(working, { coinId })).toMatchObject({ requests: 0 })
    },
  )

  test.for([
    { name: 'one-row-short' },
    { name: 'hole', row: 990, rows: 10 },
    { name: 'cut', atByte: 1_000 },
  ] satisfies InjectedFault[])(
    'now and then with %o at the end of a page is asked again where the page ended',
    async (fault, { pool }) => {
      // What is missing at the end of one page is asked for as the beginning of the next.
      await using working = await startWorking(pool, {
        faults: [{ source: 'binance', when: { nth: 2 }, fault }],
      })
      const coinId = await aCoin(pool)
      for (let attempt = 0; attempt < 2; attempt++) await backfill(working, { coinId }).catch(() => undefined)
      expect(await stored(pool, coinId)).toEqual(truth(symbol, '1m', withHoles))
    },
  )

  test('with an empty page once is not trusted: it is asked again', async ({ pool }) => {
    await using working = await startWorking(pool, {
      faults: [{ source: 'binance', when: { nth: 2 }, fault: { name: 'no-rows' } }],
    })
    const coinId = await aCoin(pool)
    await backfill(working, { coinId })
    expect(await stored(pool, coinId)).toEqual(truth(symbol, '1m', withHoles))
  })

  test('with a hole inside a page is trusted, listed as having had no trades, and mended by asking again', async ({
    pool,
  }) => {
    await using working = await startWorking(pool, {
      faults: [{ source: 'binance', when: { nth: 2 }, fault: { name: 'hole', row: someRow, rows: 10 } }],
    })
    const coinId = await aCoin(pool)
    await backfill(working, { coinId })
    const heldBack = await gaps(pool, coinId)
    expect((await stored(pool, coinId)).length).toBe(2_145)
    expect(heldBack.every(({ cause }) => cause === 'no-trades')).toBe(true)
    expect(heldBack.reduce((sum, gap) => sum + gap.candles, 0)).toBe(15)

    for (const gap of heldBack)
      await forgetAbsence(
        databaseOf(pool),
        { coinId, timeframe: '1m', source: 'binance' },
        gap.range,
        halfPast,
      )
    await backfill(working, { coinId })
    expect(await stored(pool, coinId)).toEqual(truth(symbol, '1m', withHoles))
    expect((await gaps(pool, coinId)).reduce((sum, gap) => sum + gap.candles, 0)).toBe(5)
  })

  test('gets a row that is not trusted kept aside with its reason, once', async ({
    freshDatabase: { pool },
  }) => {
    const fault: InjectedFault = { name: 'high-below-low', row: 0 }
    await using working = await startWorking(pool, { faults: [{ source: 'binance', when: 'always', fault }] })
    const coinId = await aCoin(pool)
    expect(await backfill(working, { coinId })).toMatchObject({ received: 2_155, quarantined: 3 })
    expect(await backfill(working, { coinId })).toMatchObject({ received: 0, requests: 0 })
    expect(await backfill(working, { coinId, lane: 'repair' })).toMatchObject({ received: 3, quarantined: 3 })
    const { rows } = await pool.query(
      `select source, market, timeframe, reason from quarantined_rows where coin_id = $1 order by timestamp`,
      [coinId],
    )
    expect(rows[0]).toEqual({
      source: 'binance',
      market: symbol,
      timeframe: '1m',
      reason: expect.stringMatching(/^open .* low /),
    })
    expect(rows).toHaveLength(3)
    expect(await count(pool, 'candle_revisions')).toBe(0)
  })
})

test.for([
  ['nothing', {}],
  ['no object', 'bitcoin'],
  ['an unknown source', { source: 'binance; drop table coins' }],
  ['a source without candles that does not exist', { source: '__proto__' }],
  ['no market', { symbol: '' }],
  ['an endless market', { symbol: 'A'.repeat(51) }],
  ['an id that is no id', { coinId: "x'--;DROP" }],
  ['an unknown timeframe', { timeframe: '7m' }],
  ['a timeframe from the prototype', { timeframe: 'constructor' }],
  ['no date', { from: 'yesterday' }],
  ['a date of another zone', { from: '2024-03-01T00:00:00+05:30' }],
  ['a number for a date', { from: 1_709_251_200_000 }],
  ['an end before the beginning', { from: '2024-03-02T00:00:00Z', to: '2024-03-01T00:00:00Z' }],
  ['an empty range', { to: '2024-03-01T00:00:00Z' }],
  ['times off the grid', { from: '2024-03-01T00:00:00.001Z' }],
  ['one field more', { limit: 5 }],
] as const)('a payload with %s is refused', ([, wrong]) => {
  const good = {
    source: 'binance',
    symbol,
    coinId: 'bitcoin',
    timeframe: '1m',
    from: '2024-03-01T00:00:00Z',
    to: '2024-03-01T01:00:00Z',
  }
  expect(backfillCandles.payload.safeParse(good).success).toBe(true)
  const payload = typeof wrong === 'string' || Object.keys(wrong).length === 0 ? wrong : { ...good, ...wrong }
  expect(backfillCandles.payload.safeParse(payload).success).toBe(false)
})

test('the same stretch of the same market has the same id, without colons', () => {
  const payload = payloadOf({ coinId: 'bitcoin', symbol: 'A:B' })
  expect(backfillCandles.idOf?.(payload)).toBe(
    backfillCandles.idOf?.({ ...payload, from: '2024-02-25T00:00:00Z' }),
  )
  expect(backfillCandles.idOf?.(payload)).not.toContain(':')
  expect(backfillCandles.idOf?.(payload)).not.toBe(backfillCandles.idOf?.({ ...payload, timeframe: '5m' }))
})
