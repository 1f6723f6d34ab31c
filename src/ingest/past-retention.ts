import { type Instant, plus } from '../market/instant.ts'
import { type AlignedRange, alignTo, intersect, union } from '../market/range.ts'
import type { Timeframe } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import { type BoundedPartition, isBounded, readPartitions } from '../store/partitions/catalog.ts'
import { candleTable, missingPartitions, type PartitionedTable } from '../store/partitions.ts'
import type { Database } from '../store/transaction.ts'

/** What of the ranges lies in partitions that are, or will be, completely past the limit. */
export function expiredParts(
  timeframe: Timeframe,
  table: PartitionedTable,
  partitions: readonly BoundedPartition[],
  ranges: readonly AlignedRange[],
  limit: Instant,
): AlignedRange[] {
  const taken = partitions.map(({ range }) => range)
  return ranges.flatMap((range) =>
    [...taken, ...missingPartitions(table, taken, range).map((plan) => plan.range)]
      .filter(({ to }) => to <= limit)
      .flatMap((expired) => intersect(alignTo(timeframe, expired), range) ?? []),
  )
}

/** What of the ranges the next retention run deletes, or would delete if it were stored; the same rule as a backfill's. */
export async function readPastRetention(
  db: Database,
  { timeframes }: Settings,
  timeframe: Timeframe,
  ranges: readonly AlignedRange[],
  now: Instant,
): Promise<AlignedRange[]> {
  const policy = timeframes[timeframe]
  if (policy?.keep === undefined || ranges.length === 0) return []
  const limit = plus(now, -policy.keep)
  const old = ranges.filter(({ from }) => from < limit)
  if (old.length === 0) return []
  const table = candleTable(timeframe, policy.partition)
  const partitions = (await readPartitions(db, [table.name])).filter(isBounded)
  return union(expiredParts(timeframe, table, partitions, old, limit))
}
