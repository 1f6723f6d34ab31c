import { type Instant, toIso } from '../market/instant.ts'
import type { Ending } from '../settings/schema.ts'
import { expiryOf, type Verdict } from '../store/lifecycle/retention.ts'
import type { RetentionPlan } from './retention-plan.ts'

/** A plan for programs. Instants are ISO text, in UTC. */
export type DescribedPlan = Readonly<{
  asOf: string
  /** Why nothing goes at all. */
  refusal: string | null
  partitions: readonly Readonly<{
    table: string
    name: string
    from: string
    to: string
    rows: number
    bytes: number
    ending: Ending
    /** From when on it may go. */
    keptUntil: string
    verdict: Verdict
    reason: string
  }>[]
  rows: readonly Readonly<{
    table: string
    by: string
    before: string
    ending: Ending
    /** null where another kind of run counts them. */
    rows: number | null
  }>[]
  unfinished: readonly Readonly<{ table: string; name: string; from: string; to: string; ending: Ending }>[]
}>

export const describePlan = ({
  asOf,
  refusal,
  partitions,
  rows,
  unfinished,
}: RetentionPlan): DescribedPlan => ({
  asOf: toIso(asOf),
  refusal: refusal ?? null,
  partitions: partitions.map(({ partition, policy, verdict, reason }) => ({
    table: partition.table,
    name: partition.name,
    ...bounds(partition.range),
    rows: partition.rows,
    bytes: partition.bytes,
    ending: policy.ending,
    keptUntil: toIso(expiryOf(partition, policy)),
    verdict,
    reason,
  })),
  rows: rows.map(({ table, by, before, ending, rows: count }) => ({
    table,
    by,
    before: toIso(before),
    ending,
    rows: count ?? null,
  })),
  unfinished: unfinished.map(({ table, name, range, ending }) => ({ table, name, ...bounds(range), ending })),
})

const bounds = ({ from, to }: Readonly<{ from: Instant; to: Instant }>) => ({
  from: toIso(from),
  to: toIso(to),
})
