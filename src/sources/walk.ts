import { Malformed } from '../fault.ts'
import type { HttpClient, SendOptions } from '../http/request.ts'
import type { CandleRow } from '../market/candle.ts'
import { earlier, type Instant, later, plus } from '../market/instant.ts'
import { contains, isEmpty, type Range } from '../market/range.ts'
import { floorTo, timeframeMs } from '../market/timeframe.ts'
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
 * asked for at once, so that the years before a listing cost a request or two.
 */
export async function* walkCandles(
  { http, baseUrls }: WalkReach,
  source: CandleSource,
  query: CandleQuery,
  options: SendOptions,
): AsyncGenerator<WalkedPage> {
  const { timeframe } = query
  const { pageSize } = source.candles
  const pageMs = pageSize * timeframeMs[timeframe]
  const ask = async (range: Range) => {
    const page = { ...query, range }
    const answer = await http.get(toHttpRequest(source, source.candles.request(page), baseUrls), options)
    const rows = source.candles.parse(answer.text, page)
    return { rows, answeredAt: answer.answeredAt }
  }
  let rest = query.range
  let widen = false
  let mayWiden = true
  while (!isEmpty(rest)) {
    const window: Range = widen ? rest : { from: rest.from, to: earlier(plus(rest.from, pageMs), rest.to) }
    const { rows, answeredAt } = await ask(window)
    const inside = spanOf(source.id, rows, window)
    // A source that ignores the beginning fills a page with the newest candles, and older ones only look absent.
    if (widen && inside && rows.length >= pageSize) {
      const skipped: Range = { from: window.from, to: floorTo(timeframe, inside.first) }
      mayWiden = isEmpty(skipped) || (await ask(skipped)).rows.length === 0
    }
    if (widen && !mayWiden) {
      widen = false
      continue
    }
    const end = inside
      ? earlier(plus(floorTo(timeframe, inside.last), timeframeMs[timeframe]), window.to)
      : window.to
    yield { rows, answered: { from: window.from, to: end }, answeredAt }
    widen = mayWiden && rows.length === 0
    rest = { from: end, to: rest.to }
  }
}

/** The first and the last open time inside the range; undefined where there are no rows. */
function spanOf(
  id: string,
  rows: readonly CandleRow[],
  range: Range,
): { first: Instant; last: Instant } | undefined {
  if (rows.length === 0) return undefined
  let span: { first: Instant; last: Instant } | undefined
  for (const row of rows) {
    const openTime = 'candle' in row ? row.candle.openTime : row.openTime
    if (openTime === undefined || !contains(range, openTime)) continue
    span = span
      ? { first: earlier(span.first, openTime), last: later(span.last, openTime) }
      : { first: openTime, last: openTime }
  }
  if (!span) throw new Malformed(`${id} answered with rows that all lie outside the range asked for`)
  return span
}
