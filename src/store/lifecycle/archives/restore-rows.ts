import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type SQL, sql } from 'drizzle-orm'
import { escapeIdentifier } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { InvalidInput, Refused } from '../../../fault.ts'
import type { Range } from '../../../market/range.ts'
import { spansText } from '../../coverage/multirange.ts'
import { sqlStateOf, type Transaction } from '../../transaction.ts'
import { type ArchiveColumn, type Content, contentOf } from './archive-content.ts'

/**
 * Row counts. `unchanged`: already stored; `kept`: stored with other values, which stay; `orphaned`: their user is
 * gone.
 */
export type RestoredRows = Readonly<{ restored: number; unchanged: number; kept: number; orphaned: number }>

const staging = 'incoming_archive'

/** Valid in the transaction that staged them. */
export const stagedRows: SQL = sql`${sql.identifier(staging)}`

/** Columns as archived: the table may have changed since. */
const definitionOf = (columns: readonly ArchiveColumn[]): SQL =>
  sql.join(
    columns.map(({ name, type, nullable }) => {
      if (!/^[a-z0-9 (),]+$/.test(type)) throw new Error(`the manifest names a type "${type}"`)
      return sql`${sql.identifier(name)} ${sql.raw(type)} ${nullable ? sql`` : sql`not null`}`
    }),
    sql`, `,
  )

/** Copies lines into a temporary table and returns the content received. */
export async function stageRows(
  { client, db }: Transaction,
  columns: readonly ArchiveColumn[],
  lines: AsyncIterable<string>,
): Promise<Content> {
  await db.execute(
    sql`create temporary table ${sql.identifier(staging)} (${definitionOf(columns)}) on commit drop`,
  )
  await copyLines({ client, db }, staging, columns, lines)
  return contentOf(db, { relation: sql`${sql.identifier(staging)}`, columns, key: [] })
}

/** Creates and fills a table that only its owner may read. */
export async function fillSideTable(
  tx: Transaction,
  name: string,
  columns: readonly ArchiveColumn[],
  lines: AsyncIterable<string>,
): Promise<Content> {
  try {
    await tx.db.execute(sql`create table ${sql.identifier(name)} (${definitionOf(columns)})`)
  } catch (error) {
    if (sqlStateOf(error) !== duplicateTable) throw error
    throw new InvalidInput(`there is a table ${name} already: name another with --into`, { cause: error })
  }
  await copyLines(tx, name, columns, lines)
  return contentOf(tx.db, { relation: sql`${sql.identifier(name)}`, columns, key: [] })
}

const duplicateTable = '42P07'

async function copyLines(
  { client }: Transaction,
  table: string,
  columns: readonly ArchiveColumn[],
  lines: AsyncIterable<string>,
): Promise<void> {
  const names = columns.map(({ name }) => escapeIdentifier(name)).join(', ')
  const stream = client.query(copyFrom(`copy ${escapeIdentifier(table)} (${names}) from stdin`))
  await pipeline(Readable.from(lines), stream)
}

/** Removes staged rows in ranges of newer files. Returns how many are left. */
export async function leaveOut({ db }: Transaction, ranges: readonly Range[]): Promise<number> {
  const left = sql.identifier(staging)
  if (ranges.length > 0)
    await db.execute(sql`delete from ${left} where ${spansText(ranges)}::tsmultirange @> timestamp`)
  const { rows } = await db.execute<{ rows: string }>(sql`select count(*) as rows from ${left}`)
  return Number(rows[0]?.rows)
}

/**
 * Inserts staged rows. Existing rows stay, so newer values win and repeats change nothing. Rows of deleted users are
 * left out.
 */
export async function mergeStaged(
  tx: Transaction,
  table: string,
  columns: readonly ArchiveColumn[],
  key: readonly string[],
  staged: number,
): Promise<RestoredRows> {
  const { db } = tx
  const incoming = sql.identifier(staging)
  const target = sql.identifier(table)
  const namesOf = (owner: SQL) =>
    sql.join(
      columns.map(({ name }) => sql`${owner}${sql.identifier(name)}`),
      sql`, `,
    )
  const names = namesOf(sql``)
  const orphaned = await removeOrphans(tx, table)
  const sameKey = key.map((name) => sql`stored.${sql.identifier(name)} = incoming.${sql.identifier(name)}`)
  try {
    const { rows } = await db.execute<{ unchanged: string }>(sql`
      select count(*) as unchanged from ${incoming} as incoming join ${target} as stored
      on ${sql.join(sameKey, sql` and `)} and (${namesOf(sql`stored.`)}) is not distinct from (${namesOf(sql`incoming.`)})`)
    const unchanged = Number(rows[0]?.unchanged)
    const { rowCount } = await db.execute(sql`
      insert into ${target} (${names}) select ${names} from ${incoming} on conflict do nothing`)
    const restored = rowCount ?? 0
    return { restored, unchanged, kept: staged - orphaned - restored - unchanged, orphaned }
  } catch (error) {
    throw refusalOf(error, table)
  }
}

const missingReference = '23503'
const missingColumn = '42703'

/** Explains a constraint error with its remedy. */
function refusalOf(error: unknown, table: string): unknown {
  switch (sqlStateOf(error)) {
    case missingReference:
      return new Refused(
        'the archive speaks of a coin that is no longer here: follow it with beacon coins add, and try again',
        { cause: error },
      )
    case missingColumn:
      return new Refused(
        `${table} has other columns than when the rows were archived: restore them beside it with --into`,
        { cause: error },
      )
    default:
      return error
  }
}

/** Removes rows whose owner no longer exists. */
async function removeOrphans({ db }: Transaction, table: string): Promise<number> {
  const { rows: references } = await db.execute<{ column: string; owner: string; key: string }>(sql`
    select own.attname as "column", confrelid::regclass::text as owner, other.attname as key
    from pg_constraint
    join pg_attribute as own on own.attrelid = conrelid and own.attnum = conkey[1]
    join pg_attribute as other on other.attrelid = confrelid and other.attnum = confkey[1]
    join pg_class on pg_class.oid = confrelid and relrowsecurity
    where conrelid = ${`public.${table}`}::regclass and contype = 'f' and cardinality(conkey) = 1`)
  let removed = 0
  for (const { column, owner, key } of references) {
    const { rowCount } = await db.execute(sql`
      delete from ${sql.identifier(staging)} as incoming
      where not exists (
        select from ${sql.identifier(owner)} as owner
        where owner.${sql.identifier(key)} = incoming.${sql.identifier(column)}
      ) and incoming.${sql.identifier(column)} is not null`)
    removed += rowCount ?? 0
  }
  return removed
}
