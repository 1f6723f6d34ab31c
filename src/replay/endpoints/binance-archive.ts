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

// https://github.com/binance/binance-public-data: paths, columns, checksums, publication times.

type Asked = Readonly<{
  name: string
  symbol: string
  timeframe: Timeframe
  range: Range
  publishedAt: Instant
  isChecksum: boolean
}>

const pathForm =
  /^\/data\/spot\/(monthly|daily)\/klines\/([^/]+)\/([0-9]+[a-z]+)\/(\2-\3-(\d{4})-(\d{2})(?:-(\d{2}))?)\.zip(\.CHECKSUM)?$/

/** Undefined if no file has this path. */
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
  // Invalid dates roll over.
  if (!new Date(range.from).toISOString().startsWith(name.slice(symbol.length + timeframe.length + 2)))
    return undefined
  const publishedAt = isDaily ? plus(range.to, daysFileAfterMs) : firstMondayFrom(range.to)
  return { name, symbol, timeframe, range, publishedAt, isChecksum: ending !== undefined }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path // no such file
  }
}

/** Daily files the next morning, monthly ones on the next first Monday. */
const daysFileAfterMs = 6 * hour
const firstMondayFrom = (monthEnd: Instant): Instant =>
  plus(monthEnd, ((8 - new Date(monthEnd).getUTCDay()) % 7) * day + 12 * hour)

/** Microseconds from here on. */
const microsecondsFrom = Date.UTC(2025, 0)

function csvOf({ symbol, timeframe, range, publishedAt }: Asked, outage?: Outage): string {
  // All closed at publication, so the file never changes.
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

/** Recent zips: checksum and file are requested together. */
const made = new Map<string, Buffer>()
const mostMade = 24

/** Undefined if empty. */
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

/** Undefined for general faults. */
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
      // Valid in all but its content.
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
