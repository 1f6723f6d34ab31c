import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { toDecimal } from '../../src/market/decimal.ts'
import { day, hour, type Instant, plus, toInstant } from '../../src/market/instant.ts'
import { listPartitions, type Partition } from '../../src/store/lifecycle/list-partitions.ts'
import { PartitionHeld } from '../../src/store/lifecycle/partition-holds.ts'
import { proveRollUp, rolledUp, rollUp } from '../../src/store/lifecycle/rollup.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
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
      `select day::text, open, high, low, close, average_price, market_cap, volume_24h, rank, samples, finalized_at
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
    const [partition, coinId] = [await aDay(pool), await aCoin(pool)]
    await write(
      pool,
      coinId,
      { at: plus(partition.from, 5 * hour), price: '0.00000002', cap: '7.25', rank: 3 },
      { at: partition.from, price: '9999999999999999.99999999', cap: '5' },
      { at: plus(partition.from, day - 1), price: '0.00000005' },
    )
    await rollUp(databaseOf(pool), partition)
    expect(await dailyOf(pool, coinId)).toEqual([
      {
        day: new Date(partition.from).toISOString().slice(0, 10),
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
        finalized_at: null,
      },
    ])
    expect(await objectionTo(pool, partition)).toBeUndefined()
  })

  test('again changes nothing, and after a late price says what all of them say', async ({ pool }) => {
    const [partition, coinId] = [await aDay(pool), await aCoin(pool)]
    await write(pool, coinId, { at: plus(partition.from, hour), price: '10' })
    const version = async () =>
      (await pool.query('select xmin, close, samples from market_data_daily where coin_id = $1', [coinId]))
        .rows
    await rollUp(databaseOf(pool), partition)
    const before = await version()
    await rollUp(databaseOf(pool), partition)
    expect(await version()).toEqual(before)
    await write(pool, coinId, { at: plus(partition.from, 2 * hour), price: '12' })
    expect(await objectionTo(pool, partition)).toMatch(
      `1 of its daily rows in market_data_daily do not agree`,
    )
    await rollUp(databaseOf(pool), partition)
    expect(await version()).toMatchObject([{ close: '12.00000000', samples: 2 }])
    expect(await objectionTo(pool, partition)).toBeUndefined()
  })

  test.for([
    ['price of another time', "update market_data_daily set first_at = first_at + interval '1 second'"],
    ['mean', 'update market_data_daily set average_price = average_price + 0.00000001'],
    ['market cap', 'update market_data_daily set market_cap = null'],
    ['count', 'update market_data_daily set samples = samples + 1'],
    ['day at all', 'delete from market_data_daily'],
  ])('objects to a daily row with another %s', async ([, damage], { pool }) => {
    const [partition, coinId] = [await aDay(pool), await aCoin(pool)]
    await write(
      pool,
      coinId,
      { at: partition.from, price: '10', cap: '5' },
      { at: plus(partition.from, hour), price: '12' },
    )
    await rollUp(databaseOf(pool), partition)
    await pool.query(`${damage} where coin_id = '${coinId}'`)
    expect(await objectionTo(pool, partition)).toContain(
      `${new Date(partition.from).toISOString().slice(0, 10)} of ${coinId}`,
    )
  })

  test('objects to a leaf that ends in the middle of a day', async ({ pool }) => {
    const partition = await aDay(pool)
    const crooked = { ...partition, range: { ...partition.range, to: plus(partition.range.to, hour) } }
    await expect(rolledUp(crooked)).rejects.toThrow('midnights')
  })

  test('leaves a day alone whose prices are gone, and lets go only of what it was made of', async ({
    pool,
  }) => {
    const [partition, coinId] = [await aDay(pool), await aCoin(pool)]
    await write(
      pool,
      coinId,
      { at: plus(partition.from, hour), price: '10' },
      { at: plus(partition.from, 3 * hour), price: '12' },
    )
    await rollUp(databaseOf(pool), partition)
    await inTransaction(pool, async ({ db }) => (await rolledUp(partition))(db, partition.range.to))
    const resolved = await dailyOf(pool, coinId)
    expect(resolved).toMatchObject([{ samples: 2, finalized_at: new Date(partition.range.to) }])
    // One of the two is loaded once more.
    await pool.query(`delete from market_data where coin_id = $1 and price = 12`, [coinId])
    await rollUp(databaseOf(pool), partition)
    expect(await dailyOf(pool, coinId)).toEqual(resolved)
    expect(await objectionTo(pool, partition)).toBeUndefined()
    await write(pool, coinId, { at: plus(partition.from, 4 * hour), price: '11' })
    await rollUp(databaseOf(pool), partition)
    expect(await dailyOf(pool, coinId)).toEqual(resolved)
    expect(await objectionTo(pool, partition)).toContain(coinId)
  })
})
