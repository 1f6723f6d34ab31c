import { type AlignedCandle, candleTypes } from '../../market/candle.ts'
import type { Decimal } from '../../market/decimal.ts'
import { type PlainCandle, plainNumbers } from '../../market/plain-candle.ts'
import type { AlignedInstant } from '../../market/timeframe.ts'
import type { Series } from '../coverage.ts'
import {
  longestNumeric,
  textField,
  timestampLength,
  viewOf,
  writeNumeric,
  writeTimestamp,
} from './binary-copy.ts'
import { type CandleRows, fieldCount } from './candle-rows.ts'

/** A length, four 16-bit header fields and six base-10,000 digits. */
const longestPlainNumber = 4 + 8 + 2 * 6

const longestPlainRow = (plainNumbers / 2) * longestPlainNumber

/** Encodes candles of one series for COPY, ascending: a fifth of the memory of the objects. */
export class CandleRowsWriter {
  readonly #key: Buffer
  /** Offset of the five numbers in a row. */
  readonly #valuesAt: number
  readonly #openTimes: AlignedInstant[] = []
  readonly #offsets = [0]
  #bytes: Buffer
  #view: DataView
  #at = 0

  /** `expected` is how many there will be, about: more are no trouble. */
  constructor({ coinId, timeframe }: Omit<Series, 'source'>, expected: number) {
    this.#key = Buffer.concat([fieldCount, textField(coinId), textField(timeframe)])
    this.#valuesAt = this.#key.length + timestampLength
    this.#bytes = Buffer.allocUnsafe(expected * (this.#valuesAt + longestPlainRow))
    this.#view = viewOf(this.#bytes)
  }

  addPlain(openTime: AlignedInstant, { numbers, at }: Pick<PlainCandle, 'numbers' | 'at'>): void {
    let end = this.#begin(openTime, longestPlainRow)
    for (let place = at; place < at + plainNumbers; place += 2)
      end = writePlainNumber(this.#view, end, numbers[place] ?? 0, numbers[place + 1] ?? 0)
    this.#end(openTime, end)
  }

  add({ openTime, ...values }: AlignedCandle): void {
    let end = this.#begin(openTime, longestValues(values))
    for (const column of valueColumns)
      end = writeNumeric(this.#view, end, values[column], candleTypes[column].scale)
    this.#end(openTime, end)
  }

  /** Copies the bytes, so that waiting rows hold no spare buffer. */
  rows(): CandleRows {
    return {
      openTimes: this.#openTimes,
      bytes: Buffer.from(this.#bytes.subarray(0, this.#at)),
      offsets: this.#offsets,
      valuesAt: this.#valuesAt,
    }
  }

  /** Writes the key of a row and returns the offset of its numbers. */
  #begin(openTime: AlignedInstant, valuesLength: number): number {
    this.#makeRoom(this.#valuesAt + valuesLength)
    this.#bytes.set(this.#key, this.#at)
    return writeTimestamp(this.#view, this.#at + this.#key.length, openTime)
  }

  #makeRoom(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    this.#bytes = Buffer.concat([this.#bytes, Buffer.allocUnsafe(this.#bytes.length + length)])
    this.#view = viewOf(this.#bytes)
  }

  #end(openTime: AlignedInstant, at: number): void {
    this.#openTimes.push(openTime)
    this.#offsets.push(at)
    this.#at = at
  }
}

/** The same of candles that are all there. */
export function encodeCandles(series: Omit<Series, 'source'>, candles: readonly AlignedCandle[]): CandleRows {
  const writer = new CandleRowsWriter(series, candles.length)
  for (const candle of candles) writer.add(candle)
  return writer.rows()
}

const valueColumns = ['open', 'high', 'low', 'close', 'volume'] as const

const longestValues = (values: Readonly<Record<(typeof valueColumns)[number], Decimal>>): number =>
  valueColumns.reduce((sum, column) => sum + longestNumeric(values[column]), 0)

const base = 10_000

/** Writes a numeric field of a plain candle like `writeNumeric`, and returns its end. */
export function writePlainNumber(target: DataView, at: number, whole: number, units: number): number {
  const digits = at + 12
  let next = digits
  let weight = -1
  if (whole > 0) {
    weight = whole < 1e4 ? 0 : whole < 1e8 ? 1 : whole < 1e12 ? 2 : 3
    let rest = whole
    for (let power = base ** weight; power >= 1; power /= base) {
      const digit = Math.floor(rest / power)
      target.setUint16(next, digit)
      next += 2
      rest -= digit * power
    }
  }
  const upper = Math.floor(units / base)
  const lower = units - upper * base
  if (whole > 0 || upper > 0) {
    target.setUint16(next, upper)
    next += 2
  } else if (lower > 0) weight = -2
  if (lower > 0) {
    target.setUint16(next, lower)
    next += 2
  }
  while (next > digits && target.getUint16(next - 2) === 0) next -= 2
  const count = (next - digits) >> 1
  target.setInt32(at, 8 + 2 * count)
  target.setInt16(at + 4, count)
  target.setInt16(at + 6, count === 0 ? 0 : weight)
  target.setInt16(at + 8, 0)
  target.setInt16(at + 10, 8)
  return next
}
