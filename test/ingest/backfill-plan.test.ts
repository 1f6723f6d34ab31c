import fc from 'fast-check'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { InvalidInput } from '../../src/fault.ts'
import type { Pause } from '../../src/http/pauses.ts'
import { chunksOf, chunksOfAll, planBackfill } from '../../src/ingest/backfill/plan.ts'
import type { BackfillRequest } from '../../src/ingest/backfill/series-work.ts'
import { findGaps } from '../../src/ingest/gaps.ts'
import { day, hour, minute, toInstant } from '../../src/market/instant.ts'
import { candleCount, toAlignedRange, union } from '../../src/market/range.ts'
import { type Timeframe, timeframeMs, timeframes } from '../../src/market/timeframe.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { binance } from '../../src/sources/binance.ts'
import { kraken } from '../../src/sources/kraken.ts'
import { okx } from '../../src/sources/okx.ts'
import { costOf } from '../../src/sources/source.ts'
import { listCoins, trackMarket, upsertCoin } from '../../src/store/coins.ts'
import { listPartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { partitionedTables } from '../../src/store/partitions.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { halfPast } from '../replay/playing.ts'
import { at, writeCoverage } from '../store/loading.ts'
import { atMs, plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { follow, keptReport, startWorking } from './working.ts'

const settings = readSettings({})
const binanceWeight = 2

const requestOf = (parts: Partial<BackfillRequest> = {}): BackfillRequest => ({
  coinIds: ['bitcoin'],
  timeframes: ['1m'],
  range: { from: at('2024-02-28T00:00Z'), to: at('2024-03-01T00:00Z') },
  archive: 'never',
  ...parts,
})

async function plan(pool: Pool, parts: Partial<BackfillRequest> = {}, now = halfPast) {
  return planBackfill(pool, settings, await listCoins(databaseOf(pool)), requestOf(parts), now)
}

describe('a plan', () => {
  test('counts candles, requests and weight of what is owed', async ({ freshDatabase: { pool } }) => {
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
    const planned = await plan(pool, { coinIds: ['bitcoin', 'ethereum'], timeframes: ['1m', '1h'] })
    expect(planned).toMatchObject({
      candles: 2 * (2_880 + 48),
      requests: 2 * (3 + 1),
      weight: 2 * (3 + 1) * binanceWeight,
      expiring: 0,
    })
    expect(
      planned.series.map(({ series, symbol, requests }) => [
        series.coinId,
        series.timeframe,
        symbol,
        requests,
      ]),
    ).toEqual([
      ['bitcoin', '1m', 'BTCUSDT', 3],
      ['bitcoin', '1h', 'BTCUSDT', 1],
      ['ethereum', '1m', 'ETHUSDT', 3],
      ['ethereum', '1h', 'ETHUSDT', 1],
    ])
    expect(planned.durationMs).toBeGreaterThan(0)
  })

  test('rounds up to whole requests for each owed stretch by itself', async ({ freshDatabase: { pool } }) => {
    await follow(pool, 'BTCUSDT')
    const { from, to } = toAlignedRange('1m', requestOf().range)
    const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
    const stored = [
      { from: plus(from, 10 * minute), to: plus(from, 20 * minute) },
      { from: plus(from, 1_021 * minute), to: plus(from, 1_031 * minute) },
    ]
    await inTransaction(pool, (tx) =>
      writeCoverage(tx.db, series, { stored, refused: [], 'no-trades': [] }, halfPast),
    )
    // 10, 1001 and 1849 candles.
    expect(await plan(pool)).toMatchObject({
      candles: candleCount({ from, to }, '1m') - 20,
      requests: 1 + 2 + 2,
    })
  })

  test('of what is all there is empty', async ({ freshDatabase: { pool } }) => {
    await follow(pool, 'BTCUSDT')
    const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
    const stored = [toAlignedRange('1m', requestOf().range)]
    await inTransaction(pool, (tx) =>
      writeCoverage(tx.db, series, { stored, refused: [], 'no-trades': [] }, halfPast),
    )
    expect(await plan(pool)).toMatchObject({
      candles: 0,
      requests: 0,
      weight: 0,
      durationMs: 0,
      partitions: [],
    })
  })

  test('ends with the last closed candle', async ({ freshDatabase: { pool } }) => {
    await follow(pool, 'BTCUSDT')
    const range = { from: plus(halfPast, -hour), to: plus(halfPast, hour) }
    expect((await plan(pool, { range })).series[0]?.wanted).toEqual({
      from: at('2024-03-01T11:35Z'),
      to: at('2024-03-01T12:34Z'),
    })
    const future = { from: plus(halfPast, hour), to: plus(halfPast, 2 * hour) }
    expect(await plan(pool, { range: future })).toMatchObject({ candles: 0, requests: 0 })
  })

  test('takes as long as its budget and what else is asked of the source allow', async ({
    freshDatabase: { pool },
  }) => {
    await follow(pool, 'BTCUSDT')
    const coins = await listCoins(databaseOf(pool))
    const planWith = (chosen: Settings, pauses: readonly Pause[] = []) =>
      planBackfill(pool, chosen, coins, requestOf(), halfPast, pauses)
    const alone = await planWith(settings)
    const { msPerPoint = 0 } = alone.sources[0] ?? {}
    expect(alone.sources).toEqual([
      {
        source: 'binance',
        weight: 3 * binanceWeight,
        durationMs: alone.durationMs,
        msPerPoint,
        othersShare: 0,
        otherBackfills: 0,
        stoppedMs: 0,
      },
    ])
    expect(alone.durationMs).toBeCloseTo(alone.weight * msPerPoint)
    // 6,000 points a minute, of which 80 % are ours.
    expect(msPerPoint / (minute / 4_800)).toBeCloseTo(1, 1)

    const stop = { source: 'binance', kind: 'slow-down', leftMs: minute } as const
    expect((await planWith(settings, [stop])).durationMs).toBeCloseTo(alone.durationMs + minute)

    const run = { job: 'ingest-candles', queue: 'binance', jobId: 'tick', attempt: 1, payload: {} }
    const tick = await startRun(databaseOf(pool), { ...run, startedAt: plus(halfPast, -minute) })
    const halfOfBudget = (15 * minute) / msPerPoint / binanceWeight / 2
    await finishRun(databaseOf(pool), tick, { status: 'done', outcome: { requests: halfOfBudget } }, halfPast)
    const besideLive = await planWith(settings)
    expect(besideLive.durationMs).toBeCloseTo(2 * alone.durationMs)
    expect(besideLive.sources[0]?.othersShare).toBeCloseTo(0.5)

    const backfill = { ...run, job: 'backfill-candles', jobId: 'other' }
    await startRun(databaseOf(pool), { ...backfill, startedAt: plus(halfPast, -minute) })
    expect((await planWith(settings)).durationMs).toBeCloseTo(4 * alone.durationMs)

    const unlimited = readSettings({ BEACON_BUDGET: 'unlimited' })
    expect(await planWith(unlimited)).toMatchObject({ requests: 3, durationMs: 0 })
  })

  test('of what is made of trades is an estimate, and says so', async ({ freshDatabase: { pool } }) => {
    await inTransaction(pool, async (tx) => {
      await upsertCoin(tx.db, 'bitcoin', { symbol: 'BTC', name: 'Bitcoin' }, halfPast)
      await trackMarket(tx, { coinId: 'bitcoin', source: 'kraken', symbol: 'XBTUSDT' }, halfPast)
    })
    // 5,000 trades a day, 1,000 a request; and one page of the candles that can still be had as such.
    const old = await plan(pool, { range: { from: at('2024-02-01T00:00Z'), to: at('2024-02-11T00:00Z') } })
    expect(old).toMatchObject({ isEstimate: true, requests: 10 * 5 })
    const young = { from: plus(halfPast, -10 * hour), to: plus(halfPast, -hour) }
    expect(await plan(pool, { range: young })).toMatchObject({ isEstimate: false, requests: 1 })
  })

  test('names exactly the partitions that the work then makes', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    const request: Partial<BackfillRequest> = {
      timeframes: ['1m', '1h', '1d'],
      range: { from: at('2023-12-30T12:00Z'), to: at('2024-01-02T12:00Z') },
    }
    const planned = await plan(pool, request)
    for (const series of planned.series) {
      for (const chunk of chunksOf(series, 1_000, 'from-start'))
        await backfillCandles.run(working.context, backfillCandles.payload.parse(chunk), keptReport())
    }
    const tables = partitionedTables(settings).map(({ name }) => name)
    expect((await listPartitions(pool, tables)).map(({ name }) => name).toSorted()).toEqual(
      planned.partitions,
    )
    expect(await plan(pool, request)).toMatchObject({ candles: 0, partitions: [], bytes: 0 })
  })

  test('tells how much of the disk the work then takes, by what the table has shown of itself', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    const taken = async (): Promise<number> =>
      (await listPartitions(pool, ['ohlcv_data_1m', 'ohlcv_data_1h'])).reduce(
        (sum, partition) => sum + partition.bytes,
        0,
      )
    const load = async (from: string, to: string) => {
      const range = { from: at(from), to: at(to) }
      const planned = await plan(pool, { timeframes: ['1m', '1h'], range })
      for (const series of planned.series) {
        for (const chunk of chunksOf(series, 5_000, 'from-start'))
          await backfillCandles.run(working.context, backfillCandles.payload.parse(chunk), keptReport())
      }
      return planned.bytes
    }
    const first = await load('2024-01-01T00:00Z', '2024-01-04T00:00Z')
    const share = (await taken()) / first
    expect(share).toBeGreaterThan(0.8)
    expect(share).toBeLessThan(1.25)
    // Rows that were changed leave their old ones behind.
    await pool.query('update ohlcv_data set volume = volume + 1')
    await pool.query('analyze ohlcv_data')
    const next = await plan(pool, { range: { from: at('2024-01-04T00:00Z'), to: at('2024-01-07T00:00Z') } })
    expect(next.bytes / first).toBeGreaterThan(1.3)
  })

  test('counts as expiring only what lies in leaves that are wholly past the limit', async ({
    freshDatabase: { pool },
  }) => {
    await follow(pool, 'BTCUSDT')
    // One minute candles are kept for seven days: the limit falls into the 23rd of February.
    const expiring = async (from: string, to: string) =>
      (await plan(pool, { range: { from: at(from), to: at(to) } })).expiring
    expect(await expiring('2024-02-23T00:00Z', '2024-02-24T00:00Z')).toBe(0)
    expect(await expiring('2024-02-22T23:00Z', '2024-02-24T00:00Z')).toBe(60)
    expect(await expiring('2024-02-21T00:00Z', '2024-02-22T00:00Z')).toBe(1_440)
    const daily = await plan(pool, {
      timeframes: ['1d'],
      range: { from: at('2020-01-01T00:00Z'), to: at('2021-01-01T00:00Z') },
    })
    expect([daily.expiring, daily.series[0]?.keepMs]).toEqual([0, undefined])
  })

  test('leaves out what its source can no longer give, and refuses a wish for nothing else', async ({
    freshDatabase: { pool },
  }) => {
    const now = halfPast
    await inTransaction(pool, async (tx) => {
      await upsertCoin(tx.db, 'bitcoin', { symbol: 'BTC', name: 'Bitcoin' }, now)
      await trackMarket(tx, { coinId: 'bitcoin', source: 'gateio', symbol: 'BTC_USDT' }, now)
    })
    // Its newest 9,900 candles, less the ten minutes that the work may wait.
    const reach = at('2024-02-23T15:45Z')
    const partly = await plan(pool, { range: { from: plus(reach, -hour), to: plus(reach, hour) } })
    expect(partly.series[0]).toMatchObject({
      wanted: { from: reach, to: plus(reach, hour) },
      outOfReach: { from: plus(reach, -hour), to: reach },
      candles: 60,
    })
    const within = await plan(pool, { range: { from: reach, to: plus(reach, hour) } })
    expect(within.series[0]?.outOfReach).toBeUndefined()
    const before = plan(pool, { range: { from: plus(reach, -2 * hour), to: reach } })
    await expect(before).rejects.toThrow(InvalidInput)
    await expect(before).rejects.toThrow(
      'gateio has no 1m candles of BTC_USDT from before 2024-02-23T15:45:00.000Z: ask for a later --from, or for another --source that bitcoin has a market on',
    )
    const [coin] = await listCoins(databaseOf(pool))
    const gaps = await findGaps(
      pool,
      settings,
      coin ? [coin] : [],
      ['1m'],
      { from: at('2020-01-01T00:00Z'), to: now },
      now,
    )
    expect(gaps.map(({ range, cause }) => [range.from, cause])).toEqual([
      [at('2020-01-01T00:00Z'), 'beyond-source'],
      [reach, 'not-fetched'],
    ])
  })

  test.for([
    [
      'a coin nobody follows',
      { coinIds: ['bitcoinn'] },
      /"bitcoinn".*Did you mean "bitcoin".*beacon coins add bitcoinn/,
    ],
    ['a timeframe that is not kept', { timeframes: ['4h'] }, /4h.*1m, 5m, 1h, 1d/],
    ['a source that is not there', { source: 'nyse' }, /"nyse".*binance/],
    ['a source without candles', { source: 'coingecko' }, /"coingecko".*binance/],
    ['a source from the prototype', { source: 'constructor' }, /"constructor".*binance/],
  ] as const)('refuses %s, and says what there is', async ([, wrong, words], { freshDatabase: { pool } }) => {
    await follow(pool, 'BTCUSDT')
    await expect(plan(pool, wrong)).rejects.toThrow(InvalidInput)
    await expect(plan(pool, wrong)).rejects.toThrow(words)
  })

  test('refuses a coin where none is followed at all', async ({ freshDatabase: { pool } }) => {
    await expect(plan(pool)).rejects.toThrow(/no coin "bitcoin" is tracked\. Track it/)
  })
})

describe('the jobs of a plan', () => {
  const since = at('2020-01-01T00:00Z')

  /** Half-open ranges on a timeframe's grid, in any order and overlap. */
  const missingOf = (timeframe: Timeframe) =>
    fc
      .array(fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 1, max: 3_000 })), {
        maxLength: 6,
      })
      .map((pairs) =>
        union(
          pairs.map(([from, length]) => ({
            from: plus(since, from * timeframeMs[timeframe]),
            to: plus(since, (from + length) * timeframeMs[timeframe]),
          })),
        ),
      )

  /** Binance has pages of 1,000 candles, OKX of 100, and Kraken makes what is older of trades: 5,000 a day, about. */
  const bySource = { binance, okx, kraken }
  const krakenDepth = 720
  const pageSizes = { binance: 1_000, okx: 100, kraken: 719 } as const

  test('are what is owed, whole and without overlap, in chunks of whole pages no longer than asked for', () => {
    const cases = fc.constantFrom(...timeframes).chain((timeframe) =>
      fc.record({
        timeframe: fc.constant(timeframe),
        missing: missingOf(timeframe),
        source: fc.constantFrom('binance' as const, 'okx' as const, 'kraken' as const),
        size: fc.integer({ min: 1, max: 5_000 }),
        reach: fc.option(fc.integer({ min: 0, max: 5_000 }), { nil: undefined }),
        cutting: fc.constantFrom('from-start' as const, 'on-grid' as const),
      }),
    )
    fc.assert(
      fc.property(cases, ({ timeframe, source, missing, size, reach, cutting }) => {
        const series = { coinId: 'bitcoin', timeframe, source } as const
        const candlesFrom = reach === undefined ? undefined : plus(since, reach * timeframeMs[timeframe])
        const chunks = chunksOf({ series, symbol: 'BTCUSDT', missing, candlesFrom }, size, cutting)
        const ranges = chunks.map(({ from, to }) => ({ from: at(from), to: at(to) }))
        expect(union(ranges)).toEqual(missing)
        const count = (all: typeof missing) =>
          all.reduce((sum, range) => sum + candleCount(range, timeframe), 0)
        expect(count(ranges)).toBe(count(missing))
        for (const range of ranges) {
          expect(candleCount(range, timeframe)).toBeLessThanOrEqual(Math.max(size, pageSizes[source]))
          const asOf = plus(candlesFrom ?? range.to, krakenDepth * timeframeMs[timeframe])
          const { requests } = costOf(bySource[source].candles, timeframe, range, asOf)
          expect(requests).toBeLessThanOrEqual(24)
        }
        for (const chunk of chunks) expect(backfillCandles.payload.parse(chunk)).toEqual(chunk)
      }),
      { numRuns: 60 },
    )
  })

  const minutes = (from: number, to: number) => ({
    from: atMs(from * 60_000),
    to: atMs(to * 60_000),
  })

  test('cut on the grid are the same when some of the work has been done meanwhile', () => {
    const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
    const cut = (from: number) =>
      chunksOf({ series, symbol: 'BTCUSDT', missing: [minutes(from, 3_000)] }, 1_000, 'on-grid')
    expect(cut(250).slice(1)).toEqual(cut(700).slice(1))
    expect(cut(250).map(({ from }) => at(from))).toEqual(
      [250, 1_000, 2_000].map((open) => toInstant(open * 60_000)),
    )
  })

  test('of nothing are none', () => {
    const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
    expect(chunksOf({ series, symbol: 'BTCUSDT', missing: [] }, 100, 'from-start')).toEqual([])
  })

  test('of several coins take turns, each coin from its start', () => {
    const work = (coinId: string, length: number) => ({
      series: { coinId, timeframe: '1m', source: 'binance' } as const,
      symbol: 'BTCUSDT',
      missing: [{ from: since, to: plus(since, length * timeframeMs['1m']) }],
    })
    const works = [work('a', 3_000), work('b', 1_000), work('c', 2_000)]
    const jobs = chunksOfAll(works, 1_000)
    expect(jobs.map(({ coinId }) => coinId).join('')).toBe('abcaca')
    for (const one of works) {
      const own = jobs.filter(({ coinId }) => coinId === one.series.coinId)
      expect(own).toEqual(chunksOf(one, 1_000, 'from-start'))
    }
  })
})

test('a plan of fifty years is made at once, and asks for no more than its chunks', async ({
  freshDatabase: { pool },
}) => {
  await follow(pool, 'BTCUSDT')
  const range = { from: at('1975-01-01T00:00Z'), to: halfPast }
  const planned = await plan(pool, { timeframes: ['1d'], range })
  expect(planned.candles).toBe(Math.floor((halfPast - range.from) / day))
  expect(planned.partitions).toHaveLength(50)
})
