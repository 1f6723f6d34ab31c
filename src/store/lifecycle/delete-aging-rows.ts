import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Aborted, Misconfigured } from '../../fault.ts'
import { toIso } from '../../market/instant.ts'
import { entryOfRows, leaveOutRows } from '../maintenance-audit.ts'
import { rootMessage, sqlStateOf } from '../transaction.ts'
import { type Aging, isOfRecordsGone, limitOf, mayLeave } from './aging-rows.ts'
import { belongsToUsers, inRowsTransaction } from './archives/archived-rows.ts'

export async function countAgingRows(pool: Pool, aging: Aging): Promise<number> {
  const counting = inRowsTransaction(pool, aging.table, ({ db }) =>
    db.execute<{ rows: string }>(
      sql`select count(*) as rows from ${sql.identifier(aging.table)} as aging where ${mayLeave(aging)}`,
    ),
  )
  const { rows } = await nameable(aging, counting)
  return Number(rows[0]?.rows ?? 0)
}

/** Small enough to hold row locks only shortly. */
const batchRows = 10_000

/** Deletes in batches, with related audit rows; returns the count. */
export async function deleteAgingRows(pool: Pool, aging: Aging, signal: AbortSignal): Promise<number> {
  const deleted = await nameable(aging, deleteWhere(pool, aging, aging.table, mayLeave(aging), signal))
  if (await belongsToUsers(pool, aging.table))
    await deleteWhere(pool, aging, 'audit_logs', isOfRecordsGone(aging.table), signal)
  return deleted
}

async function deleteWhere(
  pool: Pool,
  aging: Aging,
  table: string,
  condition: SQL,
  signal: AbortSignal,
): Promise<number> {
  const name = sql.identifier(table)
  for (let deleted = 0; ; ) {
    if (signal.aborted) throw new Aborted(`old rows of ${table} were being deleted: the next run goes on`)
    const rows = await inRowsTransaction(pool, table, async ({ db }) => {
      await leaveOutRows(db)
      const result = await db.execute<{ rows: string }>(sql`
        with deleted as (
          delete from ${name} where ctid = any(array(
            select aging.ctid from ${name} as aging where ${condition} limit ${sql.raw(String(batchRows))}
          )) returning 1
        ), entry as (${entryOfRows('deleted', {
          operation: 'PURGE',
          table,
          entity: table === aging.table ? table : `${table} of ${aging.table}`,
          details: { by: aging.by, before: toIso(limitOf(aging)) },
        })})
        select count(*) as rows from deleted`)
      return Number(result.rows[0]?.rows)
    })
    deleted += rows
    if (rows < batchRows) return deleted
  }
}

const unknownColumn = '42703'

/** Column names come from the configuration. */
async function nameable<T>({ table }: Aging, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (sqlStateOf(error) !== unknownColumn) throw error
    throw new Misconfigured(
      `${rootMessage(error)}: correct the entry retention.${table} of the configuration`,
      {
        cause: error,
      },
    )
  }
}
