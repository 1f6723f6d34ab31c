import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Aborted, Misconfigured } from '../../fault.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { inTransaction, rootMessage, sqlStateOf } from '../transaction.ts'

/** Rows of a table by the time in one of its columns. */
export type AgedRows = Readonly<{ table: string; by: string }>

const areOlder = ({ by }: AgedRows, before: Instant): SQL =>
  sql`${sql.identifier(by)} < ${toIso(before)}::timestamp`

export async function countOldRows(pool: Pool, aged: AgedRows, before: Instant): Promise<number> {
  const counting = inTransaction(
    pool,
    ({ db }) =>
      db.execute<{ rows: string }>(
        sql`select count(*) as rows from ${sql.identifier(aged.table)} where ${areOlder(aged, before)}`,
      ),
    'upkeep',
  )
  const { rows } = await nameable(aged, counting)
  return Number(rows[0]?.rows ?? 0)
}

/** Of one transaction: few enough that nobody waits long for a row. */
const batchRows = 10_000

/** Deletes them batch by batch, and returns how many there were. */
export async function deleteOldRows(
  pool: Pool,
  aged: AgedRows,
  before: Instant,
  signal: AbortSignal,
): Promise<number> {
  const table = sql.identifier(aged.table)
  for (let deleted = 0; ; ) {
    if (signal.aborted)
      throw new Aborted(`old rows of ${aged.table} were being deleted: the next run goes on`)
    const deleting = inTransaction(
      pool,
      ({ db }) =>
        db.execute(sql`
          delete from ${table} where ctid = any(array(
            select ctid from ${table} where ${areOlder(aged, before)} limit ${sql.raw(String(batchRows))}
          ))`),
      'upkeep',
    )
    const { rowCount } = await nameable(aged, deleting)
    deleted += rowCount ?? 0
    if ((rowCount ?? 0) < batchRows) return deleted
  }
}

const unknownTable = '42P01'
const unknownColumn = '42703'

/** The names come from the configuration. */
async function nameable<T>({ table }: AgedRows, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const state = sqlStateOf(error)
    if (state !== unknownTable && state !== unknownColumn) throw error
    throw new Misconfigured(
      `${rootMessage(error)}: correct the entry retention.${table} of the configuration`,
      {
        cause: error,
      },
    )
  }
}
