import { type Instant, toIso } from '../market/instant.ts'
import type { Ending } from '../settings/schema.ts'
import { nameOf } from '../store/lifecycle/list-partitions.ts'
import type { Hold, HoldKind, RecordedHold } from '../store/lifecycle/partition-holds.ts'
import { type Decision, expiryOf } from '../store/lifecycle/retention.ts'
import type { RetentionPlan } from './retention-plan.ts'

/** A plan as JSON; instants are ISO, UTC. */
export type DescribedPlan = Readonly<{
  asOf: string
  /** Why nothing is deleted at all. */
  refusal: string | null
  partitions: readonly Readonly<{
    table: string
    name: string
    from: string
    to: string
    rows: number
    bytes: number
    ending: Ending
    /** When it expires. */
    keptUntil: string
    decision: Decision
    reason: string
    /** Counted, not estimated. */
    isExact: boolean
    /** Null unless it needs attention. */
    hold: DescribedHold | null
  }>[]
  /** Partitions without time bounds; retention never deletes them. */
  unbounded: readonly Readonly<{
    table: string
    name: string
    bounds: string
    bytes: number
    hold: DescribedHold
  }>[]
  rows: readonly Readonly<{
    table: string
    by: string
    before: string
    ending: Ending
    /** Null while another session locks the table. */
    rows: number | null
  }>[]
  holds: readonly HoldStatus[]
}>

export type HoldStatus = Readonly<
  DescribedHold & { table: string; name: string; heldSince: string; checkedAt: string }
>

export type DescribedHold = Readonly<{ kind: HoldKind; reason: string; remedy: string | null }>

const describeHold = ({ kind, reason, remedy }: Hold): DescribedHold => ({
  kind,
  reason,
  remedy: remedy ?? null,
})

export const describeRecordedHold = (one: RecordedHold): HoldStatus => ({
  table: one.table,
  name: nameOf(one),
  ...describeHold(one.hold),
  heldSince: toIso(one.heldSince),
  checkedAt: toIso(one.checkedAt),
})

export const describePlan = ({
  asOf,
  refusal,
  partitions,
  unbounded,
  rows,
  holds,
}: RetentionPlan): DescribedPlan => ({
  asOf: toIso(asOf),
  refusal: refusal ?? null,
  partitions: partitions.map(({ partition, policy, decision, reason, hold }) => ({
    table: partition.table,
    name: nameOf(partition),
    ...bounds(partition.range),
    rows: partition.rows,
    bytes: partition.bytes,
    ending: policy.ending,
    keptUntil: toIso(expiryOf(partition, policy)),
    decision,
    reason,
    isExact: partition.isExact,
    hold: hold ? describeHold(hold) : null,
  })),
  unbounded: unbounded.map(({ partition, hold }) => ({
    table: partition.table,
    name: nameOf(partition),
    bounds: partition.bounds,
    bytes: partition.bytes,
    hold: describeHold(hold),
  })),
  rows: rows.map(({ table, by, before, ending, rows: count }) => ({
    table,
    by,
    before: toIso(before),
    ending,
    rows: count ?? null,
  })),
  holds: holds.map(describeRecordedHold),
})

const bounds = ({ from, to }: Readonly<{ from: Instant; to: Instant }>) => ({
  from: toIso(from),
  to: toIso(to),
})
