import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import type { CoinPrice } from '../../src/market/coin-price.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { minute, plus } from '../../src/market/instant.ts'
import { upsertCoin } from '../../src/store/coins.ts'
import { listPartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { withPartitions } from '../../src/store/partitions/partition-cache.ts'
import { loadPrices, type PricedCoin, readLatestPrices } from '../../src/store/prices.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'
import { aCoin, now, start } from './loading.ts'

const aPrice = (parts: Partial<CoinPrice> = {}): CoinPrice => ({
  market: 'COINUSDT',
  timestamp: start,
  price: toDecimal('61234.12345678'),
  ...parts,
})

const write = (pool: Pool, ...prices: PricedCoin[]) =>
  withPartitions(
    { pool, partitions: new Map(), lockTimeoutMs: 2_000 },
    { name: 'market_data', length: 'day' },
    prices.map(({ price }) => price.timestamp),
    () => inTransaction(pool, (tx) => loadPrices(tx, prices)),
  )

const rowsOf = async (pool: Pool, coinId: string) =>
  (await pool.query('select * from market_data where coin_id = $1 order by timestamp', [coinId])).rows

describe('loading prices', () => {
  test('keeps every digit of what a source knows', async ({ pool }) => {
    const coinId = await aCoin(pool)
    const price = aPrice({
      price: toDecimal('9999999999999999.99999999'),
      marketCap: toDecimal('999999999999999999999999999999.99'),
      volume24h: toDecimal('0.01'),
      change24h: toDecimal('-12.34'),
      circulatingSupply: toDecimal('589245723120439.12345678'),
      maxSupply: toDecimal('21000000'),
      rank: 1,
    })
    expect(await write(pool, { coinId, price })).toBe(1)
    expect(await rowsOf(pool, coinId)).toMatchObject([
      {
        price: price.price,
        market_cap: price.marketCap,
        volume_24h: '0.01',
        change_24h: '-12.34',
        circulating_supply: '589245723120439.12345678',
        max_supply: '21000000.00000000',
        rank: 1,
      },
    ])
  })

  test('leaves NULL what a source does not know', async ({ pool }) => {
    const coinId = await aCoin(pool)
    await write(pool, { coinId, price: aPrice() })
    expect(await rowsOf(pool, coinId)).toMatchObject([
      {
        market_cap: null,
        volume_24h: null,
        change_24h: null,
        circulating_supply: null,
        max_supply: null,
        rank: null,
      },
    ])
  })

  test('twice is loading them once', async ({ pool }) => {
    const answer = [
      { coinId: await aCoin(pool), price: aPrice() },
      { coinId: await aCoin(pool), price: aPrice() },
    ]
    expect(await write(pool, ...answer)).toBe(2)
    expect(await write(pool, ...answer)).toBe(0)
    for (const { coinId } of answer) expect(await rowsOf(pool, coinId)).toHaveLength(1)
  })

  test('keeps one row where an answer has the same coin twice', async ({ pool }) => {
    const coinId = await aCoin(pool)
    expect(await write(pool, { coinId, price: aPrice() }, { coinId, price: aPrice() })).toBe(1)
  })

  test('by many at once keeps one row for each moment', async ({ pool }) => {
    const coinId = await aCoin(pool)
    const prices = Array.from({ length: 20 }, (_, index) => ({
      coinId,
      price: aPrice({ timestamp: plus(start, index) }),
    }))
    await write(pool, ...prices.slice(0, 1))
    const added = await Promise.all(Array.from({ length: 6 }, () => write(pool, ...prices)))
    expect(added.reduce((sum, count) => sum + count, 0)).toBe(19)
  })

  test('twice in one transaction does not mix the two', async ({ pool }) => {
    const [one, two] = [await aCoin(pool), await aCoin(pool)]
    await write(
      pool,
      { coinId: one, price: aPrice({ timestamp: plus(start, -minute) }) },
      { coinId: one, price: aPrice() },
    )
    const added = await inTransaction(pool, async (tx) => [
      await loadPrices(tx, [{ coinId: one, price: aPrice({ timestamp: plus(start, 1) }) }]),
      await loadPrices(tx, [{ coinId: two, price: aPrice({ timestamp: plus(start, 1) }) }]),
    ])
    expect(added).toEqual([1, 1])
  })

  test('makes the leaves of its days', async ({ freshDatabase: { pool } }) => {
    const coinId = await aCoin(pool)
    await write(pool, { coinId, price: aPrice({ timestamp: plus(start, -1) }) }, { coinId, price: aPrice() })
    expect((await listPartitions(pool, ['market_data'])).map(({ name }) => name)).toEqual([
      'market_data_y2024m02d29',
      'market_data_y2024m03d01',
    ])
  })

  test.for(['NaN', '-0.00000001', 'Infinity'])(
    'by hand cannot store the price %s',
    async (price, { pool }) => {
      const coinId = await aCoin(pool)
      await write(pool, { coinId, price: aPrice() })
      const insert = pool.query(
        `insert into market_data (coin_id, timestamp, price) values ($1, '2024-03-01 00:01', $2)`,
        [coinId, price],
      )
      await expect(insert).rejects.toThrow(/market_data_price_check|numeric field overflow/)
    },
  )
})

test('the latest price of a coin is the newest by its time, whenever it was loaded', async ({ pool }) => {
  const coinId = await aCoin(pool)
  await write(pool, { coinId, price: aPrice({ price: toDecimal('2'), rank: 7 }) })
  await write(pool, { coinId, price: aPrice({ price: toDecimal('1'), timestamp: plus(start, -minute) }) })
  expect(await readLatestPrices(databaseOf(pool), [coinId, await aCoin(pool)])).toEqual([
    {
      coinId,
      symbol: 'COIN',
      timestamp: start,
      price: '2.00000000',
      change24h: null,
      volume24h: null,
      marketCap: null,
      rank: 7,
    },
  ])
})

describe('what a source knows of a coin', () => {
  const names = { symbol: 'BTC', name: 'Bitcoin', imageUrl: 'https://images.example/bitcoin.png' }

  const coinOf = async (pool: Pool, id: string) =>
    (
      await pool.query(
        'select symbol, name, image_url, updated_at::text, ctid::text from coins where id = $1',
        [id],
      )
    ).rows[0]

  test('is written when it changes, and only then', async ({ pool }) => {
    const id = await aCoin(pool)
    const db = databaseOf(pool)
    await upsertCoin(db, id, names, plus(now, minute))
    const first = await coinOf(pool, id)
    expect(first).toMatchObject({
      symbol: 'BTC',
      name: 'Bitcoin',
      image_url: names.imageUrl,
      updated_at: '2024-03-02 12:01:00',
    })
    await upsertCoin(db, id, names, plus(now, 2 * minute))
    await upsertCoin(db, id, { symbol: 'BTC', name: 'Bitcoin' }, plus(now, 2 * minute))
    expect(await coinOf(pool, id)).toEqual(first)
    await upsertCoin(db, id, { ...names, name: 'Bitcoin Core' }, plus(now, 3 * minute))
    expect(await coinOf(pool, id)).toMatchObject({ name: 'Bitcoin Core', updated_at: '2024-03-02 12:03:00' })
  })

  test('may be longer than its column, or hold what no text can', async ({ pool }) => {
    const id = await aCoin(pool)
    const long = {
      symbol: 'S'.repeat(30),
      name: `a\u0000${'n'.repeat(200)}`,
      imageUrl: `https://${'i'.repeat(300)}.example`,
    }
    await upsertCoin(databaseOf(pool), id, long, now)
    expect(await coinOf(pool, id)).toMatchObject({
      symbol: 'S'.repeat(20),
      name: `a${'n'.repeat(99)}`,
      image_url: null,
    })
  })
})
