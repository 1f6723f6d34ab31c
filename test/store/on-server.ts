import type { Pool, PoolClient } from 'pg'
import { test as base } from 'vitest'
import { createTestDatabase } from '../support/database.ts'

/**
 * `test` on the given server with a migrated database for the file (`pool`), and for each test a `client` in a
 * transaction of its own that is rolled back in the end. Both are a superuser's: row-level security binds everybody else.
 */
export const testOn = (server: string) =>
  base
    .extend('clusterUrl', { scope: 'worker' }, server)
    .extend('pool', { scope: 'file' }, async ({ clusterUrl }, { onCleanup }) => {
      const { superuser, drop } = await createTestDatabase(clusterUrl)
      onCleanup(drop)
      return superuser
    })
    .extend('client', ({ pool }, { onCleanup }) => beginOn(pool, onCleanup))

/** A client of the pool in a transaction, which the cleaning up rolls back. */
export async function beginOn(
  pool: Pool,
  onCleanup: (cleanup: () => Promise<void>) => void,
): Promise<PoolClient> {
  const client = await pool.connect()
  onCleanup(async () => {
    await client.query('rollback')
    client.release()
  })
  await client.query('begin')
  return client
}
