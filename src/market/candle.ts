import type { Decimal, DecimalType } from './decimal.ts'
import type { Instant } from './instant.ts'
import type { PlainCandle } from './plain-candle.ts'
import { type AlignedInstant, isAligned, type Timeframe } from './timeframe.ts'

/** One closed interval of a market: prices in its quote asset, volume in its base asset. */
export type Candle = Readonly<{
  openTime: Instant
  open: Decimal
  high: Decimal
  low: Decimal
  close: Decimal
  volume: Decimal
}>

/** One that opens on the grid of its timeframe. */
export type AlignedCandle = Candle & Readonly<{ openTime: AlignedInstant }>

export const isAlignedCandle = (candle: Candle, timeframe: Timeframe): candle is AlignedCandle =>
  isAligned(candle.openTime, timeframe)

/** The columns of `ohlcv_data` that hold the five numbers. */
export const candleTypes: Readonly<Record<'open' | 'high' | 'low' | 'close' | 'volume', DecimalType>> = {
  open: { precision: 24, scale: 8 },
  high: { precision: 24, scale: 8 },
  low: { precision: 24, scale: 8 },
  close: { precision: 24, scale: 8 },
  volume: { precision: 32, scale: 8 },
}

/**
 * A row of an answer: a candle, or what could not be read as one. `raw` is the row as it stood in the answer. Of a row that
 * tells its candle as a plain one too, the texts are made only when they are asked for.
 */
export type CandleRow = Readonly<{ raw: unknown } & (ReadRow | FlawedRow)>

type ReadRow = Readonly<{
  candle: Candle
  plain?: PlainCandle
  /** When its interval ended, where the source reports that. */
  closesAt?: Instant
}>

type FlawedRow = Readonly<{
  flaw: string
  /** Without it the row concerns no candle in particular. */
  openTime?: Instant
  acceptable?: Candle
  isSuperseded?: true
}>

/** A row that does not get into the table, with the reason for people. */
export type RejectedRow = Readonly<{
  raw: unknown
  reason: string
  /** As the row has it: it concerns the candle that holds this instant, and no other. */
  openTime?: Instant
  /** What an operator can have stored all the same; it fits the table. */
  acceptable?: AlignedCandle
  /** Another row of the answer has taken its place, so that nothing is missing. */
  isSuperseded?: true
}>

/** Undefined for a row whose time cannot be read. */
export function openTimeOf(
  row: Readonly<{ candle: Candle; plain?: PlainCandle } | { openTime?: Instant }>,
): Instant | undefined {
  if (!('candle' in row)) return row.openTime
  return row.plain ? row.plain.openTime : row.candle.openTime
}
