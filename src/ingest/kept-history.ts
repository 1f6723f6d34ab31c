import { type Instant, later, minute, plus, toInstant } from '../market/instant.ts'
import { intersect, type Range } from '../market/range.ts'
import { ceilTo, floorTo, type Timeframe } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import { reachableFrom } from '../sources/source.ts'
import type { CandleMarket } from './markets.ts'

/** The close of the last candle that has had time to be written down by its exchange. */
export const settledClose = ({ candles }: Settings, timeframe: Timeframe, now: Instant): Instant =>
  floorTo(timeframe, plus(now, -candles.settleDelay))

/** Work may wait in its queue for so long: what a source is about to let go of is not promised. */
const waitingMs = 10 * minute

type Listed = Pick<CandleMarket, 'source' | 'listedFrom' | 'listedTo'>

/**
 * The open times that can still be had of a market: as far back as its source reaches, and as long as the market is
 * listed there. What its symbol stood for before and after is another market.
 */
export function obtainable(
  { source: { candles }, listedFrom, listedTo }: Listed,
  timeframe: Timeframe,
  now: Instant,
): Range {
  // Its single trades reach further than the candles they are made into.
  const reach = candles.trades ? toInstant(0) : reachableFrom(candles, timeframe, plus(now, waitingMs))
  const from = listedFrom === undefined ? reach : later(reach, ceilTo(timeframe, listedFrom))
  const end = listedTo === undefined ? endOfTime : ceilTo(timeframe, listedTo)
  return { from, to: later(from, end) }
}

const endOfTime = toInstant(Date.UTC(9_999, 0))

/** The part of the range that can be had of the market; an empty one where nothing can. */
export function obtainablePart(market: Listed, timeframe: Timeframe, range: Range, now: Instant): Range {
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
): Range {
  const policy = settings.timeframes[timeframe]
  const lookBackMs = Math.min(policy?.history ?? 0, policy?.keep ?? Number.POSITIVE_INFINITY)
  const from = floorTo(timeframe, plus(now, -lookBackMs))
  const range = { from, to: later(from, settledClose(settings, timeframe, plus(now, -toleranceMs))) }
  return obtainablePart(market, timeframe, range, now)
}
