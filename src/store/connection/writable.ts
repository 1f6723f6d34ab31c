import type { Pool } from 'pg'
import { databaseOf } from '../transaction.ts'
import { ReadOnlyServer } from './primary-client.ts'
import { ServerPool } from './server-pool.ts'

/** Throws ReadOnlyServer, and leaves the server, if it accepts no writes. */
export async function requireWritable(pool: Pool): Promise<void> {
  const { rows } = await databaseOf(pool).execute<{ read_only: boolean }>(
    `select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only`,
  )
  if (rows[0]?.read_only !== true) return
  if (pool instanceof ServerPool) pool.leaveServer()
  throw new ReadOnlyServer(
    'PostgreSQL takes no writes: it is a replica, or default_transaction_read_only is on',
  )
}
