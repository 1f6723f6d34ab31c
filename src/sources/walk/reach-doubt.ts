import { earlier } from '../../market/instant.ts'
import { type AlignedRange, isEmpty } from '../../market/range.ts'
import { type AlignedInstant, ceilTo, floorTo, plusCandles, timeframeMs } from '../../market/timeframe.ts'
import { firstIn, newestOf } from '../decoding/row-times.ts'
import type { CandleProvider, CandleQuery } from '../source.ts'
import { longestOf } from './longest-timeframe.ts'
import type { WindowAsker } from './window-asker.ts'

/**
 * For sources of unknown reach: candles before a late first one are absent if an earlier one exists or the longest
 * timeframe has none; otherwise not covered.
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

  /** Examines a hole before an answer's first candle. */
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

  /** Whether the longest timeframe has a candle there, or does not reach. */
  async #longestHas(hole: AlignedRange, end: AlignedInstant): Promise<boolean> {
    const longest = longestOf(this.#source.candles)
    if (timeframeMs[longest] <= timeframeMs[this.#query.timeframe]) return false
    const from = floorTo(longest, hole.from)
    const to = earlier(ceilTo(longest, hole.to), plusCandles(from, this.#asker.windowCandles, longest))
    const answer = await this.#asker.getWhole({ from, to }, longest)
    // The candle that contains the first one proves nothing.
    const before = hole.to < end ? floorTo(longest, hole.to) : hole.to
    const kept = newestOf(answer, { from, to }, longest)
    return (kept !== undefined && kept > from) || firstIn(answer.rows, { from, to: before }) < before
  }
}
