import { toInstant } from '../../market/instant.ts'
import { type PlainCandle, plainNumbers } from '../../market/plain-candle.ts'
import { isAligned, timeframeMs } from '../../market/timeframe.ts'
import type { ArchiveFile } from '../binance-archive.ts'
import { PlainReader } from './plain-reader.ts'

const lineFeed = 10
const carriageReturn = 13
const comma = 44

/** Not in the usual format. */
const unusual = -1

/** Parses usual archive lines from bytes; others go to `readArchiveLine`. */
export class UsualLines {
  readonly #file: ArchiveFile
  readonly #lengthMs: number
  readonly #candle = { openTime: toInstant(0), numbers: new Float64Array(plainNumbers), at: 0 }
  #reader = new PlainReader(Buffer.alloc(0))

  constructor(file: ArchiveFile) {
    this.#file = file
    this.#lengthMs = timeframeMs[file.timeframe]
  }

  /** Reused for each line. */
  get candle(): PlainCandle {
    return this.#candle
  }

  open(lines: Buffer): void {
    this.#reader = new PlainReader(lines)
  }

  /** Returns the next line's start; negative if unusual. */
  read(at: number): number {
    const reader = this.#reader
    reader.at = at
    const openTime = this.#time(0)
    if (openTime === unusual || !this.#isOfFile(openTime) || !reader.follows(comma)) return unusual
    for (let place = 0; place < plainNumbers; place += 2) {
      if (!reader.number(this.#candle.numbers, place) || !reader.follows(comma)) return unusual
    }
    if (this.#time(999) !== openTime + this.#lengthMs - 1) return unusual
    this.#candle.openTime = toInstant(openTime)
    return this.#skipRest()
  }

  #isOfFile(openTime: number): boolean {
    const { range, timeframe } = this.#file
    return openTime >= range.from && openTime < range.to && isAligned(toInstant(openTime), timeframe)
  }

  /** Ms, or microseconds whose last three digits are these. */
  #time(microseconds: number): number {
    const from = this.#reader.at
    const value = this.#reader.digits()
    const length = this.#reader.at - from
    if (length === 13) return value >= 1e12 ? value : unusual
    return length === 16 && value >= 1e15 && value % 1_000 === microseconds
      ? (value - microseconds) / 1_000
      : unusual
  }

  /** Skips five columns. */
  #skipRest(): number {
    const reader = this.#reader
    for (let column = 0; column < 5; column += 1) {
      if (!reader.follows(comma) || !reader.skipAmount()) return unusual
    }
    reader.follows(carriageReturn)
    return reader.follows(lineFeed) ? reader.at : unusual
  }
}
