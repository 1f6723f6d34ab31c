import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { findGaps, gapsOf } from '../../src/ingest/gaps.ts'
import { day, type Instant, minute, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { readSettings } from '../../src/settings.ts'
import { listCoins, trackMarket } from '../../src/store/coins.ts'
import type { CoverageRange, Findings, Series } from '../../src/store/coverage.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { aCoin, minutes, now, start, writeCoverage } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'

const wanted = minutes(0, 100)
const absentBefore = minutes(90, 91).from

const known = (state: CoverageRange['state'], range: AlignedRange): CoverageRange => ({
  state,
  range,
  source: 'binance',
})
const gap = (cause: string, range: AlignedRange) => ({
  cause,
  range,
  candles: (range.to - range.from) / minute,
})
const gapsIn = (coverage: readonly CoverageRange[], firstStored = minutes(-50, 0).from) =>
  gapsOf(wanted, coverage, '1m', absentBefore, firstStored)

describe('what is missing', () => {
  test('is nothing where all is stored', () => {
    expect(gapsIn([known('stored', wanted)])).toEqual([])
    expect(gapsOf(minutes(5, 5), [], '1m', absentBefore, undefined)).toEqual([])
  })

  test('was not fetched where nothing is known of it', () => {
    expect(gapsIn([])).toEqual([gap('not-fetched', wanted)])
    expect(gapsIn([known('stored', minutes(10, 100))])).toEqual([gap('not-fetched', minutes(0, 10))])
  })

  test('had no trades where its source has none', () => {
    expect(
      gapsIn([
        known('stored', minutes(0, 10)),
        known('no-trades', minutes(10, 20)),
        known('stored', minutes(20, 100)),
      ]),
    ).toEqual([gap('no-trades', minutes(10, 20))])
  })

  test('is rejected where it is in quarantine', () => {
    expect(gapsIn([known('stored', minutes(0, 99)), known('refused', minutes(99, 100))])).toEqual([
      gap('refused', minutes(99, 100)),
    ])
  })

  test('is from before the first candle only where no earlier one is stored, inside the range or before it', () => {
    const coverage = [known('no-trades', minutes(0, 50)), known('stored', minutes(50, 100))]
    expect(gapsIn(coverage, minutes(50, 51).from)).toEqual([gap('before-first', minutes(0, 50))])
    expect(gapsIn(coverage, minutes(-50, 0).from)).toEqual([gap('no-trades', minutes(0, 50))])
    expect(gapsOf(wanted, [known('no-trades', wanted)], '1m', absentBefore, undefined)).toEqual([
      gap('before-first', wanted),
    ])
  })

  test('is late while it may still be written down', () => {
    expect(gapsIn([known('stored', minutes(0, 97))])).toEqual([gap('late', minutes(97, 100))])
    expect(gapsIn([known('stored', minutes(0, 86)), known('stored', minutes(88, 100))])).toEqual([
      gap('not-fetched', minutes(86, 88)),
    ])
    expect(gapsIn([known('stored', minutes(0, 94))])).toEqual([gap('not-fetched', minutes(94, 100))])
  })

  test('is not what another source has stored', () => {
    expect(
      gapsIn([
        known('refused', minutes(0, 10)),
        known('no-trades', minutes(10, 20)),
        { ...known('stored', minutes(5, 15)), source: 'kraken' },
        known('stored', minutes(20, 100)),
      ]),
    ).toEqual([gap('refused', minutes(0, 5)), gap('no-trades', minutes(15, 20))])
  })

  test('comes in the order of time', () => {
    const coverage = [
      known('refused', minutes(50, 51)),
      known('no-trades', minutes(20, 30)),
      known('stored', minutes(60, 97)),
    ]
    expect(gapsIn(coverage).map(({ range }) => (range.from - start) / minute)).toEqual([
      0, 20, 30, 50, 51, 97,
    ])
  })
})

describe('the gaps of the followed coins', () => {
  const settings = readSettings({})

  async function tracked(pool: Pool, from: Instant = now): Promise<Series> {
    const coinId = await aCoin(pool)
    await inTransaction(pool, (tx) =>
      trackMarket(tx, { coinId, source: 'binance', symbol: `COIN${coinId}` }, from),
    )
    return { coinId, timeframe: '1m', source: 'binance' }
  }

  const find = (pool: Pool, series: Series, findings: Partial<Findings>) =>
    inTransaction(pool, (tx) =>
      writeCoverage(tx.db, series, { stored: [], refused: [], 'no-trades': [], ...findings }, now),
    )

  const gapsOfCoin = async (pool: Pool, { coinId }: Series, range: AlignedRange | undefined, at = now) => {
    const coins = (await listCoins(databaseOf(pool))).filter(({ id }) => id === coinId)
    return findGaps(pool, settings, coins, ['1m'], range, at)
  }

  test('name the series, the range, the count and the cause', async ({ pool }) => {
    const series = await tracked(pool)
    await find(pool, series, { stored: [minutes(0, 50)], 'no-trades': [minutes(50, 60)] })
    expect(await gapsOfCoin(pool, series, wanted)).toEqual([
      { ...series, ...gap('no-trades', minutes(50, 60)) },
      { ...series, ...gap('not-fetched', minutes(60, 100)) },
    ])
  })

  test('inside the series are no gaps from before the first candle', async ({ freshDatabase: { pool } }) => {
    const series = await tracked(pool)
    await find(pool, series, { stored: [minutes(0, 50), minutes(60, 100)], 'no-trades': [minutes(50, 60)] })
    expect(await gapsOfCoin(pool, series, minutes(50, 100))).toMatchObject([
      gap('no-trades', minutes(50, 60)),
    ])
  })

  test('are still to be fetched where only another source had nothing, and stand there once', async ({
    pool,
  }) => {
    const series = await tracked(pool)
    await find(pool, series, { 'no-trades': [minutes(0, 10)], stored: [minutes(20, 100)] })
    await find(
      pool,
      { ...series, source: 'kraken' },
      { 'no-trades': [minutes(0, 15)], stored: [minutes(15, 20)] },
    )
    expect(await gapsOfCoin(pool, series, wanted)).toMatchObject([
      gap('before-first', minutes(0, 10)),
      gap('not-fetched', minutes(10, 15)),
    ])
  })

  describe('where the source had none', () => {
    const silence = async (pool: Pool, others: readonly Partial<Findings>[]) => {
      const series = await tracked(pool)
      await find(pool, series, { stored: [minutes(0, 20)], 'no-trades': [minutes(20, 100)] })
      for (const findings of others) await find(pool, await tracked(pool), findings)
      return gapsOfCoin(pool, series, wanted)
    }

    test('are its outage as far as no other followed market had any either', async ({
      freshDatabase: { pool },
    }) => {
      const found = await silence(pool, [
        { stored: [minutes(0, 30), minutes(60, 70)], 'no-trades': [minutes(30, 60), minutes(70, 80)] },
        { stored: [minutes(0, 50)], 'no-trades': [minutes(50, 90)] },
      ])
      expect(found).toMatchObject([
        gap('no-trades', minutes(20, 50)),
        gap('exchange-outage', minutes(50, 60)),
        gap('no-trades', minutes(60, 70)),
        gap('exchange-outage', minutes(70, 90)),
        gap('no-trades', minutes(90, 100)),
      ])
    })

    test('are not, where the other is not listed yet, or on another source', async ({
      freshDatabase: { pool },
    }) => {
      const elsewhere = await tracked(pool)
      await find(
        pool,
        { ...elsewhere, source: 'kraken' },
        { stored: [minutes(0, 20)], 'no-trades': [minutes(20, 100)] },
      )
      const found = await silence(pool, [{ 'no-trades': [minutes(0, 90)], stored: [minutes(90, 100)] }])
      expect(found).toMatchObject([gap('no-trades', minutes(20, 100))])
    })
  })

  describe('that nobody was answered about', () => {
    const ran = async (pool: Pool, minute: number, status: 'done' | 'failed', timeframe = '1m') => {
      const startedAt = plus(minutes(minute, minute).from, 3_000)
      const db = databaseOf(pool)
      const id = await startRun(db, {
        job: 'ingest-candles',
        queue: 'binance',
        jobId: `${timeframe}-${minute}`,
        attempt: 1,
        payload: { source: 'binance', timeframe },
        startedAt,
      })
      const end =
        status === 'done'
          ? ({ status, outcome: {} } as const)
          : ({ status, error: 'no answer', willRetry: false } as const)
      await finishRun(db, id, end, plus(startedAt, 500))
    }

    test('are our outage where live ingest did not run, or failed, since the market is tracked', async ({
      freshDatabase: { pool },
    }) => {
      const series = await tracked(pool, minutes(10, 10).from)
      for (const minute of [0, 11, 12, 13, 31, 32]) await ran(pool, minute, 'done')
      for (const minute of [14, 15, 16]) await ran(pool, minute, 'failed')
      await ran(pool, 20, 'done', '1h')
      expect(await gapsOfCoin(pool, series, minutes(0, 32))).toMatchObject([
        gap('not-fetched', minutes(0, 13)),
        gap('our-outage', minutes(13, 28)),
        // Whatever closed shortly before the next run that succeeded, that run has asked for.
        gap('not-fetched', minutes(28, 32)),
      ])
    })

    test('are nobody’s where no run is on record', async ({ freshDatabase: { pool } }) => {
      const series = await tracked(pool, minutes(0, 0).from)
      await ran(pool, 20, 'done', '1h')
      expect(await gapsOfCoin(pool, series, minutes(0, 30))).toMatchObject([
        gap('not-fetched', minutes(0, 30)),
      ])
    })
  })

  test('include the candles that can no longer be requested', async ({ freshDatabase: { pool } }) => {
    const series = await tracked(pool)
    await pool.query('update instruments set listed_from = $1, listed_to = $2', [
      toIso(minutes(9, 10).from),
      toIso(minutes(80, 81).from),
    ])
    await find(pool, series, { stored: [minutes(10, 20)], 'no-trades': [minutes(20, 30), minutes(85, 90)] })
    expect(await gapsOfCoin(pool, series, wanted)).toMatchObject([
      gap('not-listed', minutes(0, 9)),
      gap('not-fetched', minutes(9, 10)),
      gap('no-trades', minutes(20, 30)),
      gap('not-fetched', minutes(30, 80)),
      gap('delisted', minutes(80, 85)),
      gap('delisted', minutes(85, 90)),
      gap('delisted', minutes(90, 100)),
    ])
  })

  test('are older than what the source gives where that keeps only its newest candles', async ({
    freshDatabase: { pool },
  }) => {
    const coinId = await aCoin(pool)
    await inTransaction(pool, (tx) => trackMarket(tx, { coinId, source: 'gateio', symbol: 'COIN_USDT' }, now))
    const series = { coinId, timeframe: '1m', source: 'gateio' } as const
    // Of its newest 9,900, those that will still be there in ten minutes.
    const deps = plus(now, -9_890 * minute)
    expect(await gapsOfCoin(pool, series, { from: plus(now, -8 * day), to: now })).toMatchObject([
      { cause: 'beyond-source', range: { from: plus(now, -8 * day), to: deps } },
      { cause: 'not-fetched', range: { from: deps, to: plus(now, -minute) } },
    ])
  })

  test('are past retention where their whole partition is, stored once or never', async ({
    freshDatabase: { pool },
  }) => {
    const series = await tracked(pool)
    const keepMs = readSettings({}).timeframes['1m']?.keep ?? Number.NaN
    const limit = Math.floor((now - keepMs) / day) * day
    const range = { from: plus(now, -keepMs - 3 * day), to: now }
    expect(await gapsOfCoin(pool, series, range)).toMatchObject([
      { cause: 'past-retention', range: { from: range.from, to: limit } },
      { cause: 'not-fetched', range: { from: limit, to: plus(now, -minute) } },
    ])
  })

  test('end with the last closed candle, and begin where the kept history does', async ({ pool }) => {
    const series = await tracked(pool)
    const [only] = await gapsOfCoin(pool, series, undefined, plus(now, 2_999))
    expect(only).toMatchObject({
      cause: 'not-fetched',
      range: { from: plus(now, -day), to: plus(now, -minute) },
    })
    expect(only?.candles).toBe(day / minute - 1)
    const future = { from: plus(now, day), to: plus(now, 2 * day) }
    expect(await gapsOfCoin(pool, series, future)).toEqual([])
  })

  test('are none for a coin without a market that has candles', async ({ pool }) => {
    const coinId = await aCoin(pool)
    await inTransaction(pool, (tx) => trackMarket(tx, { coinId, source: 'coingecko', symbol: coinId }, now))
    expect(await gapsOfCoin(pool, { coinId, timeframe: '1m', source: 'coingecko' }, wanted)).toEqual([])
  })
})
