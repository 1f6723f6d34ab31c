/** `beacon-ingest`: instants, ranges, exact decimals, timeframes, the row types, and the errors that everything here throws. */
export {
  Aborted,
  Banned,
  BeforeHistory,
  Blocked,
  Fault,
  InvalidInput,
  Malformed,
  Misconfigured,
  PartlyFailed,
  RangeTooLong,
  RateLimited,
  Refused,
  type Remedy,
  Unavailable,
  UnknownError,
  UnknownMarket,
} from '../fault.ts'
export type { AlignedCandle, Candle, CandleRow, RejectedRow } from '../market/candle.ts'
export type { CoinPrice } from '../market/coin-price.ts'
export {
  addDecimals,
  compareDecimals,
  type Decimal,
  isNegative,
  isZero,
  toDecimal,
} from '../market/decimal.ts'
export {
  day,
  hour,
  type Instant,
  minute,
  parseDate,
  plus,
  second,
  toInstant,
  toIso,
} from '../market/instant.ts'
export {
  type AlignedRange,
  alignTo,
  candleCount,
  contains,
  intersect,
  isEmpty,
  type Range,
  split,
  subtract,
  toAlignedRange,
  union,
} from '../market/range.ts'
export {
  type AlignedInstant,
  ceilTo,
  floorTo,
  isAligned,
  isTimeframe,
  plusCandles,
  type Timeframe,
  timeframeMs,
  timeframes,
  toAligned,
} from '../market/timeframe.ts'
export { type Clock, systemClock } from '../runtime/clock.ts'
