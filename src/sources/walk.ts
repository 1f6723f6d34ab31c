import { BeforeHistory, Malformed, RangeTooLong } from '../fault.ts'
import type { SendOptions } from '../http/request.ts'
import { type CandleRow, openTimeOf } from '../market/candle.ts'
import { earlier, type Instant, later } from '../market/instant.ts'
import { type AlignedRange, candleAround, contains, isEmpty, type Range } from '../market/range.ts'
import { type AlignedInstant, ceilTo, floorTo, plusCandles, timeframeMs } from '../market/timeframe.ts'
import { extended, firstIn, firstOf, newestOf, type RowAnswer, type Span } from './decoding/row-times.ts'
import { type AnswerRow, type CandleProvider, type CandleQuery, reachableFrom } from './source.ts'
import { composePages } from './walk/compose-pages.ts'
import { HistoryBeginning } from './walk/history-beginning.ts'
import { longestOf } from './walk/longest-timeframe.ts'
import { ReachDoubt } from './walk/reach-doubt.ts'
import { walkTrades } from './walk/walk-trades.ts'
import type { WalkDeps, WalkedPage } from './walk/walked-page.ts'
import { WindowAsker } from './walk/window-asker.ts'

/**
 * Walks a range forward in windows. Absence is accepted only if confirmed: before the first row of a possibly cut
 * answer, after the last row, and for empty windows (with the whole rest, if one request can cover it). Missing
 * timeframes are made of shorter ones; candles beyond the source's reach of trades, or left out. Limits are learned,
 * see `WindowAsker`, `HistoryBeginning`, `ReachDoubt`. Each window advances or gets shorter.
 */
export async function* walkCandles(
  deps: WalkDeps,
  source: CandleProvider,
  query: CandleQuery,
  options: SendOptions,
): AsyncGenerator<WalkedPage> {
  const { candles } = source
  const { timeframe } = query
  const part = candles.madeFrom?.[timeframe]
  const asked = { ...query, timeframe: part ?? timeframe }
  const walk = new WindowWalk(deps, source, asked, options).pages()
  yield* part === undefined ? walk : composePages(walk, part, timeframe)
}

/** Rows up to the last, or none up to `to`. */
type Outcome = RowAnswer & Readonly<{ to: AlignedInstant }>

class WindowWalk {
  readonly #deps: WalkDeps
  readonly #source: CandleProvider
  readonly #query: CandleQuery
  readonly #options: SendOptions
  readonly #asker: WindowAsker
  readonly #beginning: HistoryBeginning
  readonly #doubt: ReachDoubt
  #mayWiden: boolean
  /** The found beginning; requested alone first. */
  #firstCandle: AlignedInstant | undefined

  constructor(deps: WalkDeps, source: CandleProvider, query: CandleQuery, options: SendOptions) {
    this.#deps = deps
    this.#source = source
    this.#query = query
    this.#options = options
    this.#asker = new WindowAsker(deps, source, query, options)
    this.#beginning = new HistoryBeginning(deps, source, query, options, this.#asker)
    this.#doubt = new ReachDoubt(source, query, this.#asker)
    this.#mayWiden = source.candles.longWindow === 'oldest'
  }

  async *pages(): AsyncGenerator<WalkedPage> {
    const { range } = this.#query
    let { from } = range
    while (from < range.to) {
      if (from < this.#asker.reachableFrom) {
        from = yield* this.#walkTrades({ from, to: range.to })
        continue
      }
      const outcome = await this.#outcomeOf(from)
      if (outcome === undefined) continue
      const { rows, answeredAt, to } = outcome
      // The reach may have been learned just now.
      if (from < this.#asker.reachableFrom)
        from = yield* this.#walkTrades({ from, to: earlier(this.#asker.reachableFrom, range.to) })
      if (from >= to) continue
      const requests = this.#asker.takeRequests()
      yield { rows: rows.filter(isCandleRow), answered: { from, to }, answeredAt, requests }
      from = to
    }
  }

  /** Undefined if the window must be requested differently. */
  async #outcomeOf(from: AlignedInstant): Promise<Outcome | undefined> {
    const { range, timeframe } = this.#query
    const candles = from === this.#firstCandle ? 1 : this.#asker.windowCandles
    const window = { from, to: earlier(plusCandles(from, candles, timeframe), range.to) }
    const rest = { from, to: range.to }
    try {
      const outcome = (await this.#ask(window)) ?? (await this.#askAgain(window, rest))
      const first = floorTo(timeframe, firstIn(outcome.rows, { from, to: outcome.to }))
      // Trades are certain where a late beginning is not.
      if (this.#source.candles.trades) this.#asker.forgetBefore(first)
      else await this.#doubt.check({ from, to: first }, outcome.to)
      return outcome
    } catch (error) {
      if (error instanceof RangeTooLong && this.#asker.shorten()) return undefined
      if (error instanceof BeforeHistory) return this.#moveToBeginning(rest, error)
      throw error
    }
  }

  /** Continues at the beginning; covers what lies before if shown. */
  async #moveToBeginning(rest: AlignedRange, rejection: BeforeHistory): Promise<Outcome | undefined> {
    if (rest.from === this.#firstCandle)
      throw new Malformed(`${this.#source.id} rejects a range that it has accepted: ${rejection.message}`, {
        cause: rejection,
      })
    const { at, isShown, isAccepted } = await this.#beginning.find(rest)
    if (isAccepted) this.#firstCandle = at
    if (at === rest.from) return undefined
    if (isShown) return { rows: [], answeredAt: this.#query.asOf, to: at }
    this.#asker.forgetBefore(at)
    return undefined
  }

  /** Returns where candles are available. */
  async *#walkTrades(range: AlignedRange): AsyncGenerator<WalkedPage, AlignedInstant> {
    const { trades } = this.#source.candles
    if (!trades) return earlier(this.#asker.reachableFrom, range.to)
    const walk = walkTrades(
      this.#deps,
      { source: this.#source, trades },
      { ...this.#query, range },
      this.#options,
    )
    for await (const page of walk) {
      this.#asker.learnReach({ rows: [], answeredAt: page.answeredAt })
      yield { ...page, requests: page.requests + this.#asker.takeRequests() }
      if (page.answered.to >= this.#asker.reachableFrom) return page.answered.to
    }
    return range.to
  }

  /** Undefined without a row in the window. */
  async #ask(window: AlignedRange): Promise<Outcome | undefined> {
    const { timeframe } = this.#query
    const answer = await this.#asker.getWhole(window, timeframe)
    const span = this.#spanOf(answer.rows, window)
    if (span) return { ...answer, to: this.#endOf(span, window) }
    const kept = this.#asker.reachesBack ? undefined : newestOf(answer, window, timeframe)
    // With trades, missing candles are made of them.
    if (kept === undefined) return this.#source.candles.trades && { ...answer, to: window.to }
    this.#asker.forgetBefore(floorTo(timeframe, kept))
    return { ...answer, to: window.to }
  }

  /** Confirms an empty window. */
  async #askAgain(window: AlignedRange, rest: AlignedRange): Promise<Outcome> {
    if (this.#mayWiden) {
      const widened = await this.#askForRest(rest)
      if (widened) return widened
    }
    if (this.#source.candles.longWindow !== 'oldest') {
      const probed = await this.#probe(window, rest)
      if (probed) return probed
    }
    const answer = await this.#asker.getWhole(window, this.#query.timeframe)
    const span = this.#spanOf(answer.rows, window)
    return { ...answer, to: span ? this.#endOf(span, window) : window.to }
  }

  /** Undefined if the answer does not start at the beginning. */
  async #askForRest(rest: AlignedRange): Promise<Outcome | undefined> {
    const { timeframe } = this.#query
    const answer = await this.#asker.get(rest, timeframe)
    const span = this.#spanOf(answer.rows, rest)
    if (!span) return { ...answer, to: rest.to }
    const end = this.#endOf(span, rest)
    if (answer.rows.length < this.#source.candles.pageSize) return { ...answer, to: end }
    // A source that ignores the start returns its newest candles, so older ones only look absent.
    const skipped = { from: rest.from, to: floorTo(timeframe, span.first) }
    if (isEmpty(skipped) || (await this.#asker.get(skipped, timeframe)).rows.length === 0)
      return { ...answer, to: end }
    this.#mayWiden = false
    return undefined
  }

  /**
   * Probes with the longest timeframe: if it has no candle, shorter ones have none. Undefined if it reaches no further
   * or is rejected.
   */
  async #probe(window: AlignedRange, rest: AlignedRange): Promise<Outcome | undefined> {
    const { candles } = this.#source
    const longest = longestOf(candles)
    if (timeframeMs[longest] <= timeframeMs[this.#query.timeframe]) return undefined
    const from = later(
      floorTo(longest, window.from),
      ceilTo(longest, reachableFrom(candles, longest, this.#query.asOf)),
    )
    // An open candle may be missing.
    const closed = earlier(floorTo(longest, this.#query.asOf), ceilTo(longest, rest.to))
    const range = { from, to: earlier(plusCandles(from, this.#asker.windowCandles, longest), closed) }
    if (isEmpty(range) || range.from > window.from) return undefined
    const answer = await this.#asker.getWhole(range, longest).catch(exceptForItsRange)
    if (answer === undefined) return undefined
    const first =
      candles.depth === 'unknown' ? newestOf(answer, range, longest) : firstOf(answer.rows, candles.depth)
    if (first !== undefined && first > range.from) return undefined
    const span = this.#spanOf(answer.rows, range)
    const to = earlier(span ? floorTo(longest, span.first) : range.to, rest.to)
    return to > window.to ? { rows: [], answeredAt: answer.answeredAt, to } : undefined
  }

  /** Later candles are requested again. */
  #endOf({ last }: Span, window: AlignedRange): AlignedInstant {
    return earlier(candleAround(this.#query.timeframe, last).to, window.to)
  }

  #spanOf(rows: readonly AnswerRow[], range: Range): Span | undefined {
    let span: Span | undefined
    let isAstray = false
    for (const row of rows) {
      const openTime = openTimeOf(row)
      // Rows without a time show nothing about others.
      if (openTime === undefined) continue
      if (contains(range, openTime)) span = extended(span, openTime)
      else isAstray ||= !this.#mayComeBeside(openTime, range)
    }
    if (!span && isAstray) {
      throw new Malformed(`${this.#source.id} answered with rows that all fault outside the range asked for`)
    }
    return span
  }

  /** Rows beyond unsupported bounds are expected. */
  #mayComeBeside(openTime: Instant, { from, to }: Range): boolean {
    const { bounds } = this.#source.candles
    const honoursFrom = bounds === 'both' || bounds === 'from'
    const honoursTo = bounds === 'both' || bounds === 'to'
    return (!honoursFrom && openTime < from) || (!honoursTo && openTime >= to)
  }
}

/** A rejected probe proves nothing. */
function exceptForItsRange(error: unknown): undefined {
  if (!(error instanceof BeforeHistory || error instanceof RangeTooLong)) throw error
}

const isCandleRow = (row: AnswerRow): row is CandleRow => !('quiet' in row)
