import { toInstant } from '../market/instant.ts'
import { mostPlaces, mostWholeDigits, PlainCandle } from '../market/plain-candle.ts'
import { isAligned, timeframeMs } from '../market/timeframe.ts'
import type { ArchiveFile } from './binance-archive.ts'

const lineFeed = 10
const carriageReturn = 13
const comma = 44
const point = 46
const zero = 48

/** What is no candle of the file, or not written as nearly all are. */
const unusual = -1

const placesToUnits = [1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1]

/**
 * Reads lines of a file as all of them are written, from the bytes and without a text for each: of a million lines that
 * is most of the work. Whatever else there may be is for `readArchiveLine` to judge.
 */
export class UsualLines {
  /** What the line that was read last says. */
  readonly candle = new PlainCandle()
  readonly #file: ArchiveFile
  readonly #lengthMs: number
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(file: ArchiveFile) {
    this.#file = file
    this.#lengthMs = timeframeMs[file.timeframe]
  }

  /** Reads the line that begins there and returns where the next one does; a negative number where it is unusual. */
  read(bytes: Buffer, at: number): number {
    this.#bytes = bytes
    this.#at = at
    const openTime = this.#time(0)
    if (openTime === unusual || !this.#isOfFile(openTime) || !this.#follows(comma)) return unusual
    for (let number = 0; number < 10; number += 2) {
      if (!this.#number(number) || !this.#follows(comma)) return unusual
    }
    if (this.#time(999) !== openTime + this.#lengthMs - 1) return unusual
    this.candle.openTime = toInstant(openTime)
    return this.#skipRest()
  }

  #isOfFile(openTime: number): boolean {
    const { range, timeframe } = this.#file
    return openTime >= range.from && openTime < range.to && isAligned(toInstant(openTime), timeframe)
  }

  /** Moves on behind the byte, if it is the next one. */
  #follows(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false
    this.#at += 1
    return true
  }

  /** Milliseconds, told as such or as microseconds of which the last three digits are these. */
  #time(microseconds: number): number {
    const from = this.#at
    const value = this.#digits()
    const length = this.#at - from
    if (length === 13) return value >= 1e12 ? value : unusual
    return length === 16 && value >= 1e15 && value % 1_000 === microseconds
      ? (value - microseconds) / 1_000
      : unusual
  }

  #number(place: number): boolean {
    const from = this.#at
    const whole = this.#digits()
    const length = this.#at - from
    if (length === 0 || length > mostWholeDigits || (length > 1 && this.#bytes[from] === zero)) return false
    this.candle.numbers[place] = whole
    this.candle.numbers[place + 1] = 0
    if (this.#bytes[this.#at] !== point) return true
    this.#at += 1
    const fractionFrom = this.#at
    const fraction = this.#digits()
    const places = this.#at - fractionFrom
    if (places === 0 || places > mostPlaces) return false
    this.candle.numbers[place + 1] = fraction * (placesToUnits[places] ?? 0)
    return true
  }

  /** The number that the next digits make; none is 0. */
  #digits(): number {
    const bytes = this.#bytes
    let at = this.#at
    let value = 0
    for (;;) {
      const digit = (bytes[at] ?? 0) - zero
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      at += 1
    }
    this.#at = at
    return value
  }

  /** Five more columns of amounts that nobody wants, up to the end of the line. */
  #skipRest(): number {
    const bytes = this.#bytes
    let at = this.#at
    let columns = 0
    let before = 0
    for (;;) {
      const byte = bytes[at] ?? 0
      if (byte === comma) {
        if (before === comma) return unusual
        columns += 1
      } else if (byte !== point && (byte < zero || byte > zero + 9)) break
      before = byte
      at += 1
    }
    if (columns !== 5 || before === comma) return unusual
    if (bytes[at] === carriageReturn) at += 1
    return bytes[at] === lineFeed ? at + 1 : unusual
  }
}
