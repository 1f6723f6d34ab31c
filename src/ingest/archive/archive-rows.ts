import { createHash } from 'node:crypto'
import { Malformed } from '../../fault.ts'
import { checkCandles, type RejectedRow } from '../../market/candle-check.ts'
import { type Instant, plus, toIso } from '../../market/instant.ts'
import { isConsistent } from '../../market/plain-candle.ts'
import { candleCount, type Range } from '../../market/range.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import { UsualLines } from '../../sources/archive-line.ts'
import {
  type ArchiveFile,
  csvName,
  isHeaderLine,
  readArchiveLine,
  readChecksum,
} from '../../sources/binance-archive.ts'
import type { CandleRows } from '../../store/candle-rows.ts'
import { CandleRowsWriter } from '../../store/candle-rows-writer.ts'
import type { Series } from '../../store/coverage.ts'
import { readZip, type ZipEntry } from './zip.ts'

/** What a file is read for: the candles of the series that open inside of what is owed, which ascends. */
export type ArchiveReading = Readonly<{ series: Series; owed: readonly Range[]; now: Instant }>

/** What of a file is owed, checked and ready to be written. */
export type ArchiveContent = Readonly<{
  rows: CandleRows
  rejected: readonly RejectedRow[]
  /** Candles that have not closed yet. */
  ignored: number
  /** Values that had more decimals than the table keeps. */
  roundedValues: number
}>

/**
 * Holds a zip against its checksum, and its content against its name: one CSV, of which every line is a candle of this
 * market's timeframe inside the file's range, each later than the one before. Candles may be missing: whoever reads it
 * sees which. Throws Malformed for a file that is not what it should be, whether the fault lies in what is owed or not.
 */
export async function readArchiveFile(
  file: ArchiveFile,
  zip: Buffer,
  checksum: string,
  reading: ArchiveReading,
): Promise<ArchiveContent> {
  const expected = readChecksum(checksum, file)
  if (createHash('sha256').update(zip).digest('hex') !== expected)
    throw new Malformed(`the zip of ${csvName(file)} is not the one that its checksum is of`)
  const entry = readZip(zip)
  if (entry.name !== csvName(file))
    throw new Malformed(`the zip holds ${entry.name.slice(0, 100)} instead of ${csvName(file)}`)
  const content = new ContentReader(file, reading)
  for await (const lines of wholeLines(entry)) content.take(lines)
  return content.end()
}

const lineFeed = 10
const longestLine = 10_000

/** The lines of the CSV, as many at a time as are unpacked together, each with its end. */
async function* wholeLines(entry: ZipEntry): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of entry.pieces()) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const end = bytes.lastIndexOf(lineFeed) + 1
    rest = bytes.subarray(end)
    if (rest.length > longestLine) throw new Malformed(`${entry.name} has a line without an end`)
    if (end > 0) yield bytes.subarray(0, end)
  }
  if (rest.toString('latin1').trim() !== '') yield Buffer.concat([rest, Buffer.of(lineFeed)])
}

/** Reads the lines of a file one after the other, and keeps what is owed. */
class ContentReader {
  readonly #file: ArchiveFile
  readonly #reading: ArchiveReading
  readonly #usual: UsualLines
  readonly #writer: CandleRowsWriter
  readonly #rejected: RejectedRow[] = []
  readonly #closedUpTo: Instant
  #ignored = 0
  #roundedValues = 0
  #isFirst = true
  #last: Instant | undefined
  /** What is owed before this one lies behind. */
  #owedAt = 0

  constructor(file: ArchiveFile, reading: ArchiveReading) {
    this.#file = file
    this.#reading = reading
    this.#usual = new UsualLines(file)
    this.#writer = new CandleRowsWriter(reading.series, candleCount(file.range, file.timeframe))
    this.#closedUpTo = plus(reading.now, -timeframeMs[file.timeframe])
  }

  /** Nearly all lines are read where they stand. Of one that there may be something to say of, a text is made. */
  take(lines: Buffer): void {
    const { candle } = this.#usual
    this.#usual.open(lines)
    for (let at = 0; at < lines.length; ) {
      const next = this.#usual.read(at)
      if (next > 0 && isConsistent(candle) && candle.openTime <= this.#closedUpTo) {
        this.#moveOnTo(candle.openTime)
        if (this.#isOwed(candle.openTime)) this.#writer.addPlain(candle)
        at = next
      } else {
        const end = lines.indexOf(lineFeed, at)
        this.#takeText(lines.toString('latin1', at, end).trimEnd())
        at = end + 1
      }
      this.#isFirst = false
    }
  }

  end(): ArchiveContent {
    if (this.#last === undefined) throw new Malformed(`${csvName(this.#file)} has no candle`)
    return {
      rows: this.#writer.rows(),
      rejected: this.#rejected,
      ignored: this.#ignored,
      roundedValues: this.#roundedValues,
    }
  }

  #takeText(line: string): void {
    if (this.#isFirst && isHeaderLine(line)) return
    const row = readArchiveLine(line, this.#file)
    const openTime = 'candle' in row ? row.candle.openTime : row.openTime
    this.#moveOnTo(openTime)
    if (!this.#isOwed(openTime)) return
    const { range, timeframe } = this.#file
    const checked = checkCandles([row], { timeframe, range, now: this.#reading.now })
    for (const candle of checked.candles) this.#writer.add(candle)
    this.#rejected.push(...checked.rejected)
    this.#ignored += checked.ignored
    this.#roundedValues += checked.roundedValues
  }

  #moveOnTo(openTime: Instant): void {
    if (this.#last !== undefined && openTime <= this.#last)
      throw new Malformed(`${csvName(this.#file)} goes back from ${toIso(this.#last)} to ${toIso(openTime)}`)
    this.#last = openTime
  }

  /** A candle that is there already may have come from another source. Open times ascend, as what is owed does. */
  #isOwed(openTime: Instant): boolean {
    const { owed } = this.#reading
    let part = owed[this.#owedAt]
    while (part !== undefined && part.to <= openTime) {
      this.#owedAt += 1
      part = owed[this.#owedAt]
    }
    return part !== undefined && part.from <= openTime
  }
}
