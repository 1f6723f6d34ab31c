import { BeforeHistory } from '../../fault.ts'
import type { SendOptions } from '../../http/request.ts'
import { earlier, type Instant, plus } from '../../market/instant.ts'
import { type AlignedRange, candleFrom } from '../../market/range.ts'
import { type AlignedInstant, ceilTo, floorTo, plusCandles, timeframeMs } from '../../market/timeframe.ts'
import type { AskDeps } from '../ask.ts'
import { type CandleProvider, type CandleQuery, toHttpRequest } from '../source.ts'
import type { WindowAsker } from './window-asker.ts'

/** Known beginning of a market's candles. */
export type Beginning = Readonly<{
  /** Nothing earlier is available. */
  at: AlignedInstant
  /** Shown by the source, not only a rejection. */
  isShown: boolean
  /** A range from there was accepted. */
  isAccepted: boolean
}>

type Shown = Readonly<{ from: Instant; lengthMs: number }>

/** For sources that reject ranges before a market's beginning: narrowed by longer candles, then searched. */
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

  /** `range.to` if it begins later or never. */
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

  /** The finest complete longer candles. */
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

  /** Bisects; decisive rejections must repeat. */
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
