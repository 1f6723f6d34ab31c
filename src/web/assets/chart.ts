// Candles and volume of one series; gaps stay empty.
import type { SeriesStatus } from '../../status/series.ts'
import type { Status } from '../../status/status.ts'
import type { CandlesAnswer } from '../api.ts'
import { ask } from './ask.ts'
import type { CandleCanvas, Mark } from './chart/canvas.ts'
import { type CoinChooser, openCoinChooser } from './chart/coin-chooser.ts'
import { decimalsOf, lengthOf, missingIn, withGaps } from './chart/points.ts'
import { draw, h, within } from './elements/dom.ts'
import { instant, price, rounded } from './elements/words.ts'
import { choices } from './elements.ts'
import { seriesLink } from './links.ts'

type Candle = CandlesAnswer['candles'][number]

const dayMs = 86_400_000
const lengths = [
  ['1 day', 1],
  ['1 week', 7],
  ['1 month', 30],
  ['1 year', 365],
  ['5 years', 1826],
] as const
const mostPoints = 1_500

/** What the chart shows now, in instants as ISO text. */
export type ShownRange = Readonly<{ from: string; to: string; pointSeconds: number }>

/** Marks of the points, and what to say of one that is pointed at, by epoch seconds. */
export type ChartMarks = Readonly<{ marks: readonly Mark[]; textAt: ReadonlyMap<number, string> }>

type ChartOptions = Readonly<{
  /** The series that it shows; without it one is chosen. */
  fixed?: Readonly<{ coinId: string; timeframe: string }>
  /** Is called when another range is shown. */
  onRange?(range: ShownRange): void
}>

/** About as many candles as fit the chart. */
const usualDays: Readonly<Record<string, number>> = { '1m': 1, '5m': 7, '15m': 7, '30m': 30, '1d': 365 }

/** Asked for at once: it comes beside the candles. */
const library = import('./chart/canvas.ts')

/** Loads candles for the chosen series and on each close. */
class Chart {
  readonly #place: Element
  readonly #options: ChartOptions
  #textAt: ReadonlyMap<number, string> = new Map()
  readonly #buttons = h('div', { class: 'buttons' })
  readonly #summary = h('p', { class: 'note chart-summary', 'aria-live': 'polite' })
  readonly #canvas = h('div', { class: 'chart', role: 'img', 'aria-label': 'No candles yet' })
  readonly #chooser: CoinChooser
  #opening: Promise<CandleCanvas> | undefined
  #series: readonly SeriesStatus[] = []
  /** The daemon's clock. */
  #now = 0
  #coinId: string | undefined
  #timeframe: string | undefined
  #days: number = 1
  /** End of the range; undefined: now. */
  #to: Date | undefined
  #trouble: string | undefined
  #lastClose: string | null | undefined
  #shown: Readonly<{ byTime: Map<number, Candle>; answer: CandlesAnswer; from: number }> | undefined
  #asked = 0
  /** A new range is shown completely. */
  #mustFit = true
  #loadingOlder = false

  constructor(place: Element, options: ChartOptions) {
    this.#place = place
    this.#options = options
    const { fixed } = options
    if (fixed) {
      this.#coinId = fixed.coinId
      this.#timeframe = fixed.timeframe
      this.#days = usualDays[fixed.timeframe] ?? 30
    }
    this.#chooser = openCoinChooser((coinId) => {
      this.#coinId = coinId
      this.#loadAnew()
    })
    const controls = h('div', { class: 'controls' }, !fixed && this.#chooser.element, this.#buttons)
    if (fixed) place.replaceChildren(controls, this.#summary, this.#canvas)
    else place.replaceChildren(controls, this.#canvas, this.#summary)
    this.#buttons.addEventListener('click', (event) => {
      const { timeframe, days, now } = within(event, 'button')?.dataset ?? {}
      if (timeframe) this.#timeframe = timeframe
      if (days) this.#days = Number(days)
      if (days || now !== undefined) this.#to = undefined
      if (timeframe || days || now !== undefined) this.#loadAnew()
    })
  }

  /** Updates series and loads new candles. */
  update({ series, generatedAt }: Pick<Status, 'series' | 'generatedAt'>): void {
    this.#series = series
    this.#now = Date.parse(generatedAt)
    const [first] = series
    if (!first) {
      draw(this.#summary, 'No coins are tracked yet.')
      return
    }
    const isNew = this.#coinId === undefined || (this.#options.fixed !== undefined && this.#asked === 0)
    this.#coinId ??= first.coinId
    this.#timeframe ??= (
      series.find(({ coinId, timeframe }) => coinId === this.#coinId && timeframe === '1m') ?? first
    ).timeframe
    const lastClose = this.#chosenSeries()?.lastCloseTime
    const hasClosed = lastClose !== this.#lastClose
    this.#lastClose = lastClose
    this.#drawControls()
    // Keeps older candles loaded by dragging.
    const isLive = this.#to === undefined && !this.#hasOlder()
    if (isNew || (hasClosed && isLive)) void this.#load()
  }

  /** Up to the range's end or now. */
  readonly choose = (coinId: string, timeframe: string, range?: Readonly<{ to: string }>): void => {
    this.#coinId = coinId
    this.#timeframe = timeframe
    if (range) this.#days = 1
    this.#to = range && new Date(range.to)
    this.#place.closest('section')?.scrollIntoView({ behavior: 'smooth', block: 'nearest' })
    this.#loadAnew()
  }

  /** Of the range that was shown last. */
  async mark({ marks, textAt }: ChartMarks): Promise<void> {
    this.#textAt = textAt
    const drawing = await this.#opened()
    drawing.mark(marks)
  }

  #chosenSeries(): SeriesStatus | undefined {
    return this.#series.find((one) => one.coinId === this.#coinId && one.timeframe === this.#timeframe)
  }

  #hasOlder(): boolean {
    return this.#shown !== undefined && this.#shown.from < this.#now - 1.5 * this.#days * dayMs
  }

  #loadAnew(): void {
    this.#mustFit = true
    this.#shown = undefined
    void this.#load()
  }

  /** Opened after layout: the library measures its element. */
  #opened(): Promise<CandleCanvas> {
    this.#opening ??= Promise.all([library, laidOut(this.#canvas)]).then(([{ openCanvas }]) =>
      openCanvas(this.#canvas, {
        pointedAt: (time) => this.#describe(time),
        reachedStart: () => this.#loadOlder(),
      }),
    )
    return this.#opening
  }

  #query(range: Readonly<Record<string, string>>): `/api/candles?${string}` {
    const query = new URLSearchParams({
      coin: this.#coinId ?? '',
      timeframe: this.#timeframe ?? '',
      ...range,
      points: String(mostPoints),
    })
    return `/api/candles?${query}`
  }

  async #load(): Promise<void> {
    this.#asked += 1
    const mine = this.#asked
    const to = this.#to
    const range: Record<string, string> = to
      ? { from: new Date(to.getTime() - this.#days * dayMs).toISOString(), to: to.toISOString() }
      : { from: `-${this.#days}d` }
    const answer = await ask(this.#query(range))
    const drawing = await this.#opened()
    if (mine !== this.#asked) return
    this.#trouble = answer.error
    if (answer.candles) {
      this.#show(answer, drawing, this.#mustFit)
      this.#mustFit = false
    }
    this.#drawControls()
    this.#describe(undefined)
  }

  /** Doubles the range backwards; returns whether there may be more. */
  async #loadOlder(): Promise<boolean> {
    const before = this.#shown
    const first = before?.answer.candles[0]
    if (!before || !first) return true
    if (this.#loadingOlder || before.answer.candles.length >= 4 * mostPoints) return true
    this.#loadingOlder = true
    const mine = this.#asked
    const to = new Date(first.openTime)
    const from = new Date(to.getTime() - mostPoints * 500 * before.answer.pointSeconds)
    const answer = await ask(this.#query({ from: from.toISOString(), to: to.toISOString() }))
    this.#loadingOlder = false
    const isSame = mine === this.#asked && answer.pointSeconds === before.answer.pointSeconds
    if (!isSame || !answer.candles) return true
    if (answer.candles.length === 0) return false
    const drawing = await this.#opened()
    this.#show({ ...before.answer, candles: [...answer.candles, ...before.answer.candles] }, drawing, false)
    return true
  }

  #show(answer: CandlesAnswer, drawing: CandleCanvas, fit: boolean): void {
    const { candles: found, pointSeconds } = answer
    const byTime = new Map(found.map((one) => [Date.parse(one.openTime) / 1000, one]))
    const points = withGaps(byTime, pointSeconds)
    const [first, last] = [found[0], found.at(-1)]
    this.#shown = { byTime, answer, from: first ? Date.parse(first.openTime) : this.#now }
    drawing.show(points, { decimals: decimalsOf(found), fit })
    if (first && last)
      this.#options.onRange?.({
        from: first.openTime,
        to: new Date(Date.parse(last.openTime) + pointSeconds * 1_000).toISOString(),
        pointSeconds,
      })
    const missing = missingIn(points.length, answer)
    this.#canvas.setAttribute(
      'aria-label',
      !first || !last
        ? 'No candles in this range'
        : `${found.length} candles of ${this.#coinId} ${this.#timeframe} from ${instant(first.openTime)} to ${instant(last.openTime)} UTC, the last close ${rounded(last.close, decimalsOf(found))}${missing > 0 ? `, ${missing} missing between them` : ''}`,
    )
  }

  /** At the pointer, or the last. */
  #describe(time: number | undefined): void {
    if (this.#trouble) {
      draw(this.#summary, this.#trouble)
      return
    }
    const shown = this.#shown
    const note = time === undefined ? undefined : this.#textAt.get(time)
    if (time !== undefined && note !== undefined && !shown?.byTime.has(time)) {
      draw(this.#summary, `${instant(new Date(time * 1_000).toISOString())} UTC · no candle: ${note}`)
      return
    }
    const one = (time === undefined ? undefined : shown?.byTime.get(time)) ?? shown?.answer.candles.at(-1)
    if (!shown || !one) {
      draw(this.#summary, 'There is no candle in this range.')
      return
    }
    const { pointSeconds, candlesOfPoint } = shown.answer
    const made =
      candlesOfPoint > 1 ? ` · ${lengthOf(pointSeconds)} of ${one.candles} of ${candlesOfPoint} candles` : ''
    const shownPrice = (text: string) => rounded(text, decimalsOf(shown.answer.candles))
    const change = ((Number(one.close) / Number(one.open) - 1) * 100).toFixed(2)
    draw(
      this.#summary,
      `${instant(one.openTime)} UTC · open ${shownPrice(one.open)} · high ${shownPrice(one.high)} · low ${shownPrice(one.low)} · close ${shownPrice(one.close)} · ${change} % · volume ${price(one.volume)}${made}${note === undefined ? '' : ` · ${note}`}`,
    )
  }

  #drawControls(): void {
    const own = this.#series.filter(({ coinId }) => coinId === this.#coinId)
    const timeframes = [...new Set(own.map(({ timeframe }) => timeframe))]
    draw(
      this.#buttons,
      !this.#options.fixed &&
        choices(
          'Timeframe of the chart',
          timeframes.map((one) => [one, one] as const),
          'timeframe',
          this.#timeframe,
        ),
      choices('How much', lengths, 'days', this.#days),
      this.#to && h('button', { type: 'button', class: 'more', 'data-now': true }, 'Back to now'),
      !this.#options.fixed && this.#coinId && this.#timeframe && seriesLink(this.#coinId, this.#timeframe),
    )
    this.#chooser.update(this.#series, this.#coinId)
  }
}

export const openChart = (place: Element, options: ChartOptions = {}): Chart => new Chart(place, options)

const laidOut = (element: Element): Promise<void> =>
  new Promise((resolve) => {
    const sizes = new ResizeObserver(() => {
      sizes.disconnect()
      resolve()
    })
    sizes.observe(element)
  })
