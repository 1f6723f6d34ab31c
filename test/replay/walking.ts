import { expect } from 'vitest'
import type { HttpClient, SendOptions } from '../../src/http/request.ts'
import type { Candle } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { type Decimal, toDecimal } from '../../src/market/decimal.ts'
import { earlier, type Instant } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import { type Answer, toJsonText } from '../../src/replay/answer.ts'
import { closedCandles } from '../../src/replay/candles.ts'
import type { Endpoint } from '../../src/replay/endpoint.ts'
import { hasCandles } from '../../src/sources/catalog.ts'
import type { Source } from '../../src/sources/source.ts'
import { walkCandles } from '../../src/sources/walk.ts'
import { plus } from '../support/at.ts'

/** What a test makes of a face: how it hears a question, and what it says in place of an answer. */
export type Twist = Readonly<{
  hear?: (query: URLSearchParams) => void
  say?: (text: string) => string
}>

const options: SendOptions = { lane: 'backfill', signal: new AbortController().signal }

/** A client that asks the face itself. Throws the source's own fault, and fails on any other refusal. */
export function clientOf(endpoint: Endpoint, now: Instant, { hear, say }: Twist = {}) {
  const asked: string[] = []
  const http: HttpClient = {
    get: async (request) => {
      const query = new URLSearchParams(request.query)
      asked.push(`${request.path}?${query}`)
      hear?.(query)
      const answer = httpAnswer(endpoint.route(request.path, query, now, endpoint.limit).answer, now, say)
      const fault = request.classify(answer)
      if (fault) throw fault
      expect(answer.status).toBe(200)
      return answer
    },
  }
  return { http, asked }
}

/** The answer of a face as the client of a source gets it. */
export const httpAnswer = (
  { status, headers = {}, body }: Answer,
  answeredAt: Instant,
  say: (text: string) => string = (text) => text,
) => ({ status, headers, text: say(typeof body === 'string' ? body : toJsonText(body)), answeredAt })

export type Walked = Readonly<{
  candles: readonly Candle[]
  /** How many candles of the range the walk calls missing. */
  absent: number
  requests: number
  asked: readonly string[]
}>

export type Walk = Readonly<{
  symbol: string
  timeframe: Timeframe
  range: AlignedRange
  now: Instant
  twist?: Twist
}>

/** Walks the range through the face as the source does. No row may be rejected on the way. */
export async function walkEndpoint(
  endpoint: Endpoint,
  source: Source,
  { now, twist, ...walk }: Walk,
): Promise<Walked> {
  if (!hasCandles(source)) throw new TypeError(`${source.id} has no candles`)
  const { http, asked } = clientOf(endpoint, now, twist)
  const candles: Candle[] = []
  let absent = 0
  for await (const page of walkCandles({ http, baseUrls: {} }, source, { ...walk, asOf: now }, options)) {
    const { timeframe } = walk
    const checked = checkCandles(page.rows, { timeframe, range: page.answered, now: page.answeredAt })
    expect(checked.rejected).toEqual([])
    candles.push(...checked.candles)
    absent += candleCount(page.answered, timeframe) - checked.candles.length
  }
  return { candles: candles.map(plainCandle), absent, requests: asked.length, asked }
}

/** The replay's own closed candles, as a source that writes no trailing zeros has them. */
export const closedPlainly = (
  symbol: string,
  timeframe: Timeframe,
  range: AlignedRange,
  now: Instant,
): Candle[] => closedCandles(symbol, timeframe, range, now).map(plainCandle)

/** The same, with a candle at the last close for every interval in which nothing was traded. */
export function closedAndFilled(
  symbol: string,
  timeframe: Timeframe,
  range: AlignedRange,
  now: Instant,
): readonly Candle[] {
  const length = timeframeMs[timeframe]
  // From far enough before the range to know the last close.
  const whole = { from: plus(range.from, -10 * length), to: earlier(range.to, floorTo(timeframe, now)) }
  const traded = new Map(
    closedPlainly(symbol, timeframe, whole, now).map((candle) => [candle.openTime, candle]),
  )
  const filled: Candle[] = []
  for (let { from: openTime } = whole; openTime < whole.to; openTime = plus(openTime, length)) {
    const candle = traded.get(openTime) ?? quietAfter(filled.at(-1), openTime)
    if (candle) filled.push(candle)
  }
  return filled.filter(({ openTime }) => openTime >= range.from)
}

const quietAfter = (before: Candle | undefined, openTime: Instant): Candle | undefined =>
  before && {
    openTime,
    open: before.close,
    high: before.close,
    low: before.close,
    close: before.close,
    volume: toDecimal('0'),
  }

const plainCandle = ({ openTime, open, high, low, close, volume }: Candle): Candle => ({
  openTime,
  open: plain(open),
  high: plain(high),
  low: plain(low),
  close: plain(close),
  volume: plain(volume),
})

const plain = (value: Decimal): Decimal =>
  toDecimal(value.includes('.') ? value.replace(/0+$/, '').replace(/\.$/, '') : value)
