import { Malformed } from '../fault.ts'
import type { Candle, CandleRow } from '../market/candle.ts'
import { day, type Instant, minute, plus, toInstant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { floorTo, isAligned, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { binanceArchiveErrors } from './errors/binance-archive-errors.ts'
import { classifyError } from './errors/classify-error.ts'
import { readDecimal } from './json.ts'
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
  range: Range
}>

/** The first month that the archive has a file of. */
export const archiveFrom: Instant = toInstant(Date.UTC(2017, 7, 1))

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
  range: kind === 'monthly' ? monthOf(instant) : dayOf(instant),
})

function monthOf(instant: Instant): Range {
  const date = new Date(instant)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { from: toInstant(Date.UTC(year, month)), to: toInstant(Date.UTC(year, month + 1)) }
}

function dayOf(instant: Instant): Range {
  const from = floorTo('1d', instant)
  return { from, to: plus(from, day) }
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
const valueNames = ['open', 'high', 'low', 'close', 'volume'] as const

/** Some files begin with the names of the columns. */
export const isHeaderLine = (line: string): boolean => /^[a-z]/i.test(line)

function readOpenTime(columns: readonly string[], file: ArchiveFile): Instant {
  if (columns.length !== columnCount)
    throw new Malformed(`${csvName(file)} has a line of ${columns.length} columns, not ${columnCount}`)
  const openTime = readTime(columns[0], 0)
  const closeTime = readTime(columns[6], 999)
  const { timeframe, range } = file
  const fault = (words: string) => new Malformed(`${csvName(file)} has a line ${words}`)
  if (openTime === undefined || closeTime === undefined) throw fault('without an open and a close time')
  if (openTime < range.from || openTime >= range.to)
    throw fault(`of ${toIso(openTime)}, which is not its own`)
  if (!isAligned(openTime, timeframe)) throw fault(`of ${toIso(openTime)}, off the ${timeframe} grid`)
  if (closeTime !== openTime + timeframeMs[timeframe] - 1)
    throw fault(`of ${toIso(openTime)} whose close time is not that of a ${timeframe} candle`)
  return openTime
}

/**
 * Milliseconds have 13 digits in our lifetime, and microseconds, which came with 2025, have 16: each line tells for
 * itself. `microseconds` are those beyond the millisecond.
 */
function readTime(text: string | undefined, microseconds: number): Instant | undefined {
  if (text === undefined || !/^[1-9]\d+$/.test(text)) return undefined
  if (text.length === 13) return toInstant(Number(text))
  if (text.length !== 16 || Number(text.slice(13)) !== microseconds) return undefined
  return toInstant(Number(text.slice(0, 13)))
}

/** A line of a file: its open time is known, whatever else there is to say of it. */
export type ArchiveRow =
  | Extract<CandleRow, { candle: Candle }>
  | Readonly<{ raw: string; flaw: string; openTime: Instant }>

/**
 * Line: open time,open,high,low,close,base volume,close time,quote volume,… Throws Malformed where it is not a candle of
 * the file: another timeframe, another month, off the grid, or columns in another order.
 */
export function readArchiveLine(line: string, file: ArchiveFile): ArchiveRow {
  const columns = line.split(',')
  const openTime = readOpenTime(columns, file)
  const [open, high, low, close, volume] = columns.slice(1, 6).map(readDecimal)
  if (!open || !high || !low || !close || !volume) {
    const flawed = [open, high, low, close, volume].findIndex((value) => !value)
    return { raw: line, openTime, flaw: `${valueNames[flawed]} is not a decimal` }
  }
  return { raw: line, candle: { openTime, open, high, low, close, volume } }
}

/** Files of candles, asked for by name. They are Binance's own, and so are stored as such. */
export const binanceArchive = {
  id: 'binance-archive',
  hosts: ['https://data.binance.vision'],
  // No limit is documented. Ten files a second are more than a database takes in.
  rateLimits: [{ points: 1_200, perMs: minute }],
  classify: (answer) => classifyError(binanceArchiveErrors, answer),
} as const satisfies Source
