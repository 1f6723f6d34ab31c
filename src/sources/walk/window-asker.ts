import { BeforeHistory, RangeTooLong } from '../../fault.ts'
import type { SendOptions } from '../../http/request.ts'
import { openTimeOf } from '../../market/candle.ts'
import { earlier, later } from '../../market/instant.ts'
import { type AlignedRange, contains } from '../../market/range.ts'
import {
  type AlignedInstant,
  floorTo,
  plusCandles,
  type Timeframe,
  timeframeMs,
} from '../../market/timeframe.ts'
import { type AskDeps, askForCandles } from '../ask.ts'
import { firstIn, firstOf, type RowAnswer } from '../decoding/row-times.ts'
import { type CandleProvider, type CandleQuery, reachableFrom } from '../source.ts'

/**
 * Asks a source for windows of one market's candles, and learns from the answers what no constant can be trusted with: how
 * many rows one holds, and how far back they reach.
 */
export class WindowAsker {
  readonly #deps: AskDeps
  readonly #source: CandleProvider
  readonly #query: CandleQuery
  readonly #options: SendOptions
  #requests = 0
  /** How many candles a window spans. */
  #windowRows: number
  /** The most rows that any answer held. */
  #mostRows = 0
  /** So many rows an answer is known to hold without being cut off: one with fewer is whole. */
  #heldRows = 0
  /** What lies before cannot be had as candles any more: it moves on as the walk takes its time. */
  #reachableFrom: AlignedInstant
  /** Whether a source that does not tell how far back it reaches was seen to reach back behind the walk. */
  #reachesBack: boolean

  constructor(deps: AskDeps, source: CandleProvider, query: CandleQuery, options: SendOptions) {
    this.#deps = deps
    this.#source = source
    this.#query = query
    this.#options = options
    const { candles } = source
    this.#windowRows = candles.mostRows ?? candles.pageSize
    this.#reachableFrom = reachableFrom(candles, query.timeframe, query.asOf)
    this.#reachesBack = candles.depth !== 'unknown'
  }

  get reachableFrom(): AlignedInstant {
    return this.#reachableFrom
  }

  /** Candles of before are not to be had any more. */
  forgetBefore(instant: AlignedInstant): void {
    this.#reachableFrom = later(this.#reachableFrom, instant)
  }

  get reachesBack(): boolean {
    return this.#reachesBack
  }

  seeReachBack(isSeen: boolean): void {
    this.#reachesBack ||= isSeen
  }

  /** The requests since they were last taken. */
  takeRequests(): number {
    const requests = this.#requests
    this.#requests = 0
    return requests
  }

  /** Counts a request that went another way. */
  countRequest(): void {
    this.#requests += 1
  }

  /** How many candles a window may span. */
  get windowCandles(): number {
    return this.#windowRows
  }

  /** Halves the windows: the source has rejected one for its length. False where they cannot be shorter. */
  shorten(): boolean {
    const isShortest = this.#windowRows <= 1
    this.#windowRows = Math.ceil(this.#windowRows / 2)
    return !isShortest
  }

  /** As much as one answer is said to hold, up to there. */
  windowBefore(to: AlignedInstant, timeframe: Timeframe): AlignedRange {
    const { mostRows, pageSize } = this.#source.candles
    const candles = Math.min(mostRows ?? pageSize, to / timeframeMs[timeframe])
    return { from: plusCandles(to, -candles, timeframe), to }
  }

  async get(range: AlignedRange, timeframe: Timeframe): Promise<RowAnswer> {
    const page = { ...this.#query, range, timeframe }
    try {
      const answer = await askForCandles(this.#deps, this.#source, page, this.#options)
      this.#requests += answer.requests
      this.#mostRows = Math.max(this.#mostRows, answer.rows.length)
      if (timeframe === this.#query.timeframe) this.learnReach(answer)
      return answer
    } catch (error) {
      if (error instanceof BeforeHistory || error instanceof RangeTooLong) this.#requests += 1
      throw error
    }
  }

  /**
   * The answer to a request of at most a window. Of a window longer than its page a source may give the newest rows: what is
   * missing at the beginning is asked for again, until it stays so, unless an answer was seen to hold more rows than this.
   */
  async getWhole(range: AlignedRange, timeframe: Timeframe): Promise<RowAnswer> {
    let answer = await this.get(range, timeframe)
    let newest = answer
    for (let to = this.#missingTo(newest, range, timeframe); to !== undefined; ) {
      const asked = this.#isUnknown() ? this.windowBefore(to, timeframe) : { from: range.from, to }
      const more = await this.get(asked, timeframe)
      if (this.#isUnknown() && timeframe === this.#query.timeframe)
        this.seeReachBack(firstIn(more.rows, asked) < range.from)
      const before = { from: range.from, to }
      const missing = more.rows.filter((row) => contains(before, openTimeOf(row) ?? before.to))
      if (missing.length === 0) {
        this.#heldRows = Math.max(this.#heldRows, newest.rows.length)
        return answer
      }
      // Never less than an answer held: one that was cut by accident must not make all windows short.
      this.#windowRows = Math.min(this.#windowRows, Math.max(1, this.#mostRows))
      answer = {
        rows: [...missing, ...answer.rows],
        answeredAt: earlier(more.answeredAt, answer.answeredAt),
      }
      newest = more
      to = this.#missingTo({ ...more, rows: answer.rows }, range, timeframe, more.rows.length)
    }
    return answer
  }

  #isUnknown(): boolean {
    return this.#source.candles.depth === 'unknown'
  }

  /** The end of what is missing at the beginning and worth another request; undefined where there is no such thing. */
  #missingTo(
    { rows }: RowAnswer,
    range: AlignedRange,
    timeframe: Timeframe,
    rowsOfAnswer = rows.length,
  ): AlignedInstant | undefined {
    const { longWindow } = this.#source.candles
    const to = floorTo(timeframe, firstIn(rows, range))
    if (to <= range.from) {
      this.#heldRows = Math.max(this.#heldRows, rowsOfAnswer)
      return undefined
    }
    const isBeyondReach = timeframe === this.#query.timeframe && to <= this.#reachableFrom
    if (to >= range.to || isBeyondReach) return undefined
    const mayBeCut = this.#isUnknown() || (longWindow !== 'oldest' && rowsOfAnswer >= this.#heldRows)
    return mayBeCut ? to : undefined
  }

  /** An answer of as many candles as there are to be had does not speak for what lies before the first of them. */
  learnReach({ rows, answeredAt }: RowAnswer): void {
    const { candles } = this.#source
    const { timeframe } = this.#query
    this.forgetBefore(reachableFrom(candles, timeframe, answeredAt))
    const first = candles.depth === 'unknown' ? undefined : firstOf(rows, candles.depth)
    if (first !== undefined) this.forgetBefore(floorTo(timeframe, first))
  }
}
