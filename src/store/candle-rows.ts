import type { Candle } from '../market/candle.ts'
import { candleTypes } from '../market/candle.ts'
import type { Instant } from '../market/instant.ts'
import {
  longestNumeric,
  textField,
  timestampLength,
  viewOf,
  writeNumeric,
  writeTimestamp,
} from './binary-copy.ts'
import type { Series } from './coverage.ts'

/** The columns of the rows below, in their order. */
export const candleColumns = [
  'coin_id',
  'timeframe',
  'timestamp',
  'open',
  'high',
  'low',
  'close',
  'volume',
] as const

/** Candles of one series, ascending, as rows of COPY's binary format one behind the other. */
export type CandleRows = Readonly<{
  openTimes: readonly Instant[]
  bytes: Buffer
  /** Where each row begins, and as one more where the last one ends. */
  offsets: readonly number[]
  /** How far behind the beginning of a row its five numbers begin. */
  valuesAt: number
}>

const fieldCount = Buffer.from([0, candleColumns.length])

const initialBytesPerRow = 128

/** Writes candles that fit the table out for COPY: the bytes are a fifth of what the candles take, and no garbage later. */
export function encodeCandles({ coinId, timeframe }: Series, candles: readonly Candle[]): CandleRows {
  const key = Buffer.concat([fieldCount, textField(coinId), textField(timeframe)])
  const valuesAt = key.length + timestampLength
  let bytes = Buffer.allocUnsafe(candles.length * (initialBytesPerRow + key.length))
  let view = viewOf(bytes)
  const offsets = [0]
  let at = 0
  for (const candle of candles) {
    const needed = valuesAt + longestRow(candle)
    if (at + needed > bytes.length) {
      bytes = Buffer.concat([bytes, Buffer.allocUnsafe(bytes.length + needed)])
      view = viewOf(bytes)
    }
    key.copy(bytes, at)
    at = writeTimestamp(view, at + key.length, candle.openTime)
    at = writeNumeric(view, at, candle.open, candleTypes.open.scale)
    at = writeNumeric(view, at, candle.high, candleTypes.high.scale)
    at = writeNumeric(view, at, candle.low, candleTypes.low.scale)
    at = writeNumeric(view, at, candle.close, candleTypes.close.scale)
    at = writeNumeric(view, at, candle.volume, candleTypes.volume.scale)
    offsets.push(at)
  }
  const openTimes = candles.map(({ openTime }) => openTime)
  return { openTimes, bytes: bytes.subarray(0, at), offsets, valuesAt }
}

const longestRow = ({ open, high, low, close, volume }: Candle): number =>
  longestNumeric(open) +
  longestNumeric(high) +
  longestNumeric(low) +
  longestNumeric(close) +
  longestNumeric(volume)

/** Consecutive rows, from the one up to and without the other. */
export const rowsBetween = ({ bytes, offsets }: CandleRows, from: number, to: number): Buffer =>
  bytes.subarray(offsets[from], offsets[to])

/** Coin, timeframe and open time of a row. */
export function keyOf({ bytes, offsets, valuesAt }: CandleRows, index: number): Buffer {
  const from = offsets[index] ?? 0
  return bytes.subarray(from + fieldCount.length, from + valuesAt)
}

/** The five numbers of a row. */
export const valuesOf = ({ bytes, offsets, valuesAt }: CandleRows, index: number): Buffer =>
  bytes.subarray((offsets[index] ?? 0) + valuesAt, offsets[index + 1])
