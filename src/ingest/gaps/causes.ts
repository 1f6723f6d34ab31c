import { later } from '../../market/instant.ts'
import { type AlignedRange, allTime, isEmpty, subtract, union } from '../../market/range.ts'
import { type AlignedInstant, floorTo } from '../../market/timeframe.ts'
import type { Limits } from '../kept-history.ts'

/**
 * Causes.
 * - `not-fetched`: not requested or not answered.
 * - `our-outage`: not answered while live ingest failed or the daemon was down.
 * - `no-partition`: cannot be stored.
 * - `late`: just closed, the source may still publish it.
 * - `no-trades`: absent at the source.
 * - `exchange-outage`: absent for all tracked markets of the source.
 * - `before-first`: absent, before the first candle.
 * - `not-listed`: before the listing.
 * - `delisted`: after the market's end.
 * - `beyond-source`: too old for the source.
 * - `refused`: rejected, in quarantine.
 * - `discarded`: rejected and discarded.
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
  { listedFrom, listedTo, reachableFrom, downtime = [], unplaceable = [] }: Evidence,
): Attributed[] =>
  attribute(
    missing,
    [
      ['not-listed', before(listedFrom)],
      ['delisted', from(listedTo)],
      ['beyond-source', before(reachableFrom)],
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
