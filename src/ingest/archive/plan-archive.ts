import { earlier, type Instant, later } from '../../market/instant.ts'
import { type AlignedRange, candleCount, intersect, type Range, subtract } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import {
  type ArchiveFile,
  type ArchiveKind,
  archiveFileAt,
  archiveFrom,
  bytesPerCandle,
  publishedAt,
  requestsPerFile,
} from '../../sources/binance-archive.ts'

/** `always`: for every existing file. `by-cost`: if it needs no more requests than the source. */
export type ArchiveUse = 'always' | 'by-cost' | 'never'

export type ArchivePlan = Readonly<{
  files: readonly ArchiveFile[]
  /** Missing and in no file. */
  rest: readonly AlignedRange[]
}>

export type ArchiveRequest = Readonly<{
  symbol: string
  timeframe: Timeframe
  /** Page size of the source. */
  pageSize: number
  use: ArchiveUse
}>

export function planArchive(
  request: ArchiveRequest,
  missing: readonly AlignedRange[],
  now: Instant,
): ArchivePlan {
  if (request.use === 'never') return { files: [], rest: missing }
  const files =
    missing.length === 0
      ? []
      : monthsOf(request, missing).flatMap((month) => filesOf(request, month, missing, now))
  const taken = files.map(({ range }) => range)
  return { files, rest: missing.flatMap((range) => subtract(range, taken)) }
}

function filesOf(
  request: ArchiveRequest,
  month: ArchiveFile,
  missing: readonly AlignedRange[],
  now: Instant,
): ArchiveFile[] {
  const inMonth = partsIn(missing, month.range)
  if (publishedAt(month) <= now && isWorthIt(request, month, inMonth)) return [month]
  return inMonth.length === 0
    ? []
    : filesBetween(request, 'daily', { from: month.range.from, to: earlier(month.range.to, now) }).filter(
        (file) => publishedAt(file) <= now && isWorthIt(request, file, partsIn(inMonth, file.range)),
      )
}

function monthsOf(request: ArchiveRequest, missing: readonly AlignedRange[]): ArchiveFile[] {
  const from = missing.reduce((first, range) => earlier(first, range.from), missing[0]?.from ?? archiveFrom)
  const to = missing.reduce((last, range) => later(last, range.to), archiveFrom)
  return filesBetween(request, 'monthly', { from: later(from, archiveFrom), to })
}

function filesBetween({ symbol, timeframe }: ArchiveRequest, kind: ArchiveKind, { from, to }: Range) {
  const files: ArchiveFile[] = []
  for (let at = from; at < to; ) {
    const file = archiveFileAt(kind, symbol, timeframe, at)
    files.push(file)
    at = file.range.to
  }
  return files
}

const partsIn = (ranges: readonly AlignedRange[], within: AlignedRange): AlignedRange[] =>
  ranges.flatMap((range) => intersect(range, within) ?? [])

function isWorthIt(
  { use, pageSize }: ArchiveRequest,
  file: ArchiveFile,
  parts: readonly AlignedRange[],
): boolean {
  if (parts.length === 0) return false
  const counts = parts.map((part) => candleCount(part, file.timeframe))
  const isMostOfIt =
    2 * counts.reduce((sum, count) => sum + count, 0) >= candleCount(file.range, file.timeframe)
  const requests = counts.reduce((sum, count) => sum + Math.ceil(count / pageSize), 0)
  return use === 'always' || (isMostOfIt && requests >= requestsPerFile)
}

/** Bytes are estimated. */
export const archiveCost = (files: readonly ArchiveFile[]) => ({
  monthly: files.filter(({ kind }) => kind === 'monthly').length,
  daily: files.filter(({ kind }) => kind === 'daily').length,
  requests: files.length * requestsPerFile,
  bytes: files.reduce((sum, { range, timeframe }) => sum + candleCount(range, timeframe) * bytesPerCandle, 0),
})
export type ArchiveCost = ReturnType<typeof archiveCost>
