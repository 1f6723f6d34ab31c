import { describe, expect } from 'vitest'
import { Unavailable } from '../../src/fault.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'

describe('a transaction that the server ends because of others', () => {
  test('by a serialization failure is worth another try', async ({ pool }) => {
    await pool.query('create table counted (n integer); insert into counted values (0)')
    const count = (andThen: () => Promise<unknown>) =>
      inTransaction(pool, async ({ client }) => {
        await client.query('set transaction isolation level serializable')
        await client.query('select n from counted')
        await andThen()
        await client.query('update counted set n = n + 1')
      })
    await expect(count(() => count(async () => undefined))).rejects.toThrow(Unavailable)
    await count(async () => undefined)
    expect((await pool.query('select n from counted')).rows).toEqual([{ n: 2 }])
  })

  test('by a lock that is not released in time is worth another try', async ({ pool }) => {
    await pool.query('create table locked (n integer)')
    const holder = await pool.connect()
    try {
      await holder.query('begin; lock table locked')
      const read = inTransaction(pool, async ({ client }) => {
        await client.query("set local lock_timeout = '50ms'")
        await client.query('select n from locked')
      })
      await expect(read).rejects.toThrow(Unavailable)
    } finally {
      await holder.query('rollback')
      holder.release()
    }
  })
})
