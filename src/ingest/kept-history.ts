import { type Instant, later, minute, plus, toInstant } from '../market/instant.ts'
import { type AlignedRange, intersect } from '../market/range.ts'
import { type AlignedInstant, ceilTo, floorTo, type Timeframe, toAligned } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import { reachableFrom } from '../sources/source.ts'
import type { CandleMarket } from './markets.ts'

/** The close of the last candle that has had time to be written down by its exchange. */
export const finalClose = ({ candles }: Settings, timeframe: Timeframe, now: Instant): AlignedInstant =>
  floorTo(timeframe, plus(now, -candles.settleDelay))

/** Work may wait in its queue for so long: what a source is about to let go of is not promised. */
const waitingMs = 10 * minute

/** Open times before this closed so long ago, when seen at `seenAt`, that a candle seen unchanged is final. */
export const finalBefore = ({ candles }: Settings, timeframe: Timeframe, seenAt: Instant): Instant =>
  floorTo(timeframe, plus(seenAt, -candles.finalAfter))

type Listed = Pick<CandleMarket, 'source' | 'listedFrom' | 'listedTo'>

/** What bounds the open times that can be had of a market. */
export type Limits = Readonly<{
  /** What opened earlier, its source no longer gives. */
  reachableFrom: AlignedInstant
  /** What opened earlier belongs to what the symbol stood for before. */
  listedFrom: AlignedInstant | undefined
  /** What opens then or later belongs to what the symbol stands for after the market's end. */
  listedTo: AlignedInstant | undefined
}>

export const limitsOf = (
  { source: { candles }, listedFrom, listedTo }: Listed,
  timeframe: Timeframe,
  now: Instant,
): Limits => ({
  // Its single trades reach further than the candles they are made into.
  reachableFrom: candles.trades
    ? toAligned(timeframe, toInstant(0))
    : reachableFrom(candles, timeframe, plus(now, waitingMs)),
  listedFrom: listedFrom === undefined ? undefined : ceilTo(timeframe, listedFrom),
  listedTo: listedTo === undefined ? undefined : ceilTo(timeframe, listedTo),
})

/**
 * The open times that can still be had of a market: as far back as its source reaches, and as long as the market is
 * listed there. What its symbol stood for before and after is another market.
 */
export function obtainable(market: Listed, timeframe: Timeframe, now: Instant): AlignedRange {
  const { reachableFrom: reach, listedFrom, listedTo } = limitsOf(market, timeframe, now)
  const from = listedFrom === undefined ? reach : later(reach, listedFrom)
  return { from, to: later(from, listedTo ?? floorTo(timeframe, endOfTime)) }
}

const endOfTime = toInstant(Date.UTC(9_999, 0))

/** The part of a range in which the symbol stands for this coin; an empty one where it never does. */
export function listedPart(
  { listedFrom, listedTo }: Pick<Listed, 'listedFrom' | 'listedTo'>,
  timeframe: Timeframe,
  range: AlignedRange,
): AlignedRange {
  const from = listedFrom === undefined ? range.from : ceilTo(timeframe, listedFrom)
  const listed = { from, to: ceilTo(timeframe, listedTo ?? endOfTime) }
  return intersect(range, listed) ?? { from: range.to, to: range.to }
}

/** The part of the range that can be had of the market; an empty one where nothing can. */
export function obtainablePart(
  market: Listed,
  timeframe: Timeframe,
  range: AlignedRange,
  now: Instant,
): AlignedRange {
  return intersect(range, obtainable(market, timeframe, now)) ?? { from: range.to, to: range.to }
}

/**
 * The open times that the daemon keeps complete by itself: at least as far back as configured, though not further than
 * retention allows, up to the last settled candle, and no more than can be had of the market; whoever only looks leaves
 * out what closed less than `toleranceMs` ago.
 */
export function keptHistory(
  settings: Settings,
  market: Listed,
  timeframe: Timeframe,
  now: Instant,
  toleranceMs = 0,
): AlignedRange {
  const policy = settings.timeframes[timeframe]
  const lookBackMs = Math.min(policy?.history ?? 0, policy?.keep ?? Number.POSITIVE_INFINITY)
  const from = floorTo(timeframe, plus(now, -lookBackMs))
  const range = { from, to: later(from, finalClose(settings, timeframe, plus(now, -toleranceMs))) }
  return obtainablePart(market, timeframe, range, now)
}

/**
 * The open times that a second look may still bring something new of: all that are settled, can be had of the market
 * and are not about to be deleted again, however far back a backfill has gone.
 */
export function lastingHistory(
  settings: Settings,
  market: Listed,
  timeframe: Timeframe,
  now: Instant,
): AlignedRange {
  const keepMs = settings.timeframes[timeframe]?.keep
  const from = ceilTo(timeframe, keepMs === undefined ? toInstant(0) : plus(now, -keepMs))
  const range = { from, to: later(from, finalClose(settings, timeframe, now)) }
  return obtainablePart(market, timeframe, range, now)
}
