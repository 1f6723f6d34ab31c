import { Malformed } from '../fault.ts'
import type { HttpClient, SendOptions } from '../http/request.ts'
import type { CandleRow } from '../market/candle.ts'
import { composeCandles } from '../market/compose-candles.ts'
import { earlier, type Instant, later, plus } from '../market/instant.ts'
import { contains, isEmpty, type Range } from '../market/range.ts'
import { ceilTo, floorTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import {
  type CandleEndpoint,
  type CandleQuery,
  type CandleSource,
  reachableFrom,
  toHttpRequest,
} from './source.ts'

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
 * of a short page is asked for again; and so is what an empty window speaks for, together with all that follows it
 * where that can be asked in one question, which also takes the years before a listing in one step.
 * A timeframe that the source lacks is made of a shorter one, whole candles at a time. What lies further back than the
 * source reaches is left out: no page speaks for it.
 */
export async function* walkCandles(
  reach: WalkReach,
  source: CandleSource,
  query: CandleQuery,
  options: SendOptions,
): AsyncGenerator<WalkedPage> {
  const { candles } = source
  const { range, timeframe, asOf } = query
  const from = later(range.from, reachableFrom(candles, timeframe, asOf))
  const part = candles.madeFrom?.[timeframe]
  const asked = { ...query, range: { from, to: range.to }, timeframe: part ?? timeframe }
  const walk = new WindowWalk(reach, source, asked, options).pages()
  yield* part === undefined ? walk : composePages(walk, part, timeframe)
}

type Answer = Readonly<{ rows: readonly CandleRow[]; answeredAt: Instant }>
type Span = Readonly<{ first: Instant; last: Instant }>

/** What one window came to: its rows up to the last of them, or nothing up to `to`. */
type Outcome = Answer & Readonly<{ to: Instant }>

class WindowWalk {
  readonly #reach: WalkReach
  readonly #source: CandleSource
  readonly #query: CandleQuery
  readonly #options: SendOptions
  #requests = 0
  #mayWiden: boolean

  constructor(reach: WalkReach, source: CandleSource, query: CandleQuery, options: SendOptions) {
    this.#reach = reach
    this.#source = source
    this.#query = query
    this.#options = options
    this.#mayWiden = source.candles.longWindow === 'oldest'
  }

  async *pages(): AsyncGenerator<WalkedPage> {
    const { range, timeframe } = this.#query
    const pageMs = this.#source.candles.pageSize * timeframeMs[timeframe]
    for (let from = range.from; from < range.to; ) {
      const window = { from, to: earlier(plus(from, pageMs), range.to) }
      const { rows, answeredAt, to } =
        (await this.#ask(window)) ?? (await this.#askAgain(window, { from, to: range.to }))
      yield { rows, answered: { from, to }, answeredAt, requests: this.#requests }
      this.#requests = 0
      from = to
    }
  }

  /** Undefined when the source answered without a row of the window. */
  async #ask(window: Range): Promise<Outcome | undefined> {
    const answer = await this.#get(window, this.#query.timeframe)
    const span = this.#spanOf(answer.rows, window)
    return span && { ...answer, to: this.#endOf(span, window) }
  }

  /** Asks once more for what came out empty, and believes it then. */
  async #askAgain(window: Range, rest: Range): Promise<Outcome> {
    if (this.#mayWiden) {
      const widened = await this.#askForRest(rest)
      if (widened) return widened
    }
    if (this.#source.candles.longWindow !== 'oldest') {
      const probed = await this.#probe(window, rest)
      if (probed) return probed
    }
    const answer = await this.#get(window, this.#query.timeframe)
    const span = this.#spanOf(answer.rows, window)
    return { ...answer, to: span ? this.#endOf(span, window) : window.to }
  }

  /** Undefined when the source answered from somewhere else than the beginning. */
  async #askForRest(rest: Range): Promise<Outcome | undefined> {
    const { timeframe } = this.#query
    const answer = await this.#get(rest, timeframe)
    const span = this.#spanOf(answer.rows, rest)
    if (!span) return { ...answer, to: rest.to }
    const end = this.#endOf(span, rest)
    if (answer.rows.length < this.#source.candles.pageSize) return { ...answer, to: end }
    // A source that ignores the beginning fills its page with the newest candles, and older ones only look absent.
    const skipped: Range = { from: rest.from, to: floorTo(timeframe, span.first) }
    if (isEmpty(skipped) || (await this.#get(skipped, timeframe)).rows.length === 0)
      return { ...answer, to: end }
    this.#mayWiden = false
    return undefined
  }

  /**
   * Where a long window cannot be asked for, the longest timeframe tells: where that has no candle, the shorter ones
   * have none either. Undefined when it does not reach beyond the window.
   */
  async #probe(window: Range, rest: Range): Promise<Outcome | undefined> {
    const { candles } = this.#source
    const longest = longestOf(candles)
    if (timeframeMs[longest] <= timeframeMs[this.#query.timeframe]) return undefined
    const length = timeframeMs[longest]
    const from = later(
      floorTo(longest, window.from),
      ceilTo(longest, reachableFrom(candles, longest, this.#query.asOf)),
    )
    // The candle that is still open may not be told of yet.
    const closed = earlier(floorTo(longest, this.#query.asOf), floorTo(longest, plus(rest.to, length - 1)))
    const range = { from, to: earlier(plus(from, candles.pageSize * length), closed) }
    if (isEmpty(range) || range.from > window.from) return undefined
    const answer = await this.#get(range, longest)
    const span = this.#spanOf(answer.rows, range)
    const to = earlier(span ? floorTo(longest, span.first) : range.to, rest.to)
    return to > window.to ? { rows: [], answeredAt: answer.answeredAt, to } : undefined
  }

  async #get(range: Range, timeframe: Timeframe): Promise<Answer> {
    const { http, baseUrls } = this.#reach
    const { candles } = this.#source
    const page = { ...this.#query, range, timeframe }
    this.#requests += 1
    const answer = await http.get(toHttpRequest(this.#source, candles.request(page), baseUrls), this.#options)
    return { rows: candles.parse(answer.text, page), answeredAt: answer.answeredAt }
  }

  /** The end of the last candle that came: what follows is asked for again. */
  #endOf({ last }: Span, window: Range): Instant {
    const { timeframe } = this.#query
    return earlier(plus(floorTo(timeframe, last), timeframeMs[timeframe]), window.to)
  }

  /** The first and the last open time inside the range; undefined where there are no rows. */
  #spanOf(rows: readonly CandleRow[], range: Range): Span | undefined {
    let span: Span | undefined
    let isAstray = false
    for (const row of rows) {
      const openTime = 'candle' in row ? row.candle.openTime : row.openTime
      if (openTime === undefined || !contains(range, openTime)) {
        isAstray ||= openTime === undefined || !this.#mayComeBeside(openTime, range)
        continue
      }
      span = span
        ? { first: earlier(span.first, openTime), last: later(span.last, openTime) }
        : { first: openTime, last: openTime }
    }
    if (!span && isAstray) {
      throw new Malformed(`${this.#source.id} answered with rows that all lie outside the range asked for`)
    }
    return span
  }

  /** Beyond a bound that the source does not know, rows are no lie. */
  #mayComeBeside(openTime: Instant, { from, to }: Range): boolean {
    const { bounds } = this.#source.candles
    return (bounds === 'to' && openTime < from) || (bounds === 'from' && openTime >= to)
  }
}

/** The longest of the timeframes that the source has itself. */
function longestOf({ timeframes, madeFrom }: CandleEndpoint): Timeframe {
  const own = timeframes.filter((timeframe) => madeFrom?.[timeframe] === undefined)
  return own.reduce((longest, timeframe) =>
    timeframeMs[timeframe] > timeframeMs[longest] ? timeframe : longest,
  )
}

/** Turns pages of a shorter timeframe into pages of whole candles of a longer one. */
async function* composePages(
  pages: AsyncGenerator<WalkedPage>,
  part: Timeframe,
  timeframe: Timeframe,
): AsyncGenerator<WalkedPage> {
  let rows: CandleRow[] = []
  let waiting: { from: Instant; requests: number; answeredAt: Instant } | undefined
  for await (const page of pages) {
    rows.push(...page.rows.filter((row) => isOf(row, page.answered)))
    waiting = {
      from: waiting?.from ?? page.answered.from,
      requests: (waiting?.requests ?? 0) + page.requests,
      // What was read before it was closed is not closed, whatever the time is now.
      answeredAt: waiting ? earlier(waiting.answeredAt, page.answeredAt) : page.answeredAt,
    }
    const answered = { from: waiting.from, to: floorTo(timeframe, page.answered.to) }
    if (isEmpty(answered)) continue
    const { answeredAt, requests } = waiting
    const ready = rows.filter((row) => isOf(row, answered))
    const composed = composeCandles(ready, { timeframe: part, range: answered, now: answeredAt }, timeframe)
    yield { rows: composed, answered, answeredAt, requests }
    rows = rows.filter((row) => !isOf(row, answered))
    waiting = { from: answered.to, requests: 0, answeredAt: page.answeredAt }
  }
}

/** A row without a time belongs to the page it came with. */
function isOf(row: CandleRow, range: Range): boolean {
  const openTime = 'candle' in row ? row.candle.openTime : row.openTime
  return openTime === undefined || contains(range, openTime)
}
