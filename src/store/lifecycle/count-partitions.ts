import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { inTransaction, sqlStateOf } from '../transaction.ts'
import { type Partition, relationOf } from './list-partitions.ts'
import type { CountedPartition } from './retention.ts'

/** Larger partitions use the planner's estimate, to be fast. */
const countedBytes = 4_000_000

/** Each partition takes locks for itself and its indexes. */
const atOnce = 50

export async function countPartitions(
  pool: Pool,
  partitions: readonly Partition[],
  isWanted: (partition: Partition) => boolean,
): Promise<CountedPartition[]> {
  const isCounted = (one: Partition) =>
    one.relation === 'table' &&
    !one.isDetachPending &&
    (!one.isAnalyzed || (isWanted(one) && one.bytes <= countedBytes))
  const counts = await countExactly(pool, partitions.filter(isCounted))
  return partitions.map((partition) => {
    const rows = counts.get(partition.oid)
    return { ...partition, rows: rows ?? partition.estimatedRows, isExact: rows !== undefined }
  })
}

async function countExactly(pool: Pool, partitions: readonly Partition[]): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  for (let first = 0; first < partitions.length; first += atOnce) {
    for (const [oid, rows] of await countTogether(pool, partitions.slice(first, first + atOnce)))
      counts.set(oid, rows)
  }
  return counts
}

async function countTogether(
  pool: Pool,
  partitions: readonly Partition[],
): Promise<readonly (readonly [number, number])[]> {
  const parts = partitions.map(
    (one) => sql`select ${sql.raw(String(one.oid))} as oid, count(*) as rows from ${relationOf(one)}`,
  )
  try {
    const { rows } = await inTransaction(
      pool,
      ({ db }) => db.execute<{ oid: string; rows: string }>(sql.join(parts, sql` union all `)),
      'maintenance',
    )
    return rows.map((row) => [Number(row.oid), Number(row.rows)])
  } catch (error) {
    if (!cannotBeRead.has(sqlStateOf(error) ?? '')) throw error
    if (partitions.length === 1) return []
    const one = await Promise.all(partitions.map((partition) => countTogether(pool, [partition])))
    return one.flat()
  }
}

/** Undefined table, insufficient privilege. */
const cannotBeRead = new Set(['42P01', '42501'])
