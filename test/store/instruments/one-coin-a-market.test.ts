import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../../src/fault.ts'
import { day, hour, type Instant, minute, plus } from '../../../src/market/instant.ts'
import { marketKey } from '../../../src/market/market-key.ts'
import type { TrackedCoin } from '../../../src/settings/schema.ts'
import { setAside } from '../../../src/store/candles/foreign-candles.ts'
import { endedBefore } from '../../../src/store/coins/market-owners.ts'
import {
  listCoins,
  trackConfigured,
  trackMarket,
  unfollowCoin,
  upsertCoin,
} from '../../../src/store/coins.ts'
import { readCoverage } from '../../../src/store/coverage.ts'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { createTestDatabase, servers, test } from '../../support/database.ts'
import { aBatch, at, candlesIn, load, now } from '../loading.ts'

const track = (pool: Pool, coinId: string, market: string, since?: Instant, when: Instant = now) =>
  inTransaction(pool, async (tx) => {
    const [source = '', symbol = ''] = market.split(/:(.*)/)
    await upsertCoin(tx.db, coinId, { symbol: coinId, name: coinId }, when)
    return trackMarket(tx, { coinId, source, symbol, ...(since === undefined ? {} : { since }) }, when)
  })
const stop = (pool: Pool, coinId: string) => inTransaction(pool, (tx) => unfollowCoin(tx, coinId, now))
const end = (pool: Pool, coinId: string, endedAt: Instant) =>
  pool.query('update instruments set listed_to = to_timestamp($2) at time zone $3 where coin_id = $1', [
    coinId,
    endedAt / 1_000,
    'UTC',
  ])
const marketsOf = async (pool: Pool) => (await listCoins(databaseOf(pool))).flatMap(({ markets }) => markets)

describe('a market', () => {
  test('is one coin’s, and is free again when that is stopped or has ended', async ({
    freshDatabase: { pool },
  }) => {
    await track(pool, 'bitcoin', 'kraken:XXBTZUSD')
    await expect(track(pool, 'xbt', 'kraken:XBT/USD')).rejects.toThrow(
      'kraken:XBT/USD is tracked as bitcoin already, and one market is one coin: to track it as xbt, first stop bitcoin with: beacon coins remove bitcoin',
    )
    await expect(track(pool, 'xbt', 'kraken:XXBTZUSD')).rejects.toThrow(InvalidInput)
    await stop(pool, 'bitcoin')
    expect(await track(pool, 'xbt', 'kraken:XBT/USD')).toMatchObject({ isChanged: true })
    await end(pool, 'xbt', plus(now, -day))
    expect(await track(pool, 'bitcoin', 'kraken:XBTUSD')).toMatchObject({ listedFrom: plus(now, -day) })
  })

  test('that its coin tracks in another spelling is tracked already', async ({ freshDatabase: { pool } }) => {
    await track(pool, 'wrapped-bitcoin', 'bitfinex:tWBTUSD')
    expect(await track(pool, 'wrapped-bitcoin', 'bitfinex:tWBT:USD')).toEqual({
      isChanged: false,
      symbol: 'tWBTUSD',
      listedFrom: undefined,
    })
    expect(await marketsOf(pool)).toHaveLength(1)
  })

  test('goes to one of two that want it at the same time', async ({ freshDatabase: { pool } }) => {
    const wanting = Array.from({ length: 6 }, (_, index) => track(pool, `coin-${index}`, 'okx:BTC-USDT'))
    const ends = await Promise.allSettled(wanting)
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const one of ends)
      if (one.status === 'rejected') expect(one.reason.message).toContain('one market is one coin')
    expect(await marketsOf(pool)).toHaveLength(1)
  })

  test('of another coin is left out of what is configured, and named', async ({
    freshDatabase: { pool },
  }) => {
    await track(pool, 'btc', 'binance:BTCUSDT')
    const bitcoin: TrackedCoin = {
      id: 'bitcoin',
      symbol: 'BTC',
      name: 'Bitcoin',
      markets: { binance: 'BTC-USDT', okx: 'BTC-USDT' },
    }
    expect(await inTransaction(pool, (tx) => trackConfigured(tx, [bitcoin], now))).toEqual({
      added: ['bitcoin'],
      taken: [{ coinId: 'bitcoin', source: 'binance', symbol: 'BTC-USDT', trackedBy: 'btc' }],
    })
    expect((await marketsOf(pool)).map(({ coinId, source }) => [coinId, source])).toEqual([
      ['bitcoin', 'okx'],
      ['btc', 'binance'],
    ])
  })
})

describe('a beginning', () => {
  test('is kept, and can be moved either way', async ({ freshDatabase: { pool } }) => {
    const since = at('2023-09-01T08:00Z')
    expect(await track(pool, 'solayer', 'gateio:LAYER_USDT', since)).toMatchObject({ listedFrom: since })
    expect(await track(pool, 'solayer', 'gateio:LAYER_USDT')).toEqual({
      isChanged: false,
      symbol: 'LAYER_USDT',
      listedFrom: since,
    })
    for (const moved of [plus(since, day), plus(since, -day)]) {
      expect(await track(pool, 'solayer', 'gateio:LAYER_USDT', moved)).toMatchObject({ isChanged: true })
      expect(await marketsOf(pool)).toMatchObject([{ listedFrom: moved, trackedFrom: now }])
    }
  })

  test('never reaches into the time of another coin, though into its own', async ({
    freshDatabase: { pool },
  }) => {
    const endedAt = at('2023-06-01T00:00Z')
    await track(pool, 'unilayer', 'gateio:LAYER_USDT')
    await end(pool, 'unilayer', endedAt)
    await expect(track(pool, 'solayer', 'gateio:LAYER_USDT', plus(endedAt, -minute))).rejects.toThrow(
      'gateio:LAYER_USDT stood for unilayer until 2023-06-01T00:00:00.000Z: give --since 2023-06-01T00:00:00.000Z or later',
    )
    const own = plus(endedAt, -day)
    expect(await track(pool, 'unilayer', 'gateio:LAYER_USDT', own, plus(now, hour))).toMatchObject({
      listedFrom: own,
    })
  })

  test('moves what is stored of before into quarantine, and nothing of the market before it', async ({
    freshDatabase: { pool },
  }) => {
    const since = at('2024-02-28T05:30Z')
    // Renamed: the coin's older candles are those of its old symbol.
    const renamedAt = at('2024-02-28T02:00Z')
    await track(pool, 'polygon', 'kraken:MATICUSD')
    await end(pool, 'polygon', renamedAt)
    await track(pool, 'polygon', 'kraken:POLUSD', since)
    const series = { coinId: 'polygon', source: 'kraken', timeframe: '1h' } as const
    const hours = { from: at('2024-02-28T00:00Z'), to: at('2024-02-28T10:00Z') }
    await load(pool, aBatch(series, candlesIn(hours, '1h'), { answered: hours, absentBefore: hours.to }))
    const moved = await inTransaction(pool, async (tx) => {
      const from = await endedBefore(tx, series, since)
      expect(from).toBe(renamedAt)
      const foreign = { ...series, market: 'POLUSD', to: since, reason: 'another coin', now }
      return setAside(tx, from === undefined ? foreign : { ...foreign, from }, ['1h'])
    })
    expect(moved).toBe(4)
    expect(await readCoverage(databaseOf(pool), series, hours)).toMatchObject([
      { state: 'stored', range: { from: hours.from, to: renamedAt } },
      { state: 'stored', range: { from: at('2024-02-28T06:00Z'), to: hours.to } },
    ])
    expect((await pool.query('select from ohlcv_data')).rowCount).toBe(6)
    expect((await pool.query('select from quarantined_rows where run_id is null')).rowCount).toBe(4)
  })
})

describe.each(servers)('a database of before on $server', ({ clusterUrl }) => {
  test('keeps markets that two coins track, gives them to no third, and lets one of the two go', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    const rows = async () => {
      const { rows } = await pool.query<{ line: string }>(
        `select concat_ws(' ', coin_id, source, symbol, to_jsonb(instruments) ->> 'shares_market') as line
         from instruments
         where coalesce(to_jsonb(instruments) ->> 'followed_to', to_jsonb(instruments) ->> 'tracked_to', to_jsonb(instruments) ->> 'listed_to') is null
         order by coin_id, symbol`,
      )
      return rows.map(({ line }) => line)
    }
    const plain = [
      'bitcoin kraken XXBTZUSD',
      'btc kraken XBTUSD',
      'wbt bitfinex tWBT:USD',
      'whitebit bitfinex tWBTUSD',
      'xbt kraken XBT/USD',
    ]
    try {
      await migrateDown(url, { to: '0016' })
      await pool.query(`
        insert into coins (id, symbol, name, created_at, updated_at)
        select id, id, id, now(), now() from unnest('{bitcoin,btc,xbt,whitebit,wbt,old}'::text[]) as id`)
      await pool.query(`
        insert into instruments (coin_id, source, symbol, preference, followed_from, followed_to, listed_to) values
          ('bitcoin', 'kraken', 'XXBTZUSD', 0, '2024-01-01', null, null),
          ('btc', 'kraken', 'XBTUSD', 0, '2024-01-03', null, null),
          ('xbt', 'kraken', 'XBT/USD', 0, '2024-01-02', null, null),
          ('whitebit', 'bitfinex', 'tWBTUSD', 0, '2024-01-01', null, null),
          ('wbt', 'bitfinex', 'tWBT:USD', 0, '2024-01-02', null, null),
          ('old', 'kraken', 'XBTUSD', 0, '2023-01-01', '2023-02-01', null),
          ('whitebit', 'kraken', 'XBTUSD', 0, '2022-01-01', null, '2023-01-01')`)
      expect(await rows()).toEqual(plain)
      await migrateUp(url)
      const flagged = [
        'bitcoin kraken XXBTZUSD false',
        'btc kraken XBTUSD true',
        'wbt bitfinex tWBT:USD true',
        'whitebit bitfinex tWBTUSD false',
        'xbt kraken XBT/USD true',
      ]
      expect(await rows()).toEqual(flagged)
      await expect(track(pool, 'third', 'kraken:XBTUSD')).rejects.toThrow('tracked as bitcoin already')
      await migrateDown(url, { to: '0016' })
      expect(await rows()).toEqual(plain)
      await migrateUp(url)
      expect(await rows()).toEqual(flagged)
      await stop(pool, 'bitcoin')
      expect(
        (await rows()).filter((line) => line.includes('kraken')).map((line) => line.split(' ').at(-1)),
      ).toEqual(expect.arrayContaining(['false', 'true']))
      await stop(pool, 'xbt')
      expect(await rows()).toEqual(['btc kraken XBTUSD false', ...flagged.slice(2, 4)])
    } finally {
      await drop()
    }
  })
})

test('all spellings of one market are one, in the index as in the code', async ({
  freshDatabase: { pool },
}) => {
  await pool.query(`insert into coins (id, symbol, name, created_at, updated_at)
    values ('a', 'A', 'a', now(), now()), ('b', 'B', 'b', now(), now())`)
  const pairs: readonly (readonly [source: string, a: string, b: string, same: boolean])[] = [
    ['bitfinex', 'tWBTUSD', 'tWBT:USD', true],
    ['bitfinex', 'tWBTUSD', 'tWHBT:USD', false],
    ['kraken', 'XXBTZUSD', 'XBTUSD', true],
    ['kraken', 'XXBTZUSD', 'XBT/USD', true],
    ['kraken', 'XETHXXBT', 'ETHXBT', true],
    ['kraken', 'XTZUSD', 'TZUSD', false],
    ['kraken', 'XMLNZEUR', 'XMLNZUSD', false],
    ['binance', 'XXBTZUSD', 'XBTUSD', false],
    ['okx', 'BTC-USDT', 'btc-usdt', true],
    ['bitstamp', 'btcusd', 'BTC/USD', true],
    ['ccxt:bitvavo', 'BTC/EUR', 'BTC-EUR', true],
  ]
  for (const [source, a, b, same] of pairs) {
    const insert = (coin: string, symbol: string) =>
      pool.query(
        `insert into instruments (coin_id, source, symbol, preference, tracked_from) values ($1, $2, $3, 0, now())`,
        [coin, source, symbol],
      )
    await insert('a', a)
    const second = insert('b', b)
    if (same) await expect(second, `${source} ${b}`).rejects.toThrow('instruments_market_key')
    else await second
    expect([source, a, b, marketKey(source, a) === marketKey(source, b)]).toEqual([source, a, b, same])
    await pool.query(`delete from instruments where coin_id in ('a', 'b')`)
  }
})

test('a change of another hour is no other beginning', async ({ freshDatabase: { pool } }) => {
  const since = at('2023-09-01T08:00Z')
  await track(pool, 'solayer', 'gateio:LAYER_USDT', since)
  await track(pool, 'solayer', 'gateio:LAYER_USDT', since, plus(now, hour))
  expect(await marketsOf(pool)).toMatchObject([{ listedFrom: since, trackedFrom: now }])
})
