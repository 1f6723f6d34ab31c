import { earlier } from '../../market/instant.ts'
import { type AlignedRange, isEmpty } from '../../market/range.ts'
import { type AlignedInstant, ceilTo, floorTo, plusCandles, timeframeMs } from '../../market/timeframe.ts'
import { firstIn, newestOf } from '../decoding/row-times.ts'
import type { CandleProvider, CandleQuery } from '../source.ts'
import { longestOf } from './longest-timeframe.ts'
import type { WindowAsker } from './window-asker.ts'

/**
 * Of a source that does not tell how far back it reaches: where the first candle of a walk comes late, those before it may
 * be absent, or no longer kept. They are absent where a still earlier one can be had, or where the longest timeframe has
 * none there either; otherwise no page speaks for them.
 */
export class ReachDoubt {
  readonly #source: CandleProvider
  readonly #query: CandleQuery
  readonly #asker: WindowAsker

  constructor(source: CandleProvider, query: CandleQuery, asker: WindowAsker) {
    this.#source = source
    this.#query = query
    this.#asker = asker
  }

  /** Looks into what is missing before the first candle of an answer that ends there. */
  async check(hole: AlignedRange, end: AlignedInstant): Promise<void> {
    const asker = this.#asker
    if (asker.reachesBack || hole.from < asker.reachableFrom) return
    asker.seeReachBack(isEmpty(hole))
    if (asker.reachesBack) return
    const { timeframe } = this.#query
    const before = asker.windowBefore(hole.from, timeframe)
    const answer = await asker.get(before, timeframe)
    asker.seeReachBack(firstIn(answer.rows, before) < before.to)
    if (asker.reachesBack) return
    const kept = newestOf(answer, before, timeframe)
    if (kept !== undefined) asker.forgetBefore(floorTo(timeframe, kept))
    else if (await this.#longestHas(hole, end)) asker.forgetBefore(hole.to)
  }

  /** Whether the longest timeframe has a candle of the hole, or does not reach back to it itself. */
  async #longestHas(hole: AlignedRange, end: AlignedInstant): Promise<boolean> {
    const longest = longestOf(this.#source.candles)
    if (timeframeMs[longest] <= timeframeMs[this.#query.timeframe]) return false
    const from = floorTo(longest, hole.from)
    const to = earlier(ceilTo(longest, hole.to), plusCandles(from, this.#asker.windowCandles, longest))
    const answer = await this.#asker.getWhole({ from, to }, longest)
    // The one in which the first candle lies proves nothing about those before it.
    const before = hole.to < end ? floorTo(longest, hole.to) : hole.to
    const kept = newestOf(answer, { from, to }, longest)
    return (kept !== undefined && kept > from) || firstIn(answer.rows, { from, to: before }) < before
  }
}
