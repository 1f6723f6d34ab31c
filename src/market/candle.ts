import type { Decimal, DecimalType } from './decimal.ts'
import type { Instant } from './instant.ts'
import type { PlainCandle } from './plain-candle.ts'
import { type AlignedInstant, isAligned, type Timeframe } from './timeframe.ts'

/** Prices in the quote, volume in the base asset. */
export type Candle = Readonly<{
  openTime: Instant
  open: Decimal
  high: Decimal
  low: Decimal
  close: Decimal
  volume: Decimal
}>

/** On its timeframe's grid. */
export type AlignedCandle = Candle & Readonly<{ openTime: AlignedInstant }>

export const isAlignedCandle = (candle: Candle, timeframe: Timeframe): candle is AlignedCandle =>
  isAligned(candle.openTime, timeframe)

export const candleTypes: Readonly<Record<'open' | 'high' | 'low' | 'close' | 'volume', DecimalType>> = {
  open: { precision: 24, scale: 8 },
  high: { precision: 24, scale: 8 },
  low: { precision: 24, scale: 8 },
  close: { precision: 24, scale: 8 },
  volume: { precision: 32, scale: 8 },
}

/** `raw`: as in the answer. With `plain`, texts are created on demand. */
export type CandleRow = Readonly<{ raw: unknown } & (ReadRow | FlawedRow)>

type ReadRow = Readonly<{
  candle: Candle
  plain?: PlainCandle
  /** Close time, if reported. */
  closesAt?: Instant
}>

type FlawedRow = Readonly<{
  flaw: string
  /** Absent if unknown. */
  openTime?: Instant
  acceptable?: Candle
  isSuperseded?: true
}>

export type RejectedRow = Readonly<{
  raw: unknown
  reason: string
  /** Affects the candle that contains it. */
  openTime?: Instant
  /** What an operator may accept. */
  acceptable?: AlignedCandle
  /** Replaced by another row of the answer. */
  isSuperseded?: true
}>

/** Undefined if unreadable. */
export function openTimeOf(
  row: Readonly<{ candle: Candle; plain?: PlainCandle } | { openTime?: Instant }>,
): Instant | undefined {
  if (!('candle' in row)) return row.openTime
  return row.plain ? row.plain.openTime : row.candle.openTime
}
