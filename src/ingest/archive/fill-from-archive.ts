import { Aborted, Fault, RateLimited } from '../../fault.ts'
import { checkCandles } from '../../market/candle-check.ts'
import { earlier, later, plus } from '../../market/instant.ts'
import { candleCount, contains, intersect, type Range } from '../../market/range.ts'
import type { Context } from '../../runtime/context.ts'
import {
  type ArchiveFile,
  archiveName,
  binanceArchive,
  checksumRequest,
  zipRequest,
} from '../../sources/binance-archive.ts'
import { toHttpRequest } from '../../sources/source.ts'
import { toBatch } from '../../store/candles.ts'
import type { Series } from '../../store/coverage.ts'
import { addFilled, type Filled, type FillReach, loadPage, nothingFilled } from '../fill-range.ts'
import { type ArchivePage, type VerifiedFile, verifyArchiveFile } from './archive-rows.ts'

/** What of a series is to be brought in from one file. */
export type ArchiveFilling = Readonly<{
  series: Series
  file: ArchiveFile
  /** Of the file's range, ascending: its other candles are left alone. */
  owed: readonly Range[]
  /** Told after each committed page how many of the owed candles have been passed, and what that came to. */
  onProgress?: (candles: number, filled: FilledFromFile) => Promise<void> | void
}>

/** `files` is 1 where the file was used. */
export type FilledFromFile = Filled & Readonly<{ files: number }>

export type ArchiveReach = FillReach & Pick<Context, 'http' | 'log'>

/** One transaction holds no more: a reader of the series waits for no longer than for a chunk of a backfill. */
const rowsPerPage = 20_000

/**
 * Loads what is owed from a file that has proved to be whole. What the file leaves out stays owed: that there is no
 * candle, only the source itself may say. A file that is missing or not what it should be brings nothing, and an event
 * in the log. Throws RateLimited when the archive says to wait, and Aborted.
 */
export async function fillFromArchive(reach: ArchiveReach, filling: ArchiveFilling): Promise<FilledFromFile> {
  const verified = await verifiedFile(reach, filling.file)
  if (!verified) return { ...nothingFilled, files: 0 }
  let filled = nothingFilled
  let passed = 0
  for await (const page of verified.pages(rowsPerPage)) {
    const { rows, range } = ofWhatIsOwed(page, filling.owed)
    passed += filling.owed.reduce((sum, part) => sum + countIn(part, page.range, filling), 0)
    if (rows.length === 0) continue
    if (reach.signal.aborted) throw new Aborted(`stopped while loading ${archiveName(filling.file)}`)
    filled = addFilled(filled, await loadRows(reach, filling, { rows, range }))
    await filling.onProgress?.(passed, { ...filled, files: 1 })
  }
  return { ...filled, files: 1 }
}

async function verifiedFile(reach: ArchiveReach, file: ArchiveFile): Promise<VerifiedFile | undefined> {
  try {
    // The checksum first: where it is missing, the file need not be fetched.
    const checksum = await fetchFile(reach, checksumRequest(file))
    const zip = await fetchFile(reach, zipRequest(file))
    return await verifyArchiveFile(file, zip, checksum.toString('latin1'))
  } catch (error) {
    if (!(error instanceof Fault) || error instanceof Aborted || error instanceof RateLimited) throw error
    reach.log.warn('archive.file-not-used', { file: archiveName(file), reason: error.message })
    return undefined
  }
}

async function fetchFile(
  { http, settings, signal }: ArchiveReach,
  request: ReturnType<typeof zipRequest>,
): Promise<Buffer> {
  const complete = toHttpRequest(binanceArchive, request, settings.environment.baseUrls)
  const { bytes } = await http.download(complete, { lane: 'backfill', signal })
  return bytes
}

const countIn = (part: Range, range: Range, { series }: ArchiveFilling): number => {
  const shared = intersect(part, range)
  return shared ? candleCount(shared, series.timeframe) : 0
}

/** A candle that is there already may have come from another source. */
const ofWhatIsOwed = ({ rows, range }: ArchivePage, owed: readonly Range[]): ArchivePage => ({
  range,
  rows: rows.filter((row) => {
    const openTime = 'candle' in row ? row.candle.openTime : row.openTime
    return openTime !== undefined && owed.some((part) => contains(part, openTime))
  }),
})

async function loadRows(reach: ArchiveReach, { series, file }: ArchiveFilling, page: ArchivePage) {
  const now = reach.clock.now()
  const checked = checkCandles(page.rows, { timeframe: series.timeframe, range: page.range, now })
  const batch = toBatch({
    series,
    symbol: file.symbol,
    answered: page.range,
    checked,
    // Nothing has settled: a file cannot say that there is no candle.
    settledBefore: page.range.from,
    now,
    runId: reach.runId,
  })
  const accounting = await loadPage(reach, batch)
  return { ...accounting, requests: 0, ignored: checked.ignored, roundedValues: checked.roundedValues }
}

/**
 * Turns what a file has left owed of a stretch into ranges that cost the fewest requests. A candle on either side is
 * asked for too, since an answer is believed at once where it begins and ends with candles, and so are candles between
 * two holes that fit into one page.
 */
export function confirmations(
  left: readonly Range[],
  stretch: Range,
  { candleMs, pageMs }: Readonly<{ candleMs: number; pageMs: number }>,
): Range[] {
  const joined: Range[] = []
  for (const hole of left) {
    const from = later(plus(hole.from, -candleMs), stretch.from)
    const to = earlier(plus(hole.to, candleMs), stretch.to)
    const last = joined.at(-1)
    if (last && (to - last.from <= pageMs || from < last.to))
      joined[joined.length - 1] = { from: last.from, to }
    else joined.push({ from, to })
  }
  return joined
}
