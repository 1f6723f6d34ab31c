import type { ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { day, type Instant, plus } from '../market/instant.ts'
import type { Answer, Json } from './answer.ts'

/** Where a value stands in a row: the column of a kline, the field of a CoinGecko coin. */
export type Column = number | string

/** Answers that say something else than what was asked for, whatever it was. */
export type AnswerLie =
  | Readonly<{ name: 'rate-limited'; retryAfterSeconds: number }>
  | Readonly<{ name: 'banned'; retryAfterSeconds: number }>
  | Readonly<{ name: 'server-error'; status: 500 | 502 | 503 | 504 }>
  | Readonly<{ name: 'html' }>
  | Readonly<{ name: 'redirect'; to: string }>

/** Rows that are not what the exchange recorded. A row counts from 0; the last one is -1. */
export type RowLie =
  | Readonly<{ name: 'no-rows' }>
  | Readonly<{ name: 'object-for-rows' }>
  | Readonly<{ name: 'duplicate-row'; row: number }>
  | Readonly<{ name: 'conflicting-duplicate'; row: number }>
  | Readonly<{ name: 'disorder' }>
  | Readonly<{ name: 'hole'; row: number; rows: number }>
  | Readonly<{ name: 'one-row-short' }>
  | Readonly<{ name: 'future-candle' }>
  | Readonly<{ name: 'unaligned-time'; row: number; byMs: number }>
  | Readonly<{ name: 'seconds-for-milliseconds' }>
  | Readonly<{ name: 'high-below-low'; row: number }>
  | Readonly<{ name: 'missing-column'; row: number; column: Column }>
  /** `NaN`, `null`, `1e-9`, `0x10`: whatever a body can hold in place of a number. */
  | Readonly<{ name: 'value'; row: number; column: Column; value: Json }>
  /** A closed candle whose value is another one from now on, in every answer that holds it. */
  | Readonly<{ name: 'revision'; openTime: Instant; column: number; value: string }>

/** A query read as another one. */
export type QueryLie = Readonly<{ name: 'ignored-start' }>

/** True bodies that do not arrive as they should. */
export type DeliveryLie =
  | Readonly<{ name: 'cut'; atByte: number }>
  | Readonly<{ name: 'reset'; when: 'before-answer' | 'within-body' }>
  | Readonly<{ name: 'stall' }>
  | Readonly<{ name: 'drip'; bytes: number; everyMs: number }>
  | Readonly<{ name: 'too-long-length'; bytes: number }>
  | Readonly<{ name: 'huge-body'; megabytes: number; gzip: boolean }>

export type Lie = AnswerLie | RowLie | QueryLie | DeliveryLie

/** The query the exchange pretends to have been asked. */
export function lieAboutQuery(lie: Lie | undefined, query: URLSearchParams): URLSearchParams {
  const heard = new URLSearchParams(query)
  if (lie?.name === 'ignored-start') heard.delete('startTime')
  return heard
}

/** What a liar must know: the time, and the words in which its source refuses. */
export type Liar = Readonly<{
  now: Instant
  refuse: (verdict: 'refused' | 'banned', retryAt: Instant) => Answer
}>

/** The answer the exchange gives in place of the true one. A refusal is never dressed up: it has no rows. */
export function lieAboutAnswer(lie: Lie | undefined, truth: Answer, liar: Liar): Answer {
  if (!lie) return truth
  const inPlaceOf = otherAnswer(lie, liar)
  if (inPlaceOf) return inPlaceOf
  const rows: unknown = truth.body
  return truth.status === 200 && isRows(rows) ? { ...truth, body: lieAboutRows(lie, rows, liar.now) } : truth
}

const isRows = (body: unknown): body is readonly Json[] => Array.isArray(body)

/** A refusal that tells when to ask again, rounded up to whole seconds as Retry-After has it. */
export function refusal(verdict: 'refused' | 'banned', retryAt: Instant, { now, refuse }: Liar): Answer {
  const seconds = Math.max(1, Math.ceil((retryAt - now) / 1_000))
  return { ...refuse(verdict, retryAt), headers: { 'retry-after': String(seconds) } }
}

function otherAnswer(lie: Lie, liar: Liar): Answer | undefined {
  switch (lie.name) {
    case 'rate-limited':
      return refusal('refused', plus(liar.now, 1_000 * lie.retryAfterSeconds), liar)
    case 'banned':
      return refusal('banned', plus(liar.now, 1_000 * lie.retryAfterSeconds), liar)
    case 'server-error':
      return {
        status: lie.status,
        body: { code: -1000, msg: 'An unknown error occurred while processing the request.' },
      }
    case 'html':
      return { status: 200, body: '<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>' }
    case 'redirect':
      return { status: 302, headers: { location: lie.to }, body: '' }
    default:
      return undefined
  }
}

function lieAboutRows(lie: Lie, rows: readonly Json[], now: Instant): Json {
  switch (lie.name) {
    case 'no-rows':
      return []
    case 'object-for-rows':
      return { rows }
    case 'duplicate-row':
      return change(rows, lie.row, (row) => [row, row])
    case 'conflicting-duplicate':
      return change(rows, lie.row, (row) => [row, setColumn(row, closeColumn, otherPrice(row))])
    case 'disorder':
      return rows.toReversed()
    case 'hole':
      return rows.toSpliced(lie.row, lie.rows)
    case 'one-row-short':
      return rows.slice(0, -1)
    case 'future-candle':
      return change(rows, -1, (row) => [row, moveTime(row, now - timeOf(row) + day - (now % day))])
    case 'unaligned-time':
      return change(rows, lie.row, (row) => [moveTime(row, lie.byMs)])
    case 'seconds-for-milliseconds':
      return rows.map((row) => moveTime(row, timeOf(row) / 1_000 - timeOf(row)))
    case 'high-below-low':
      return change(rows, lie.row, (row) => [
        setColumn(setColumn(row, highColumn, column(row, lowColumn)), lowColumn, column(row, highColumn)),
      ])
    case 'missing-column':
      return change(rows, lie.row, (row) => [dropColumn(row, lie.column)])
    case 'value':
      return change(rows, lie.row, (row) => [setColumn(row, lie.column, lie.value)])
    case 'revision':
      return rows.map((row) => (timeOf(row) === lie.openTime ? setColumn(row, lie.column, lie.value) : row))
    default:
      return rows
  }
}

/** The columns of a kline. */
const highColumn = 2
const lowColumn = 3
const closeColumn = 4

const change = (rows: readonly Json[], index: number, become: (row: Json) => readonly Json[]): Json[] =>
  rows.flatMap((row, i) => (i === (index < 0 ? rows.length + index : index) ? become(row) : [row]))

function column(row: Json, key: Column): Json {
  if (typeof row !== 'object' || row === null) return null
  return Object.entries(row).find(([name]) => name === String(key))?.[1] ?? null
}

function setColumn(row: Json, key: Column, value: Json): Json {
  if (isRows(row)) return row.map((old, index) => (index === key ? value : old))
  return typeof row === 'object' && row !== null ? { ...row, [key]: value } : row
}

function dropColumn(row: Json, key: Column): Json {
  if (isRows(row)) return row.filter((_, index) => index !== key)
  if (typeof row !== 'object' || row === null) return row
  return Object.fromEntries(Object.entries(row).filter(([name]) => name !== key))
}

const timeOf = (row: Json): number => Number(column(row, 0))

/** Moves the open and the close time of a kline. */
const moveTime = (row: Json, byMs: number): Json =>
  setColumn(setColumn(row, 0, timeOf(row) + byMs), 6, Number(column(row, 6)) + byMs)

/** Another last digit: as good a price as the true one. */
const otherPrice = (row: Json): string => {
  const close = String(column(row, closeColumn))
  return close.slice(0, -1) + ((Number(close.slice(-1)) + 1) % 10)
}

/** Sends the body the way the lie has it; an honest one whole and with its length. */
export function deliver(lie: Lie | undefined, response: ServerResponse, status: number, body: Buffer): void {
  switch (lie?.name) {
    case 'cut':
      sendWhole(response, status, body.subarray(0, lie.atByte))
      break
    case 'reset':
      if (lie.when === 'before-answer') reset(response)
      else sendThenReset(response, status, body)
      break
    case 'stall':
      break
    case 'drip':
      drip(response, status, body, lie)
      break
    case 'too-long-length':
      sendTooLittle(response, status, body, lie.bytes)
      break
    case 'huge-body':
      sendHuge(response, status, lie)
      break
    default:
      sendWhole(response, status, body)
  }
}

function sendWhole(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-length': body.length })
  response.end(body)
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy()
}

function sendThenReset(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-length': body.length })
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => reset(response))
}

/** Promises more than there is, and closes the connection once that is sent. */
function sendTooLittle(response: ServerResponse, status: number, body: Buffer, missing: number): void {
  response.writeHead(status, { 'content-length': body.length + missing })
  response.write(body, () => response.socket?.end())
}

function drip(
  response: ServerResponse,
  status: number,
  body: Buffer,
  pace: { bytes: number; everyMs: number },
): void {
  response.writeHead(status, { 'content-length': body.length })
  let sent = 0
  const drop = () => {
    response.write(body.subarray(sent, sent + pace.bytes))
    sent += pace.bytes
    if (sent < body.length) return
    clearInterval(timer)
    response.end()
  }
  const timer = setInterval(drop, pace.everyMs)
  response.once('close', () => clearInterval(timer))
  drop()
}

/** One JSON array of zeros, made as it is sent; compressed it is a few kilobytes that swell in the reader. */
function sendHuge(
  response: ServerResponse,
  status: number,
  { megabytes, gzip }: { megabytes: number; gzip: boolean },
) {
  response.writeHead(status, gzip ? { 'content-encoding': 'gzip' } : {})
  // The reader is expected to hang up long before the end.
  const hungUp = () => undefined
  const source = Readable.from(zeros(megabytes))
  if (gzip) pipeline(source, createGzip(), response, hungUp)
  else pipeline(source, response, hungUp)
}

function* zeros(megabytes: number): Generator<Buffer> {
  yield Buffer.from('[')
  const chunk = Buffer.from('0,'.repeat(32 * 1_024))
  for (let sent = 0; sent < megabytes * 1_024 * 1_024; sent += chunk.length) yield chunk
  yield Buffer.from('0]')
}
