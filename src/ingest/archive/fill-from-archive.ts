import { Aborted, Fault, RateLimited } from '../../fault.ts'
import { earlier, type Instant, later } from '../../market/instant.ts'
import { type AlignedRange, candleCount, intersect } from '../../market/range.ts'
import { plusCandles, type Timeframe } from '../../market/timeframe.ts'
import type { Context } from '../../runtime/context.ts'
import {
  type ArchiveFile,
  archiveName,
  binanceArchive,
  checksumRequest,
  zipRequest,
} from '../../sources/binance-archive.ts'
import { toHttpRequest } from '../../sources/source.ts'
import type { CandleBatch } from '../../store/candles.ts'
import type { Series } from '../../store/coverage.ts'
import type { Unplaced } from '../../store/partitions/leave-out.ts'
import { CandleWriter, type Filled, nothingFilled } from '../candle-writer.ts'
import type { FillDeps } from '../fill-range.ts'
import { readArchiveFile } from './archive-rows.ts'
import type { ArchiveContent } from './content-reader.ts'

export type ArchiveFilling = Readonly<{
  series: Series
  file: ArchiveFile
  missing: readonly AlignedRange[]
  /** Later attempts do without the file. */
  attempt: number
  /** Called after commit with the number of missing candles covered by the file. */
  onProgress?: (candles: number, filled: FilledFromFile) => Promise<void> | void
}>

/** `files`: 1 if the file was used. */
export type FilledFromFile = Filled & Readonly<{ files: number }>

/** Also the candles without a partition. */
export type LoadedFromFile = Readonly<{ filled: FilledFromFile; unplaced: readonly Unplaced[] }>

export type ArchiveDeps = FillDeps & Pick<Context, 'http' | 'log'>

/**
 * Loads missing candles from a verified file in one transaction. Gaps in the file stay missing: only the source can
 * prove absence. A missing file is logged and skipped; an unusable one only after some attempts, as it would cost many
 * requests. Throws retryable faults, RateLimited and Aborted.
 */
export async function fillFromArchive(deps: ArchiveDeps, filling: ArchiveFilling): Promise<LoadedFromFile> {
  const now = deps.clock.now()
  const content = await contentOf(deps, filling, now)
  if (!content) return { filled: { ...nothingFilled, files: 0 }, unplaced: [] }
  if (deps.signal.aborted) throw new Aborted(`stopped while loading ${archiveName(filling.file)}`)
  const { ignored, roundedValues } = content
  const writer = new CandleWriter(deps)
  writer.take({ batch: batchOf(deps, filling, content, now), requests: 0, ignored, roundedValues })
  await writer.write()
  const filled = { ...writer.filled, files: 1 }
  await filling.onProgress?.(
    filling.missing.reduce((sum, part) => sum + countIn(part, filling), 0),
    filled,
  )
  return { filled, unplaced: writer.unplaced }
}

/** Attempts before its candles are requested from the source. */
const tries = 3

/** Undefined if the file is missing or unusable. */
async function contentOf(
  deps: ArchiveDeps,
  { series, file, missing, attempt }: ArchiveFilling,
  now: Instant,
): Promise<ArchiveContent | undefined> {
  try {
    // Checksum first: without it the file is not needed.
    const checksum = await fetchFile(deps, checksumRequest(file))
    const zip = await fetchFile(deps, zipRequest(file))
    return await readArchiveFile(file, zip, checksum.toString('utf8'), { series, missing, now })
  } catch (error) {
    if (!(error instanceof Fault) || error instanceof Aborted || error instanceof RateLimited) throw error
    if (error.remedy === 'retry' && attempt < tries) throw error
    deps.log.warn('archive.file-not-used', { file: archiveName(file), reason: error.message })
    return undefined
  }
}

async function fetchFile(
  { http, settings, signal }: ArchiveDeps,
  request: ReturnType<typeof zipRequest>,
): Promise<Buffer> {
  const complete = toHttpRequest(binanceArchive, request, settings.environment.baseUrls)
  const { bytes } = await http.download(complete, { lane: 'backfill', signal })
  return bytes
}

/** How many candles of the range the file covers. */
function countIn(part: AlignedRange, { series, file }: ArchiveFilling): number {
  const shared = intersect(part, file.range)
  return shared ? candleCount(shared, series.timeframe) : 0
}

const batchOf = (
  { runId }: ArchiveDeps,
  { series, file: { symbol, range } }: ArchiveFilling,
  { rows, rejected }: ArchiveContent,
  now: Instant,
): CandleBatch => ({
  series,
  symbol,
  answered: range,
  rows,
  rejected,
  // A file cannot prove absence.
  absentBefore: range.from,
  now,
  runId,
})

/**
 * Merges holes left by a file into ranges with the fewest requests: one candle is added on each side, since such
 * answers need no confirmation, and nearby holes share a page.
 */
export function confirmations(
  holes: readonly AlignedRange[],
  outer: AlignedRange,
  { timeframe, pageSize }: Readonly<{ timeframe: Timeframe; pageSize: number }>,
): AlignedRange[] {
  const joined: AlignedRange[] = []
  for (const hole of holes.flatMap((range) => intersect(range, outer) ?? [])) {
    const from = later(plusCandles(hole.from, -1, timeframe), outer.from)
    const to = earlier(plusCandles(hole.to, 1, timeframe), outer.to)
    const last = joined.at(-1)
    if (last && (candleCount({ from: last.from, to }, timeframe) <= pageSize || from < last.to))
      joined[joined.length - 1] = { from: last.from, to }
    else joined.push({ from, to })
  }
  return joined
}
