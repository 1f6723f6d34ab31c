import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Unavailable } from '../fault.ts'
import { createLocks, tryLock } from './locks.ts'
import { databaseOf, inTransaction } from './transaction.ts'

/**
 * Runs work that only one process at a time may do. `stillAlone` throws once the connection that holds the lock is
 * lost. Throws Unavailable with `busy` while another process holds the lock.
 */
export async function alone<T>(
  pool: Pool,
  name: string,
  busy: string,
  work: (stillAlone: () => Promise<void>) => Promise<T>,
): Promise<T> {
  await createLocks(databaseOf(pool), [name])
  return inTransaction(
    pool,
    async ({ db }) => {
      if (!(await tryLock(db, name))) throw new Unavailable(busy)
      await db.execute(sql`set local idle_in_transaction_session_timeout = 0`)
      return work(async () => {
        await db.execute(sql`select`)
      })
    },
    'maintenance',
  )
}
