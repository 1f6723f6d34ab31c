import { BeforeHistory } from '../../fault.ts'
import type { SendOptions } from '../../http/request.ts'
import { earlier, type Instant, plus } from '../../market/instant.ts'
import { type AlignedRange, candleFrom } from '../../market/range.ts'
import { type AlignedInstant, ceilTo, floorTo, plusCandles, timeframeMs } from '../../market/timeframe.ts'
import type { AskDeps } from '../ask.ts'
import { type CandleProvider, type CandleQuery, toHttpRequest } from '../source.ts'
import type { WindowAsker } from './window-asker.ts'

/** Where the candles of a market begin, as far as it is known now. */
export type Beginning = Readonly<{
  /** Nothing before can be had. */
  at: AlignedInstant
  /** Whether the source showed that there is nothing before, and did not only reject the request. */
  isShown: boolean
  /** Whether a range that begins there was accepted: what is shown may still begin a little too early. */
  isAccepted: boolean
}>

type Shown = Readonly<{ from: Instant; lengthMs: number }>

/**
 * Finds where a market's candles begin, at a source that rejects a range that begins before. Its longer candles show the
 * unit of time in which they begin; inside of it the first open time that is not rejected is searched for.
 */
export class HistoryBeginning {
  readonly #deps: AskDeps
  readonly #source: CandleProvider
  readonly #query: CandleQuery
  readonly #options: SendOptions
  readonly #asker: WindowAsker
  #shown: Promise<Shown | undefined> | undefined

  constructor(
    deps: AskDeps,
    source: CandleProvider,
    query: CandleQuery,
    options: SendOptions,
    asker: WindowAsker,
  ) {
    this.#deps = deps
    this.#source = source
    this.#query = query
    this.#options = options
    this.#asker = asker
  }

  /** The beginning inside of a range whose own beginning was rejected; its end where it begins later or not at all. */
  async find(range: AlignedRange): Promise<Beginning> {
    this.#shown ??= this.#readShown()
    const shown = await this.#shown
    if (shown === undefined) return this.#search(range, false)
    const { timeframe } = this.#query
    const from = floorTo(timeframe, shown.from)
    if (from > range.from) return { at: earlier(from, range.to), isShown: true, isAccepted: false }
    const to = ceilTo(timeframe, plus(shown.from, shown.lengthMs))
    if (to <= range.from || to >= range.to) return this.#search(range, to > range.from)
    const found = await this.#search({ from: range.from, to }, true)
    return found.isAccepted ? found : this.#search({ from: to, to: range.to }, false)
  }

  async #search(range: AlignedRange, isShown: boolean): Promise<Beginning> {
    const at = await this.#firstAccepted(range)
    return { at, isShown, isAccepted: at < range.to }
  }

  /** The finest of the longer candles of which one answer holds all. */
  async #readShown(): Promise<Shown | undefined> {
    const { candles } = this.#source
    if (!('beginnings' in candles) || candles.beginnings === undefined) return undefined
    const { http, baseUrls } = this.#deps
    for (const { lengthMs, request, parse } of candles.beginnings) {
      const complete = toHttpRequest(this.#source, request(this.#query.symbol), baseUrls)
      this.#asker.countRequest()
      const answer = await http.get(complete, this.#options)
      const from = parse(answer.text)
      if (from !== undefined) return { from, lengthMs }
    }
    return undefined
  }

  /** By halves. A rejection that decides is believed only when it comes twice. */
  async #firstAccepted({ from, to }: AlignedRange): Promise<AlignedInstant> {
    const { timeframe } = this.#query
    const length = timeframeMs[timeframe]
    let accepted = plusCandles(to, -1, timeframe)
    if ((await this.#isRejected(accepted)) && (await this.#isRejected(accepted))) return to
    let rejected = from
    while (accepted - rejected > length) {
      const middle = floorTo(timeframe, plus(rejected, (accepted - rejected) / 2))
      if (await this.#isRejected(middle)) rejected = middle
      else accepted = middle
    }
    if (accepted <= from || (await this.#isRejected(plusCandles(accepted, -1, timeframe)))) return accepted
    return this.#firstAccepted({ from, to: accepted })
  }

  async #isRejected(at: AlignedInstant): Promise<boolean> {
    const { timeframe } = this.#query
    try {
      await this.#asker.get(candleFrom(at, timeframe), timeframe)
      return false
    } catch (error) {
      if (error instanceof BeforeHistory) return true
      throw error
    }
  }
}
