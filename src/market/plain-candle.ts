import type { Instant } from './instant.ts'

/**
 * A non-negative candle with at most 15 digits before and 8 after the point, as pairs of exact integers instead of
 * texts.
 */
export type PlainCandle = Readonly<{
  openTime: Instant
  /** Open, high, low, close, volume: each whole part and 10^-8 units. May be shared by an answer's candles. */
  numbers: Float64Array
  /** Offset in `numbers`. */
  at: number
}>

/** Per candle. */
export const plainNumbers = 10

export const mostWholeDigits = 15

export const mostPlaces = 8

const open = 0
const high = 2
const low = 4
const close = 6

/** Open and close within low and high. */
export const isConsistent = ({ numbers, at }: PlainCandle): boolean =>
  isAtMost(numbers, at + low, at + open) &&
  isAtMost(numbers, at + open, at + high) &&
  isAtMost(numbers, at + low, at + close) &&
  isAtMost(numbers, at + close, at + high)

function isAtMost(numbers: Float64Array, a: number, b: number): boolean {
  const [wholeA = 0, wholeB = 0] = [numbers[a], numbers[b]]
  return wholeA === wholeB ? (numbers[a + 1] ?? 0) <= (numbers[b + 1] ?? 0) : wholeA < wholeB
}
