import { randomUUID } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import type { maintenanceOperations } from '../../drizzle/schema/audit-logs.ts'
import type { Database } from './transaction.ts'

/** What maintenance changed: an entry of the audit log. */
export type Maintenance = Readonly<{
  operation: (typeof maintenanceOperations)[number]
  /** The table whose rows it concerns. */
  table: string
  /** What it was done to: a partition, a coin, a series. */
  entity: string
  /** What else there is to say: how many rows, of which time, to which archive, and why. */
  details?: Readonly<Record<string, unknown>>
  /** Who did it. By default what the session is called, such as `beacon daemon`. */
  actor?: string
}>

/** Writes the entry in the transaction that makes the change. It is kept for ever, and no user reads it. */
export async function recordMaintenance(db: Database, maintenance: Maintenance): Promise<void> {
  await db.execute(sql`${insertion} values (${valuesOf(maintenance, sql`'{}'::jsonb`)})`)
}

/**
 * The entry as one part of a statement whose other part, `changed`, deletes or updates rows. It gets their number as
 * `rows`; without rows there is no entry.
 */
export const entryOfRows = (changed: string, maintenance: Maintenance): SQL => sql`
  ${insertion} select ${valuesOf(maintenance, sql`jsonb_build_object('rows', count(*))`)}
  from ${sql.identifier(changed)} having count(*) > 0`

const insertion = sql`insert into audit_logs (id, table_name, operation, new_data, timestamp)`

function valuesOf({ operation, table, entity, details = {}, actor }: Maintenance, counted: SQL): SQL {
  return sql`
    ${randomUUID()}::uuid, ${table}, ${operation},
    jsonb_build_object(
      'actor', coalesce(${actor ?? null}::text, nullif(current_setting('application_name'), ''), 'beacon'),
      'entity', ${entity}::text
    ) || ${JSON.stringify(details)}::jsonb || ${counted},
    clock_timestamp() at time zone 'UTC'`
}

/**
 * From here on to the end of the transaction, which acts as `beacon_upkeep`, the triggers write nothing of single rows that
 * are deleted or inserted: the entry of maintenance stands for all of them. Row by row, the log would keep what is to
 * leave the table.
 */
export async function leaveOutRows(db: Database): Promise<void> {
  await db.execute(sql`select set_config('app.rows_have_one_entry', 'yes', true)`)
}
