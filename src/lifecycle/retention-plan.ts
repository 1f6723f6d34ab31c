import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { earlier, type Instant, later, plus } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Settings } from '../settings.ts'
import { readHeldUntil } from '../store/lifecycle/archives.ts'
import { type ExpiringLeaf, listExpiring } from '../store/lifecycle/expiring-partitions.ts'
import { listPartitions, type Partition } from '../store/lifecycle/list-partitions.ts'
import { countOldRows } from '../store/lifecycle/old-rows.ts'
import {
  type CountedPartition,
  expiryOf,
  heldBack,
  type PlannedPartition,
  planRetention,
  type RetentionPolicy,
  retentionPolicies,
} from '../store/lifecycle/retention.ts'
import { databaseOf, inTransaction } from '../store/transaction.ts'
import { clockObjection, readClocks } from './retention-clocks.ts'

export type PlanReach = Readonly<{ pool: Pool; settings: Settings; clock: Clock }>

/** The rows of one table that are old enough; `rows` is undefined where another kind of run counts them. */
export type PlannedRows = Readonly<{
  table: string
  by: string
  before: Instant
  ending: 'drop' | 'archive'
  rows: number | undefined
}>

export type RetentionPlan = Readonly<{
  asOf: Instant
  /** Why nothing goes at all: the clocks disagree. */
  refusal: string | undefined
  partitions: readonly PlannedPartition[]
  rows: readonly PlannedRows[]
  /** Leaves that an interrupted run has left detached, or about to be. */
  unfinished: readonly ExpiringLeaf[]
}>

/** What a run would do now, and why; nothing is changed. `agreed`: more than half of a table may go at once. */
export const readRetentionPlan = (reach: PlanReach, agreed: boolean): Promise<RetentionPlan> =>
  readPlan(reach, { agreed, at: undefined, isCounted: () => true })

/**
 * What the run at a later instant would do. Of leaves that stay until then the planner's estimate is enough, where it has
 * one: counting everything is for those who delete.
 */
export const foreseeRetention = (reach: PlanReach, at: Instant): Promise<RetentionPlan> =>
  readPlan(reach, {
    agreed: false,
    at,
    isCounted: (leaf, policy) => leaf.estimatedRows === 0 || expiryOf(leaf, policy) <= at,
  })

type Looking = Readonly<{
  agreed: boolean
  /** Undefined for now. */
  at: Instant | undefined
  isCounted(leaf: Partition, policy: RetentionPolicy): boolean
}>

async function readPlan(reach: PlanReach, { agreed, at, isCounted }: Looking): Promise<RetentionPlan> {
  const { pool, settings, clock } = reach
  const clocks = await readClocks(databaseOf(pool), clock.now())
  const refusal = clockObjection(clocks, settings)
  // Of two clocks that agree well enough the one that lets go later.
  const agreedNow = earlier(clocks.own, clocks.database)
  const asOf = at === undefined ? agreedNow : later(agreedNow, at)
  const policies = retentionPolicies(settings)
  const partitions = await countPartitions(pool, policies, isCounted)
  const restored = await readRestored(pool, partitions, asOf)
  const planned = planRetention(policies, partitions, { now: asOf, restored, agreed })
  return {
    asOf,
    refusal,
    partitions: refusal === undefined ? planned : refuseAll(planned),
    rows: await planRows(reach, asOf),
    unfinished: await listExpiring(databaseOf(pool)),
  }
}

const refuseAll = (planned: readonly PlannedPartition[]): PlannedPartition[] =>
  planned.map((one) => (one.verdict === 'goes' ? heldBack(one, 'the clocks disagree') : one))

async function readRestored(
  pool: Pool,
  partitions: readonly CountedPartition[],
  now: Instant,
): Promise<Map<string, Instant>> {
  const restored = new Map<string, Instant>()
  for (const { table, name } of partitions) {
    const until = await readHeldUntil(databaseOf(pool), table, name, now)
    if (until !== undefined) restored.set(name, until)
  }
  return restored
}

/** Counted, not guessed: the planner has not looked at a new leaf yet, and what is deleted should be known. */
async function countPartitions(
  pool: Pool,
  policies: readonly RetentionPolicy[],
  isCounted: Looking['isCounted'],
): Promise<CountedPartition[]> {
  const byTable = new Map(policies.map((policy) => [policy.table.name, policy]))
  const counted: CountedPartition[] = []
  for (const partition of await listPartitions(pool, [...byTable.keys()])) {
    const policy = byTable.get(partition.table)
    const isExact = policy === undefined || isCounted(partition, policy)
    counted.push({
      ...partition,
      rows: isExact ? await countRows(pool, partition) : partition.estimatedRows,
    })
  }
  return counted
}

async function countRows(pool: Pool, { name }: Partition): Promise<number> {
  const { rows } = await inTransaction(
    pool,
    ({ db }) => db.execute<{ rows: string }>(sql`select count(*) as rows from ${sql.identifier(name)}`),
    'upkeep',
  )
  return Number(rows[0]?.rows ?? 0)
}

async function planRows({ pool, settings }: PlanReach, now: Instant): Promise<PlannedRows[]> {
  const planned: PlannedRows[] = []
  for (const [table, { by, keep, then }] of Object.entries(settings.retention)) {
    if (keep === undefined) continue
    const before = plus(now, -keep)
    const rows = then === 'drop' ? await countOldRows(pool, { table, by }, before) : undefined
    planned.push({ table, by, before, ending: then, rows })
  }
  return planned
}
