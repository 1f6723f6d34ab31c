import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Misconfigured } from '../../fault.ts'
import type { Range } from '../../market/range.ts'
import { type RangeRow, toRange } from '../multirange.ts'
import { databaseOf } from '../transaction.ts'

export type Partition = Readonly<{
  table: string
  name: string
  range: Range
  bytes: number
  estimatedRows: number
}>

/**
 * Every leaf in the catalog with the bounds that the catalog says, ascending. Throws Misconfigured for a leaf without
 * bounds: what lies in a default partition belongs to no time, and keeps the leaf of its time from being made.
 */
export async function listPartitions(pool: Pool, tables: readonly string[]): Promise<Partition[]> {
  if (tables.length === 0) return []
  const { rows } = await databaseOf(pool).execute<
    RangeRow & { parent: string; name: string; bounded: boolean; bytes: string; estimated_rows: string }
  >(sql`
    with leaf as (
      select parent.relname as parent, child.relname as name, child.oid,
        regexp_match(pg_get_expr(child.relpartbound, child.oid), $$FROM [(]'([^']+)'[)] TO [(]'([^']+)'[)]$$) as bounds,
        greatest(child.reltuples, 0)::bigint as estimated_rows
      from pg_inherits
      join pg_class as child on child.oid = inhrelid
      join pg_class as parent on parent.oid = inhparent
      where parent.relname in ${tables} and parent.relnamespace = current_schema()::regnamespace
    )
    select parent, name, bounds is not null as bounded, pg_total_relation_size(oid) as bytes, estimated_rows,
      extract(epoch from bounds[1]::timestamp) * 1000 as from_ms, extract(epoch from bounds[2]::timestamp) * 1000 as to_ms
    from leaf
    order by parent, bounds[1]::timestamp`)
  const unbounded = rows.find(({ bounded }) => !bounded)
  if (unbounded) {
    throw new Misconfigured(
      `partition ${unbounded.name} of ${unbounded.parent} has no bounds in time: move its rows to the table and drop it`,
    )
  }
  return rows.map((row) => ({
    table: row.parent,
    name: row.name,
    range: toRange(row),
    bytes: Number(row.bytes),
    estimatedRows: Number(row.estimated_rows),
  }))
}
