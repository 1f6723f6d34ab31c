import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { CandleTraits } from '../source.ts'

/** The longest of the timeframes that the source has itself. */
export function longestOf({ timeframes, madeFrom }: CandleTraits): Timeframe {
  const own = timeframes.filter((timeframe) => madeFrom?.[timeframe] === undefined)
  return own.reduce((longest, timeframe) =>
    timeframeMs[timeframe] > timeframeMs[longest] ? timeframe : longest,
  )
}
