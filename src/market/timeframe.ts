import { day, hour, type Instant, minute, toInstant } from './instant.ts'

/** The length of one candle, in milliseconds. Every timeframe begins at a whole multiple of it since 1970 (UTC). */
export const timeframeMs = {
  '1m': minute,
  '5m': 5 * minute,
  '15m': 15 * minute,
  '30m': 30 * minute,
  '1h': hour,
  '4h': 4 * hour,
  '1d': day,
} as const

export type Timeframe = keyof typeof timeframeMs

export const timeframes = Object.keys(timeframeMs) as Timeframe[]

export const isTimeframe = (text: string): text is Timeframe => Object.hasOwn(timeframeMs, text)

export const isAligned = (instant: Instant, timeframe: Timeframe): boolean =>
  instant % timeframeMs[timeframe] === 0

/** The open time of the candle that holds the instant. */
export function floorTo(timeframe: Timeframe, instant: Instant): Instant {
  const length = timeframeMs[timeframe]
  return toInstant(Math.floor(instant / length) * length)
}

/** The first open time at or after the instant. */
export function ceilTo(timeframe: Timeframe, instant: Instant): Instant {
  const length = timeframeMs[timeframe]
  return toInstant(Math.ceil(instant / length) * length)
}
