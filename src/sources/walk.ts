import { Malformed } from '../fault.ts'
import type { HttpClient, SendOptions } from '../http/request.ts'
import type { CandleRow } from '../market/candle.ts'
import { composeCandles } from '../market/compose-candles.ts'
import { earlier, type Instant, later, plus } from '../market/instant.ts'
import { contains, isEmpty, type Range } from '../market/range.ts'
import { ceilTo, floorTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import {
  type AnswerRow,
  type CandleEndpoint,
  type CandleQuery,
  type CandleSource,
  reachableFrom,
  toHttpRequest,
} from './source.ts'
import { walkTrades } from './walk-trades.ts'

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
 * source's candles reach is made of its trades, and left out where it has none to offer: no page speaks for it.
 */
export async function* walkCandles(
  reach: WalkReach,
  source: CandleSource,
  query: CandleQuery,
  options: SendOptions,
): AsyncGenerator<WalkedPage> {
  const { candles } = source
  const { timeframe } = query
  const part = candles.madeFrom?.[timeframe]
  const asked = { ...query, timeframe: part ?? timeframe }
  const walk = new WindowWalk(reach, source, asked, options).pages()
  yield* part === undefined ? walk : composePages(walk, part, timeframe)
}

type Answer = Readonly<{ rows: readonly AnswerRow[]; answeredAt: Instant }>
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
  /** What lies before cannot be had as candles any more: it moves on as the walk takes its time. */
  #reachableFrom: Instant

  constructor(reach: WalkReach, source: CandleSource, query: CandleQuery, options: SendOptions) {
    this.#reach = reach
    this.#source = source
    this.#query = query
    this.#options = options
    this.#mayWiden = source.candles.longWindow === 'oldest'
    this.#reachableFrom = reachableFrom(source.candles, query.timeframe, query.asOf)
  }

  async *pages(): AsyncGenerator<WalkedPage> {
    const { range, timeframe, asOf } = this.#query
    const pageMs = this.#source.candles.pageSize * timeframeMs[timeframe]
    let { from } = range
    const opened = earlier(floorTo(timeframe, this.#source.candles.openedAt ?? from), range.to)
    if (from < opened) {
      yield { rows: [], answered: { from, to: opened }, answeredAt: asOf, requests: 0 }
      from = opened
    }
    while (from < range.to) {
      if (from < this.#reachableFrom) {
        from = yield* this.#walkTrades({ from, to: range.to })
        continue
      }
      const window = { from, to: earlier(plus(from, pageMs), range.to) }
      const { rows, answeredAt, to } =
        (await this.#ask(window)) ?? (await this.#askAgain(window, { from, to: range.to }))
      // It may turn out only now that the window began too far back.
      if (from < this.#reachableFrom)
        from = yield* this.#walkTrades({ from, to: earlier(this.#reachableFrom, range.to) })
      if (from >= to) continue
      const answered = { from, to }
      yield { rows: rows.filter(isCandleRow), answered, answeredAt, requests: this.#takeRequests() }
      from = to
    }
  }

  #takeRequests(): number {
    const requests = this.#requests
    this.#requests = 0
    return requests
  }

  /** Goes on until the candles can be had, and returns where that is. */
  async *#walkTrades(range: Range): AsyncGenerator<WalkedPage, Instant> {
    const { trades } = this.#source.candles
    if (!trades) return earlier(this.#reachableFrom, range.to)
    const walk = walkTrades(
      this.#reach,
      { source: this.#source, trades },
      { ...this.#query, range },
      this.#options,
    )
    for await (const page of walk) {
      this.#learnReach([], page.answeredAt)
      yield { ...page, requests: page.requests + this.#takeRequests() }
      if (page.answered.to >= this.#reachableFrom) return page.answered.to
    }
    return range.to
  }

  /** An answer of as many candles as there are to be had does not speak for what lies before the first of them. */
  #learnReach(rows: readonly AnswerRow[], answeredAt: Instant): void {
    const { candles } = this.#source
    const { timeframe } = this.#query
    const first = firstOf(candles, rows) ?? this.#reachableFrom
    this.#reachableFrom = [reachableFrom(candles, timeframe, answeredAt), floorTo(timeframe, first)].reduce(
      later,
      this.#reachableFrom,
    )
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
    const first = firstOf(candles, answer.rows)
    if (first !== undefined && first > range.from) return undefined
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
    const rows = candles.parse(answer.text, page)
    if (timeframe === this.#query.timeframe) this.#learnReach(rows, answer.answeredAt)
    return { rows, answeredAt: answer.answeredAt }
  }

  /** The end of the last candle that came: what follows is asked for again. */
  #endOf({ last }: Span, window: Range): Instant {
    const { timeframe } = this.#query
    return earlier(plus(floorTo(timeframe, last), timeframeMs[timeframe]), window.to)
  }

  /** The first and the last open time inside the range; undefined where there are no rows. */
  #spanOf(rows: readonly AnswerRow[], range: Range): Span | undefined {
    let span: Span | undefined
    let isAstray = false
    for (const row of rows) {
      const openTime = openTimeOf(row)
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
    const honoursFrom = bounds === 'both' || bounds === 'from'
    const honoursTo = bounds === 'both' || bounds === 'to'
    return (!honoursFrom && openTime < from) || (!honoursTo && openTime >= to)
  }
}

const isCandleRow = (row: AnswerRow): row is CandleRow => !('quiet' in row)

/** Undefined for a row whose time cannot be read. */
const openTimeOf = (row: AnswerRow): Instant | undefined =>
  'candle' in row ? row.candle.openTime : row.openTime

/** The first open time of an answer that goes back as far as its source can; undefined for any other answer. */
function firstOf({ depth }: CandleEndpoint, rows: readonly AnswerRow[]): Instant | undefined {
  if (depth === undefined || rows.length < depth) return undefined
  return rows
    .map(openTimeOf)
    .reduce((first, time) =>
      first === undefined || time === undefined ? (first ?? time) : earlier(first, time),
    )
}

/** The longest of the timeframes that the source has itself. */
function longestOf({ timeframes, madeFrom }: CandleEndpoint): Timeframe {
  const own = timeframes.filter((timeframe) => madeFrom?.[timeframe] === undefined)
  return own.reduce((longest, timeframe) =>
    timeframeMs[timeframe] > timeframeMs[longest] ? timeframe : longest,
  )
}

/** What has come of a longer timeframe and makes no whole candle yet. */
type Waiting = Readonly<{ from: Instant; to: Instant; requests: number; answeredAt: Instant }>

/** Turns pages of a shorter timeframe into pages of whole candles of a longer one. */
async function* composePages(
  pages: AsyncGenerator<WalkedPage>,
  part: Timeframe,
  timeframe: Timeframe,
): AsyncGenerator<WalkedPage> {
  let rows: CandleRow[] = []
  let waiting: Waiting | undefined
  for await (const page of pages) {
    // Where a page does not go on from the one before, the candle between them will never be whole.
    if (waiting === undefined || waiting.to !== page.answered.from) rows = []
    waiting = joined(waiting, page, timeframe)
    rows.push(...page.rows.filter((row) => isOf(row, page.answered)))
    const answered = { from: waiting.from, to: floorTo(timeframe, page.answered.to) }
    if (answered.from >= answered.to) continue
    const { answeredAt, requests } = waiting
    const ready = rows.filter((row) => isOf(row, answered))
    const composed = composeCandles(ready, { timeframe: part, range: answered, now: answeredAt }, timeframe)
    yield { rows: composed, answered, answeredAt, requests }
    rows = rows.filter((row) => !isOf(row, answered))
    waiting = { from: answered.to, to: page.answered.to, requests: 0, answeredAt: page.answeredAt }
  }
}

function joined(waiting: Waiting | undefined, page: WalkedPage, timeframe: Timeframe): Waiting {
  const { from, to } = page.answered
  const requests = (waiting?.requests ?? 0) + page.requests
  if (waiting === undefined || waiting.to !== from)
    return { from: ceilTo(timeframe, from), to, requests, answeredAt: page.answeredAt }
  // What was read before it was closed is not closed, whatever the time is now.
  return { from: waiting.from, to, requests, answeredAt: earlier(waiting.answeredAt, page.answeredAt) }
}

/** A row without a time belongs to the page it came with. */
function isOf(row: CandleRow, range: Range): boolean {
  const openTime = openTimeOf(row)
  return openTime === undefined || contains(range, openTime)
}
