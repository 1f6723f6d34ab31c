import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { minute } from '../../src/market/instant.ts'
import type { TrackedCoin } from '../../src/settings/schema.ts'
import { listCoins, trackConfigured, trackMarket, unfollowCoin } from '../../src/store/coins.ts'
import { readCoverage } from '../../src/store/coverage.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { aBatch, candlesIn, load, minutes, now } from './loading.ts'

const bitcoin: TrackedCoin = {
  id: 'bitcoin',
  symbol: 'BTC',
  name: 'Bitcoin',
  markets: { binance: 'BTCUSDT' },
}
const ethereum: TrackedCoin = {
  id: 'ethereum',
  symbol: 'ETH',
  name: 'Ethereum',
  markets: { binance: 'ETHUSDT' },
}

const configure = async (pool: Pool, ...coins: TrackedCoin[]) =>
  (await inTransaction(pool, (tx) => trackConfigured(tx, coins, now))).added
const add = async (pool: Pool, source: string, symbol: string, coinId = 'bitcoin', when = now) =>
  (await inTransaction(pool, (tx) => trackMarket(tx, { coinId, source, symbol }, when))).isChanged
const remove = (pool: Pool, coinId: string) => inTransaction(pool, (tx) => unfollowCoin(tx, coinId, now))
const tracked = async (pool: Pool) =>
  (await listCoins(databaseOf(pool))).map(({ id, markets }) => [
    id,
    ...markets.map(({ source, symbol }) => `${source}:${symbol}`),
  ])

describe('the configured coins', () => {
  test('are followed from the first start on, and starting again changes nothing', async ({
    freshDatabase: { pool },
  }) => {
    expect(await configure(pool, bitcoin, ethereum)).toEqual(['bitcoin', 'ethereum'])
    const rows = async () =>
      (await pool.query('select t.*, t.ctid::text from instruments as t order by coin_id')).rows
    const before = await rows()
    expect(await configure(pool, bitcoin, ethereum)).toEqual([])
    expect(await rows()).toEqual(before)
    expect(await listCoins(databaseOf(pool))).toMatchObject([
      {
        id: 'bitcoin',
        symbol: 'BTC',
        name: 'Bitcoin',
        markets: [{ source: 'binance', symbol: 'BTCUSDT', preference: 0, trackedFrom: now }],
      },
      { id: 'ethereum' },
    ])
  })

  test('may grow by one at any later start', async ({ freshDatabase: { pool } }) => {
    await configure(pool, bitcoin)
    expect(await configure(pool, bitcoin, ethereum)).toEqual(['ethereum'])
    expect(await tracked(pool)).toEqual([
      ['bitcoin', 'binance:BTCUSDT'],
      ['ethereum', 'binance:ETHUSDT'],
    ])
  })

  test('stay removed also when another market of theirs is configured', async ({
    freshDatabase: { pool },
  }) => {
    await configure(pool, bitcoin, ethereum)
    await remove(pool, 'bitcoin')
    const moved: TrackedCoin = { ...bitcoin, markets: { binance: 'BTCUSDC' } }
    expect(await configure(pool, moved, ethereum)).toEqual([])
    expect(await tracked(pool)).toEqual([['ethereum', 'binance:ETHUSDT']])
  })

  test('stay removed once they were removed by command', async ({ freshDatabase: { pool } }) => {
    await configure(pool, bitcoin, ethereum)
    expect(await remove(pool, 'bitcoin')).toBe(1)
    expect(await configure(pool, bitcoin, ethereum)).toEqual([])
    expect(await tracked(pool)).toEqual([['ethereum', 'binance:ETHUSDT']])
  })

  test('are followed once by six that start at the same time', async ({ freshDatabase: { pool } }) => {
    await Promise.all(Array.from({ length: 6 }, () => configure(pool, bitcoin, ethereum)))
    expect(await tracked(pool)).toEqual([
      ['bitcoin', 'binance:BTCUSDT'],
      ['ethereum', 'binance:ETHUSDT'],
    ])
  })
})

describe('following by command', () => {
  test('appends a market after those that are there', async ({ freshDatabase: { pool } }) => {
    await configure(pool, bitcoin)
    expect(await add(pool, 'kraken', 'XBTUSD')).toBe(true)
    expect(await add(pool, 'binance', 'BTCFDUSD')).toBe(true)
    expect(await add(pool, 'kraken', 'XBTUSD')).toBe(false)
    expect(await tracked(pool)).toEqual([['bitcoin', 'binance:BTCUSDT', 'kraken:XBTUSD', 'binance:BTCFDUSD']])
  })

  test('takes up again what was removed, as the last and from now on', async ({
    freshDatabase: { pool },
  }) => {
    await configure(pool, bitcoin)
    await remove(pool, 'bitcoin')
    expect(await tracked(pool)).toEqual([])
    expect(await add(pool, 'kraken', 'XBTUSD')).toBe(true)
    expect(await add(pool, 'binance', 'BTCUSDT', 'bitcoin', plus(now, minute))).toBe(true)
    expect(await listCoins(databaseOf(pool))).toMatchObject([
      {
        markets: [
          { source: 'kraken', preference: 0 },
          { source: 'binance', preference: 1, trackedFrom: plus(now, minute) },
        ],
      },
    ])
  })

  test('no longer keeps all that was loaded', async ({ freshDatabase: { pool } }) => {
    await configure(pool, bitcoin)
    const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
    await load(pool, aBatch(series, candlesIn(minutes(0, 10))))
    expect(await remove(pool, 'bitcoin')).toBe(1)
    expect(await remove(pool, 'bitcoin')).toBe(0)
    expect((await pool.query('select from ohlcv_data')).rowCount).toBe(10)
    expect(await readCoverage(databaseOf(pool), series, minutes(0, 10))).toHaveLength(1)
    expect((await pool.query(`select from coins where id = 'bitcoin'`)).rowCount).toBe(1)
  })
})
