import { Malformed } from '../../fault.ts'
import { type CandleRow, openTimeOf, type RejectedRow } from '../../market/candle.ts'
import { checkCandles } from '../../market/candle-check.ts'
import { type Instant, plus, toIso } from '../../market/instant.ts'
import { isConsistent } from '../../market/plain-candle.ts'
import { type AlignedRange, candleCount, contains } from '../../market/range.ts'
import { type AlignedInstant, isAligned, timeframeMs } from '../../market/timeframe.ts'
import { type ArchiveFile, csvName, isHeaderLine, readArchiveLine } from '../../sources/binance-archive.ts'
import { UsualLines } from '../../sources/decoding/archive-line.ts'
import type { CandleRows } from '../../store/candles/candle-rows.ts'
import { CandleRowsWriter } from '../../store/candles/candle-rows-writer.ts'
import type { Series } from '../../store/coverage.ts'

/** The missing candles to read, ascending. */
export type ArchiveReading = Readonly<{ series: Series; missing: readonly AlignedRange[]; now: Instant }>

/** Checked candles, encoded for COPY. */
export type ArchiveContent = Readonly<{
  rows: CandleRows
  rejected: readonly RejectedRow[]
  ignored: number
  roundedValues: number
}>

const lineFeed = 10

export class ContentReader {
  readonly #file: ArchiveFile
  readonly #reading: ArchiveReading
  readonly #usual: UsualLines
  readonly #writer: CandleRowsWriter
  readonly #rejected: RejectedRow[] = []
  readonly #closedUpTo: Instant
  #isFirst = true
  #lines = 0
  #misplaced = 0
  #ignored = 0
  #roundedValues = 0
  #last: Instant | undefined
  /** Index: earlier missing ranges are passed. */
  #missingAt = 0

  constructor(file: ArchiveFile, reading: ArchiveReading) {
    this.#file = file
    this.#reading = reading
    this.#usual = new UsualLines(file)
    this.#writer = new CandleRowsWriter(reading.series, candleCount(file.range, file.timeframe))
    this.#closedUpTo = plus(reading.now, -timeframeMs[file.timeframe])
  }

  /** Parses from bytes; only unusual lines become text. Returns false if lines do not ascend: use takeAll. */
  take(lines: Buffer): boolean {
    const { candle } = this.#usual
    this.#usual.open(lines)
    for (let at = 0; at < lines.length; ) {
      const next = this.#usual.read(at)
      if (next > 0 && isConsistent(candle) && candle.openTime <= this.#closedUpTo) {
        if (!this.#movesOnTo(candle.openTime)) return false
        // Checked already for usual lines.
        if (isAligned(candle.openTime, this.#file.timeframe) && this.#isMissing(candle.openTime))
          this.#writer.addPlain(candle.openTime, candle)
        this.#lines += 1
        at = next
      } else {
        const end = lines.indexOf(lineFeed, at)
        const text = lines.toString('latin1', at, end).trimEnd()
        const isEmpty = text === '' || (this.#isFirst && isHeaderLine(text))
        if (!isEmpty && !this.#takeText(text)) return false
        at = end + 1
      }
      this.#isFirst = false
    }
    return true
  }

  /** Takes all lines, in any order. */
  takeAll(texts: readonly string[]): void {
    const lines = texts.filter((text, index) => text !== '' && (index > 0 || !isHeaderLine(text)))
    this.#check(lines.map((line) => this.#read(line)))
  }

  /** Throws Malformed if the file does not match its name. */
  end(): ArchiveContent {
    const { timeframe } = this.#file
    if (this.#lines === 0) throw new Malformed(`${csvName(this.#file)} has no candle`)
    // Many misplaced lines mean another timeframe, month or column order.
    if (2 * this.#misplaced > this.#lines)
      throw new Malformed(
        `${csvName(this.#file)} is not what its name says: ${this.#misplaced} of ${this.#lines} lines are no ${timeframe} candles of it`,
      )
    return {
      rows: this.#writer.rows(),
      rejected: this.#rejected,
      ignored: this.#ignored,
      roundedValues: this.#roundedValues,
    }
  }

  #takeText(text: string): boolean {
    const row = this.#read(text)
    const openTime = openTimeOf(row)
    if (openTime !== undefined && !this.#movesOnTo(openTime)) return false
    this.#check([row])
    return true
  }

  /** Misplaced: the times do not belong to the file, whatever the numbers. */
  #read(line: string): CandleRow {
    const { range, timeframe } = this.#file
    const row = readArchiveLine(line, this.#file)
    const openTime = openTimeOf(row)
    this.#lines += 1
    const isInPlace =
      openTime !== undefined &&
      contains(range, openTime) &&
      isAligned(openTime, timeframe) &&
      (!('closesAt' in row) || row.closesAt === plus(openTime, timeframeMs[timeframe]))
    if (!isInPlace) this.#misplaced += 1
    return row
  }

  #check(rows: readonly CandleRow[]): void {
    const { range, timeframe } = this.#file
    const isOfFile = (row: CandleRow) => contains(range, openTimeOf(row) ?? range.from)
    const checked = checkCandles(rows.filter(isOfFile), { timeframe, range, now: this.#reading.now })
    for (const candle of checked.candles) if (this.#isMissing(candle.openTime)) this.#writer.add(candle)
    const isWanted = ({ openTime }: RejectedRow) =>
      openTime === undefined || this.#reading.missing.some((part) => contains(part, openTime))
    this.#rejected.push(...checked.rejected.filter(isWanted))
    this.#rejected.push(...rows.filter((row) => !isOfFile(row)).map((row) => this.#asForeign(row)))
    this.#ignored += checked.ignored
    this.#roundedValues += checked.roundedValues
  }

  #asForeign(row: CandleRow): RejectedRow {
    const openTime = openTimeOf(row) ?? this.#file.range.to
    return { raw: row.raw, openTime, reason: `${toIso(openTime)} is not in ${csvName(this.#file)}` }
  }

  #movesOnTo(openTime: Instant): boolean {
    if (this.#last !== undefined && openTime <= this.#last) return false
    this.#last = openTime
    return true
  }

  /** Other candles may come from another source. Both ascend. */
  #isMissing(openTime: AlignedInstant): boolean {
    const { missing } = this.#reading
    let part = missing[this.#missingAt]
    while (part !== undefined && part.to <= openTime) {
      this.#missingAt += 1
      part = missing[this.#missingAt]
    }
    return part !== undefined && part.from <= openTime
  }
}
