import { sql } from 'drizzle-orm'
import { isClient } from '../figures/database-figures.ts'
import type { Database } from '../transaction.ts'
import { isOwnSession } from './own-sessions.ts'

/** Server settings that the program depends on. */
export type ServerParameters = Readonly<{
  /** `18.1` */
  version: string
  major: number
  maxConnections: number
  /** Reserved for superusers. */
  reservedConnections: number
  sessions: number
  ownSessions: number
  /** Of our sessions. */
  timeZone: string
  encoding: string
  fsync: boolean
  fullPageWrites: boolean
  autovacuum: boolean
  maxLocksPerTransaction: number
  maxPreparedTransactions: number
}>

export async function readServerParameters(db: Database): Promise<ServerParameters> {
  const { rows } = await db.execute<ServerParameters>(sql`
    select split_part(current_setting('server_version'), ' ', 1) as version,
      current_setting('server_version_num')::integer / 10000 as major,
      current_setting('max_connections')::integer as "maxConnections",
      current_setting('superuser_reserved_connections')::integer as "reservedConnections",
      (select count(*)::integer from pg_stat_activity where ${isClient}) as sessions,
      (select count(*)::integer from pg_stat_activity where ${isClient} and ${isOwnSession}) as "ownSessions",
      current_setting('timezone') as "timeZone",
      current_setting('server_encoding') as encoding,
      current_setting('fsync')::boolean as fsync,
      current_setting('full_page_writes')::boolean as "fullPageWrites",
      current_setting('autovacuum')::boolean as autovacuum,
      current_setting('max_locks_per_transaction')::integer as "maxLocksPerTransaction",
      current_setting('max_prepared_transactions')::integer as "maxPreparedTransactions"`)
  const [parameters] = rows
  if (!parameters) throw new Error('the server has no answer')
  return parameters
}
