import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import { day, type Instant, minute, plus, toInstant, toIso } from '../market/instant.ts'
import { type AlignedRange, candleAround, toAlignedRange } from '../market/range.ts'
import { floorTo, type Timeframe } from '../market/timeframe.ts'
import { readCandle } from './decoding/candle-rows.ts'
import { binanceArchiveErrors } from './errors/binance-archive-errors.ts'
import { classifyError } from './errors/classify-error.ts'
import type { Source, SourceRequest } from './source.ts'

// https://github.com/binance/binance-public-data: zip files of klines with sha256 files.

export const archiveKinds = ['monthly', 'daily'] as const
export type ArchiveKind = (typeof archiveKinds)[number]

/** Candles of one market and UTC month or day. */
export type ArchiveFile = Readonly<{
  kind: ArchiveKind
  symbol: string
  timeframe: Timeframe
  range: AlignedRange
}>

/** The archive's first month. */
export const archiveFrom = floorTo('1d', toInstant(Date.UTC(2017, 7, 1)))

/** File and checksum. */
export const requestsPerFile = 2

/** Approximate size in a zip. */
export const bytesPerCandle = 55

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
 * When the file should exist: monthly ones on the first Monday after, daily ones the day after, plus a day, as the hour
 * is not documented.
 */
export function publishedAt({ kind, range: { to } }: ArchiveFile): Instant {
  if (kind === 'daily') return plus(to, day)
  const daysToMonday = (7 + monday - new Date(to).getUTCDay()) % 7
  return plus(to, (daysToMonday + 1) * day)
}

/** `BTCUSDT-1m-2024-03`, also in the zip. */
export const archiveName = ({ kind, symbol, timeframe, range }: ArchiveFile): string =>
  `${symbol}-${timeframe}-${toIso(range.from).slice(0, kind === 'monthly' ? 7 : 10)}`

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

/** The sha256 in lower case. Throws Malformed unless it is a sha256sum line of this zip. */
export function readChecksum(text: string, file: ArchiveFile): string {
  const [, mark, sha256, name = ''] = /^(\\?)([0-9a-f]{64}) [ *](.+?)\r?\n?$/i.exec(text) ?? []
  // A leading backslash means that backslashes in the name are doubled.
  const plainName = mark === '' ? name : name.replaceAll('\\\\', '\\')
  if (sha256 === undefined || plainName !== zipName(file))
    throw new Malformed(`the checksum beside ${zipName(file)} is not a line about that file`)
  return sha256.toLowerCase()
}

const columnCount = 12

/** Some files have a header. */
export const isHeaderLine = (line: string): boolean => /^[a-z]/i.test(line)

/** 13 digits are ms, 16 are microseconds (since 2025), mixed within files. `microseconds`: beyond the ms. */
function readTime(text: string | undefined): Readonly<{ at: Instant; microseconds: number }> | undefined {
  if (text === undefined || !/^[1-9](\d{12}|\d{15})$/.test(text)) return undefined
  return { at: toInstant(Number(text.slice(0, 13))), microseconds: Number(text.slice(13)) }
}

/**
 * open time,open,high,low,close,base volume,close time,quote volume,… Unreadable lines become flaws; the caller checks
 * the range.
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
  // The last (micro)second inside the candle.
  return 'candle' in row ? { ...row, closesAt: plus(closed.at, 1) } : row
}

/** Binance's candles as files; stored as from Binance. */
export const binanceArchive = {
  id: 'binance-archive',
  hosts: ['https://data.binance.vision'],
  // No documented limit; faster than a database can load.
  rateLimits: [{ points: 1_200, perMs: minute }],
  classify: (answer) => classifyError(binanceArchiveErrors, answer),
} as const satisfies Source
