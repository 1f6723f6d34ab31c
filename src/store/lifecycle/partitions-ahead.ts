import type { Pool } from 'pg'
import { day, type Instant } from '../../market/instant.ts'
import { contains } from '../../market/range.ts'
import type { Settings } from '../../settings.ts'
import { type BoundedPartition, readPartitions, receiving } from '../partitions/catalog.ts'
import { partitionedTables } from '../partitions.ts'
import { databaseOf } from '../transaction.ts'

/** How far ahead a table has contiguous partitions. */
export type PartitionsAhead = Readonly<{
  table: string
  coveredTo: Instant
  /** From `now`, in days. */
  daysAhead: number
}>

/** One per partitioned table of the settings, also those without partitions. */
export async function readPartitionsAhead(
  pool: Pool,
  settings: Settings,
  now: Instant,
): Promise<PartitionsAhead[]> {
  const tables = partitionedTables(settings).map(({ name }) => name)
  return partitionsAheadOf(tables, receiving(await readPartitions(databaseOf(pool), tables)), now)
}

export const partitionsAheadOf = (
  tables: readonly string[],
  partitions: readonly Pick<BoundedPartition, 'table' | 'range'>[],
  now: Instant,
): PartitionsAhead[] =>
  tables.map((table) => {
    const ranges = partitions.filter((partition) => partition.table === table).map(({ range }) => range)
    let coveredTo = now
    for (let next = ranges.find((range) => contains(range, now)); next; ) {
      const { to } = next
      coveredTo = to
      next = ranges.find((range) => contains(range, to))
    }
    return { table, coveredTo, daysAhead: (coveredTo - now) / day }
  })
