import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { CandleTraits } from '../source.ts'

/** Of its own timeframes. */
export function longestOf({ timeframes, madeFrom }: CandleTraits): Timeframe {
  const own = timeframes.filter((timeframe) => madeFrom?.[timeframe] === undefined)
  return own.reduce((longest, timeframe) =>
    timeframeMs[timeframe] > timeframeMs[longest] ? timeframe : longest,
  )
}
