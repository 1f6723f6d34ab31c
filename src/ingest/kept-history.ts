import { type Instant, later, plus } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { floorTo, type Timeframe } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'

/** The close of the last candle that has had time to be written down by its exchange. */
export const settledClose = ({ candles }: Settings, timeframe: Timeframe, now: Instant): Instant =>
  floorTo(timeframe, plus(now, -candles.settleDelay))

/**
 * The open times that the daemon keeps complete by itself: at least as far back as configured, though not further than
 * retention allows, up to the last settled candle; whoever only looks leaves out what closed less than `toleranceMs` ago.
 */
export function keptHistory(settings: Settings, timeframe: Timeframe, now: Instant, toleranceMs = 0): Range {
  const policy = settings.timeframes[timeframe]
  const lookBackMs = Math.min(policy?.history ?? 0, policy?.keep ?? Number.POSITIVE_INFINITY)
  const from = floorTo(timeframe, plus(now, -lookBackMs))
  return { from, to: later(from, settledClose(settings, timeframe, plus(now, -toleranceMs))) }
}
