import { createHash } from 'node:crypto'
import { Malformed } from '../../fault.ts'
import type { CandleRow } from '../../market/candle.ts'
import { type Instant, plus, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import {
  type ArchiveFile,
  csvName,
  isHeaderLine,
  readArchiveLine,
  readChecksum,
  readOpenTime,
} from '../../sources/binance-archive.ts'
import { readZip, type ZipEntry } from './zip.ts'

/** Some rows of a file and the open times that they speak for; the pages of a file are its range, without a gap. */
export type ArchivePage = Readonly<{ rows: readonly CandleRow[]; range: Range }>

/** A file that is what it should be. */
export type VerifiedFile = Readonly<{
  rowCount: number
  first: Instant
  last: Instant
  /** Unpacks the rows again, so that no more than a page of them is held at a time. */
  pages(rowsPerPage: number): AsyncGenerator<ArchivePage>
}>

/**
 * Holds a zip against its checksum, and its content against its name: one CSV, of which every line is a candle of this
 * market's timeframe inside the file's range, each later than the one before. Candles may be missing: whoever reads it
 * sees which. Throws Malformed for a file that is not what it should be.
 */
export async function verifyArchiveFile(
  file: ArchiveFile,
  zip: Buffer,
  checksum: string,
): Promise<VerifiedFile> {
  const expected = readChecksum(checksum, file)
  if (createHash('sha256').update(zip).digest('hex') !== expected)
    throw new Malformed(`the zip of ${csvName(file)} is not the one that its checksum is of`)
  const entry = readZip(zip)
  if (entry.name !== csvName(file))
    throw new Malformed(`the zip holds ${entry.name.slice(0, 100)} instead of ${csvName(file)}`)
  const times = await verifyTimes(file, entry)
  return { ...times, pages: (rowsPerPage) => pagesOf(file, entry, rowsPerPage) }
}

async function verifyTimes(file: ArchiveFile, entry: ZipEntry) {
  let rowCount = 0
  let first: Instant | undefined
  let last: Instant | undefined
  for await (const lines of linesOf(entry)) {
    for (const line of lines) {
      const openTime = readOpenTime(line, file)
      if (last !== undefined && openTime <= last)
        throw new Malformed(`${csvName(file)} goes back from ${toIso(last)} to ${toIso(openTime)}`)
      first ??= openTime
      last = openTime
    }
    rowCount += lines.length
  }
  if (first === undefined || last === undefined) throw new Malformed(`${csvName(file)} has no candle`)
  return { rowCount, first, last }
}

async function* pagesOf(
  file: ArchiveFile,
  entry: ZipEntry,
  rowsPerPage: number,
): AsyncGenerator<ArchivePage> {
  let rows: CandleRow[] = []
  let { from } = file.range
  for await (const lines of linesOf(entry)) {
    for (const line of lines) {
      const row = readArchiveLine(line, file)
      if (rows.length === rowsPerPage) {
        const to = plus(openTimeOf(rows.at(-1)) ?? from, timeframeMs[file.timeframe])
        yield { rows, range: { from, to } }
        rows = []
        from = to
      }
      rows.push(row)
    }
  }
  yield { rows, range: { from, to: file.range.to } }
}

const openTimeOf = (row: CandleRow | undefined): Instant | undefined =>
  row && ('candle' in row ? row.candle.openTime : row.openTime)

const longestLine = 10_000

/** The lines of the CSV without its header, as many at a time as are unpacked together. */
async function* linesOf(entry: ZipEntry): AsyncGenerator<string[]> {
  let isFirst = true
  let rest = ''
  const withoutHeader = (lines: string[]): string[] => {
    const isHeader = isFirst && isHeaderLine(lines[0] ?? '')
    isFirst &&= lines.length === 0
    return (isHeader ? lines.slice(1) : lines).map((line) => line.trimEnd())
  }
  for await (const piece of entry.pieces()) {
    const lines = (rest + piece.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longestLine) throw new Malformed(`${entry.name} has a line without an end`)
    yield withoutHeader(lines)
  }
  if (rest.trim() !== '') yield withoutHeader([rest])
}
