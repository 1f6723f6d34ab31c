import { plus, toInstant } from '../market/instant.ts'
import { alignTo, subtract } from '../market/range.ts'
import { floorTo, toAligned } from '../market/timeframe.ts'
import { alone } from '../store/alone.ts'
import { acceptKeeps } from '../store/lifecycle/accepted-policies.ts'
import { measurePartitions } from '../store/lifecycle/list-partitions.ts'
import { type HeldPartition, listHolds, recordHolds } from '../store/lifecycle/partition-holds.ts'
import type { PlannedPartition } from '../store/lifecycle/retention.ts'
import { keepsOf, retentionPolicies } from '../store/lifecycle/retention.ts'
import { trimCoverage } from '../store/lifecycle/trim-coverage.ts'
import { lockPartitionCreation } from '../store/partitions/create-partitions.ts'
import { databaseOf, inTransaction } from '../store/transaction.ts'
import { deletePlanned } from './delete-planned.ts'
import type { RetentionDeps, RetentionReport } from './retention-deps.ts'
import { type RetentionPlan, readRetentionPlan, refusalOf } from './retention-plan.ts'
import type { RetiredPartitions } from './retention-tally.ts'
import { RetentionTally } from './retention-tally.ts'
import { retireRows } from './retire-rows.ts'

export type RetentionOutcome = RetiredPartitions &
  Readonly<{
    /** How many rows of tables that are not partitioned were deleted, and how many archived, by table. */
    deleted: Readonly<Record<string, number>>
    archived: Readonly<Record<string, number>>
  }>

const onlyOne = <T>({ pool }: RetentionDeps, work: (stillAlone: () => Promise<void>) => Promise<T>) =>
  alone(pool, 'retention', 'retention is being applied already: try again when that run is done', work)

/**
 * Applies retention, one process at a time. A partition is deleted in the transaction that proves what must be kept;
 * held ones are recorded. `agreed`: may delete more than half of a table. Throws Misconfigured before anything if
 * clocks disagree, afterwards if confirmation is needed.
 */
export const enforceRetention = (
  deps: RetentionDeps,
  agreed: boolean,
  report: RetentionReport,
): Promise<RetentionOutcome> =>
  onlyOne(deps, async (stillAlone) => {
    const plan = await readRetentionPlan(deps, agreed)
    if (plan.refusal !== undefined) throw refusalOf(plan)
    const tally = new RetentionTally(deps.signal, stillAlone, report)
    await deletePlanned(deps, plan, plan.partitions.filter(isGoing), tally, report)
    for (const { partition, decision, reason, hold } of plan.partitions)
      if (decision === 'held-back') await tally.holdBack(partition, reason, hold)
    for (const { partition, hold } of plan.unbounded)
      await tally.holdBack({ ...partition, range: undefined }, hold.reason, hold)
    await record(deps, tally.held)
    await trimLeftovers(deps, plan)
    const { deleted, archived, failures } = await retireRows(deps, plan)
    await deps.tidy?.()
    tally.throwFirst()
    if (failures[0]) throw failures[0]
    const refusal = refusalOf(plan)
    if (refusal !== undefined) throw refusal
    await inTransaction(deps.pool, ({ db }) => acceptKeeps(db, keepsOf(deps.settings), plan.asOf))
    return { ...tally.sums, deleted, archived }
  })

/** Retries only held partitions. Undefined if there are none, clocks disagree or another run is active. */
export async function retryHeld(
  deps: RetentionDeps,
  report: RetentionReport,
): Promise<RetiredPartitions | undefined> {
  const before = await listHolds(databaseOf(deps.pool))
  if (before.length === 0) return undefined
  const names = new Set(before.map(({ schema, name }) => `${schema} ${name}`))
  const wasHeld = ({ schema, name }: Readonly<{ schema: string; name: string }>) =>
    names.has(`${schema} ${name}`)
  return onlyOne(deps, async (stillAlone) => {
    const plan = await readRetentionPlan(deps, false)
    if (plan.refusal !== undefined) return undefined
    const planned = plan.partitions.filter(({ partition }) => wasHeld(partition))
    const tally = new RetentionTally(deps.signal, stillAlone, report)
    await deletePlanned(deps, plan, planned.filter(isGoing), tally, report)
    for (const { partition, decision, reason, hold } of planned)
      if (decision === 'held-back') await tally.holdBack(partition, reason, hold)
    for (const { partition, hold } of plan.unbounded)
      if (wasHeld(partition)) await tally.holdBack({ ...partition, range: undefined }, hold.reason, hold)
    await record(deps, tally.held)
    await deps.tidy?.()
    return tally.sums
  })
}

const isGoing = ({ decision }: PlannedPartition): boolean => decision === 'goes'

const record = ({ pool, clock }: RetentionDeps, held: readonly HeldPartition[]): Promise<void> =>
  inTransaction(pool, ({ db }) => recordHolds(db, held, clock.now()))

/** Removes coverage of expired ranges without a partition. The lock keeps new partitions' coverage. */
async function trimLeftovers({ pool, settings }: RetentionDeps, { asOf }: RetentionPlan): Promise<void> {
  for (const { table, keepMs } of retentionPolicies(settings)) {
    const { name, timeframe } = table
    if (timeframe === undefined) continue
    await inTransaction(
      pool,
      async ({ db }) => {
        await lockPartitionCreation(db)
        const { bounded, unbounded } = await measurePartitions(db, [name])
        // Its rows may be of any time.
        if (unbounded.length > 0) return
        const past = { from: toAligned(timeframe, toInstant(0)), to: floorTo(timeframe, plus(asOf, -keepMs)) }
        const bare = subtract(
          past,
          bounded.map(({ range }) => alignTo(timeframe, range)),
        )
        await trimCoverage(db, timeframe, bare, asOf)
      },
      'maintenance',
    )
  }
}
