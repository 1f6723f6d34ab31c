import { type Instant, toInstant } from './instant.ts'

/**
 * A candle whose numbers are as nearly all are: not negative, with at most fifteen digits before the point and eight after
 * it. Each is two whole numbers then, which are exact, and no text. One is filled again and again: a file of candles has
 * tens of thousands.
 */
export class PlainCandle {
  openTime: Instant = toInstant(0)
  /** Open, high, low, close and volume: of each what stands before the point, and the hundred-millionths behind it. */
  readonly numbers = new Float64Array(10)
}

/** The most digits that a whole part may have. */
export const mostWholeDigits = 15

/** The most places behind the point. */
export const mostPlaces = 8

const open = 0
const high = 2
const low = 4
const close = 6

/** Whether open and close lie between low and high. */
export const isConsistent = ({ numbers }: PlainCandle): boolean =>
  isAtMost(numbers, low, open) &&
  isAtMost(numbers, open, high) &&
  isAtMost(numbers, low, close) &&
  isAtMost(numbers, close, high)

function isAtMost(numbers: Float64Array, a: number, b: number): boolean {
  const [wholeA = 0, wholeB = 0] = [numbers[a], numbers[b]]
  return wholeA === wholeB ? (numbers[a + 1] ?? 0) <= (numbers[b + 1] ?? 0) : wholeA < wholeB
}
