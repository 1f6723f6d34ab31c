import { day, hour, type Instant, minute, plus, toInstant, toIso } from './instant.ts'

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

const unitMs: Readonly<Record<string, number>> = { m: minute, h: hour, d: day }

/** The timeframe that people write in another way: `1H`, `60m`, `60 min` and `1hour` are 1h. `1M` is a month, and none. */
export function timeframeMeant(text: string): Timeframe | undefined {
  const written = /^\s*(\d{1,6})\s*(m|min|mins|minutes?|h|hr|hrs|hours?|d|days?)\s*$/i.exec(text)
  const [, count = '', unit = ''] = written ?? []
  if (written === null || unit === 'M') return undefined
  const length = Number(count) * (unitMs[unit.charAt(0).toLowerCase()] ?? 0)
  return timeframes.find((timeframe) => timeframeMs[timeframe] === length)
}

declare const aligned: unique symbol

/**
 * An instant on the grid of a timeframe: one of its candles opens then, and the one before closes. Only the functions below
 * make one, so that nothing off the grid gets into coverage or into any arithmetic on whole candles.
 */
export type AlignedInstant = Instant & { readonly [aligned]: true }

export const isAligned = (instant: Instant, timeframe: Timeframe): instant is AlignedInstant =>
  instant % timeframeMs[timeframe] === 0

/** The open time of the candle that holds the instant. */
export function floorTo(timeframe: Timeframe, instant: Instant): AlignedInstant {
  const length = timeframeMs[timeframe]
  return toAligned(timeframe, toInstant(Math.floor(instant / length) * length))
}

/** The first open time at or after the instant. */
export function ceilTo(timeframe: Timeframe, instant: Instant): AlignedInstant {
  const length = timeframeMs[timeframe]
  return toAligned(timeframe, toInstant(Math.ceil(instant / length) * length))
}

/** The same instant, where it lies on the grid. Throws RangeError. */
export function toAligned(timeframe: Timeframe, instant: Instant): AlignedInstant {
  if (isAligned(instant, timeframe)) return instant
  throw new RangeError(`${toIso(instant)} is not on the ${timeframe} grid`)
}

/** So many candles later, or earlier where the count is negative. Throws RangeError for a part of a candle. */
export function plusCandles(instant: AlignedInstant, count: number, timeframe: Timeframe): AlignedInstant {
  return toAligned(timeframe, plus(instant, count * timeframeMs[timeframe]))
}
