import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Database } from '../transaction.ts'

/** `keepMs` undefined: forever. */
export type Keep = Readonly<{ table: string; keepMs: number | undefined }>

/** Last accepted `keep` by table in ms; Infinity for forever. */
export async function readAcceptedKeeps(db: Database): Promise<Map<string, number>> {
  const { rows } = await db.execute<{ table: string; keep_ms: string | null }>(
    sql`select table_name as "table", keep_ms from retention_policies`,
  )
  return new Map(rows.map(({ table, keep_ms }) => [table, keep_ms === null ? Infinity : Number(keep_ms)]))
}

/** Accepts the `keep` of tables that had none. */
export const acceptFirstKeeps = (db: Database, keeps: readonly Keep[], now: Instant): Promise<unknown> =>
  db.execute(sql`${insertion(keeps, now)} on conflict (table_name) do nothing`)

export const acceptKeeps = (db: Database, keeps: readonly Keep[], now: Instant): Promise<unknown> =>
  db.execute(sql`
    ${insertion(keeps, now)} on conflict (table_name) do update
      set keep_ms = excluded.keep_ms, accepted_at = excluded.accepted_at
      where retention_policies.keep_ms is distinct from excluded.keep_ms`)

function insertion(keeps: readonly Keep[], now: Instant) {
  const rows = keeps.map(({ table, keepMs }) => ({ table_name: table, keep_ms: keepMs ?? null }))
  return sql`
    insert into retention_policies (table_name, keep_ms, accepted_at)
    select table_name, keep_ms, ${toIso(now)}::timestamp
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as keep (table_name text, keep_ms bigint)`
}
