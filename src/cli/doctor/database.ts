import { migrationStatus, verifyMigrations } from '../../store/migrations.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, error, type Finding } from './check.ts'
import { shortened } from './words.ts'

/** The database accepts writes. */
export const database: Check = {
  name: 'database',
  run: async ({ pool }) => {
    const { rows } = await databaseOf(pool).execute<{ read_only: boolean }>(
      `select pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as read_only`,
    )
    return rows[0]?.read_only === true
      ? [error('The database can only be read.', 'Let DATABASE_URL name the primary server.')]
      : []
  },
}

export const migrations: Check = {
  name: 'migrations',
  run: async ({ url }): Promise<Finding[]> => {
    await verifyMigrations(url)
    const pending = (await migrationStatus(url)).filter(({ applied }) => !applied).map(({ name }) => name)
    if (pending.length === 0) return []
    const which = shortened(pending)
    return [error(`The schema is not up to date: ${which} not applied yet.`, 'npx beacon migrate up')]
  },
}
