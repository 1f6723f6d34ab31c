import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Misconfigured } from '../fault.ts'
import {
  type BoundedPartition,
  type CatalogPartition,
  isBounded,
  readPartitions,
} from './partitions/catalog.ts'
import { databaseOf } from './transaction.ts'

type Size = Readonly<{ bytes: number; estimatedRows: number }>

/** Any partition with its size, a DEFAULT one and one that is being detached included. */
export type MeasuredPartition = CatalogPartition & Size

/** One with bounds in time. */
export type Partition = Pick<BoundedPartition, 'table' | 'name' | 'range'> & Size

/** Every partition in the catalog with its size, ascending. */
export async function measurePartitions(pool: Pool, tables: readonly string[]): Promise<MeasuredPartition[]> {
  const db = databaseOf(pool)
  const partitions = await readPartitions(db, tables)
  if (partitions.length === 0) return []
  const { rows } = await db.execute<{ oid: string; bytes: string; estimated_rows: string }>(sql`
    select oid, pg_total_relation_size(oid) as bytes, greatest(reltuples, 0)::bigint as estimated_rows
    from pg_class where oid = any(${sql.param(partitions.map(({ oid }) => oid))}::oid[])`)
  const sizes = new Map(rows.map((row) => [Number(row.oid), row]))
  return partitions.flatMap((partition) => {
    const size = sizes.get(partition.oid)
    // Dropped meanwhile.
    if (!size) return []
    return [{ ...partition, bytes: Number(size.bytes), estimatedRows: Number(size.estimated_rows) }]
  })
}

export type MeasuredRange = BoundedPartition & Size

export const hasRange = (partition: MeasuredPartition): partition is MeasuredRange => isBounded(partition)

/**
 * Every partition with the bounds that the catalog has, ascending. Throws Misconfigured for a DEFAULT partition: what
 * is in it belongs to no time.
 */
export async function listPartitions(pool: Pool, tables: readonly string[]): Promise<MeasuredRange[]> {
  const partitions = await measurePartitions(pool, tables)
  const unbounded = partitions.find((partition) => !isBounded(partition))
  if (unbounded) {
    throw new Misconfigured(
      `partition ${unbounded.qualifiedName} of ${unbounded.table} has no bounds in time: move its rows to partitions of their own and drop it; beacon doctor prints the statements`,
    )
  }
  return partitions.filter(hasRange)
}
