import { randomUUID } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import type { maintenanceOperations } from '../../drizzle/schema/audit-logs.ts'
import type { Database } from './transaction.ts'

/** An audit entry of maintenance. */
export type Maintenance = Readonly<{
  operation: (typeof maintenanceOperations)[number]
  /** The table whose rows changed. */
  table: string
  /** A partition, a coin or a series. */
  entity: string
  /** Row counts, ranges, archive, reason. */
  details?: Readonly<Record<string, unknown>>
  /** Defaults to the session's name, such as `beacon daemon`. */
  actor?: string
}>

/** Call in the transaction of the change. Entries are kept forever and hidden from users. */
export async function recordMaintenance(db: Database, maintenance: Maintenance): Promise<void> {
  await db.execute(sql`${insertion} values (${valuesOf(maintenance, sql`'{}'::jsonb`)})`)
}

/** Audits the CTE `changed` in the same statement, with its row count as `rows`; no entry without rows. */
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
 * Disables per-row audit triggers until the transaction (as `beacon_upkeep`) ends; one maintenance entry replaces them.
 */
export async function leaveOutRows(db: Database): Promise<void> {
  await db.execute(sql`select set_config('app.rows_have_one_entry', 'yes', true)`)
}
