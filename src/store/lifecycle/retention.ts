import { type Instant, plus, toMinuteText } from '../../market/instant.ts'
import { timeframes } from '../../market/timeframe.ts'
import { durationText } from '../../settings/duration.ts'
import type { Ending } from '../../settings/schema.ts'
import type { Settings } from '../../settings.ts'
import { candleTable, type PartitionedTable } from '../partitions.ts'
import type { Keep } from './accepted-policies.ts'
import type { Partition } from './list-partitions.ts'
import { type Hold, holdText } from './partition-holds.ts'

/** For people. */
export const endingTexts: Readonly<Record<Ending, string>> = {
  drop: 'dropped',
  archive: 'archived, verified and dropped',
  'roll-up': 'rolled up, compared and dropped',
}

/** Per partitioned table. */
export const keepsOf = ({ timeframes: kept, prices }: Settings): Keep[] => [
  ...timeframes.flatMap((timeframe) => {
    const policy = kept[timeframe]
    return policy ? [{ table: candleTable(timeframe, policy.partition).name, keepMs: policy.keep }] : []
  }),
  { table: 'market_data', keepMs: prices.keep },
]

/** `keepMs` counts from a partition's end. */
export type RetentionPolicy = Readonly<{ table: PartitionedTable; keepMs: number; ending: Ending }>

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

/** `isExact`: counted, not the planner's estimate. */
export type CountedPartition = Partition & Readonly<{ rows: number; isExact: boolean }>

/** `goes`: expired, deleted by the next run. `held-back`: expired, but kept. */
export type Decision = 'stays' | 'goes' | 'held-back'

export type PlannedPartition = Readonly<{
  partition: CountedPartition
  policy: RetentionPolicy
  decision: Decision
  /** For people. */
  reason: string
  /** The hold to report, if any. */
  hold: Hold | undefined
  /** Held back until a person confirms. */
  wantsAgreement: boolean
}>

/** When the partition's last row expires. */
export const expiryOf = ({ range }: Pick<Partition, 'range'>, { keepMs }: RetentionPolicy): Instant =>
  plus(range.to, keepMs)

type PlanConditions = Readonly<{
  now: Instant
  /** By oid: partitions with restored rows, and until when they are kept. */
  restored: ReadonlyMap<number, Instant>
  holds: ReadonlyMap<number, Hold>
  /** By table: the last accepted `keep`. */
  accepted: ReadonlyMap<string, number>
  /** A person confirmed deleting more than half of a table. */
  agreed: boolean
}>

/**
 * Decides which partitions to delete. Those expired by the accepted `keep` always go; those expired only by a lowered
 * `keep` need confirmation if they are over half of a table, as the setting may be a mistake.
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
  // Empty partitions made ahead do not count.
  return rows(some) > 0 && (some.length * 2 > all.length || rows(some) * 2 > rows(all))
}

export const heldBack = (planned: PlannedPartition, reason: string): PlannedPartition => ({
  ...planned,
  decision: 'held-back',
  reason: `${planned.reason}, but ${reason}`,
})
