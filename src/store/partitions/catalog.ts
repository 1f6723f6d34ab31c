import { type SQL, sql } from 'drizzle-orm'
import { type Instant, toInstant } from '../../market/instant.ts'
import { allTime, type Range } from '../../market/range.ts'
import type { Database } from '../transaction.ts'

/** Only a `table` stores its own rows. */
type RelationKind = 'table' | 'partitioned' | 'foreign'

/** A partition from the catalog, identified by oid. */
export type CatalogPartition = Readonly<{
  /** The parent; partitions may be in another schema. */
  table: string
  oid: number
  schema: string
  name: string
  /** Quoted as needed for SQL. */
  qualifiedName: string
  /** `FOR VALUES FROM ('2024-03-01 00:00:00') TO ('2024-03-02 00:00:00')` or `DEFAULT`. */
  bounds: string
  relation: RelationKind
  /** Undefined for DEFAULT. */
  range: Range | undefined
  /** An interrupted DETACH CONCURRENTLY: takes no rows, but its range stays taken. */
  isDetachPending: boolean
}>

type CatalogRow = Omit<CatalogPartition, 'oid' | 'range'> &
  Readonly<{ oid: string; isDefault: boolean; from_ms: string | null; to_ms: string | null }>

/** Partitions of these tables, ascending. Reads bounds without the partition's oid, which would wait for its locks. */
export const readPartitions = async (db: Database, tables: readonly string[]): Promise<CatalogPartition[]> =>
  tables.length === 0 ? [] : readWhere(db, sql`parent.relname in ${tables}`)

/** The table's partitions that our role may write to directly. */
export const readWritable = async (
  db: Database,
  table: string,
  oids: readonly number[],
): Promise<BoundedPartition[]> =>
  receiving(
    await readWhere(
      db,
      sql`child.oid = any(${sql.param(oids)}::oid[]) and parent.relname = ${table} and has_table_privilege(child.oid, 'insert') and has_schema_privilege(child.relnamespace, 'usage')`,
    ),
  )

/** `materialized`, since each column of `bound` would parse the bounds anew. */
async function readWhere(db: Database, condition: SQL): Promise<CatalogPartition[]> {
  const { rows } = await db.execute<CatalogRow>(sql`
    with partition as materialized (
      select parent.relname as "table", child.oid, schema.nspname as schema, child.relname as name,
        format('%I.%I', schema.nspname, child.relname) as "qualifiedName",
        pg_get_expr(child.relpartbound, 0) as bounds, inhdetachpending as "isDetachPending",
        case child.relkind when 'r' then 'table' when 'f' then 'foreign' else 'partitioned' end as relation
      from pg_inherits
      join pg_class as child on child.oid = inhrelid
      join pg_namespace as schema on schema.oid = child.relnamespace
      join pg_class as parent on parent.oid = inhparent
      where ${condition} and parent.relnamespace = 'public'::regnamespace
    ), bound as materialized (
      select *, bounds = 'DEFAULT' as "isDefault",
        regexp_match(bounds, $$FROM [(](?:'([^']+)'|MINVALUE)[)] TO [(](?:'([^']+)'|MAXVALUE)[)]$$) as ends
      from partition
    )
    select *, ceil(extract(epoch from ends[1]::timestamp) * 1000) as from_ms,
      ceil(extract(epoch from ends[2]::timestamp) * 1000) as to_ms
    from bound order by "table", ends[1]::timestamp nulls first`)
  return rows.map(({ oid, from_ms, to_ms, isDefault, ...row }) => ({
    table: row.table,
    oid: Number(oid),
    schema: row.schema,
    name: row.name,
    qualifiedName: row.qualifiedName,
    bounds: row.bounds,
    relation: row.relation,
    range: isDefault ? undefined : { from: boundOf(from_ms, allTime.from), to: boundOf(to_ms, allTime.to) },
    isDetachPending: row.isDetachPending,
  }))
}

/** MINVALUE, MAXVALUE and infinity count as unbounded. */
function boundOf(text: string | null, unbounded: Instant): Instant {
  const ms = text === null ? unbounded : Number(text)
  return toInstant(Math.min(Math.max(ms, allTime.from), allTime.to))
}

export type BoundedPartition = CatalogPartition & Readonly<{ range: Range }>

export const isBounded = <Partition extends CatalogPartition>(
  partition: Partition,
): partition is Partition & Readonly<{ range: Range }> => partition.range !== undefined

export const receiving = (partitions: readonly CatalogPartition[]): BoundedPartition[] =>
  partitions.filter(isBounded).filter(({ isDetachPending }) => !isDetachPending)
