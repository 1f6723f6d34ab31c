import { Malformed } from '../fault.ts'
import type { HttpClient, SendOptions } from '../http/request.ts'
import type { CandleRow } from '../market/candle.ts'
import { earlier, type Instant, plus } from '../market/instant.ts'
import { isEmpty, type Range } from '../market/range.ts'
import { floorTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { type CandleQuery, type CandleSource, toHttpRequest } from './source.ts'

/** One answer of a walk. */
export type WalkedPage = Readonly<{
  rows: readonly CandleRow[]
  /** The part of the range that this answer speaks for: a candle missing here is missing at the source. */
  answered: Range
  /** The source's clock when it answered. */
  answeredAt: Instant
}>

export type WalkReach = Readonly<{ http: HttpClient; baseUrls: Readonly<Record<string, string>> }>

/**
 * Walks a range forward, window by window of one page each. A window is no longer than a page, so a source that
 * ignores one of the bounds cannot make a hole that looks like an hour without trades; and a short page is not
 * believed to be the end: what follows its last row is asked for again. After an empty window the whole rest is
 * asked for at once, so that the years before a listing cost one request.
 */
export async function* walkCandles(
  { http, baseUrls }: WalkReach,
  source: CandleSource,
  query: CandleQuery,
  options: SendOptions,
): AsyncGenerator<WalkedPage> {
  const { timeframe } = query
  const pageMs = source.candles.pageSize * timeframeMs[timeframe]
  let rest = query.range
  let widen = false
  while (!isEmpty(rest)) {
    const window = widen ? rest : { from: rest.from, to: earlier(plus(rest.from, pageMs), rest.to) }
    const page = { ...query, range: window }
    const request = toHttpRequest(source, source.candles.request(page), baseUrls)
    const answer = await http.get(request, options)
    const rows = source.candles.parse(answer.text, page)
    const answered = { from: window.from, to: endOfAnswer(source.id, rows, window, timeframe) }
    yield { rows, answered, answeredAt: answer.answeredAt }
    widen = rows.length === 0
    rest = { from: answered.to, to: rest.to }
  }
}

/** Where the next page begins: after the last row inside the range, or at its end when there is no row. */
function endOfAnswer(id: string, rows: readonly CandleRow[], range: Range, timeframe: Timeframe): Instant {
  if (rows.length === 0) return range.to
  let last: Instant | undefined
  for (const row of rows) {
    const openTime = 'candle' in row ? row.candle.openTime : row.openTime
    if (openTime === undefined || openTime < range.from || openTime >= range.to) continue
    if (last === undefined || openTime > last) last = openTime
  }
  if (last === undefined)
    throw new Malformed(`${id} answered with rows that all lie outside the range asked for`)
  return earlier(plus(floorTo(timeframe, last), timeframeMs[timeframe]), range.to)
}
