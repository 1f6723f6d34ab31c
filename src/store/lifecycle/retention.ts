import { type Instant, plus, toMinuteText } from '../../market/instant.ts'
import { timeframes } from '../../market/timeframe.ts'
import { durationText } from '../../settings/duration.ts'
import type { Ending } from '../../settings/schema.ts'
import type { Settings } from '../../settings.ts'
import { candleTable, type PartitionedTable } from '../partitions.ts'
import type { Keep } from './accepted-policies.ts'
import type { Partition } from './list-partitions.ts'
import { type Hold, holdText } from './partition-holds.ts'

/** What a run does with a partition that is old enough, for people. */
export const endingTexts: Readonly<Record<Ending, string>> = {
  drop: 'dropped',
  archive: 'archived, verified and dropped',
  'roll-up': 'rolled up, compared and dropped',
}

/** How long the rows of each partitioned table are kept by the settings. */
export const keepsOf = ({ timeframes: kept, prices }: Settings): Keep[] => [
  ...timeframes.flatMap((timeframe) => {
    const policy = kept[timeframe]
    return policy ? [{ table: candleTable(timeframe, policy.partition).name, keepMs: policy.keep }] : []
  }),
  { table: 'market_data', keepMs: prices.keep },
]

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
export type Decision = 'stays' | 'goes' | 'held-back'

export type PlannedPartition = Readonly<{
  partition: CountedPartition
  policy: RetentionPolicy
  decision: Decision
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
  /** By table: how long its rows were kept when that was accepted last; absent where it never was. */
  accepted: ReadonlyMap<string, number>
  /** Somebody has agreed that more than half of a table may go at once. */
  agreed: boolean
}>

/**
 * Which partitions a run at `now` deletes, table by table. What was old enough by the accepted `keep` goes, however much it
 * has become meanwhile. What is so only by a lowered one goes where somebody has agreed, if it is more than half of a
 * table's partitions or of its rows: a `keep` that was set wrong shows itself before it costs anything.
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
  { now, restored, holds, accepted, agreed }: PlanConditions,
): PlannedPartition[] {
  const isExpired = (partition: Partition) => expiryOf(partition, policy) <= now
  const going = partitions.filter((one) => isExpired(one) && !restored.has(one.oid) && !holds.has(one.oid))
  const acceptedMs = Math.max(policy.keepMs, accepted.get(policy.table.name) ?? Infinity)
  const isByLowered = ({ range }: Partition) => range.to + acceptedMs > now
  const isTooMuch = !agreed && isMoreThanHalf(going.filter(isByLowered), partitions)
  return partitions.map((partition): PlannedPartition => {
    const planned = { partition, policy, hold: undefined, wantsAgreement: false }
    if (!isExpired(partition)) {
      const until = toMinuteText(expiryOf(partition, policy))
      return { ...planned, decision: 'stays', reason: `kept until ${until}` }
    }
    const reason = `ended more than ${durationText(policy.keepMs)} ago`
    const goes: PlannedPartition = { ...planned, decision: 'goes', reason }
    const restoredUntil = restored.get(partition.oid)
    if (restoredUntil !== undefined) {
      const until = toMinuteText(restoredUntil)
      return heldBack(goes, `rows in it were restored from the archive and stay until ${until}`)
    }
    const hold = holds.get(partition.oid)
    if (hold) return { ...heldBack(goes, holdText(hold)), hold }
    return isTooMuch && isByLowered(partition)
      ? { ...heldBack(goes, tooMuchReason(policy, acceptedMs)), wantsAgreement: true }
      : goes
  })
}

function tooMuchReason({ table, keepMs }: RetentionPolicy, acceptedMs: number): string {
  const fact = `more than half of ${table.name} would be deleted at once`
  return Number.isFinite(acceptedMs)
    ? `${fact}, because its keep was lowered from ${durationText(acceptedMs)} to ${durationText(keepMs)}`
    : fact
}

function isMoreThanHalf(some: readonly CountedPartition[], all: readonly CountedPartition[]): boolean {
  const rows = (partitions: readonly CountedPartition[]) => partitions.reduce((sum, one) => sum + one.rows, 0)
  // Partitions that were made ahead and never used are no loss.
  return rows(some) > 0 && (some.length * 2 > all.length || rows(some) * 2 > rows(all))
}

/** The same plan with a partition held back that was to go. */
export const heldBack = (planned: PlannedPartition, reason: string): PlannedPartition => ({
  ...planned,
  decision: 'held-back',
  reason: `${planned.reason}, but ${reason}`,
})
