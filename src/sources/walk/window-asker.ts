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

/** Requests windows and learns rows per answer and reach. */
export class WindowAsker {
  readonly #deps: AskDeps
  readonly #source: CandleProvider
  readonly #query: CandleQuery
  readonly #options: SendOptions
  #requests = 0
  #windowRows: number
  /** Most rows seen in an answer. */
  #mostRows = 0
  /** Shorter answers are complete. */
  #heldRows = 0
  /** Oldest available; advances during the walk. */
  #reachableFrom: AlignedInstant
  /** Whether the reach was seen to exceed the walk's start. */
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

  /** Earlier candles are unavailable. */
  forgetBefore(instant: AlignedInstant): void {
    this.#reachableFrom = later(this.#reachableFrom, instant)
  }

  get reachesBack(): boolean {
    return this.#reachesBack
  }

  seeReachBack(isSeen: boolean): void {
    this.#reachesBack ||= isSeen
  }

  takeRequests(): number {
    const requests = this.#requests
    this.#requests = 0
    return requests
  }

  /** A request made elsewhere. */
  countRequest(): void {
    this.#requests += 1
  }

  get windowCandles(): number {
    return this.#windowRows
  }

  /** Halves windows after a rejection; false at the minimum. */
  shorten(): boolean {
    const isShortest = this.#windowRows <= 1
    this.#windowRows = Math.ceil(this.#windowRows / 2)
    return !isShortest
  }

  /** A full page before `to`. */
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

  /** Repeats a request while its beginning is missing, as long windows may return the newest rows. */
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
      // Not below the most seen: one short answer must not shrink all windows.
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

  /** End of the missing beginning worth another request; else undefined. */
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

  /** A full-depth answer does not cover earlier candles. */
  learnReach({ rows, answeredAt }: RowAnswer): void {
    const { candles } = this.#source
    const { timeframe } = this.#query
    this.forgetBefore(reachableFrom(candles, timeframe, answeredAt))
    const first = candles.depth === 'unknown' ? undefined : firstOf(rows, candles.depth)
    if (first !== undefined) this.forgetBefore(floorTo(timeframe, first))
  }
}
