import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { allTime } from '../../market/range.ts'
import {
  type BoundedPartition,
  type CatalogPartition,
  isBounded,
  readPartitions,
} from '../partitions/catalog.ts'
import { type Database, databaseOf } from '../transaction.ts'

export type PartitionIdentity = Pick<CatalogPartition, 'oid' | 'schema' | 'table' | 'name'>

type Measured = Readonly<{ bytes: number; estimatedRows: number; isAnalyzed: boolean }>

export type MeasuredPartition = CatalogPartition & Measured

/** A partition with both bounds in time. */
export type Partition = BoundedPartition & Measured

/** A DEFAULT partition, or one open to one side. */
export type UnboundedPartition = MeasuredPartition

export type Partitions = Readonly<{
  /** Ordered by table and time. */
  all: readonly MeasuredPartition[]
  bounded: readonly Partition[]
  unbounded: readonly UnboundedPartition[]
}>

type SizeRow = Readonly<{ oid: string; bytes: string; rows: string }>

/** Every partition of the tables, in any schema, with its size. */
export async function measurePartitions(db: Database, tables: readonly string[]): Promise<Partitions> {
  const partitions = await readPartitions(db, tables)
  const { rows } = await db.execute<SizeRow>(sql`
    select oid, pg_total_relation_size(oid) as bytes, reltuples::bigint as rows
    from pg_class where oid = any(${sql.param(partitions.map(({ oid }) => oid))}::oid[])`)
  const sizes = new Map(rows.map((row) => [Number(row.oid), row]))
  const all = partitions.flatMap((partition): MeasuredPartition[] => {
    const size = sizes.get(partition.oid)
    // Dropped meanwhile.
    return size?.bytes == null ? [] : [{ ...partition, ...measureOf(size) }]
  })
  return {
    all,
    bounded: all.filter(hasBothBounds),
    unbounded: all.filter((partition) => !hasBothBounds(partition)),
  }
}

const measureOf = ({ bytes, rows }: SizeRow): Measured => ({
  bytes: Number(bytes),
  estimatedRows: Math.max(0, Number(rows)),
  isAnalyzed: Number(rows) >= 0,
})

const hasBothBounds = (partition: MeasuredPartition): partition is Partition =>
  isBounded(partition) && partition.range.from > allTime.from && partition.range.to < allTime.to

/** Text bounds of a range partition. */
export const boundsIn = (expression: SQL): SQL =>
  sql`regexp_match(${expression}, $$FROM [(]'([^']+)'[)] TO [(]'([^']+)'[)]$$)`

/** The partitions with bounds in time. */
export const listPartitions = async (pool: Pool, tables: readonly string[]): Promise<readonly Partition[]> =>
  (await measurePartitions(databaseOf(pool), tables)).bounded

export const relationOf = ({ schema, name }: Pick<PartitionIdentity, 'schema' | 'name'>): SQL =>
  sql`${sql.identifier(schema)}.${sql.identifier(name)}`

export const nameOf = ({ qualifiedName }: Pick<CatalogPartition, 'qualifiedName'>): string =>
  qualifiedName.replace(/^public\./, '')
