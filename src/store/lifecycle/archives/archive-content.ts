import { finished } from 'node:stream/promises'
import { type SQL, sql } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import { to as copyTo } from 'pg-copy-streams'
import { Misconfigured } from '../../../fault.ts'
import type { Database, Transaction } from '../../transaction.ts'

/** Type as in the catalog: `numeric(24,8)`, `uuid` … */
export type ArchiveColumn = Readonly<{ name: string; type: string; nullable: boolean }>

/** Rows of a relation in key order. */
export type RowSelection = Readonly<{
  relation: SQL
  columns: readonly ArchiveColumn[]
  key: readonly string[]
  where?: SQL
}>

/** Column → sum of the hashes of its values as text; `*` → of complete rows. Independent of order. */
export type Checksums = Readonly<Record<string, string>>

/** Count and checksums: equal for equal rows. */
export type Content = Readonly<{ rows: number; checksums: Checksums }>

export const wholeRow = '*'

/** Hash of NULL. */
export const hashOfNull = 1

/** NULL and separator in the text of a row. */
export const nullMark = '\u001e'
export const valueMark = '\u001f'

export const ownTable = (name: string): Readonly<{ schema: string; name: string }> => ({
  schema: 'public',
  name,
})

/** Columns and primary key of a relation. Throws Misconfigured if it is missing or has no primary key. */
export async function readShape(
  db: Database,
  { schema, name }: Readonly<{ schema: string; name: string }>,
): Promise<Pick<RowSelection, 'columns' | 'key'>> {
  const { rows } = await db.execute<{
    name: string
    type: string
    nullable: boolean
    place: number | null
  }>(sql`
    select attname as name, format_type(atttypid, atttypmod) as type, not attnotnull as nullable,
      array_position(indkey::smallint[], attnum) as place
    from pg_attribute
    left join pg_index on indrelid = attrelid and indisprimary
    where attrelid = to_regclass(${`${quoted(schema)}.${quoted(name)}`}) and attnum > 0 and not attisdropped
    order by attnum`)
  const keyed = rows.filter(({ place }) => place !== null)
  if (keyed.length === 0) {
    throw new Misconfigured(
      `table ${schema}.${name} has no primary key here: only a table with one can be archived`,
    )
  }
  return {
    columns: rows.map(({ name, type, nullable }) => ({ name, type, nullable })),
    key: keyed.toSorted((a, b) => (a.place ?? 0) - (b.place ?? 0)).map(({ name }) => name),
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

const isTimestamp = ({ type }: ArchiveColumn): boolean => type.startsWith('timestamp')

/** Text that is written and hashed: timestamps as microseconds since 1970. */
function valueText(column: ArchiveColumn): SQL {
  const name = sql.identifier(column.name)
  return isTimestamp(column) ? sql`(extract(epoch from ${name}) * 1000000)::bigint::text` : sql`${name}::text`
}

const listed = (parts: readonly SQL[]): SQL => sql.join([...parts], sql`, `)

/** Counts and sums hashes of the rows' bytes, independent of order and collation. */
export async function contentOf(db: Database, { relation, columns, where }: RowSelection): Promise<Content> {
  const from = sql`select * from ${relation} ${where === undefined ? sql`` : sql`where ${where}`}`
  return contentOfRows(db, from, columns)
}

/** The content of a query's rows, such as of `delete … returning *`. */
export async function contentOfRows(
  db: Database,
  query: SQL,
  columns: readonly ArchiveColumn[],
): Promise<Content> {
  const texts = columns.map((column, index) => sql`${valueText(column)} as ${place(index)}`)
  const sums = columns.map(
    (_, index) => sql`sum(${hashOf(place(index))})::text as ${sql.identifier(`s${index}`)}`,
  )
  const parts = columns.map((_, index) => sql`coalesce(${place(index)}, chr(30))`)
  const row = sql.join(parts, sql` || chr(31) || `)
  const { rows } = await db.execute<Record<string, string | null>>(sql`
    with source as (${query}), texts as (select ${listed(texts)} from source)
    select count(*) as rows, sum(${hashOf(row)})::text as whole, ${listed(sums)} from texts`)
  const [found] = rows
  const entries = columns.map(({ name }, index) => [name, found?.[`s${index}`] ?? '0'])
  return {
    rows: Number(found?.rows),
    checksums: Object.fromEntries([...entries, [wholeRow, found?.whole ?? '0']]),
  }
}

const place = (index: number): SQL => sql`${sql.identifier(`c${index}`)}`

const hashOf = (text: SQL): SQL =>
  sql`coalesce(hashtextextended((${text}) collate "C", 0), ${sql.raw(String(hashOfNull))})`

export const sameContent = (one: Content, other: Content): boolean =>
  one.rows === other.rows &&
  Object.keys({ ...one.checksums, ...other.checksums }).every(
    (name) => one.checksums[name] === other.checksums[name],
  )

export const differingColumns = (one: Content, other: Content): string[] =>
  Object.keys({ ...one.checksums, ...other.checksums }).filter(
    (name) => one.checksums[name] !== other.checksums[name],
  )

const dialect = new PgDialect()

/** COPY takes no parameters: inlines them. */
const copyText = (query: SQL): string => dialect.sqlToQuery(query.inlineParams()).sql

function ordered({ relation, key, where }: RowSelection, values: readonly SQL[]): SQL {
  return sql`
    select ${listed(values)} from ${relation} ${where === undefined ? sql`` : sql`where ${where}`}
    order by ${listed(key.map((name) => sql`${sql.identifier(name)}`))}`
}

/** Streams rows in key order as COPY text. */
export function exportRows(tx: Transaction, selection: RowSelection): AsyncGenerator<Buffer> {
  const values = selection.columns.map((column) => valueText(column))
  return copyOut(tx, sql`copy (${ordered(selection, values)}) to stdout`)
}

/** Streams rows in key order as CSV; timestamps are readable, NULL is empty. */
export function exportCsv(tx: Transaction, selection: RowSelection): AsyncGenerator<Buffer> {
  const values = selection.columns.map(({ name }) => sql`${sql.identifier(name)}`)
  return copyOut(tx, sql`copy (${ordered(selection, values)}) to stdout (format csv)`)
}

/** Starts at the first read. The connection is busy until the stream has ended. */
async function* copyOut({ client }: Transaction, query: SQL): AsyncGenerator<Buffer> {
  const stream = client.query(copyTo(copyText(query)))
  const ended = finished(stream)
  ended.catch(() => undefined)
  try {
    yield* stream.iterator({ destroyOnReturn: false })
  } finally {
    stream.resume()
    await ended
  }
}

/** Makes all reads of the transaction see one snapshot. Call before its first query. */
export const readAtOneMoment = async ({ client }: Transaction): Promise<void> => {
  await client.query('set transaction isolation level repeatable read, read only')
}
