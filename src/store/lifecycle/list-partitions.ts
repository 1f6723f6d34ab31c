import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import type { Range } from '../../market/range.ts'
import { type RangeRow, toRange } from '../multirange.ts'
import { type Database, databaseOf } from '../transaction.ts'

/** A partition as the catalog has it. Its oid says which table is meant; its name is for people and statements. */
export type PartitionIdentity = Readonly<{ oid: number; schema: string; table: string; name: string }>

/**
 * `plain`: a table of rows. `partitioned` and `foreign`: its rows are elsewhere. `detaching`: somebody's interrupted
 * DETACH CONCURRENTLY, whose rows no new query of the parent sees.
 */
export type PartitionForm = 'plain' | 'partitioned' | 'foreign' | 'detaching'

type Measured = Readonly<{ bytes: number; estimatedRows: number; isAnalyzed: boolean }>

/** A partition with bounds in time. */
export type Partition = PartitionIdentity & Measured & Readonly<{ range: Range; form: PartitionForm }>

/** A DEFAULT partition, or one that is open to one side. */
export type UnboundedPartition = PartitionIdentity & Measured & Readonly<{ bounds: string }>

export type Partitions = Readonly<{
  /** By table and time. */
  bounded: readonly Partition[]
  unbounded: readonly UnboundedPartition[]
}>

type Row = RangeRow &
  Readonly<{
    oid: number
    schema: string
    parent: string
    name: string
    form: PartitionForm
    bounds: string
    bounded: boolean
    bytes: string
    rows: string
  }>

/** Every partition of the tables, in whatever schema it is, with the bounds that the catalog has. */
export async function readPartitions(db: Database, tables: readonly string[]): Promise<Partitions> {
  if (tables.length === 0) return { bounded: [], unbounded: [] }
  const { rows } = await db.execute<Row>(sql`
    with partition as (
      select parent.relname as parent, child.oid, child.relname as name, nspname as schema,
        case
          when inhdetachpending then 'detaching' when child.relkind = 'r' then 'plain'
          when child.relkind = 'f' then 'foreign' else 'partitioned'
        end as form,
        pg_get_expr(child.relpartbound, child.oid) as bounds, child.reltuples::bigint as rows
      from pg_inherits
      join pg_class as child on child.oid = inhrelid
      join pg_namespace on pg_namespace.oid = child.relnamespace
      join pg_class as parent on parent.oid = inhparent
      where parent.relname in ${tables} and parent.relnamespace = current_schema()::regnamespace
    ), dated as (
      select partition.*, found[1]::timestamp as first, found[2]::timestamp as behind
      from partition left join lateral (select ${boundsIn(sql`bounds`)} as found) as dates on true
    )
    select oid::bigint::float8 as oid, schema, parent, name, form, bounds, rows, pg_total_relation_size(oid) as bytes,
      coalesce(isfinite(first) and isfinite(behind), false) as bounded,
      extract(epoch from first) * 1000 as from_ms, extract(epoch from behind) * 1000 as to_ms
    from dated
    order by parent, first, name`)
  return {
    bounded: rows
      .filter(({ bounded }) => bounded)
      .map((row) => ({ ...measured(row), range: toRange(row), form: row.form })),
    unbounded: rows
      .filter(({ bounded }) => !bounded)
      .map((row) => ({ ...measured(row), bounds: row.bounds ?? 'DEFAULT' })),
  }
}

const measured = ({ oid, schema, parent, name, bytes, rows }: Row): PartitionIdentity & Measured => ({
  oid,
  schema,
  table: parent,
  name,
  bytes: Number(bytes),
  estimatedRows: Math.max(0, Number(rows)),
  isAnalyzed: Number(rows) >= 0,
})

/** Both bounds of a range partition in time, as texts. */
export const boundsIn = (expression: SQL): SQL =>
  sql`regexp_match(${expression}, $$FROM [(]'([^']+)'[)] TO [(]'([^']+)'[)]$$)`

/** The partitions with bounds in time. */
export const listPartitions = async (pool: Pool, tables: readonly string[]): Promise<readonly Partition[]> =>
  (await readPartitions(databaseOf(pool), tables)).bounded

/** The partition in a statement. */
export const relationOf = ({ schema, name }: Pick<PartitionIdentity, 'schema' | 'name'>): SQL =>
  sql`${sql.identifier(schema)}.${sql.identifier(name)}`

/** The partition for people: with its schema where that is not the parent's. */
export const nameOf = ({ schema, name }: Pick<PartitionIdentity, 'schema' | 'name'>): string =>
  schema === 'public' ? name : `${schema}.${name}`
