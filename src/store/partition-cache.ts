import type { Pool } from 'pg'
import type { Instant } from '../market/instant.ts'
import { ensurePartitions } from './create-partitions.ts'
import { type PartitionedTable, type PartitionPlan, partitionAt } from './partitions.ts'
import { sqlStateOf } from './transaction.ts'

/** The leaves that this process has seen, so that a load need not ask the catalog each time. */
export type PartitionCache = Set<string>

export type PartitionReach = Readonly<{ pool: Pool; partitions: PartitionCache; lockTimeoutMs: number }>

/**
 * Makes sure of the leaves that rows at these instants go to, then writes them; `write` is told which they are. Should a
 * leaf have been dropped since it was seen, it is made again and the write is tried once more.
 */
export async function withPartitions<T>(
  reach: PartitionReach,
  table: PartitionedTable,
  instants: readonly Instant[],
  write: (leaves: readonly PartitionPlan[]) => Promise<T>,
): Promise<T> {
  const plans = leavesOf(table, instants)
  await ensureKnown(reach, table, plans)
  try {
    return await write(plans)
  } catch (error) {
    if (!isMissingPartition(error)) throw error
    for (const { name } of plans) reach.partitions.delete(name)
    await ensureKnown(reach, table, plans)
    return write(plans)
  }
}

function leavesOf(table: PartitionedTable, instants: readonly Instant[]): PartitionPlan[] {
  const plans = new Map<string, PartitionPlan>()
  let last: PartitionPlan | undefined
  for (const instant of instants) {
    if (last && instant >= last.range.from && instant < last.range.to) continue
    last = partitionAt(table, instant)
    plans.set(last.name, last)
  }
  return [...plans.values()]
}

async function ensureKnown(
  { pool, partitions, lockTimeoutMs }: PartitionReach,
  table: PartitionedTable,
  plans: readonly PartitionPlan[],
): Promise<void> {
  const unseen = plans.filter(({ name }) => !partitions.has(name))
  if (unseen.length === 0) return
  await ensurePartitions(pool, table, unseen, lockTimeoutMs)
  for (const { name } of unseen) partitions.add(name)
}

/** `no partition of relation "…" found for row` has the state of a broken check. */
const isMissingPartition = (error: unknown): boolean =>
  sqlStateOf(error) === '23514' &&
  /no partition of relation/.test(String(error instanceof Error && error.cause ? error.cause : error))
