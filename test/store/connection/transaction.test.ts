import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { sql } from 'drizzle-orm'
import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { coins } from '../../../drizzle/schema/market-data.ts'
import { type NewTradingAccount, tradingAccounts } from '../../../drizzle/schema/trading.ts'
import { Unavailable } from '../../../src/fault.ts'
import { toDecimal } from '../../../src/market/decimal.ts'
import { toInstant } from '../../../src/market/instant.ts'
import { withUser } from '../../../src/store/acting.ts'
import { databaseOf, inTransaction, sqlStateOf, withFaults } from '../../../src/store/transaction.ts'
import { test } from '../../support/database.ts'
import { aPerson, aRowOf } from '../access/row-level-security-rows.ts'
import { insertInto } from '../access/row-level-security-stage.ts'
import { endSession, pidOf } from '../loading.ts'

describe('a transaction', () => {
  test('whose session dies between two queries fails, and the process lives on', async ({ pool }) => {
    const lost = inTransaction(pool, async ({ client }) => {
      await endSession(pool, await pidOf(client))
      await client.query('select 1')
    })
    await expect(lost).rejects.toThrow(Unavailable)
  })

  test('never gives a dead session back to the pool', async ({ databaseUrl, pool }) => {
    const narrow = new Pool({ connectionString: databaseUrl, max: 1 })
    narrow.on('error', () => {})
    try {
      const lost = inTransaction(narrow, async ({ client }) => endSession(pool, await pidOf(client)))
      await expect(lost).rejects.toThrow(Unavailable)
      expect(
        await inTransaction(narrow, async ({ client }) => (await client.query('select 1 as one')).rows),
      ).toEqual([{ one: 1 }])
    } finally {
      await narrow.end()
    }
  })

  test('that waited too long with nothing to do is worth another try', async ({ pool }) => {
    const idle = inTransaction(pool, async ({ client }) => {
      await client.query(`set local idle_in_transaction_session_timeout = '10ms'`)
      const gone = new Promise((resolve) => client.once('error', resolve))
      await gone
      await client.query('select 1')
    })
    await expect(idle).rejects.toThrow(Unavailable)
  })

  test.for([
    ['a lock that is held', `set local lock_timeout = '10ms'; lock table coins`],
    ['a server that only reads', `set local transaction_read_only = on; create table nothing ()`],
    [
      'too little room for its sorting',
      `set local temp_file_limit = 0; set local work_mem = '64kB'; select count(*) from (select generate_series(1, 100000) as n order by n desc) as sorted`,
    ],
  ] as const)('that meets %s is worth another try', async ([, statement], { pool, superuser }) => {
    const holder = await pool.connect()
    await holder.query('begin; lock table coins')
    // Only a superuser may set such a limit.
    const refused = inTransaction(statement.includes('temp_file_limit') ? superuser : pool, ({ client }) =>
      client.query(statement),
    )
    await expect(refused).rejects.toThrow(Unavailable)
    await holder.query('rollback')
    holder.release()
  })

  test('that is wrong in itself fails as loudly as it is', async ({ pool }) => {
    const wrong = inTransaction(pool, ({ client }) => client.query('select * from nowhere'))
    await expect(wrong).rejects.toThrow('relation "nowhere" does not exist')
    await expect(wrong).rejects.not.toThrow(Unavailable)
  })

  test('to a server that is not there is worth another try', async ({ databaseUrl }) => {
    const nobody = new URL(databaseUrl)
    nobody.port = '1'
    const pool = new Pool({ connectionString: nobody.href })
    await expect(inTransaction(pool, async () => undefined)).rejects.toThrow(Unavailable)
    await pool.end()
  })

  test('finds the tables in public, whatever schema the login has', async ({ freshDatabase: { pool } }) => {
    await pool.query('create schema authorization current_user')
    await pool.query('create table coins ()')
    expect(await inTransaction(pool, ({ db }) => db.select().from(coins))).toEqual([])
    const { rows } = await databaseOf(pool).execute(sql`select current_setting('search_path') as path`)
    expect(rows).toEqual([{ path: 'public' }])
  })

  test('of a user writes rows of the schema, and none of another user', async ({ pool }) => {
    const [alice, bob] = [aPerson(), aPerson()]
    for (const person of [alice, bob]) {
      const { text, values = [] } = insertInto('users', aRowOf('users', person))
      await withUser(pool, person.id, ({ client }) => client.query(text, [...values]))
    }
    const now = toInstant(Date.UTC(2024, 0, 1))
    const account: NewTradingAccount = {
      userId: alice.id,
      name: 'Paper',
      balance: toDecimal('1.5'),
      initialBalance: toDecimal('1.5'),
      currency: 'USD',
      createdAt: now,
      updatedAt: now,
    }
    const written = await withUser(pool, alice.id, async ({ db }) => {
      await db.insert(tradingAccounts).values(account)
      return db.update(tradingAccounts).set({ name: 'Live' }).returning({ name: tradingAccounts.name })
    })
    expect(written).toEqual([{ name: 'Live' }])
    const foreign = withUser(pool, bob.id, ({ db }) => db.insert(tradingAccounts).values(account))
    await expect(foreign).rejects.toThrow('row-level security')
    const removed = await withUser(pool, bob.id, ({ db }) => db.delete(tradingAccounts).returning())
    expect(removed).toEqual([])
  })

  test('that fails tells no parameter, whichever way it was asked', async ({ pool }) => {
    const secret = `secret ${randomUUID()}`
    const statement = sql`select 1 / length(nullif(${secret}, ${secret})), 1 / (length(${secret}) * 0)`
    const asked = [
      inTransaction(pool, ({ db }) => db.execute(statement)),
      databaseOf(pool).execute(statement),
      withFaults(databaseOf(pool).select({ one: statement }).from(coins)),
    ]
    for (const error of await Promise.all(
      asked.map((one) =>
        one.then(
          () => undefined,
          (reason: unknown) => reason,
        ),
      ),
    )) {
      expect(sqlStateOf(error)).toBeDefined()
      expect(inspect(error)).not.toContain(secret)
    }
  })
})
