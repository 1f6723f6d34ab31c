import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Unavailable } from '../fault.ts'
import { inTransaction } from './transaction.ts'

/**
 * Runs work that only one process at a time may do, under a name. It is handed a check that it is still alone, to be
 * called between its steps: the turn ends with the connection that holds it. Throws Unavailable with the sentence where
 * another has the turn.
 */
export const alone = <T>(
  pool: Pool,
  name: string,
  busy: string,
  work: (stillAlone: () => Promise<void>) => Promise<T>,
): Promise<T> =>
  // A transaction's lock, not a session's: behind a pooler the session is not ours. It stays open without a snapshot.
  inTransaction(
    pool,
    async ({ db }) => {
      const { rows } = await db.execute<{ taken: boolean }>(
        sql`select pg_try_advisory_xact_lock(hashtextextended(${`beacon:${name}`}, 0)) as taken`,
      )
      if (!rows[0]?.taken) throw new Unavailable(busy)
      await db.execute(sql`set local idle_in_transaction_session_timeout = 0`)
      return work(async () => {
        await db.execute(sql`select`)
      })
    },
    'upkeep',
  )
