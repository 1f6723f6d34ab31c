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

/** What a file is read for: the missing candles of the series, ascending. */
export type ArchiveReading = Readonly<{ series: Series; missing: readonly AlignedRange[]; now: Instant }>

/** The missing candles that a file has, checked and ready to be written. */
export type ArchiveContent = Readonly<{
  rows: CandleRows
  rejected: readonly RejectedRow[]
  /** Candles that have not closed yet, and the same line again. */
  ignored: number
  /** Values that had more decimals than the table keeps. */
  roundedValues: number
}>

const lineFeed = 10

/** Reads the lines of a file one after the other, and keeps the candles that are missing. */
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
  /** Missing ranges before this one lie behind. */
  #missingAt = 0

  constructor(file: ArchiveFile, reading: ArchiveReading) {
    this.#file = file
    this.#reading = reading
    this.#usual = new UsualLines(file)
    this.#writer = new CandleRowsWriter(reading.series, candleCount(file.range, file.timeframe))
    this.#closedUpTo = plus(reading.now, -timeframeMs[file.timeframe])
  }

  /**
   * Nearly all lines are read where they stand, and a text is made only of one with something unusual about it. Returns
   * false where the lines do not ascend: then they have to be read together.
   */
  take(lines: Buffer): boolean {
    const { candle } = this.#usual
    this.#usual.open(lines)
    for (let at = 0; at < lines.length; ) {
      const next = this.#usual.read(at)
      if (next > 0 && isConsistent(candle) && candle.openTime <= this.#closedUpTo) {
        if (!this.#movesOnTo(candle.openTime)) return false
        // Of a usual line both are known to be so.
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

  /** Takes all lines of the file at once, in whatever order they are. */
  takeAll(texts: readonly string[]): void {
    const lines = texts.filter((text, index) => text !== '' && (index > 0 || !isHeaderLine(text)))
    this.#check(lines.map((line) => this.#read(line)))
  }

  /** Throws Malformed where the file is not what its name says. */
  end(): ArchiveContent {
    const { timeframe } = this.#file
    if (this.#lines === 0) throw new Malformed(`${csvName(this.#file)} has no candle`)
    // A few lines may be bad. Most of them are where the file is of another timeframe or month, or its columns have moved.
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

  /** A line is counted as misplaced where its times are not those of a candle of the file, whatever its numbers are. */
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

  /** A candle that is there already may have come from another source. Open times ascend, as the missing ranges do. */
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
