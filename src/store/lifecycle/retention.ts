import { type Instant, plus, toMinuteText } from '../../market/instant.ts'
import { timeframes } from '../../market/timeframe.ts'
import { durationText } from '../../settings/duration.ts'
import type { Ending } from '../../settings/schema.ts'
import type { Settings } from '../../settings.ts'
import { candleTable, type PartitionedTable } from '../partitions.ts'
import type { Partition } from './list-partitions.ts'
import { type Hold, holdText } from './partition-holds.ts'

/** What a run does with a partition that is old enough, for people. */
export const endingTexts: Readonly<Record<Ending, string>> = {
  drop: 'dropped',
  archive: 'archived, verified and dropped',
  'roll-up': 'rolled up, compared and dropped',
}

/** How long the partitions of a table are kept, in milliseconds after their end, and what becomes of them then. */
export type RetentionPolicy = Readonly<{ table: PartitionedTable; keepMs: number; ending: Ending }>

/** One for each partitioned table that is not kept forever. */
export function retentionPolicies({ timeframes: kept, prices }: Settings): RetentionPolicy[] {
  const entries = [
    ...timeframes.flatMap((timeframe) => {
      const policy = kept[timeframe]
      return policy ? [{ table: candleTable(timeframe, policy.partition), ...policy }] : []
    }),
    { table: { name: 'market_data', length: prices.partition }, ...prices },
  ]
  return entries.flatMap(({ table, keep, then }) =>
    keep === undefined || then === undefined ? [] : [{ table, keepMs: keep, ending: then }],
  )
}

/** `isExact` where the rows were counted, and not estimated by the planner. */
export type CountedPartition = Partition & Readonly<{ rows: number; isExact: boolean }>

/** `stays`: not old enough. `goes`: with the next run. `held-back`: old enough, and kept all the same. */
export type Verdict = 'stays' | 'goes' | 'held-back'

export type PlannedPartition = Readonly<{
  partition: CountedPartition
  policy: RetentionPolicy
  verdict: Verdict
  /** Why, for people. */
  reason: string
  /** What holds it back, where that is to be told to somebody. */
  hold: Hold | undefined
  /** Held back because so much at once may be a mistake: somebody has to agree. */
  wantsAgreement: boolean
}>

/** When the partition lies wholly past the limit. */
export const expiryOf = ({ range }: Pick<Partition, 'range'>, { keepMs }: RetentionPolicy): Instant =>
  plus(range.to, keepMs)

type PlanConditions = Readonly<{
  now: Instant
  /** By oid: partitions with rows that were put back from the archive, and until when they are to be left alone. */
  restored: ReadonlyMap<number, Instant>
  /** By oid: partitions that cannot be deleted now. */
  holds: ReadonlyMap<number, Hold>
  /** Somebody has agreed that more than half of a table may go at once. */
  agreed: boolean
}>

/**
 * Which partitions a run at `now` deletes, table by table. More than half of a table's partitions, or of its rows, go
 * only where somebody has agreed: a `keep` that was set wrong shows itself before it costs anything.
 */
export const planRetention = (
  policies: readonly RetentionPolicy[],
  partitions: readonly CountedPartition[],
  conditions: PlanConditions,
): PlannedPartition[] =>
  policies.flatMap((policy) =>
    planTable(
      policy,
      partitions.filter(({ table }) => table === policy.table.name),
      conditions,
    ),
  )

function planTable(
  policy: RetentionPolicy,
  partitions: readonly CountedPartition[],
  { now, restored, holds, agreed }: PlanConditions,
): PlannedPartition[] {
  const isExpired = (partition: Partition) => expiryOf(partition, policy) <= now
  const going = partitions.filter((one) => isExpired(one) && !restored.has(one.oid) && !holds.has(one.oid))
  const wantsAgreement = !agreed && isMoreThanHalf(going, partitions)
  return partitions.map((partition): PlannedPartition => {
    const planned = { partition, policy, hold: undefined, wantsAgreement: false }
    if (!isExpired(partition)) {
      const until = toMinuteText(expiryOf(partition, policy))
      return { ...planned, verdict: 'stays', reason: `kept until ${until}` }
    }
    const reason = `ended more than ${durationText(policy.keepMs)} ago`
    const goes: PlannedPartition = { ...planned, verdict: 'goes', reason }
    const restoredUntil = restored.get(partition.oid)
    if (restoredUntil !== undefined) {
      const until = toMinuteText(restoredUntil)
      return heldBack(goes, `rows in it were restored from the archive and stay until ${until}`)
    }
    const hold = holds.get(partition.oid)
    if (hold) return { ...heldBack(goes, holdText(hold)), hold }
    return wantsAgreement
      ? { ...heldBack(goes, `more than half of ${partition.table} would be deleted at once`), wantsAgreement }
      : goes
  })
}

function isMoreThanHalf(some: readonly CountedPartition[], all: readonly CountedPartition[]): boolean {
  const rows = (partitions: readonly CountedPartition[]) => partitions.reduce((sum, one) => sum + one.rows, 0)
  // Partitions that were made ahead and never used are no loss.
  return rows(some) > 0 && (some.length * 2 > all.length || rows(some) * 2 > rows(all))
}

/** The same plan with a partition held back that was to go. */
export const heldBack = (planned: PlannedPartition, reason: string): PlannedPartition => ({
  ...planned,
  verdict: 'held-back',
  reason: `${planned.reason}, but ${reason}`,
})
