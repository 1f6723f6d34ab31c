import { type Client, escapeIdentifier } from 'pg'
import type { Migration } from './files.ts'
import { inTurn, runFile } from './run-step.ts'

/** Rows of one table that would be deleted; `rows` is counted up to `mostCounted`. */
type LostRows = Readonly<{ table: string; rows: number }>
/** Values of one column that would be deleted, while its table stays. */
type LostValues = Readonly<{ table: string; column: string; values: number }>

/** What undoing migrations deletes: empty tables and columns are left out. */
export type DownPlan = Readonly<{
  migrations: readonly string[]
  tables: readonly LostRows[]
  columns: readonly LostValues[]
}>

/** A count of this many means this many or more. */
export const mostCounted = 1_000_000

type Column = Readonly<{ oid: string; table: string; isForced: boolean; number: number; column: string }>

/**
 * Undoes the migrations in one transaction, compares the tables before and after, and rolls back. What a step moves from a
 * column to another counts as deleted too.
 */
export async function tryDown(
  client: Client,
  undone: readonly Migration[],
): Promise<Omit<DownPlan, 'migrations'>> {
  return inTurn(client, async () => {
    await client.query('savepoint before_down')
    const before = await readColumns(client)
    const deletedBefore = await readDeleted(client)
    for (const { name, down } of undone) await runFile(client, `${name}.down.sql`, down)
    const after = await readColumns(client)
    const deletedAfter = await readDeleted(client)
    await client.query('rollback to savepoint before_down')
    const lost = await countLost(client, before, after)
    const deleted = [...deletedAfter]
      .map(([table, rows]) => ({ table, rows: rows - (deletedBefore.get(table) ?? 0) }))
      .filter(({ table, rows }) => rows > 0 && !lost.tables.some((one) => one.table === table))
    await client.query('rollback to savepoint before_down')
    return { ...lost, tables: [...lost.tables, ...deleted] }
  })
}

/** Tables and columns by what a renaming leaves as it is. Partitions count as their parent. */
async function readColumns(client: Client): Promise<Column[]> {
  const { rows } = await client.query<Column>(`
    select pg_class.oid::text as oid, relname as table, relforcerowsecurity as "isForced", attnum as number, attname as column
    from pg_class join pg_attribute on attrelid = pg_class.oid
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
      and attnum > 0 and not attisdropped and relname not in ('schema_migrations', 'undone_migrations')
    order by relname, attnum`)
  return rows
}

/** How many rows of each table this transaction has deleted. */
async function readDeleted(client: Client): Promise<Map<string, number>> {
  const { rows } = await client.query<{ table: string; rows: string }>(`
    select coalesce(parent.relname, own.relname) as table, sum(n_tup_del)::text as rows
    from pg_stat_xact_user_tables join pg_class as own on own.oid = relid
    left join pg_class as parent on own.relispartition and parent.oid = pg_partition_root(own.oid)
    where schemaname = 'public' and own.relname not in ('schema_migrations', 'undone_migrations')
    group by 1 having sum(n_tup_del) > 0`)
  return new Map(rows.map(({ table, rows: count }) => [table, Number(count)]))
}

async function countLost(
  client: Client,
  before: readonly Column[],
  after: readonly Column[],
): Promise<Omit<DownPlan, 'migrations'>> {
  const tablesAfter = new Set(after.map(({ oid }) => oid))
  const columnsAfter = new Set(after.map(({ oid, number }) => `${oid} ${number}`))
  const tables: LostRows[] = []
  const columns: LostValues[] = []
  for (const table of new Set(before.map((column) => column.table))) {
    const own = before.filter((column) => column.table === table)
    if (own.every(({ oid }) => !tablesAfter.has(oid))) {
      const rows = await countRows(client, own)
      if (rows > 0) tables.push({ table, rows })
      continue
    }
    for (const { column } of own.filter(({ oid, number }) => !columnsAfter.has(`${oid} ${number}`))) {
      const values = await countRows(client, own, column)
      if (values > 0) columns.push({ table, column, values })
    }
  }
  return { tables, columns }
}

/** Counts the rows, or those with a value in the column; past the policies, which apply to the owner of the tables too. */
async function countRows(client: Client, [any]: readonly Column[], column?: string): Promise<number> {
  if (any === undefined) return 0
  const name = `public.${escapeIdentifier(any.table)}`
  if (any.isForced) await client.query(`alter table ${name} no force row level security`)
  const filled = column === undefined ? '' : `where ${escapeIdentifier(column)} is not null`
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::integer as count from (select from ${name} ${filled} limit ${mostCounted}) as counted`,
  )
  return rows[0]?.count ?? 0
}
