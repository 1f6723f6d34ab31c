import type { Instant } from './instant.ts'

/**
 * A candle whose numbers are as nearly all are: not negative, with at most fifteen digits before the point and eight after
 * it. Each is two whole numbers then, which are exact, and no text.
 */
export type PlainCandle = Readonly<{
  openTime: Instant
  /**
   * Open, high, low, close and volume, one behind the other: of each what stands before the point, and the
   * hundred-millionths behind it. An answer may keep those of all its candles together.
   */
  numbers: Float64Array
  /** Where those of this candle begin. */
  at: number
}>

/** How many numbers a plain candle has. */
export const plainNumbers = 10

/** The most digits that a whole part may have. */
export const mostWholeDigits = 15

/** The most places behind the point. */
export const mostPlaces = 8

const open = 0
const high = 2
const low = 4
const close = 6

/** Whether open and close lie between low and high. */
export const isConsistent = ({ numbers, at }: PlainCandle): boolean =>
  isAtMost(numbers, at + low, at + open) &&
  isAtMost(numbers, at + open, at + high) &&
  isAtMost(numbers, at + low, at + close) &&
  isAtMost(numbers, at + close, at + high)

function isAtMost(numbers: Float64Array, a: number, b: number): boolean {
  const [wholeA = 0, wholeB = 0] = [numbers[a], numbers[b]]
  return wholeA === wholeB ? (numbers[a + 1] ?? 0) <= (numbers[b + 1] ?? 0) : wholeA < wholeB
}
