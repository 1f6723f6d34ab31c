import { type Instant, later, toInstant } from '../market/instant.ts'
import { isEmpty, type Range, subtract, union } from '../market/range.ts'
import type { Limits } from './kept-history.ts'

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
 * - `refused`: it has them, but they were not believed and lie in quarantine.
 */
export const gapCauses = [
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
] as const
export type GapCause = (typeof gapCauses)[number]

/** What is known beside the series' own coverage. What is left out is not known. */
export type Evidence = Partial<Limits> &
  Readonly<{
    /** Where the source had no candle of any other followed market. */
    sharedSilence?: readonly Range[]
    /** Where live ingest should have worked, and did not. */
    downtime?: readonly Range[]
    /** Where rows cannot be stored. */
    unplaceable?: readonly Range[]
  }>

const beginningOfTime = toInstant(Date.UTC(1970, 0))
const endOfTime = toInstant(Date.UTC(9_999, 0))
const before = (to: Instant | undefined): Range[] =>
  to === undefined || to <= beginningOfTime ? [] : [{ from: beginningOfTime, to }]
const from = (start: Instant | undefined): Range[] =>
  start === undefined ? [] : [{ from: start, to: endOfTime }]

type Claim = readonly [GapCause, readonly Range[]]
export type Attributed = Readonly<{ cause: GapCause; range: Range }>

/** Why what the source has answered without a candle is not there. */
export const causesOfAbsence = (
  absent: readonly Range[],
  firstStored: Instant | undefined,
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

/** Why what nobody was answered about is not there. */
export const causesOfSilence = (
  owed: readonly Range[],
  late: readonly Range[],
  { listedFrom, listedTo, reachableFrom, downtime = [], unplaceable = [] }: Evidence,
): Attributed[] =>
  attribute(
    owed,
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

/** Divides ranges among the causes that claim a part of them; the first claim counts. */
function attribute(ranges: readonly Range[], claims: readonly Claim[], otherwise: GapCause): Attributed[] {
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

/** What of the ranges none of the parts covers; in one pass, however many there are of both. */
export function subtractAll(ranges: readonly Range[], parts: readonly Range[]): Range[] {
  const joined = union(ranges)
  const [first, last] = [joined[0], joined.at(-1)]
  if (!first || !last) return []
  const hull: Range = { from: first.from, to: last.to }
  return subtract(hull, [...parts, ...subtract(hull, joined)])
}

/** What of the wanted open times live ingest was to see to and did not: since it was both followed and recorded. */
export function downtimeOf(
  wanted: Range,
  followedFrom: Instant,
  recordedFrom: Instant | undefined,
  up: readonly Range[],
): Range[] {
  if (recordedFrom === undefined) return []
  const watched = { from: later(wanted.from, later(followedFrom, recordedFrom)), to: wanted.to }
  return isEmpty(watched) ? [] : subtract(watched, up)
}
