import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Unavailable } from '../fault.ts'
import { createLocks, tryLock } from './locks.ts'
import { databaseOf, inTransaction } from './transaction.ts'

/**
 * Runs work that only one process at a time may do, under a name. It is handed a check that it is still alone, to be
 * called between its steps: the turn ends with the connection that holds it. Throws Unavailable with the sentence where
 * another has the turn.
 */
export async function alone<T>(
  pool: Pool,
  name: string,
  busy: string,
  work: (stillAlone: () => Promise<void>) => Promise<T>,
): Promise<T> {
  await createLocks(databaseOf(pool), [name])
  // The lock of a transaction, not of a session: behind a pooler the session is not ours. It stays open without a snapshot.
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
