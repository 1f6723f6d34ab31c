import type { Decimal, DecimalType } from './decimal.ts'
import type { Instant } from './instant.ts'

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

/** A row of an answer: a candle, or what could not be read as one. `raw` is the row as it stood in the answer. */
export type CandleRow = Readonly<
  { raw: unknown } & ({ candle: Candle } | { flaw: string; openTime?: Instant })
>
