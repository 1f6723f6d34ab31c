import type { Decimal, DecimalType } from './decimal.ts'
import type { Instant } from './instant.ts'
import type { PlainCandle } from './plain-candle.ts'

/** One closed interval of a market: prices in its quote asset, volume in its base asset. */
export type Candle = Readonly<{
  openTime: Instant
  open: Decimal
  high: Decimal
  low: Decimal
  close: Decimal
  volume: Decimal
}>

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
export type CandleRow = Readonly<
  { raw: unknown } & ({ candle: Candle; plain?: PlainCandle } | { flaw: string; openTime?: Instant })
>

/** Undefined for a row whose time cannot be read. */
export function openTimeOf(
  row: Readonly<{ candle: Candle; plain?: PlainCandle } | { openTime?: Instant }>,
): Instant | undefined {
  if (!('candle' in row)) return row.openTime
  return row.plain ? row.plain.openTime : row.candle.openTime
}
