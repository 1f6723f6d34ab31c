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

/** What of a series is to be brought in from one file. */
export type ArchiveFilling = Readonly<{
  series: Series
  file: ArchiveFile
  /** Of the file's range, ascending: its other candles are left alone. */
  missing: readonly AlignedRange[]
  /** Which try this is: a file that another try may bring is left to the queue, a few times. */
  attempt: number
  /** Told once it is committed how many of the owed candles the file spoke for, and what that came to. */
  onProgress?: (candles: number, filled: FilledFromFile) => Promise<void> | void
}>

/** `files` is 1 where the file was used. */
export type FilledFromFile = Filled & Readonly<{ files: number }>

/** The same, with its candles that have no partition. */
export type LoadedFromFile = Readonly<{ filled: FilledFromFile; unplaced: readonly Unplaced[] }>

export type ArchiveDeps = FillDeps & Pick<Context, 'http' | 'log'>

/**
 * Loads what is owed from a file that has proved to be whole, in one transaction. What the file leaves out stays owed:
 * that there is no candle, only the source itself may say. A file that is missing brings nothing, and an event in the log;
 * one that could not be read, or is not what it should be, only after a few tries: dozens of requests to the source would
 * take its place. Throws the fault that another try may overcome, RateLimited when the archive says to wait, and Aborted.
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

/** How often a file is tried before its candles are asked of the source. */
const tries = 3

/** Undefined where the file is missing, or could not be had in so many tries. */
async function contentOf(
  deps: ArchiveDeps,
  { series, file, missing, attempt }: ArchiveFilling,
  now: Instant,
): Promise<ArchiveContent | undefined> {
  try {
    // The checksum first: where it is missing, the file need not be fetched.
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

/** How many candles of a part the file speaks for. */
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
  // Nothing has settled: a file cannot say that there is no candle.
  absentBefore: range.from,
  now,
  runId,
})

/**
 * Turns the holes that a file has left in a stretch into ranges that cost the fewest requests. A candle on either side is
 * asked for too, since an answer is believed at once where it begins and ends with candles, and so are candles between
 * two holes that fit into one page.
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
