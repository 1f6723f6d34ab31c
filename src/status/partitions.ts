import type { Pool } from 'pg'
import { day, type Instant, later, toIso } from '../market/instant.ts'
import type { Ending } from '../settings/schema.ts'
import type { Settings } from '../settings.ts'
import { measurePartitions, nameOf } from '../store/lifecycle/list-partitions.ts'
import { partitionsAheadOf } from '../store/lifecycle/partitions-ahead.ts'
import { retentionPolicies } from '../store/lifecycle/retention.ts'
import { isBounded, receiving } from '../store/partitions/catalog.ts'
import { partitionedTables } from '../store/partitions.ts'
import { databaseOf } from '../store/transaction.ts'

/** A table's partitions. */
export type TableStatus = Readonly<{
  table: string
  partitions: number
  bytes: number
  /** The planner's estimate. */
  estimatedRows: number
  /** End of the last partition. */
  newestBound: string | null
  /** Contiguous from now. */
  daysAhead: number
  /** Null: forever. */
  keptDays: number | null
  /** After that. */
  ending: Ending | null
  /** Such as DEFAULT. */
  unbounded: readonly string[]
}>

/** One per configured table. */
export async function readTables(pool: Pool, settings: Settings, now: Instant): Promise<TableStatus[]> {
  const names = partitionedTables(settings).map(({ name }) => name)
  const { all: partitions, unbounded } = await measurePartitions(databaseOf(pool), names)
  const policies = new Map(retentionPolicies(settings).map((policy) => [policy.table.name, policy]))
  return partitionsAheadOf(names, receiving(partitions), now).map(({ table, daysAhead }) => {
    const own = partitions.filter((partition) => partition.table === table)
    const newest = own
      .filter(isBounded)
      .reduce<Instant | undefined>(
        (bound, { range }) => (bound === undefined ? range.to : later(bound, range.to)),
        undefined,
      )
    const policy = policies.get(table)
    return {
      table,
      partitions: own.length,
      bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
      estimatedRows: own.reduce((sum, { estimatedRows }) => sum + estimatedRows, 0),
      newestBound: newest === undefined ? null : toIso(newest),
      daysAhead: Math.round(daysAhead * 100) / 100,
      keptDays: policy === undefined ? null : policy.keepMs / day,
      ending: policy?.ending ?? null,
      unbounded: unbounded.filter((one) => one.table === table).map(nameOf),
    }
  })
}
