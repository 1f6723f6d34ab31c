import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { InvalidInput } from '../../fault.ts'
import { databaseOf, inTransaction, type Transaction } from '../transaction.ts'

export async function listViews(pool: Pool): Promise<string[]> {
  const { rows } = await databaseOf(pool).execute<{ name: string }>(
    sql`select matviewname as name from pg_matviews where schemaname = current_schema() order by matviewname`,
  )
  return rows.map(({ name }) => name)
}

/** Refreshes a view concurrently. Returns its row count. */
export async function refreshView(pool: Pool, name: string): Promise<{ rows: number }> {
  const known = await listViews(pool)
  if (!known.includes(name)) {
    throw new InvalidInput(
      `there is no materialized view "${name}"; there is ${known.join(', ') || 'none: run beacon migrate up'}`,
    )
  }
  const refresh = async ({ db }: Transaction) => {
    await db.execute(sql`refresh materialized view concurrently ${sql.identifier(name)}`)
    const { rows } = await db.execute<{ rows: string }>(
      sql`select count(*) as rows from ${sql.identifier(name)}`,
    )
    return { rows: Number(rows[0]?.rows) }
  }
  return inTransaction(pool, refresh, 'maintenance')
}
