import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { fillRange } from '../../src/ingest/fill-range.ts'
import { candleSource } from '../../src/ingest/markets.ts'
import { planVerification, type VerifyRequest } from '../../src/ingest/verify/verification-plan.ts'
import { type Verification, verifyCandles } from '../../src/ingest/verify.ts'
import { hour, minute, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { type Coin, listCoins, trackMarket, unfollowCoin } from '../../src/store/coins.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { halfPast } from '../replay/playing.ts'
import { aCoin, at } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { startWorking, type Working } from './working.ts'

const morning = at('2024-03-01T00:00:00Z')
const hours = (from: number, to: number): AlignedRange => ({
  from: plus(morning, from * hour),
  to: plus(morning, to * hour),
})
const minutesOf = (from: number, to: number): AlignedRange => ({
  from: plus(morning, from * minute),
  to: plus(morning, to * minute),
})

const symbols = { binance: 'BTCUSDT', okx: 'BTC-USDT', kucoin: 'BTC-USDT' } as const
type Source = keyof typeof symbols

/** A coin of its own, with a market on each of these sources, which the coin of the test before gives up. */
async function aTrackedCoin(pool: Pool, ...on: Source[]): Promise<string> {
  const coinId = await aCoin(pool)
  for (const { id } of await listCoins(databaseOf(pool)))
    await inTransaction(pool, (tx) => unfollowCoin(tx, id, halfPast))
  for (const source of on) {
    await inTransaction(pool, (tx) => trackMarket(tx, { coinId, source, symbol: symbols[source] }, halfPast))
  }
  return coinId
}

const load = (
  { context }: Working,
  coinId: string,
  on: Source,
  range: AlignedRange,
  timeframe: '1h' | '1m' = '1h',
) =>
  fillRange(context, {
    series: { coinId, timeframe, source: on },
    source: candleSource(on),
    symbol: symbols[on],
    range,
    lane: 'backfill',
  })

async function coinNamed(pool: Pool, coinId: string): Promise<Coin> {
  const coin = (await listCoins(databaseOf(pool))).find(({ id }) => id === coinId)
  if (!coin) throw new Error(`${coinId} is not followed`)
  return coin
}

type Request = Partial<Omit<VerifyRequest, 'coin'>>

async function plan({ context }: Working, coinId: string, request: Request = {}) {
  const coin = await coinNamed(context.pool, coinId)
  const whole = { coin, timeframe: '1h', range: hours(0, 9), seed: 'seed', ...request } as const
  return planVerification(databaseOf(context.pool), context.settings, whole, context.clock.now())
}

async function verify(working: Working, coinId: string, request: Request = {}) {
  const pauses: string[] = []
  const found = await verifyCandles(working.context, await plan(working, coinId, request), {
    signal: working.context.signal,
    onPause: (reason) => pauses.push(reason),
    onProgress: () => {},
  })
  return { ...found, pauses }
}

const kindsOf = ({ examples }: Verification) =>
  examples.map(({ kind, openTime }) => [kind, toIso(openTime).slice(11, 13)])

const asked = ({ exchange }: Working, source: Source) =>
  exchange.requests.filter((request) => request.source === source).length

describe('a verification', () => {
  test('finds planted differences, tells the first of each kind, and changes nothing', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aTrackedCoin(pool, 'binance')
    await load(working, coinId, 'binance', hours(0, 9))
    expect(await verify(working, coinId)).toMatchObject({
      identical: 9,
      counts: { revised: 0, missing: 0, extra: 0, refused: 0 },
      mendable: [],
      sources: [{ source: 'binance', symbol: 'BTCUSDT', candles: 9, requests: 1 }],
    })
    await pool.query(
      `update ohlcv_data set volume = volume + 0.00000001
       where coin_id = $1 and timestamp in ('2024-03-01 01:00', '2024-03-01 02:00')`,
      [coinId],
    )
    await pool.query(`delete from ohlcv_data where coin_id = $1 and timestamp = '2024-03-01 04:00'`, [coinId])
    working.exchange.setFaults([
      { path: '/api/v3/klines', when: 'always', fault: { name: 'hole', row: 6, rows: 1 } },
    ])
    const before = await pool.query('select * from ohlcv_data where coin_id = $1 order by timestamp', [
      coinId,
    ])
    const found = await verify(working, coinId)
    expect(found.identical).toBe(5)
    expect(found.counts).toEqual({ revised: 2, missing: 1, extra: 1, refused: 0 })
    expect(kindsOf(found)).toEqual([
      ['revised', '01'],
      ['revised', '02'],
      ['missing', '04'],
      ['extra', '06'],
    ])
    expect(found.mendable.map(({ ranges }) => ranges)).toEqual([[hours(1, 3), hours(4, 5)]])
    const after = await pool.query('select * from ohlcv_data where coin_id = $1 order by timestamp', [coinId])
    expect(after.rows).toEqual(before.rows)
  })

  test('holds each stretch against the source it came from, and asks the first for what nobody has', async ({
    pool,
  }) => {
    await using working = await startWorking(pool)
    const coinId = await aTrackedCoin(pool, 'binance', 'okx')
    await load(working, coinId, 'binance', hours(0, 3))
    await load(working, coinId, 'okx', hours(3, 6))
    const before = asked(working, 'okx')
    expect(await verify(working, coinId)).toMatchObject({
      identical: 6,
      counts: { revised: 0, missing: 0, extra: 0 },
      notFetched: 3,
      sources: [
        { source: 'binance', candles: 6 },
        { source: 'okx', symbol: 'BTC-USDT', candles: 3 },
      ],
      unread: [],
    })
    expect(asked(working, 'okx')).toBe(before + 1)
    expect(await verify(working, coinId, { source: 'okx' })).toMatchObject({
      sources: [{ source: 'okx', candles: 6 }],
      unread: [{ source: 'binance', range: hours(0, 3), candles: 3, cause: 'other-source' }],
    })
    await expect(plan(working, coinId, { source: 'kraken' })).rejects.toThrow(InvalidInput)
  })

  test('chooses the same pages for the same seed, and others for another', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aTrackedCoin(pool, 'binance')
    const sixDays = { from: at('2024-02-24T00:00:00Z'), to: at('2024-03-01T00:00:00Z') }
    const pages = async (seed: string) => {
      const { marketRanges, sampled } = await plan(working, coinId, {
        timeframe: '1m',
        range: sixDays,
        sample: 3,
        seed,
      })
      expect(sampled).toEqual({ seed, pages: 3, of: 10 })
      return marketRanges.map(({ range }) => range.from)
    }
    expect(await pages('one')).toEqual(await pages('one'))
    expect(await pages('one')).not.toEqual(await pages('two'))
    expect(await pages('one')).toEqual((await pages('one')).toSorted())
  })

  test('leaves out what may still be corrected, and says what cannot be read any more', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aTrackedCoin(pool, 'kucoin')
    await pool.query(
      `update instruments set listed_from = '2024-03-01 02:00', listed_to = '2024-03-01 05:00' where coin_id = $1`,
      [coinId],
    )
    const { wanted, marketRanges, unread } = await plan(working, coinId, {
      timeframe: '1m',
      range: { from: morning, to: halfPast },
    })
    // Ten minutes before half a minute past 12:34.
    expect(wanted).toEqual(minutesOf(0, 12 * 60 + 24))
    expect(marketRanges.map(({ range }) => range)).toEqual([hours(2, 5)])
    expect(unread.map(({ range, cause }) => [range, cause])).toEqual([
      [hours(0, 2), 'before-listing'],
      [{ from: hours(5, 6).from, to: wanted.to }, 'ended'],
    ])
    await expect(
      plan(working, coinId, { timeframe: '1m', range: { from: wanted.to, to: halfPast } }),
    ).rejects.toThrow(/is final yet: set --from to before 2024-03-01 12:24$/)
  })

  test('does not ask for what retention has taken away, though for what it has left', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aTrackedCoin(pool, 'binance')
    // Hours are kept for 90 days.
    const range = { from: at('2023-11-30T00:00:00Z'), to: at('2023-12-03T00:00:00Z') }
    const left = { from: at('2023-12-01T06:00:00Z'), to: at('2023-12-01T08:00:00Z') }
    const horizon = at('2023-12-02T13:00:00Z')
    await load(working, coinId, 'binance', left)
    const { marketRanges, unread } = await plan(working, coinId, { range })
    expect(marketRanges.map((marketRange) => marketRange.range)).toEqual([
      left,
      { from: horizon, to: range.to },
    ])
    expect(unread.map((marketRange) => [marketRange.range, marketRange.cause])).toEqual([
      [{ from: range.from, to: left.from }, 'past-retention'],
      [{ from: left.to, to: horizon }, 'past-retention'],
    ])
  })

  test('says so when the coin is no longer tracked where its candles came from', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aTrackedCoin(pool, 'okx')
    await load(working, coinId, 'okx', hours(0, 3))
    await inTransaction(pool, (tx) => unfollowCoin(tx, coinId, halfPast))
    await inTransaction(pool, (tx) =>
      trackMarket(tx, { coinId, source: 'binance', symbol: 'BTCUSDT' }, halfPast),
    )
    expect((await plan(working, coinId)).unread).toEqual([
      { source: 'okx', range: hours(0, 3), candles: 3, cause: 'no-market' },
    ])
  })

  test('goes on from the last answer when the source fails for a moment', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aTrackedCoin(pool, 'binance')
    const pages = minutesOf(-1_440, 60)
    await load(working, coinId, 'binance', pages, '1m')
    const before = asked(working, 'binance')
    working.exchange.setFaults([
      { path: '/api/v3/klines', when: { nth: 2 }, fault: { name: 'server-error', status: 503 } },
    ])
    const found = await verify(working, coinId, { timeframe: '1m', range: pages })
    expect(found).toMatchObject({ identical: 1_500, pauses: [expect.stringMatching(/binance/)] })
    expect(asked(working, 'binance')).toBe(before + 3)
  })

  test('leaves out a market that its source does not know any more', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    await inTransaction(pool, (tx) =>
      trackMarket(tx, { coinId, source: 'binance', symbol: 'GONEUSDT' }, halfPast),
    )
    expect(await verify(working, coinId)).toMatchObject({
      sources: [],
      unread: [{ source: 'binance', range: hours(0, 9), candles: 9, cause: 'market-gone' }],
    })
  })
})
