import type { Pool } from 'pg'
import { type Instant, later, toIso } from '../../market/instant.ts'
import type { Settings } from '../../settings.ts'
import { listPartitions } from '../../store/list-partitions.ts'
import { partitionedTables } from '../../store/partitions.ts'

/** The leaves of one partitioned table, taken together. */
export type TableStatus = Readonly<{
  table: string
  partitions: number
  bytes: number
  /** As the planner believes; it has not looked at a new leaf yet. */
  estimatedRows: number
  /** Up to when rows have a leaf to go to. */
  newestBound: string | null
}>

/** One line for each partitioned table that the settings speak of. */
export async function readTables(pool: Pool, settings: Settings): Promise<TableStatus[]> {
  const names = partitionedTables(settings).map(({ name }) => name)
  const partitions = await listPartitions(pool, names)
  return names.map((table) => {
    const own = partitions.filter((partition) => partition.table === table)
    const newest = own.reduce<Instant | undefined>(
      (bound, { range }) => (bound === undefined ? range.to : later(bound, range.to)),
      undefined,
    )
    return {
      table,
      partitions: own.length,
      bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
      estimatedRows: own.reduce((sum, { estimatedRows }) => sum + estimatedRows, 0),
      newestBound: newest === undefined ? null : toIso(newest),
    }
  })
}
