import type { Pool } from 'pg'
import { Misconfigured } from '../fault.ts'
import { earlier, type Instant, later } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Settings } from '../settings.ts'
import { readAcceptedKeeps } from '../store/lifecycle/accepted-policies.ts'
import { type Aging, limitOf } from '../store/lifecycle/aging-rows.ts'
import { readRestoredRanges } from '../store/lifecycle/archives.ts'
import { countPartitions } from '../store/lifecycle/count-partitions.ts'
import { countAgingRows } from '../store/lifecycle/delete-aging-rows.ts'
import {
  measurePartitions,
  type Partition,
  type Partitions,
  type UnboundedPartition,
} from '../store/lifecycle/list-partitions.ts'
import { readBlockers } from '../store/lifecycle/partition-blockers.ts'
import { type Hold, listHolds, type RecordedHold } from '../store/lifecycle/partition-holds.ts'
import {
  expiryOf,
  heldBack,
  type PlannedPartition,
  planRetention,
  type RetentionPolicy,
  retentionPolicies,
} from '../store/lifecycle/retention.ts'
import { isLockFailure } from '../store/lock-failure.ts'
import { databaseOf } from '../store/transaction.ts'
import { clockObjection, readClocks } from './retention-clocks.ts'

export type PlanDeps = Readonly<{ pool: Pool; settings: Settings; clock: Clock }>

export type PlannedRows = Readonly<{
  table: string
  by: string
  before: Instant
  keepMs: number
  ending: 'drop' | 'archive'
  /** Undefined while another session locks the table. */
  rows: number | undefined
}>

/** A partition without time bounds: its age is unknown. */
export type HeldUnbounded = Readonly<{ partition: UnboundedPartition; hold: Hold }>

export type RetentionPlan = Readonly<{
  asOf: Instant
  /** Why nothing is deleted: the clocks disagree. */
  refusal: string | undefined
  partitions: readonly PlannedPartition[]
  unbounded: readonly HeldUnbounded[]
  rows: readonly PlannedRows[]
  holds: readonly RecordedHold[]
}>

/** The error of a run with this plan: before it starts if clocks disagree, at its end if confirmation is needed. */
export function refusalOf({
  refusal,
  partitions,
}: Pick<RetentionPlan, 'refusal' | 'partitions'>): Misconfigured | undefined {
  if (refusal !== undefined) return new Misconfigured(`nothing is deleted: ${refusal}`)
  const tooMuch = partitions.filter(({ wantsAgreement }) => wantsAgreement)
  if (tooMuch.length === 0) return undefined
  const tables = [...new Set(tooMuch.map(({ partition }) => partition.table))].join(', ')
  return new Misconfigured(
    `more than half of ${tables} would be deleted at once, and is kept for now: check beacon retention --dry-run, then correct its "keep", or agree with beacon retention --yes`,
  )
}

/** Read-only. `agreed`: may delete more than half of a table. */
export const readRetentionPlan = (deps: PlanDeps, agreed: boolean): Promise<RetentionPlan> =>
  readPlan(deps, agreed)

export const foreseeRetention = (deps: PlanDeps, at: Instant): Promise<RetentionPlan> =>
  readPlan(deps, false, at)

async function readPlan(deps: PlanDeps, agreed: boolean, at?: Instant): Promise<RetentionPlan> {
  const { pool, settings, clock } = deps
  const db = databaseOf(pool)
  const clocks = await readClocks(db, clock.now())
  const refusal = clockObjection(clocks, settings)
  // The earlier of the two clocks.
  const agreedNow = earlier(clocks.own, clocks.database)
  const asOf = at === undefined ? agreedNow : later(agreedNow, at)
  const policies = retentionPolicies(settings)
  const partitions = await measurePartitions(
    db,
    policies.map(({ table }) => table.name),
  )
  const planned = await planPartitions(deps, policies, partitions, asOf, agreed)
  return {
    asOf,
    refusal,
    partitions: refusal === undefined ? planned : refuseAll(planned),
    unbounded: partitions.unbounded.map((partition) => ({ partition, hold: unboundedHold(partition) })),
    rows: await planRows(deps, asOf),
    holds: await listHolds(db),
  }
}

async function planPartitions(
  { pool }: PlanDeps,
  policies: readonly RetentionPolicy[],
  { bounded }: Partitions,
  now: Instant,
  agreed: boolean,
): Promise<PlannedPartition[]> {
  const byTable = new Map(policies.map((policy) => [policy.table.name, policy]))
  const isExpired = (partition: Partition) => {
    const policy = byTable.get(partition.table)
    return policy !== undefined && expiryOf(partition, policy) <= now
  }
  const db = databaseOf(pool)
  const holds = await readBlockers(db, bounded.filter(isExpired))
  const restored = restoredPartitions(await readRestoredRanges(db, now), bounded)
  const counted = await countPartitions(pool, bounded, isExpired)
  const accepted = await readAcceptedKeeps(db)
  return planRetention(policies, counted, { now, restored, holds, accepted, agreed })
}

/** A partially restored partition stays. */
function restoredPartitions(
  restored: Awaited<ReturnType<typeof readRestoredRanges>>,
  partitions: readonly Partition[],
): Map<number, Instant> {
  const untilOf = ({ table, range }: Partition) =>
    restored
      .filter((one) => one.table === table && one.range.from < range.to && range.from < one.range.to)
      .map(({ until }) => until)
  return new Map(
    partitions.flatMap((partition) => {
      const untils = untilOf(partition)
      return untils.length === 0 ? [] : [[partition.oid, untils.reduce(later)] as const]
    }),
  )
}

const refuseAll = (planned: readonly PlannedPartition[]): PlannedPartition[] =>
  planned.map((one) => (one.decision === 'goes' ? heldBack(one, 'the clocks disagree') : one))

const unboundedHold = ({ qualifiedName, table, bounds }: UnboundedPartition): Hold => ({
  kind: 'shape',
  reason: `it has no bounds in time (${bounds}), so retention never deletes its rows`,
  remedy: `alter table ${table} detach partition ${qualifiedName} -- then load or insert its rows anew, each into a partition of its time`,
})

async function planRows({ pool, settings }: PlanDeps, now: Instant): Promise<PlannedRows[]> {
  const { timeframes } = settings
  const planned: PlannedRows[] = []
  for (const [table, { by, keep, then }] of Object.entries(settings.retention)) {
    if (keep === undefined) continue
    const aging = { table, by, keepMs: keep, now, timeframes }
    planned.push({
      table,
      by,
      before: limitOf(aging),
      keepMs: keep,
      ending: then,
      rows: await countUnlessLocked(pool, aging),
    })
  }
  return planned
}

async function countUnlessLocked(pool: Pool, aging: Aging): Promise<number | undefined> {
  try {
    return await countAgingRows(pool, aging)
  } catch (error) {
    if (!isLockFailure(error)) throw error
    return undefined
  }
}
