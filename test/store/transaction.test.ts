import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Unavailable } from '../../src/fault.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'
import { endSession, pidOf } from './loading.ts'

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
  ] as const)('that meets %s is worth another try', async ([, statement], { pool }) => {
    const holder = await pool.connect()
    await holder.query('begin; lock table coins')
    const refused = inTransaction(pool, ({ client }) => client.query(statement))
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
})
