import { sql } from 'drizzle-orm'
import type { Counters } from '../../../drizzle/schema/monitoring.ts'
import type { Instant } from '../../market/instant.ts'
import { fromMs } from '../coverage/multirange.ts'
import { type Database, sqlStateOf } from '../transaction.ts'

/** A snapshot of the server's statistics. */
export type DatabaseFigures = Readonly<{
  counters: Counters
  connectionsActive: number
  connectionsIdle: number
  /** Waiting for a lock. */
  connectionsWaiting: number
  connectionsMax: number
  databaseBytes: number
  /** Round trip of the smallest statement. */
  pingMs: number
}>

type FiguresRow = Readonly<
  Record<keyof Omit<DatabaseFigures, 'counters' | 'pingMs'> | keyof Omit<Counters, 'tables'>, string> & {
    tables: NonNullable<Counters['tables']>
  }
>

const mostScanned = 10

/** Client sessions in pg_stat_activity. Without pg_monitor, sessions of other logins count as idle. */
export const isClient = sql.raw(
  `(usesysid is not null and coalesce(backend_type, 'client backend') = 'client backend')`,
)

/** Reads all figures in one statement and measures the round trip. */
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

/** From pg_stat_statements, without parameters. */
export type SlowStatement = Readonly<{ text: string; calls: number; totalMs: number; averageMs: number }>

/** Statements by total time; undefined if pg_stat_statements is missing or not readable. */
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
    // The extension exists but its library is not loaded; an ordinary login cannot read that setting.
    if (sqlStateOf(error) === objectNotReady) return undefined
    throw error
  }
}

const objectNotReady = '55000'

/** Without pg_read_all_stats the texts of other logins' statements are hidden. */
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

type IndexUse = Readonly<{ table: string; index: string; bytes: number; scans: number }>

/** A table with many sequential scans. */
type TableScans = Readonly<{ table: string; tableScans: number; indexScans: number; rowsRead: number }>

export type IndexUsage = Readonly<{
  countedFrom: Instant | undefined
  largest: readonly IndexUse[]
  /** Unused and without a constraint: can be dropped. */
  unused: readonly IndexUse[]
  /** More sequential than index scans, with many rows each. */
  scanned: readonly TableScans[]
}>

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
