import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Misconfigured, Unavailable } from '../../../fault.ts'
import { type Instant, plus, toInstant } from '../../../market/instant.ts'
import type { Range } from '../../../market/range.ts'
import { asMaintenance } from '../../acting.ts'
import { isLockFailure } from '../../lock-failure.ts'
import { type Database, inTransaction, type Transaction } from '../../transaction.ts'
import type { AgingRows } from '../aging-rows.ts'
import { type ArchiveColumn, type Content, contentOfRows, type RowSelection } from './archive-content.ts'

/** A batch of rows in order of time and key, bounds inclusive. */
export type RowBatch = Readonly<{ range: Range; where: SQL; order: readonly string[] }>

/** Users may lock their rows, which blocks only this. */
const lockTimeoutMs = 2_000

/**
 * Runs a transaction that may read and delete the table's rows, as the maintenance role for user tables. Throws
 * Unavailable if another session locks them.
 */
export async function inRowsTransaction<T>(
  pool: Pool,
  table: string,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const limited = async (tx: Transaction) => {
    await tx.db.execute(sql`select set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`)
    return work(tx)
  }
  try {
    return (await belongsToUsers(pool, table))
      ? await asMaintenance(pool, limited)
      : await inTransaction(pool, limited, 'maintenance')
  } catch (error) {
    if (!isLockFailure(error)) throw error
    throw new Unavailable(
      `another session keeps ${table} or some of its rows locked: the next run tries again; end it if it stays (pg_stat_activity lists it)`,
      { cause: error },
    )
  }
}

export async function belongsToUsers(pool: Pool, table: string): Promise<boolean> {
  const { rows } = await inTransaction(pool, ({ db }) =>
    db.execute<{ secured: boolean }>(sql`
      select relrowsecurity as secured from pg_class
      where relname = ${table} and relnamespace = 'public'::regnamespace and relkind = 'r'`),
  )
  const [found] = rows
  if (found) return found.secured
  throw new Misconfigured(
    `there is no plain table ${table}: correct the entry retention.${table} of the configuration`,
  )
}

export type BatchChoice = AgingRows & Readonly<{ where: SQL; key: readonly string[]; most: number }>

/** The oldest rows, at most `most`; undefined if there are none. */
export async function nextBatch(
  db: Database,
  { table, by, where, key, most }: BatchChoice,
): Promise<RowBatch | undefined> {
  const order = [by, ...key.filter((name) => name !== by)]
  const names = sql.join(
    order.map((name) => sql`${sql.identifier(name)}`),
    sql`, `,
  )
  const { rows } = await db.execute<Record<string, string> & { row: 'first' | 'last' }>(sql`
    with batch as (
      select ${names}, row_number() over (order by ${names}) as place from ${sql.identifier(table)} as aging
      where ${where} order by ${names} limit ${most}
    )
    select ${textsOf(order)}, extract(epoch from ${sql.identifier(by)}) * 1000 as ms, place
    from batch where place in (1, (select max(place) from batch)) order by place`)
  const [first] = rows
  const last = rows.at(-1)
  if (!first || !last) return undefined
  const bound = (row: Record<string, string>) =>
    sql.join(
      order.map((name) => sql`${row[name]}`),
      sql`, `,
    )
  return {
    range: { from: floorMs(first.ms), to: plus(floorMs(last.ms), 1) },
    where: sql`(${names}) >= (${bound(first)}) and (${names}) <= (${bound(last)}) and ${where}`,
    order,
  }
}

const textsOf = (names: readonly string[]): SQL =>
  sql.join(
    names.map((name) => sql`${sql.identifier(name)}::text as ${sql.identifier(name)}`),
    sql`, `,
  )

const floorMs = (text = ''): Instant => toInstant(Math.floor(Number(text)))

/** Rows with infinite or out-of-range timestamps cannot be archived and stay. */
export function isWritable(columns: readonly ArchiveColumn[]): SQL {
  const times = columns.filter(({ type }) => type.startsWith('timestamp'))
  const conditions = times.map(({ name }) => {
    const time = sql`aging.${sql.identifier(name)}`
    return sql`(${time} is null or (${time} >= '0001-01-01' and ${time} < '10000-01-01'))`
  })
  return conditions.length === 0 ? sql`true` : sql`(${sql.join(conditions, sql` and `)})`
}

export const takeRows = (db: Database, { relation, columns, where }: RowSelection): Promise<Content> =>
  contentOfRows(
    db,
    sql`delete from ${relation} ${where === undefined ? sql`` : sql`where ${where}`} returning *`,
    columns,
  )
