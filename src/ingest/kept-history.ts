import { type Instant, later, minute, plus, toInstant } from '../market/instant.ts'
import { type AlignedRange, intersect } from '../market/range.ts'
import { type AlignedInstant, ceilTo, floorTo, type Timeframe, toAligned } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import { reachableFrom } from '../sources/source.ts'
import type { CandleMarket } from './markets.ts'

/** Close of the last candle that its exchange had time to publish. */
export const finalClose = ({ candles }: Settings, timeframe: Timeframe, now: Instant): AlignedInstant =>
  floorTo(timeframe, plus(now, -candles.settleDelay))

/** Queue delay: do not promise candles about to expire at the source. */
const waitingMs = 10 * minute

/** Candles opened before this are final once seen unchanged at `seenAt`. */
export const finalBefore = ({ candles }: Settings, timeframe: Timeframe, seenAt: Instant): Instant =>
  floorTo(timeframe, plus(seenAt, -candles.finalAfter))

type Listed = Pick<CandleMarket, 'source' | 'listedFrom' | 'listedTo'>

/** Bounds of a market's available open times. */
export type Limits = Readonly<{
  /** Oldest available at the source. */
  reachableFrom: AlignedInstant
  /** Earlier candles belong to the symbol's former market. */
  listedFrom: AlignedInstant | undefined
  /** Later candles belong to the symbol's next market. */
  listedTo: AlignedInstant | undefined
}>

export const limitsOf = (
  { source: { candles }, listedFrom, listedTo }: Listed,
  timeframe: Timeframe,
  now: Instant,
): Limits => ({
  // Trades reach further back than candles.
  reachableFrom: candles.trades
    ? toAligned(timeframe, toInstant(0))
    : reachableFrom(candles, timeframe, plus(now, waitingMs)),
  listedFrom: listedFrom === undefined ? undefined : ceilTo(timeframe, listedFrom),
  listedTo: listedTo === undefined ? undefined : ceilTo(timeframe, listedTo),
})

/** Open times available from a market: within its source's reach and its listing. */
export function obtainable(market: Listed, timeframe: Timeframe, now: Instant): AlignedRange {
  const { reachableFrom: reach, listedFrom, listedTo } = limitsOf(market, timeframe, now)
  const from = listedFrom === undefined ? reach : later(reach, listedFrom)
  return { from, to: later(from, listedTo ?? floorTo(timeframe, endOfTime)) }
}

const endOfTime = toInstant(Date.UTC(9_999, 0))

/** The part of a range in which the symbol means this coin; may be empty. */
export function listedPart(
  { listedFrom, listedTo }: Pick<Listed, 'listedFrom' | 'listedTo'>,
  timeframe: Timeframe,
  range: AlignedRange,
): AlignedRange {
  const from = listedFrom === undefined ? range.from : ceilTo(timeframe, listedFrom)
  const listed = { from, to: ceilTo(timeframe, listedTo ?? endOfTime) }
  return intersect(range, listed) ?? { from: range.to, to: range.to }
}

/** May be empty. */
export function obtainablePart(
  market: Listed,
  timeframe: Timeframe,
  range: AlignedRange,
  now: Instant,
): AlignedRange {
  return intersect(range, obtainable(market, timeframe, now)) ?? { from: range.to, to: range.to }
}

/**
 * Open times the daemon keeps complete: configured history within retention and availability, up to the last final
 * candle. `toleranceMs` excludes recently closed ones, for monitoring.
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

/** Where a recheck may find something: available, closed and not about to be deleted, including old backfills. */
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
