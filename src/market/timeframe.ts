import { day, hour, type Instant, minute, plus, toInstant, toIso } from './instant.ts'

/** In ms; candles align to multiples since 1970 UTC. */
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

/** `1H`, `60m`, `60 min`, `1hour` mean 1h; `1M` is a month. */
export function timeframeMeant(text: string): Timeframe | undefined {
  const written = /^\s*(\d{1,6})\s*(m|min|mins|minutes?|h|hr|hrs|hours?|d|days?)\s*$/i.exec(text)
  const [, count = '', unit = ''] = written ?? []
  if (written === null || unit === 'M') return undefined
  const length = Number(count) * (unitMs[unit.charAt(0).toLowerCase()] ?? 0)
  return timeframes.find((timeframe) => timeframeMs[timeframe] === length)
}

declare const aligned: unique symbol

/** An instant on a timeframe's grid; created only by the functions below. */
export type AlignedInstant = Instant & { readonly [aligned]: true }

export const isAligned = (instant: Instant, timeframe: Timeframe): instant is AlignedInstant =>
  instant % timeframeMs[timeframe] === 0

export function floorTo(timeframe: Timeframe, instant: Instant): AlignedInstant {
  const length = timeframeMs[timeframe]
  return toAligned(timeframe, toInstant(Math.floor(instant / length) * length))
}

/** First open time at or after. */
export function ceilTo(timeframe: Timeframe, instant: Instant): AlignedInstant {
  const length = timeframeMs[timeframe]
  return toAligned(timeframe, toInstant(Math.ceil(instant / length) * length))
}

/** Throws RangeError if off the grid. */
export function toAligned(timeframe: Timeframe, instant: Instant): AlignedInstant {
  if (isAligned(instant, timeframe)) return instant
  throw new RangeError(`${toIso(instant)} is not on the ${timeframe} grid`)
}

/** Count may be negative. Throws RangeError for fractions. */
export function plusCandles(instant: AlignedInstant, count: number, timeframe: Timeframe): AlignedInstant {
  return toAligned(timeframe, plus(instant, count * timeframeMs[timeframe]))
}
