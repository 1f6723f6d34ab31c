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
  /** How many requests it took since the page before. */
  requests: number
}>

export type WalkReach = Readonly<{ http: HttpClient; baseUrls: Readonly<Record<string, string>> }>

/**
 * Walks a range forward, window by window of one page each. What a source does not have is believed only when asked
 * twice: a window is no longer than a page, so that a bound it ignores cannot make a hole; what follows the last row
 * of a short page is asked for again; and an empty window is asked for once more together with all that follows, which
 * also takes the years before a listing in one step.
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
  let requests = 0
  const ask = async (range: Range) => {
    const page = { ...query, range }
    requests += 1
    const answer = await http.get(toHttpRequest(source, source.candles.request(page), baseUrls), options)
    return { rows: source.candles.parse(answer.text, page), answeredAt: answer.answeredAt }
  }
  let rest = query.range
  let wasEmpty = false
  let mayWiden = true
  while (!isEmpty(rest)) {
    const page: Range = { from: rest.from, to: earlier(plus(rest.from, pageMs), rest.to) }
    const window = wasEmpty && mayWiden ? rest : page
    const { rows, answeredAt } = await ask(window)
    const span = spanOf(source.id, rows, window)
    if (!span && !wasEmpty) {
      wasEmpty = true
      continue
    }
    if (wasEmpty && mayWiden && span && rows.length >= pageSize) {
      // A source that ignores the beginning fills its page with the newest candles, and older ones only look absent.
      const skipped: Range = { from: window.from, to: floorTo(timeframe, span.first) }
      mayWiden = isEmpty(skipped) || (await ask(skipped)).rows.length === 0
      if (!mayWiden) continue
    }
    const to = span
      ? earlier(plus(floorTo(timeframe, span.last), timeframeMs[timeframe]), window.to)
      : window.to
    yield { rows, answered: { from: window.from, to }, answeredAt, requests }
    requests = 0
    wasEmpty = false
    rest = { from: to, to: rest.to }
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
