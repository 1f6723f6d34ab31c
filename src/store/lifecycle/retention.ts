import { type Instant, plus, toMinuteText } from '../../market/instant.ts'
import { timeframes } from '../../market/timeframe.ts'
import { durationText } from '../../settings/duration.ts'
import type { Ending } from '../../settings/schema.ts'
import type { Settings } from '../../settings.ts'
import { candleTable, type PartitionedTable } from '../partitions.ts'
import type { Partition } from './list-partitions.ts'

/** What a run does with a leaf that goes, for people. */
export const endingTexts: Readonly<Record<Ending, string>> = {
  drop: 'dropped',
  archive: 'archived, verified and dropped',
  'roll-up': 'rolled up, compared and dropped',
}

/** How long the leaves of a table are kept, in milliseconds after their end, and what becomes of them then. */
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

export type CountedPartition = Partition & Readonly<{ rows: number }>

/** `stays`: not old enough. `goes`: with the next run. `held-back`: old enough, and kept all the same. */
export type Verdict = 'stays' | 'goes' | 'held-back'

export type PlannedPartition = Readonly<{
  partition: CountedPartition
  policy: RetentionPolicy
  verdict: Verdict
  /** Why, for people. */
  reason: string
  /** Held back because so much at once may be a mistake: somebody has to agree. */
  wantsAgreement: boolean
}>

/** When the leaf lies wholly past the limit. */
export const expiryOf = ({ range }: Pick<Partition, 'range'>, { keepMs }: RetentionPolicy): Instant =>
  plus(range.to, keepMs)

type PlanConditions = Readonly<{
  now: Instant
  /** Leaves that were put back from the archive, and until when they are to be left alone. */
  restored: ReadonlyMap<string, Instant>
  /** Somebody has agreed that more than half of a table may go at once. */
  agreed: boolean
}>

/**
 * Which leaves a run at `now` would let go of, table by table. More than half of a table's leaves, or of its rows, go
 * only where somebody has agreed: a `keep` that was set wrong shows itself before it costs anything.
 */
export function planRetention(
  policies: readonly RetentionPolicy[],
  partitions: readonly CountedPartition[],
  { now, restored, agreed }: PlanConditions,
): PlannedPartition[] {
  return policies.flatMap((policy) => {
    const leaves = partitions.filter(({ table }) => table === policy.table.name)
    const expired = leaves.filter((leaf) => expiryOf(leaf, policy) <= now)
    const going = expired.filter(({ name }) => !restored.has(name))
    const wantsAgreement = !agreed && isMoreThanHalf(going, leaves)
    return leaves.map((partition): PlannedPartition => {
      const planned = { partition, policy, wantsAgreement: false }
      if (!expired.includes(partition)) {
        const until = toMinuteText(expiryOf(partition, policy))
        return { ...planned, verdict: 'stays', reason: `kept until ${until}` }
      }
      const goes: PlannedPartition = {
        ...planned,
        verdict: 'goes',
        reason: `ended more than ${durationText(policy.keepMs)} ago`,
      }
      const restoredUntil = restored.get(partition.name)
      if (restoredUntil !== undefined)
        return heldBack(
          goes,
          `it was put back from the archive, and stays until ${toMinuteText(restoredUntil)}`,
        )
      return wantsAgreement
        ? {
            ...heldBack(goes, `with it more than half of ${partition.table} would go at once`),
            wantsAgreement,
          }
        : goes
    })
  })
}

function isMoreThanHalf(some: readonly CountedPartition[], all: readonly CountedPartition[]): boolean {
  const rows = (leaves: readonly CountedPartition[]) => leaves.reduce((sum, leaf) => sum + leaf.rows, 0)
  // Leaves that were made ahead and never used are no loss.
  return rows(some) > 0 && (some.length * 2 > all.length || rows(some) * 2 > rows(all))
}

/** The same plan with a leaf held back that was to go. */
export const heldBack = (planned: PlannedPartition, reason: string): PlannedPartition => ({
  ...planned,
  verdict: 'held-back',
  reason: `${planned.reason}, but ${reason}`,
})
