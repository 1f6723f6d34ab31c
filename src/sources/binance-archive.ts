import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import { day, type Instant, minute, plus, toInstant, toIso } from '../market/instant.ts'
import { type AlignedRange, candleAround, toAlignedRange } from '../market/range.ts'
import { floorTo, type Timeframe } from '../market/timeframe.ts'
import { readCandle } from './decoding/candle-rows.ts'
import { binanceArchiveErrors } from './errors/binance-archive-errors.ts'
import { classifyError } from './errors/classify-error.ts'
import type { Source, SourceRequest } from './source.ts'

// https://github.com/binance/binance-public-data: zip files of klines, each with its sha256 beside it.

export const archiveKinds = ['monthly', 'daily'] as const
export type ArchiveKind = (typeof archiveKinds)[number]

/** One file of the archive: the candles of one market in one UTC month or day. */
export type ArchiveFile = Readonly<{
  kind: ArchiveKind
  symbol: string
  timeframe: Timeframe
  /** The open times that it speaks for. */
  range: AlignedRange
}>

/** The first month that the archive has a file of. */
export const archiveFrom = floorTo('1d', toInstant(Date.UTC(2017, 7, 1)))

/** A file and its checksum are asked for one after the other. */
export const requestsPerFile = 2

/** What a candle takes in a zip, about: one with prices of seven digits and busy minutes a little more. */
export const bytesPerCandle = 55

/** The file that holds the instant. */
export const archiveFileAt = (
  kind: ArchiveKind,
  symbol: string,
  timeframe: Timeframe,
  instant: Instant,
): ArchiveFile => ({
  kind,
  symbol,
  timeframe,
  range: kind === 'monthly' ? monthOf(instant) : candleAround('1d', instant),
})

function monthOf(instant: Instant): AlignedRange {
  const date = new Date(instant)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const [from, to] = [Date.UTC(year, month), Date.UTC(year, month + 1)]
  return toAlignedRange('1d', { from: toInstant(from), to: toInstant(to) })
}

const monday = 1

/**
 * From when on the file can be counted on: a month comes on the first Monday after it, a day on the day after. The hour
 * is not told, so another day is given to both.
 */
export function publishedAt({ kind, range: { to } }: ArchiveFile): Instant {
  if (kind === 'daily') return plus(to, day)
  const daysToMonday = (7 + monday - new Date(to).getUTCDay()) % 7
  return plus(to, (daysToMonday + 1) * day)
}

/** The name that the file, its zip and the one entry in it share: `BTCUSDT-1m-2024-03`. */
export const archiveName = ({ kind, symbol, timeframe, range }: ArchiveFile): string =>
  `${symbol}-${timeframe}-${toIso(range.from).slice(0, kind === 'monthly' ? 7 : 10)}`

/** The CSV that the zip must hold, and nothing else. */
export const csvName = (file: ArchiveFile): string => `${archiveName(file)}.csv`

const zipName = (file: ArchiveFile): string => `${archiveName(file)}.zip`

export const zipRequest = (file: ArchiveFile): SourceRequest => ({
  path: `/data/spot/${file.kind}/klines/${encodeURIComponent(file.symbol)}/${file.timeframe}/${encodeURIComponent(zipName(file))}`,
  query: {},
  weight: 1,
})

export function checksumRequest(file: ArchiveFile): SourceRequest {
  const { path, ...rest } = zipRequest(file)
  return { ...rest, path: `${path}.CHECKSUM` }
}

/**
 * The sha256 in a checksum file, in lower case. One line as sha256sum writes it, of exactly this zip. Throws Malformed
 * for anything else.
 */
export function readChecksum(text: string, file: ArchiveFile): string {
  const [, mark, sha256, name = ''] = /^(\\?)([0-9a-f]{64}) [ *](.+?)\r?\n?$/i.exec(text) ?? []
  // A backslash before the line says that those in the name are written twice.
  const plainName = mark === '' ? name : name.replaceAll('\\\\', '\\')
  if (sha256 === undefined || plainName !== zipName(file))
    throw new Malformed(`the checksum beside ${zipName(file)} is not a line about that file`)
  return sha256.toLowerCase()
}

const columnCount = 12

/** Some files begin with the names of the columns. */
export const isHeaderLine = (line: string): boolean => /^[a-z]/i.test(line)

/**
 * Milliseconds have 13 digits until 2286, and microseconds, which came with 2025, have 16. A file may have both.
 * `microseconds` are those beyond the millisecond.
 */
function readTime(text: string | undefined): Readonly<{ at: Instant; microseconds: number }> | undefined {
  if (text === undefined || !/^[1-9](\d{12}|\d{15})$/.test(text)) return undefined
  return { at: toInstant(Number(text.slice(0, 13))), microseconds: Number(text.slice(13)) }
}

/**
 * Line: open time,open,high,low,close,base volume,close time,quote volume,… One that cannot be read is a flaw. Whether the
 * candle is one of the file, the reader of the file decides.
 */
export function readArchiveLine(line: string, { timeframe }: Readonly<{ timeframe: string }>): CandleRow {
  const columns = line.split(',')
  if (columns.length !== columnCount)
    return { raw: line, flaw: `the line has ${columns.length} columns instead of ${columnCount}` }
  const [openText, open, high, low, close, volume, closeText] = columns
  const opened = readTime(openText)
  if (!opened) return { raw: line, flaw: 'the first column is not a time' }
  const { at: openTime, microseconds } = opened
  if (microseconds !== 0)
    return {
      raw: line,
      openTime,
      flaw: `${toIso(openTime)} and ${microseconds} µs is not on the ${timeframe} grid`,
    }
  const closed = readTime(closeText)
  if (!closed) return { raw: line, openTime, flaw: 'the seventh column is not a time' }
  const row = readCandle(line, openTime, { open, high, low, close, volume })
  // The last millisecond, or microsecond, that belongs to the candle.
  return 'candle' in row ? { ...row, closesAt: plus(closed.at, 1) } : row
}

/** Files of candles, asked for by name. They are Binance's own, and so are stored as such. */
export const binanceArchive = {
  id: 'binance-archive',
  hosts: ['https://data.binance.vision'],
  // No limit is documented. Ten files a second are more than a database takes in.
  rateLimits: [{ points: 1_200, perMs: minute }],
  classify: (answer) => classifyError(binanceArchiveErrors, answer),
} as const satisfies Source
