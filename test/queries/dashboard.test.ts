import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { plus, toIso } from '../../src/market/instant.ts'
import { readDashboard } from '../../src/queries/dashboard.ts'
import { upsertCoin } from '../../src/store/coins.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { partitionsAhead } from '../../src/store/partitions.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'
import { aNotification, anAccount, anAlert, aPosition, aStrategy, asUser, at, aUser, now } from './owned.ts'
import { statementsOf } from './recording.ts'

const minute = 60_000
const hour = 60 * minute

/** Prices in USD, one a day, the oldest first. */
async function pricesOf(pool: Pool, coinId: string, prices: readonly string[]): Promise<void> {
  await upsertCoin(databaseOf(pool), coinId, { symbol: 'COIN', name: 'A coin' }, now)
  const table = { name: 'market_data', length: 'day' } as const
  await ensurePartitions(pool, table, partitionsAhead(table, plus(now, -3 * 24 * hour), 4), 1_000)
  for (const [index, price] of prices.entries()) {
    await pool.query('insert into market_data (coin_id, price, timestamp) values ($1, $2, $3)', [
      coinId,
      price,
      toIso(plus(now, (index - prices.length + 1) * 24 * hour)),
    ])
  }
}

const dashboardOf = (pool: Pool, userId: string) => asUser(pool, userId, (db) => readDashboard(db, { now }))

describe('the dashboard', () => {
  test('values a position at the newest price of the market, exactly', async ({ pool }) => {
    await pricesOf(pool, 'exact-coin', ['1', '2', '60000.12345678'])
    const userId = await aUser(pool)
    const accountId = await anAccount(pool, userId)
    await aPosition(pool, accountId, {
      coin_id: 'exact-coin',
      amount: '0.12345678',
      entry_price: '60000.12345679',
    })
    const { positions } = await dashboardOf(pool, userId)
    expect(positions).toMatchObject([
      {
        accountId,
        price: '60000.12345678',
        pricedAt: now,
        // 12345678 × 6000012345678, and 12345678 × -1: sixteen places after the point.
        value: '7407.4220415765279684',
        unrealisedProfit: '-0.0000000012345678',
        openedAt: now,
      },
    ])
  })

  test('values a position without a price of the market at its own', async ({ pool }) => {
    const userId = await aUser(pool)
    await aPosition(pool, await anAccount(pool, userId), { coin_id: 'unpriced-coin', amount: -2 })
    const { positions } = await dashboardOf(pool, userId)
    expect(positions).toMatchObject([{ price: '110.00000000', pricedAt: null }])
    expect(positions[0]).toMatchObject({
      value: '-220.0000000000000000',
      unrealisedProfit: '-20.0000000000000000',
    })
  })

  test('does not take a price in USD for an account in another currency', async ({ pool }) => {
    await pricesOf(pool, 'dollar-coin', ['500'])
    const userId = await aUser(pool)
    await aPosition(pool, await anAccount(pool, userId, { currency: 'EUR' }), { coin_id: 'dollar-coin' })
    const { positions } = await dashboardOf(pool, userId)
    expect(positions).toMatchObject([{ currency: 'EUR', price: '110.00000000', pricedAt: null }])
  })

  test('shows the alerts that are active and have not expired', async ({ pool }) => {
    const userId = await aUser(pool)
    const lasting = await anAlert(pool, userId, { note: 'lasting' })
    const later = await anAlert(pool, userId, {
      created_at: toIso(plus(now, -1)),
      expires_at: toIso(plus(now, 1)),
    })
    await anAlert(pool, userId, { expires_at: toIso(now) })
    await anAlert(pool, userId, { status: 'paused' })
    const { alerts } = await dashboardOf(pool, userId)
    expect(alerts.map(({ id, expiresAt }) => [id, expiresAt])).toEqual([
      [lasting, null],
      [later, plus(now, 1)],
    ])
    expect(alerts[0]).toMatchObject({ condition: { above: '70000.5' }, createdAt: now, note: 'lasting' })
  })

  test('counts what is unread, and shows the newest of all', async ({ pool }) => {
    const userId = await aUser(pool)
    for (let age = 0; age < 8; age += 1) {
      const read = age % 2 === 0 ? {} : { read_at: toIso(now) }
      await aNotification(pool, userId, {
        title: `${age}`,
        created_at: toIso(plus(now, -age * hour)),
        ...read,
      })
    }
    const { notifications } = await dashboardOf(pool, userId)
    expect(notifications.unread).toBe(4)
    expect(notifications.newest.map(({ title, readAt }) => [title, readAt])).toEqual([
      ['0', null],
      ['1', now],
      ['2', null],
      ['3', now],
      ['4', null],
    ])
  })

  test('shows accounts and active strategies by name', async ({ pool }) => {
    const userId = await aUser(pool)
    await anAccount(pool, userId, {
      name: 'b',
      balance: '0.00000001',
      initial_balance: '9999999999999999.99999999',
    })
    await anAccount(pool, userId, { name: 'a' })
    await aStrategy(pool, userId, { name: 'resting', is_active: false })
    await aStrategy(pool, userId, { name: 'working', assets: ['bitcoin', 'ethereum'], risk_level: 'low' })
    const { accounts, strategies } = await dashboardOf(pool, userId)
    expect(accounts).toMatchObject([
      { name: 'a', balance: '1000.00000000', initialBalance: '1000.00000000', currency: 'USD' },
      { name: 'b', balance: '0.00000001', initialBalance: '9999999999999999.99999999' },
    ])
    expect(strategies).toMatchObject([
      { name: 'working', assets: ['bitcoin', 'ethereum'], riskLevel: 'low', updatedAt: now },
    ])
  })

  test('shows nothing of another user, and to nobody nothing', async ({ pool }) => {
    const [rich, poor] = [await aUser(pool), await aUser(pool)]
    await aPosition(pool, await anAccount(pool, rich))
    await anAlert(pool, rich)
    await aNotification(pool, rich)
    await aStrategy(pool, rich)
    const empty = {
      accounts: [],
      positions: [],
      alerts: [],
      notifications: { unread: 0, newest: [] },
      strategies: [],
    }
    expect((await dashboardOf(pool, rich)).notifications.unread).toBe(1)
    expect(await dashboardOf(pool, poor)).toEqual(empty)
    // The login of the pool is a superuser, whom no policy binds.
    expect(await readDashboard(databaseOf(pool), { now })).toEqual(empty)
  })

  test('asks as many statements for much as for nothing', async ({ pool }) => {
    const [rich, poor] = [await aUser(pool), await aUser(pool)]
    for (let count = 0; count < 5; count += 1) await aPosition(pool, await anAccount(pool, rich))
    const client = await pool.connect()
    try {
      const statements = []
      for (const userId of [rich, poor]) {
        await client.query(`select set_config('app.user_id', $1, false)`, [userId])
        statements.push((await statementsOf(client, (db) => readDashboard(db, { now }))).length)
      }
      expect(statements).toEqual([6, 6])
    } finally {
      client.release(true)
    }
  })

  test.for([0, 101, 1.5, Number.NaN])('refuses %d notifications', async (notifications, { pool }) => {
    const reading = readDashboard(databaseOf(pool), { now: at('2024-01-01T00:00:00Z'), notifications })
    await expect(reading).rejects.toThrow(InvalidInput)
  })
})
