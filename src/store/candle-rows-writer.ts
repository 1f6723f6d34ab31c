import type { Candle } from '../market/candle.ts'
import type { Instant } from '../market/instant.ts'
import type { PlainCandle } from '../market/plain-candle.ts'
import { textField, timestampLength, viewOf, writeTimestamp } from './binary-copy.ts'
import { type CandleRows, candleColumns, encodeCandles } from './candle-rows.ts'
import type { Series } from './coverage.ts'

const numberCount = 5

/** A length, four numbers about the digits, and six digits to the base of 10,000. */
const longestPlainNumber = 4 + 8 + 2 * 6

/** Rows of one series for COPY, written one candle after the other, ascending, without an object for each. */
export class CandleRowsWriter {
  readonly #series: Series
  readonly #key: Buffer
  readonly #openTimes: Instant[] = []
  readonly #offsets = [0]
  #bytes: Buffer
  #view: DataView
  #at = 0

  /** `expected` is how many there will be, about: more are no trouble. */
  constructor(series: Series, expected: number) {
    this.#series = series
    const { coinId, timeframe } = series
    this.#key = Buffer.concat([
      Buffer.from([0, candleColumns.length]),
      textField(coinId),
      textField(timeframe),
    ])
    this.#bytes = Buffer.allocUnsafe((expected + 1) * this.#longestRow())
    this.#view = viewOf(this.#bytes)
  }

  addPlain({ openTime, numbers }: PlainCandle): void {
    this.#makeRoom(this.#longestRow())
    this.#bytes.set(this.#key, this.#at)
    let at = writeTimestamp(this.#view, this.#at + this.#key.length, openTime)
    for (let number = 0; number < 2 * numberCount; number += 2)
      at = writePlainNumber(this.#view, at, numbers[number] ?? 0, numbers[number + 1] ?? 0)
    this.#end(openTime, at)
  }

  add(candle: Candle): void {
    const { bytes } = encodeCandles(this.#series, [candle])
    this.#makeRoom(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#end(candle.openTime, this.#at + bytes.length)
  }

  rows(): CandleRows {
    return {
      openTimes: this.#openTimes,
      bytes: this.#bytes.subarray(0, this.#at),
      offsets: this.#offsets,
      valuesAt: this.#key.length + timestampLength,
    }
  }

  #longestRow(): number {
    return this.#key.length + timestampLength + numberCount * longestPlainNumber
  }

  #makeRoom(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    this.#bytes = Buffer.concat([this.#bytes, Buffer.allocUnsafe(this.#bytes.length + length)])
    this.#view = viewOf(this.#bytes)
  }

  #end(openTime: Instant, at: number): void {
    this.#openTimes.push(openTime)
    this.#offsets.push(at)
    this.#at = at
  }
}

const base = 10_000

/** Writes the field of a number of a plain candle, as `writeNumeric` would, and returns where it ends. */
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
