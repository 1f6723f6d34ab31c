import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { toDecimal } from '../../src/market/decimal.ts'
import { day, hour, type Instant, plus, toInstant } from '../../src/market/instant.ts'
import { ensurePartitions } from '../../src/store/create-partitions.ts'
import { listPartitions, type Partition } from '../../src/store/lifecycle/list-partitions.ts'
import { PartitionHeld } from '../../src/store/lifecycle/partition-holds.ts'
import { proveRollUp, rolledUp, rollUp } from '../../src/store/lifecycle/rollup.ts'
import { partitionAt } from '../../src/store/partitions.ts'
import { loadPrices } from '../../src/store/prices.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { aCoin } from '../store/loading.ts'
import { test } from '../support/database.ts'

const table = { name: 'market_data', length: 'day' } as const
let days = 0

/** A day that no other sentence has. */
async function aDay(pool: Pool): Promise<Partition & { from: Instant }> {
  days += 1
  const from = toInstant(Date.UTC(2020, 0, 1) + days * day)
  const plan = partitionAt(table, from)
  await ensurePartitions(pool, table, [plan], 2_000)
  const found = (await listPartitions(pool, [table.name])).find(({ name }) => name === plan.name)
  if (!found) throw new Error(`there is no partition ${plan.name}`)
  return { ...found, from }
}

type Sample = Readonly<{ at: Instant; price: string; cap?: string; rank?: number }>

const write = (pool: Pool, coinId: string, ...samples: Sample[]) =>
  inTransaction(pool, (tx) =>
    loadPrices(
      tx,
      samples.map(({ at, price, cap, rank }) => ({
        coinId,
        price: {
          market: 'coin',
          timestamp: at,
          price: toDecimal(price),
          ...(cap === undefined ? {} : { marketCap: toDecimal(cap) }),
          ...(rank === undefined ? {} : { rank }),
        },
      })),
    ),
  )

const dailyOf = async (pool: Pool, coinId: string) =>
  (
    await pool.query(
      `select day::text, open, high, low, close, average_price, market_cap, volume_24h, rank, samples, settled_at
       from market_data_daily where coin_id = $1 order by day`,
      [coinId],
    )
  ).rows

/** Why the prices cannot be deleted yet. */
async function objectionTo(pool: Pool, partition: Partition): Promise<string | undefined> {
  try {
    await proveRollUp(databaseOf(pool), partition)
    return undefined
  } catch (error) {
    if (error instanceof PartitionHeld) return error.hold.reason
    throw error
  }
}

describe('rolling up a day of prices', () => {
  test('keeps first, highest, lowest, last, mean and the last that was known of the rest', async ({
    pool,
  }) => {
    const [leaf, coinId] = [await aDay(pool), await aCoin(pool)]
    await write(
      pool,
      coinId,
      { at: plus(leaf.from, 5 * hour), price: '0.00000002', cap: '7.25', rank: 3 },
      { at: leaf.from, price: '9999999999999999.99999999', cap: '5' },
      { at: plus(leaf.from, day - 1), price: '0.00000005' },
    )
    await rollUp(databaseOf(pool), leaf)
    expect(await dailyOf(pool, coinId)).toEqual([
      {
        day: new Date(leaf.from).toISOString().slice(0, 10),
        open: '9999999999999999.99999999',
        high: '9999999999999999.99999999',
        low: '0.00000002',
        close: '0.00000005',
        // A third of 10000000000000000.00000006.
        average_price: '3333333333333333.33333335',
        market_cap: '7.25',
        volume_24h: null,
        rank: 3,
        samples: 3,
        settled_at: null,
      },
    ])
    expect(await objectionTo(pool, leaf)).toBeUndefined()
  })

  test('again changes nothing, and after a late price says what all of them say', async ({ pool }) => {
    const [leaf, coinId] = [await aDay(pool), await aCoin(pool)]
    await write(pool, coinId, { at: plus(leaf.from, hour), price: '10' })
    const version = async () =>
      (await pool.query('select xmin, close, samples from market_data_daily where coin_id = $1', [coinId]))
        .rows
    await rollUp(databaseOf(pool), leaf)
    const before = await version()
    await rollUp(databaseOf(pool), leaf)
    expect(await version()).toEqual(before)
    await write(pool, coinId, { at: plus(leaf.from, 2 * hour), price: '12' })
    expect(await objectionTo(pool, leaf)).toMatch(`1 of its daily rows in market_data_daily do not agree`)
    await rollUp(databaseOf(pool), leaf)
    expect(await version()).toMatchObject([{ close: '12.00000000', samples: 2 }])
    expect(await objectionTo(pool, leaf)).toBeUndefined()
  })

  test.for([
    ['price of another time', "update market_data_daily set first_at = first_at + interval '1 second'"],
    ['mean', 'update market_data_daily set average_price = average_price + 0.00000001'],
    ['market cap', 'update market_data_daily set market_cap = null'],
    ['count', 'update market_data_daily set samples = samples + 1'],
    ['day at all', 'delete from market_data_daily'],
  ])('objects to a daily row with another %s', async ([, damage], { pool }) => {
    const [leaf, coinId] = [await aDay(pool), await aCoin(pool)]
    await write(
      pool,
      coinId,
      { at: leaf.from, price: '10', cap: '5' },
      { at: plus(leaf.from, hour), price: '12' },
    )
    await rollUp(databaseOf(pool), leaf)
    await pool.query(`${damage} where coin_id = '${coinId}'`)
    expect(await objectionTo(pool, leaf)).toContain(
      `${new Date(leaf.from).toISOString().slice(0, 10)} of ${coinId}`,
    )
  })

  test('objects to a leaf that ends in the middle of a day', async ({ pool }) => {
    const leaf = await aDay(pool)
    const crooked = { ...leaf, range: { ...leaf.range, to: plus(leaf.range.to, hour) } }
    await expect(rolledUp(crooked)).rejects.toThrow('midnights')
  })

  test('leaves a day alone whose prices are gone, and lets go only of what it was made of', async ({
    pool,
  }) => {
    const [leaf, coinId] = [await aDay(pool), await aCoin(pool)]
    await write(
      pool,
      coinId,
      { at: plus(leaf.from, hour), price: '10' },
      { at: plus(leaf.from, 3 * hour), price: '12' },
    )
    await rollUp(databaseOf(pool), leaf)
    await inTransaction(pool, async ({ db }) => (await rolledUp(leaf))(db, leaf.range.to))
    const settled = await dailyOf(pool, coinId)
    expect(settled).toMatchObject([{ samples: 2, settled_at: new Date(leaf.range.to) }])
    // One of the two is loaded once more.
    await pool.query(`delete from market_data where coin_id = $1 and price = 12`, [coinId])
    await rollUp(databaseOf(pool), leaf)
    expect(await dailyOf(pool, coinId)).toEqual(settled)
    expect(await objectionTo(pool, leaf)).toBeUndefined()
    await write(pool, coinId, { at: plus(leaf.from, 4 * hour), price: '11' })
    await rollUp(databaseOf(pool), leaf)
    expect(await dailyOf(pool, coinId)).toEqual(settled)
    expect(await objectionTo(pool, leaf)).toContain(coinId)
  })
})
