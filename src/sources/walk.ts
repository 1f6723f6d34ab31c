import { Malformed } from '../fault.ts'
import type { SendOptions } from '../http/request.ts'
import { type CandleRow, openTimeOf } from '../market/candle.ts'
import { earlier, type Instant, later } from '../market/instant.ts'
import { type AlignedRange, candleAround, contains, isEmpty, type Range } from '../market/range.ts'
import {
  type AlignedInstant,
  ceilTo,
  floorTo,
  plusCandles,
  type Timeframe,
  timeframeMs,
} from '../market/timeframe.ts'
import { type AskReach, askForCandles } from './ask.ts'
import { composePages } from './compose-pages.ts'
import { extended, firstIn, firstOf, newestOf, type RowAnswer, type Span } from './row-times.ts'
import {
  type AnswerRow,
  type CandleProvider,
  type CandleQuery,
  type CandleTraits,
  reachableFrom,
} from './source.ts'
import { walkTrades } from './walk-trades.ts'

/** One answer of a walk. */
export type WalkedPage = Readonly<{
  rows: readonly CandleRow[]
  /** The part of the range that this answer speaks for: a candle missing here is missing at the source. */
  answered: AlignedRange
  /** The source's clock when it answered. */
  answeredAt: Instant
  /** How many requests it took since the page before. */
  requests: number
}>

export type WalkReach = AskReach

/**
 * Walks a range forward, window by window of one page each. What a source does not have is believed only when asked
 * twice: a window is no longer than a page, so that a bound it ignores cannot make a hole; what follows the last row
 * of a short page is asked for again; and so is what an empty window speaks for, together with all that follows it
 * where that can be asked in one question, which also takes the years before a listing in one step.
 * A timeframe that the source lacks is made of a shorter one, whole candles at a time. What lies further back than the
 * source's candles reach is made of its trades, and left out where it has none to offer: no page speaks for it. Where only
 * its answers tell what a source does, its word counts for less: see `#getWhole` and `#doubt`.
 */
export async function* walkCandles(
  reach: WalkReach,
  source: CandleProvider,
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

/** What one window came to: its rows up to the last of them, or nothing up to `to`. */
type Outcome = RowAnswer & Readonly<{ to: AlignedInstant }>

class WindowWalk {
  readonly #reach: WalkReach
  readonly #source: CandleProvider
  readonly #query: CandleQuery
  readonly #options: SendOptions
  #requests = 0
  #mayWiden: boolean
  /** What lies before cannot be had as candles any more: it moves on as the walk takes its time. */
  #reachableFrom: AlignedInstant
  /** Whether what is absent from here on is known to be absent, and not just forgotten. */
  #reachesBack: boolean

  constructor(reach: WalkReach, source: CandleProvider, query: CandleQuery, options: SendOptions) {
    this.#reach = reach
    this.#source = source
    this.#query = query
    this.#options = options
    this.#mayWiden = source.candles.longWindow === 'oldest'
    this.#reachableFrom = reachableFrom(source.candles, query.timeframe, query.asOf)
    this.#reachesBack = source.candles.depth !== 'unknown'
  }

  async *pages(): AsyncGenerator<WalkedPage> {
    const { range, timeframe, asOf } = this.#query
    const { pageSize } = this.#source.candles
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
      const window = { from, to: earlier(plusCandles(from, pageSize, timeframe), range.to) }
      const { rows, answeredAt, to } =
        (await this.#ask(window)) ?? (await this.#askAgain(window, { from, to: range.to }))
      await this.#doubt({ from, to: floorTo(timeframe, firstIn(rows, { from, to })) }, to)
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
  async *#walkTrades(range: AlignedRange): AsyncGenerator<WalkedPage, AlignedInstant> {
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
    const first =
      (candles.depth === 'unknown' ? undefined : firstOf(rows, candles.depth)) ?? this.#reachableFrom
    this.#reachableFrom = [reachableFrom(candles, timeframe, answeredAt), floorTo(timeframe, first)].reduce(
      later,
      this.#reachableFrom,
    )
  }

  /**
   * Of a source that does not tell how far back it reaches: where the first candle of a walk comes late, those before it
   * may be absent, or forgotten. They are absent where a still earlier one can be had, or where the longest timeframe has
   * none there either; otherwise no page speaks for them.
   */
  async #doubt(hole: AlignedRange, end: AlignedInstant): Promise<void> {
    if (this.#reachesBack || hole.from < this.#reachableFrom) return
    this.#reachesBack = isEmpty(hole)
    if (this.#reachesBack) return
    const { timeframe } = this.#query
    const before = this.#pageBefore(hole.from, timeframe)
    const answer = await this.#get(before, timeframe)
    this.#reachesBack = firstIn(answer.rows, before) < before.to
    if (this.#reachesBack) return
    const kept = newestOf(answer, before, timeframe)
    if (kept !== undefined) this.#reachableFrom = later(this.#reachableFrom, floorTo(timeframe, kept))
    else if (await this.#longestHas(hole, end)) this.#reachableFrom = later(this.#reachableFrom, hole.to)
  }

  /** As much as one answer holds, up to there. */
  #pageBefore(to: AlignedInstant, timeframe: Timeframe): AlignedRange {
    const candles = Math.min(this.#source.candles.pageSize, to / timeframeMs[timeframe])
    return { from: plusCandles(to, -candles, timeframe), to }
  }

  /** Whether the longest timeframe has a candle of the hole, or does not reach back to it itself. */
  async #longestHas(hole: AlignedRange, end: AlignedInstant): Promise<boolean> {
    const { candles } = this.#source
    const longest = longestOf(candles)
    if (timeframeMs[longest] <= timeframeMs[this.#query.timeframe]) return false
    const from = floorTo(longest, hole.from)
    const to = earlier(ceilTo(longest, hole.to), plusCandles(from, candles.pageSize, longest))
    const answer = await this.#getWhole({ from, to }, longest)
    // The one in which the first candle lies proves nothing about those before it.
    const before = hole.to < end ? floorTo(longest, hole.to) : hole.to
    const kept = newestOf(answer, { from, to }, longest)
    return (kept !== undefined && kept > from) || firstIn(answer.rows, { from, to: before }) < before
  }

  /** Undefined when the source answered without a row of the window. */
  async #ask(window: AlignedRange): Promise<Outcome | undefined> {
    const { timeframe } = this.#query
    const answer = await this.#getWhole(window, timeframe)
    const span = this.#spanOf(answer.rows, window)
    if (span) return { ...answer, to: this.#endOf(span, window) }
    const kept = this.#reachesBack ? undefined : newestOf(answer, window, timeframe)
    if (kept === undefined) return undefined
    this.#reachableFrom = later(this.#reachableFrom, floorTo(timeframe, kept))
    return { ...answer, to: window.to }
  }

  /** Asks once more for what came out empty, and believes it then. */
  async #askAgain(window: AlignedRange, rest: AlignedRange): Promise<Outcome> {
    if (this.#mayWiden) {
      const widened = await this.#askForRest(rest)
      if (widened) return widened
    }
    if (this.#source.candles.longWindow !== 'oldest') {
      const probed = await this.#probe(window, rest)
      if (probed) return probed
    }
    const answer = await this.#getWhole(window, this.#query.timeframe)
    const span = this.#spanOf(answer.rows, window)
    return { ...answer, to: span ? this.#endOf(span, window) : window.to }
  }

  /** Undefined when the source answered from somewhere else than the beginning. */
  async #askForRest(rest: AlignedRange): Promise<Outcome | undefined> {
    const { timeframe } = this.#query
    const answer = await this.#get(rest, timeframe)
    const span = this.#spanOf(answer.rows, rest)
    if (!span) return { ...answer, to: rest.to }
    const end = this.#endOf(span, rest)
    if (answer.rows.length < this.#source.candles.pageSize) return { ...answer, to: end }
    // A source that ignores the beginning fills its page with the newest candles, and older ones only look absent.
    const skipped = { from: rest.from, to: floorTo(timeframe, span.first) }
    if (isEmpty(skipped) || (await this.#get(skipped, timeframe)).rows.length === 0)
      return { ...answer, to: end }
    this.#mayWiden = false
    return undefined
  }

  /**
   * Where a long window cannot be asked for, the longest timeframe tells: where that has no candle, the shorter ones
   * have none either. Undefined when it does not reach beyond the window.
   */
  async #probe(window: AlignedRange, rest: AlignedRange): Promise<Outcome | undefined> {
    const { candles } = this.#source
    const longest = longestOf(candles)
    if (timeframeMs[longest] <= timeframeMs[this.#query.timeframe]) return undefined
    const from = later(
      floorTo(longest, window.from),
      ceilTo(longest, reachableFrom(candles, longest, this.#query.asOf)),
    )
    // The candle that is still open may not be told of yet.
    const closed = earlier(floorTo(longest, this.#query.asOf), ceilTo(longest, rest.to))
    const range = { from, to: earlier(plusCandles(from, candles.pageSize, longest), closed) }
    if (isEmpty(range) || range.from > window.from) return undefined
    const answer = await this.#getWhole(range, longest)
    const first =
      candles.depth === 'unknown' ? newestOf(answer, range, longest) : firstOf(answer.rows, candles.depth)
    if (first !== undefined && first > range.from) return undefined
    const span = this.#spanOf(answer.rows, range)
    const to = earlier(span ? floorTo(longest, span.first) : range.to, rest.to)
    return to > window.to ? { rows: [], answeredAt: answer.answeredAt, to } : undefined
  }

  /**
   * The answer to a question of at most a page. Where only its answers tell what a source does, its page may be shorter than
   * we believe and hold the newest candles: what is missing at the beginning is asked for again, until it stays so.
   */
  async #getWhole(range: AlignedRange, timeframe: Timeframe): Promise<RowAnswer> {
    let answer = await this.#get(range, timeframe)
    if (this.#source.candles.depth !== 'unknown') return answer
    const beginning = ({ rows }: RowAnswer) => floorTo(timeframe, firstIn(rows, range))
    for (let to = beginning(answer); to > range.from && to < range.to; to = beginning(answer)) {
      // With what lies before the range, as far as a page goes: it shows whether the source reaches back that far.
      const asked = this.#pageBefore(to, timeframe)
      const more = await this.#get(asked, timeframe)
      if (timeframe === this.#query.timeframe) this.#reachesBack ||= firstIn(more.rows, asked) < range.from
      const missing = more.rows.filter((row) => contains({ from: range.from, to }, openTimeOf(row) ?? to))
      if (missing.length === 0) return answer
      answer = {
        rows: [...missing, ...answer.rows],
        answeredAt: earlier(more.answeredAt, answer.answeredAt),
      }
    }
    return answer
  }

  async #get(range: AlignedRange, timeframe: Timeframe): Promise<RowAnswer> {
    const page = { ...this.#query, range, timeframe }
    const answer = await askForCandles(this.#reach, this.#source, page, this.#options)
    this.#requests += answer.requests
    if (timeframe === this.#query.timeframe) this.#learnReach(answer.rows, answer.answeredAt)
    return answer
  }

  /** The end of the last candle that came: what follows is asked for again. */
  #endOf({ last }: Span, window: AlignedRange): AlignedInstant {
    return earlier(candleAround(this.#query.timeframe, last).to, window.to)
  }

  /** The first and the last open time inside the range; undefined where there are no rows. */
  #spanOf(rows: readonly AnswerRow[], range: Range): Span | undefined {
    let span: Span | undefined
    let isAstray = false
    for (const row of rows) {
      const openTime = openTimeOf(row)
      // A row without a time is a bad row, and shows nothing of the others.
      if (openTime === undefined) continue
      if (contains(range, openTime)) span = extended(span, openTime)
      else isAstray ||= !this.#mayComeBeside(openTime, range)
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

/** The longest of the timeframes that the source has itself. */
function longestOf({ timeframes, madeFrom }: CandleTraits): Timeframe {
  const own = timeframes.filter((timeframe) => madeFrom?.[timeframe] === undefined)
  return own.reduce((longest, timeframe) =>
    timeframeMs[timeframe] > timeframeMs[longest] ? timeframe : longest,
  )
}
