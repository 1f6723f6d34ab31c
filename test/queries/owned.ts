import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { type Instant, toInstant, toIso } from '../../src/market/instant.ts'
import { withUser } from '../../src/store/acting.ts'
import type { Database } from '../../src/store/transaction.ts'
import { superuserOf } from '../support/database.ts'

export const at = (iso: string): Instant => toInstant(Date.parse(iso))

/** When everything happened that a sentence does not date. */
export const now = at('2024-06-01T12:00:00Z')

type Row = Readonly<Record<string, unknown>>

async function insert(pool: Pool, table: string, row: Row): Promise<void> {
  const names = Object.keys(row)
  const places = names.map((_, index) => `$${index + 1}`)
  await superuserOf(pool).query(
    `insert into ${table} (${names.join(', ')}) values (${places.join(', ')})`,
    Object.values(row),
  )
}

/** Makes a row with an id of its own, which it returns; `row` is laid over what a sentence does not mention. */
const maker =
  (table: string, owner: string, defaults: () => Row) =>
  async (pool: Pool, ownerId: string, row: Row = {}): Promise<string> => {
    const id = randomUUID()
    await insert(pool, table, { id, [owner]: ownerId, ...defaults(), ...row })
    return id
  }

const stamps = { created_at: toIso(now), updated_at: toIso(now) }

export async function aUser(pool: Pool): Promise<string> {
  const id = randomUUID()
  await insert(pool, 'users', { id, email: id, password: 'hash', ...stamps, status: 'active', tier: 'free' })
  return id
}

export const anAccount = maker('trading_accounts', 'user_id', () => ({
  name: 'account',
  balance: 1000,
  initial_balance: 1000,
  currency: 'USD',
  ...stamps,
}))

export const aStrategy = maker('trading_strategies', 'user_id', () => ({
  name: 'strategy',
  type: 'grid',
  timeframe: '1h',
  parameters: {},
  assets: ['bitcoin'],
  ...stamps,
  is_active: true,
}))

export const aPosition = maker('positions', 'account_id', () => ({
  coin_id: 'bitcoin',
  coin_symbol: 'BTC',
  amount: 1,
  entry_price: 100,
  current_price: 110,
  opened_at: toIso(now),
  updated_at: toIso(now),
}))

export const aTrade = maker('trades', 'account_id', () => ({
  coin_id: 'bitcoin',
  coin_symbol: 'BTC',
  type: 'sell',
  price: 100,
  amount: 1,
  fee: 0,
  total: 100,
  executed_at: toIso(now),
}))

export const anAlert = maker('alerts', 'user_id', () => ({
  type: 'price',
  coin_id: 'bitcoin',
  coin_symbol: 'BTC',
  condition: { above: '70000.5' },
  created_at: toIso(now),
  status: 'active',
}))

export const aNotification = maker('notifications', 'user_id', () => ({
  type: 'price',
  title: 'title',
  message: 'message',
  created_at: toIso(now),
  priority: 'normal',
}))

/** What the user's application reads. */
export const asUser = <T>(pool: Pool, userId: string, work: (db: Database) => Promise<T>): Promise<T> =>
  withUser(pool, userId, ({ db }) => work(db))
