import { sql } from 'drizzle-orm'
import type { Counters } from '../../../drizzle/schema/monitoring.ts'
import type { Instant } from '../../market/instant.ts'
import { fromMs } from '../coverage/multirange.ts'
import { type Database, sqlStateOf } from '../transaction.ts'

/** What the server tells of itself in one moment. */
export type DatabaseFigures = Readonly<{
  counters: Counters
  connectionsActive: number
  connectionsIdle: number
  /** Those that wait for a lock. */
  connectionsWaiting: number
  connectionsMax: number
  databaseBytes: number
  /** How long the smallest statement took, with its way there and back. */
  pingMs: number
}>

type FiguresRow = Readonly<
  Record<keyof Omit<DatabaseFigures, 'counters' | 'pingMs'> | keyof Omit<Counters, 'tables'>, string> & {
    tables: NonNullable<Counters['tables']>
  }
>

/** So many tables are told apart: the others are hardly read from end to end. */
const mostScanned = 10

/**
 * In SQL: a row of pg_stat_activity is a client's. Of the sessions of other logins an ordinary login sees only that they
 * are there: they count as idle.
 */
export const isClient = sql.raw(
  `(usesysid is not null and coalesce(backend_type, 'client backend') = 'client backend')`,
)

/** Reads the figures in one statement, and times another one. */
export async function readDatabaseFigures(db: Database): Promise<DatabaseFigures> {
  const startedAt = performance.now()
  await db.execute(sql`select 1`)
  const pingMs = performance.now() - startedAt
  const { rows } = await db.execute<FiguresRow>(sql`
    with scans as (
      select coalesce(pg_partition_root(relid), relid)::regclass::text as name, sum(seq_scan) as table_scans,
        coalesce(sum(idx_scan), 0) as index_scans, sum(seq_tup_read) as rows_read
      from pg_stat_user_tables where schemaname = current_schema()
      group by 1 order by rows_read desc limit ${mostScanned}
    )
    select active_time as "activeMs", xact_commit + xact_rollback as transactions,
      blks_hit as "blocksHit", blks_read as "blocksRead",
      (select coalesce(sum(idx_scan), 0) from pg_stat_user_tables) as "indexScans",
      (select coalesce(sum(seq_scan), 0) from pg_stat_user_tables) as "tableScans",
      (select coalesce(jsonb_object_agg(name, jsonb_build_array(table_scans, index_scans, rows_read)), '{}') from scans) as tables,
      (select count(*) from pg_stat_activity where ${isClient} and state <> 'idle') as "connectionsActive",
      (select count(*) from pg_stat_activity where ${isClient} and coalesce(state, 'idle') = 'idle') as "connectionsIdle",
      (select count(*) from pg_stat_activity where wait_event_type = 'Lock') as "connectionsWaiting",
      current_setting('max_connections') as "connectionsMax",
      pg_database_size(datname) as "databaseBytes"
    from pg_stat_database where datname = current_database()`)
  const [row] = rows
  if (!row) throw new Error('the server has no figures of this database')
  const number = (name: keyof FiguresRow) => Number(row[name])
  return {
    counters: {
      activeMs: number('activeMs'),
      transactions: number('transactions'),
      blocksHit: number('blocksHit'),
      blocksRead: number('blocksRead'),
      indexScans: number('indexScans'),
      tableScans: number('tableScans'),
      tables: row.tables,
    },
    connectionsActive: number('connectionsActive'),
    connectionsIdle: number('connectionsIdle'),
    connectionsWaiting: number('connectionsWaiting'),
    connectionsMax: number('connectionsMax'),
    databaseBytes: number('databaseBytes'),
    pingMs,
  }
}

/** A statement that took long on the whole, as pg_stat_statements keeps it: without its parameters. */
export type SlowStatement = Readonly<{ text: string; calls: number; totalMs: number; averageMs: number }>

/** The statements that took most of the server's time; undefined where pg_stat_statements is not there or not ours. */
export async function readSlowStatements(db: Database, most: number): Promise<SlowStatement[] | undefined> {
  const { rows: found } = await db.execute<{ place: string }>(sql`
    select quote_ident(nspname) || '.pg_stat_statements' as place
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where relname = 'pg_stat_statements' and relkind = 'v' and has_table_privilege(pg_class.oid, 'select')`)
  const place = found[0]?.place
  if (place === undefined) return undefined
  try {
    return await readStatements(db, place, most)
  } catch (error) {
    // The extension is there and its library is not loaded. An ordinary login may not read the setting that says so.
    if (sqlStateOf(error) === objectNotReady) return undefined
    throw error
  }
}

const objectNotReady = '55000'

/** Without pg_read_all_stats, the texts of other logins' statements are hidden. */
async function readStatements(db: Database, place: string, most: number): Promise<SlowStatement[]> {
  const { rows } = await db.execute<Record<keyof SlowStatement, string>>(sql`
    select left(regexp_replace(query, '\\s+', ' ', 'g'), 200) as text, calls,
      total_exec_time as "totalMs", mean_exec_time as "averageMs"
    from ${sql.raw(place)}
    where dbid = (select oid from pg_database where datname = current_database()) and query <> '<insufficient privilege>'
    order by total_exec_time desc limit ${most}`)
  return rows.map(({ text, calls, totalMs, averageMs }) => ({
    text,
    calls: Number(calls),
    totalMs: Number(totalMs),
    averageMs: Number(averageMs),
  }))
}

/** An index of ours: how large, and how often it was used since the statistics began. */
type IndexUse = Readonly<{ table: string; index: string; bytes: number; scans: number }>

/** A table that is often read from end to end, which an index may be missing on. */
type TableScans = Readonly<{ table: string; tableScans: number; indexScans: number; rowsRead: number }>

export type IndexUsage = Readonly<{
  /** When the server began to count anew; undefined where it never did. */
  countedFrom: Instant | undefined
  largest: readonly IndexUse[]
  /** Never used, and no key: they cost every write and may go. */
  unused: readonly IndexUse[]
  /** Read from end to end more often than through an index, with many rows each time. */
  scanned: readonly TableScans[]
}>

/** Partitions count as their table. */
export async function readIndexUsage(db: Database, most: number): Promise<IndexUsage> {
  const { rows } = await db.execute<{
    table: string
    index: string
    key: boolean
    bytes: string
    scans: string
  }>(sql`
    select coalesce(pg_partition_root(indrelid), indrelid)::regclass::text as table,
      coalesce(pg_partition_root(indexrelid), indexrelid)::regclass::text as index,
      bool_or(indisunique) as key, sum(pg_relation_size(indexrelid)) as bytes, coalesce(sum(idx_scan), 0) as scans
    from pg_index join pg_class as partition on partition.oid = indexrelid
      left join pg_stat_user_indexes using (indexrelid)
    where partition.relnamespace = current_schema()::regnamespace
    group by 1, 2 order by bytes desc, 1, 2`)
  const uses = rows.map(({ bytes, scans, ...row }) => ({
    ...row,
    bytes: Number(bytes),
    scans: Number(scans),
  }))
  const asUse = ({ key: _, ...use }: (typeof uses)[number]): IndexUse => use
  const { rows: tables } = await db.execute<Record<keyof TableScans, string>>(sql`
    select coalesce(pg_partition_root(relid), relid)::regclass::text as table,
      sum(seq_scan) as "tableScans", coalesce(sum(idx_scan), 0) as "indexScans", sum(seq_tup_read) as "rowsRead"
    from pg_stat_user_tables where schemaname = current_schema()
    group by 1
    having sum(seq_scan) > coalesce(sum(idx_scan), 0) and sum(seq_tup_read) > 10000 * sum(seq_scan) and sum(seq_scan) > 100
    order by sum(seq_tup_read) desc limit ${most}`)
  const { rows: resets } = await db.execute<{ reset_ms: string | null }>(sql`
    select extract(epoch from stats_reset) * 1000 as reset_ms from pg_stat_database where datname = current_database()`)
  const resetMs = resets[0]?.reset_ms ?? undefined
  return {
    countedFrom: resetMs === undefined ? undefined : fromMs(resetMs),
    largest: uses.slice(0, most).map(asUse),
    unused: uses
      .filter(({ key, scans, bytes }) => !key && scans === 0 && bytes > 0)
      .slice(0, most)
      .map(asUse),
    scanned: tables.map(({ table, ...counts }) => ({
      table,
      tableScans: Number(counts.tableScans),
      indexScans: Number(counts.indexScans),
      rowsRead: Number(counts.rowsRead),
    })),
  }
}
