import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { checkCandles } from '../../src/market/candle-check.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { binance } from '../../src/sources/binance.ts'
import { readMissingOf, readRejected } from '../../src/store/coverage/missing-candles.ts'
import { type CoverageState, readCoverage } from '../../src/store/coverage.ts'
import { discard, listQuarantined } from '../../src/store/quarantine.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { aCoin } from '../store/loading.ts'
import { at } from '../support/at.ts'
import { test } from '../support/database.ts'
import { backfillFebruary, besideTheGrid, cutShort, february, sufferOutage, withoutTrades } from './outage.ts'
import { startWorking, type Working } from './working.ts'

const seriesOf = (coinId: string) => ({ coinId, timeframe: '1h', source: 'binance' }) as const

const known = async (pool: Pool, coinId: string, state: CoverageState): Promise<AlignedRange[]> =>
  (await readCoverage(databaseOf(pool), seriesOf(coinId), february))
    .filter((part) => part.state === state)
    .map(({ range }) => range)

const asked = ({ exchange }: Working): number => exchange.requests.length

describe.for(['API', 'archive'] as const)('a month with an outage, from the %s', (from) => {
  const request = from === 'archive' ? { archive: 'monthly' as const } : {}

  test('is known candle by candle: stored, rejected, or without trades', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    sufferOutage(working)
    const coinId = await aCoin(pool)
    expect(await backfillFebruary(working, { coinId, ...request })).toMatchObject({ new: 596 })
    expect(await known(pool, coinId, 'stored')).toEqual([
      { from: february.from, to: cutShort.from },
      { from: besideTheGrid.to, to: february.to },
    ])
    expect(await known(pool, coinId, 'refused')).toEqual([cutShort, besideTheGrid])
    expect(await known(pool, coinId, 'no-trades')).toEqual([withoutTrades])
  })

  test('costs no request when it is asked for again, and a repair ends', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    sufferOutage(working)
    const coinId = await aCoin(pool)
    await backfillFebruary(working, { coinId, ...request })
    const before = asked(working)
    expect(await backfillFebruary(working, { coinId, ...request })).toMatchObject({
      requests: 0,
      received: 0,
    })
    expect(asked(working)).toBe(before)
    for (let attempt = 0; attempt < 2; attempt += 1)
      await backfillFebruary(working, { coinId, lane: 'repair' })
    expect(await known(pool, coinId, 'refused')).toEqual([cutShort, besideTheGrid])
  })

  test('is resolved once its rows are discarded, and then not even a repair asks', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    sufferOutage(working)
    const coinId = await aCoin(pool)
    await backfillFebruary(working, { coinId, ...request })
    const db = databaseOf(pool)
    const { rows } = await listQuarantined(db, { coinId, state: 'open' }, 1_000)
    await discard(
      db,
      rows.map(({ id }) => id),
      { by: 'ada', now: working.context.clock.now(), why: 'outage' },
    )
    const wanted = { ...seriesOf(coinId), range: february }
    expect(await readRejected(db, [wanted])).toEqual([[]])
    expect(await readMissingOf(db, wanted, 'retry-rejected')).toEqual([])
    const before = asked(working)
    await backfillFebruary(working, { coinId, lane: 'repair' })
    expect(asked(working)).toBe(before)
  })
})

test('the recorded rows of that outage are rejected with what is wrong with each, and no other row is', () => {
  const kline = (openTime: number, closeTime: number) =>
    `[${openTime},"7599.00000000","7844.00000000","7572.09000000","7784.02000000","1521.53731800",${closeTime},"11624211.13",1000,"700.1","5300000.2","0"]`
  const hour = 3_600_000
  const beside = Array.from({ length: 43 }, (_, index) => 1_518_168_494_789 + index * hour)
  const text = `[${[
    kline(1_518_044_400_000, 1_518_047_999_999),
    kline(1_518_048_000_000, 1_518_049_694_788),
    ...beside.slice(0, -1).map((openTime) => kline(openTime, openTime + hour - 1)),
    kline(1_518_319_694_789, 1_518_321_600_999),
    kline(1_518_321_600_000, 1_518_325_199_999),
  ]}]`
  const query = { symbol: 'BTCUSDT', timeframe: '1h', range: february, asOf: at('2024-03-01') } as const
  const rows = binance.candles.parse(text, query)
  const { candles, rejected, ignored } = checkCandles(rows, { ...query, now: query.asOf })
  expect(candles.map(({ openTime }) => openTime)).toEqual([1_518_044_400_000, 1_518_321_600_000])
  expect([rejected.length, ignored]).toEqual([44, 0])
  expect(rejected[0]).toMatchObject({
    openTime: 1_518_048_000_000,
    reason: 'cut short: closes 2018-02-08 00:28:14 UTC instead of 01:00',
    acceptable: { close: '7784.02000000' },
  })
  expect(rejected.slice(1).map(({ openTime }) => openTime)).toEqual(beside)
  expect(new Set(rejected.slice(1).map(({ acceptable }) => acceptable))).toEqual(new Set([undefined]))
  expect(rejected[1]?.reason).toBe('2018-02-09T09:28:14.789Z is not on the 1h grid')
})
