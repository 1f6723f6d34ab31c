import { createHash } from 'node:crypto'
import { day, hour, type Instant, minute, plus, toInstant } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { isTimeframe, type Timeframe } from '../../market/timeframe.ts'
import { type Answer, type Route, retryAfter } from '../answer.ts'
import { closedCandles, type ReplayCandle } from '../candles.ts'
import type { Endpoint } from '../endpoint.ts'
import type { InjectedFault } from '../faults/injected-fault.ts'
import { type Outage, timesAfter } from '../faults/outage.ts'
import { findMarket } from '../markets.ts'
import { zipOf } from '../zip.ts'

// https://github.com/binance/binance-public-data: paths, columns, checksums, and when a file is there.

/** A file that may be asked for. */
type Asked = Readonly<{
  /** Without its ending. */
  name: string
  symbol: string
  timeframe: Timeframe
  range: Range
  publishedAt: Instant
  isChecksum: boolean
}>

const pathForm =
  /^\/data\/spot\/(monthly|daily)\/klines\/([^/]+)\/([0-9]+[a-z]+)\/(\2-\3-(\d{4})-(\d{2})(?:-(\d{2}))?)\.zip(\.CHECKSUM)?$/

/** Undefined for a path that no file ever has. */
function readPath(path: string): Asked | undefined {
  const [, kind, symbol = '', timeframe = '', name = '', year, month, dayOfMonth, ending] =
    pathForm.exec(decoded(path)) ?? []
  const isDaily = dayOfMonth !== undefined
  if (!findMarket(symbol) || !isTimeframe(timeframe) || (kind === 'daily') !== isDaily) return undefined
  const [from, to] = [0, 1].map((next) =>
    isDaily
      ? Date.UTC(Number(year), Number(month) - 1, Number(dayOfMonth) + next)
      : Date.UTC(Number(year), Number(month) - 1 + next),
  )
  const range = { from: toInstant(from ?? 0), to: toInstant(to ?? 0) }
  // The 30th of February would be a day in March.
  if (!new Date(range.from).toISOString().startsWith(name.slice(symbol.length + timeframe.length + 2)))
    return undefined
  const publishedAt = isDaily ? plus(range.to, daysFileAfterMs) : firstMondayFrom(range.to)
  return { name, symbol, timeframe, range, publishedAt, isChecksum: ending !== undefined }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path // no file has it
  }
}

/** A day's file comes in the morning after, a month's on the first Monday after it. */
const daysFileAfterMs = 6 * hour
const firstMondayFrom = (monthEnd: Instant): Instant =>
  plus(monthEnd, ((8 - new Date(monthEnd).getUTCDay()) % 7) * day + 12 * hour)

/** From here on the archive tells times in microseconds. */
const microsecondsFrom = Date.UTC(2025, 0)

function csvOf({ symbol, timeframe, range, publishedAt }: Asked, outage?: Outage): string {
  // All of them have closed when the file is made, so it is the same for ever.
  const candles = closedCandles(symbol, timeframe, range, publishedAt)
  const lines = candles.flatMap((candle) => {
    const times = outage ? timesAfter(outage, candle) : candle
    return times ? [line({ ...candle, ...times })] : []
  })
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function line(candle: ReplayCandle): string {
  const inMicroseconds = candle.openTime >= microsecondsFrom
  return [
    inMicroseconds ? `${candle.openTime}000` : candle.openTime,
    candle.open,
    candle.high,
    candle.low,
    candle.close,
    candle.volume,
    inMicroseconds ? `${candle.closeTime}999` : candle.closeTime,
    candle.quoteVolume,
    candle.trades,
    candle.takerVolume,
    candle.takerQuoteVolume,
    0,
  ].join(',')
}

/** The newest zips: whoever asks for one has asked for its checksum just before. */
const made = new Map<string, Buffer>()
const mostMade = 24

/** Undefined where there is nothing to put into it. */
function zipFor(asked: Asked): Buffer | undefined {
  const found = made.get(asked.name)
  if (found) return found
  const csv = csvOf(asked)
  if (csv === '') return undefined
  const zip = zipOf(`${asked.name}.csv`, csv)
  made.set(asked.name, zip)
  for (const name of made.keys()) if (made.size > mostMade) made.delete(name)
  return zip
}

function route(path: string, _query: URLSearchParams, now: Instant): Route {
  const asked = readPath(path)
  const zip = asked && asked.publishedAt <= now ? zipFor(asked) : undefined
  return { weight: 1, answer: asked && zip ? fileAnswer(asked, zip) : missing }
}

const fileAnswer = ({ name, isChecksum }: Asked, zip: Buffer): Answer =>
  isChecksum
    ? { status: 200, headers: plainFile, body: `${sha256Of(zip)}  ${name}.zip\n` }
    : { status: 200, headers: zipFile, body: '', bytes: zip }

const plainFile = { 'content-type': 'binary/octet-stream' }
const zipFile = { 'content-type': 'application/zip' }

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const xml = (status: number, code: string, message: string): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
})

const missing = xml(404, 'NoSuchKey', 'The specified key does not exist.')

/** Files that are not what they should be; undefined for the lies that any source tells. */
function reportFault(fault: InjectedFault, path: string, now: Instant): Answer | undefined {
  const asked = readPath(path)
  if (!asked || asked.publishedAt > now) return undefined
  switch (fault.name) {
    case 'missing-file':
      return missing
    case 'wrong-checksum':
      return asked.isChecksum
        ? { status: 200, headers: plainFile, body: `${'0'.repeat(64)}  ${asked.name}.zip\n` }
        : undefined
    case 'wrong-month': {
      // The name and the checksum are right, and so is all of it but what it is about.
      const { from, to } = asked.range
      const other = { ...asked, range: { from: plus(from, from - to), to: from } }
      return fileAnswer(asked, zipOf(`${asked.name}.csv`, csvOf(other)))
    }
    case 'outage':
      return fileAnswer(asked, zipOf(`${asked.name}.csv`, csvOf(asked, fault)))
    default:
      return undefined
  }
}

/** Files of whole months and days, as Binance gives them away: zip, and checksum beside it. */
export const binanceArchiveEndpoint: Endpoint = {
  source: 'binance-archive',
  limit: { windows: [{ points: 1_200, perMs: minute }] },
  route,
  reportFault,
  refuse: (_decision, retryAt, _limit, now) => ({
    ...xml(429, 'SlowDown', 'Please reduce your request rate.'),
    headers: { 'content-type': 'application/xml', ...retryAfter(retryAt, now) },
  }),
  unavailable: (status) => xml(status, 'InternalError', 'We encountered an internal error.'),
}
