import { later } from '../../market/instant.ts'
import { type AlignedRange, allTime, isEmpty, subtract, union } from '../../market/range.ts'
import { type AlignedInstant, floorTo } from '../../market/timeframe.ts'
import type { Limits } from '../kept-history.ts'

/**
 * Why candles are not there.
 * - `not-fetched`: nobody has asked yet, or nobody was answered.
 * - `our-outage`: the same, and live ingest did not succeed in that time: the daemon was down, or its runs failed.
 * - `no-partition`: it cannot be stored, for no partition has its time and none can be made.
 * - `late`: closed so recently that the source may still be writing them down.
 * - `no-trades`: the source has none.
 * - `exchange-outage`: nor has it any of the other followed markets for that time.
 * - `before-first`: it has none, and no earlier one of this market either.
 * - `not-listed`: before its listing the symbol stood for another market.
 * - `delisted`: the market had ended on its source.
 * - `beyond-source`: its source no longer gives what is so old.
 * - `past-retention`: retention has deleted it, or would delete it again.
 * - `refused`: it has them, but they were rejected and are in quarantine.
 * - `discarded`: the same, and an operator has discarded them.
 */
const gapCauses = [
  'not-fetched',
  'our-outage',
  'no-partition',
  'late',
  'no-trades',
  'exchange-outage',
  'before-first',
  'not-listed',
  'delisted',
  'beyond-source',
  'past-retention',
  'refused',
  'discarded',
] as const
export type GapCause = (typeof gapCauses)[number]

/** Evidence besides coverage; absent means unknown. */
export type Evidence = Partial<Limits> &
  Readonly<{
    sharedSilence?: readonly AlignedRange[]
    discarded?: readonly AlignedRange[]
    /** When live ingest should have worked and did not. */
    downtime?: readonly AlignedRange[]
    /** What retention deletes. */
    pastRetention?: readonly AlignedRange[]
    /** Where rows cannot be stored. */
    unplaceable?: readonly AlignedRange[]
  }>

/** Aligned to every timeframe. */
const beginningOfTime = floorTo('1d', allTime.from)
const endOfTime = floorTo('1d', allTime.to)
const before = (to: AlignedInstant | undefined): AlignedRange[] =>
  to === undefined || to <= beginningOfTime ? [] : [{ from: beginningOfTime, to }]
const from = (start: AlignedInstant | undefined): AlignedRange[] =>
  start === undefined ? [] : [{ from: start, to: endOfTime }]

type Claim = readonly [GapCause, readonly AlignedRange[]]
export type Attributed = Readonly<{ cause: GapCause; range: AlignedRange }>

/** Causes of absence at the source. */
export const causesOfAbsence = (
  absent: readonly AlignedRange[],
  firstStored: AlignedInstant | undefined,
  { listedFrom, listedTo, sharedSilence = [] }: Evidence,
): Attributed[] =>
  attribute(
    absent,
    [
      ['not-listed', before(listedFrom)],
      ['delisted', from(listedTo)],
      ['before-first', before(firstStored ?? endOfTime)],
      ['exchange-outage', sharedSilence],
    ],
    'no-trades',
  )

export const causesOfRejection = (
  rejected: readonly AlignedRange[],
  { discarded = [] }: Evidence,
): Attributed[] => attribute(rejected, [['discarded', discarded]], 'refused')

/** Causes of unanswered ranges. */
export const causesOfSilence = (
  missing: readonly AlignedRange[],
  late: readonly AlignedRange[],
  { listedFrom, listedTo, reachableFrom, pastRetention = [], downtime = [], unplaceable = [] }: Evidence,
): Attributed[] =>
  attribute(
    missing,
    [
      ['not-listed', before(listedFrom)],
      ['delisted', from(listedTo)],
      ['beyond-source', before(reachableFrom)],
      ['past-retention', pastRetention],
      ['no-partition', unplaceable],
      ['late', late],
      ['our-outage', downtime],
    ],
    'not-fetched',
  )

/** Assigns ranges to causes; the first claim wins. */
function attribute(
  ranges: readonly AlignedRange[],
  claims: readonly Claim[],
  otherwise: GapCause,
): Attributed[] {
  const attributed: Attributed[] = []
  let left = union(ranges)
  for (const [cause, claimed] of claims) {
    if (claimed.length === 0) continue
    const rest = subtractAll(left, claimed)
    attributed.push(...subtractAll(left, rest).map((range) => ({ cause, range })))
    left = rest
  }
  return [...attributed, ...left.map((range) => ({ cause: otherwise, range }))]
}

export function subtractAll(ranges: readonly AlignedRange[], parts: readonly AlignedRange[]): AlignedRange[] {
  const joined = union(ranges)
  const [first, last] = [joined[0], joined.at(-1)]
  if (!first || !last) return []
  const hull = { from: first.from, to: last.to }
  return subtract(hull, [...parts, ...subtract(hull, joined)])
}

/** Wanted open times that live ingest missed while the market was tracked and runs recorded. */
export function downtimeOf(
  wanted: AlignedRange,
  trackedFrom: AlignedInstant,
  recordedFrom: AlignedInstant | undefined,
  up: readonly AlignedRange[],
): AlignedRange[] {
  if (recordedFrom === undefined) return []
  const watched = { from: later(wanted.from, later(trackedFrom, recordedFrom)), to: wanted.to }
  return isEmpty(watched) ? [] : subtract(watched, up)
}
