// One row per coin, one cell per day.
import { ask } from './ask.ts'
import { draw, h, within } from './elements/dom.ts'
import { openRoving } from './elements/roving.ts'
import { RowWindow } from './elements/row-window.ts'
import { choices, hidden, noMatch, nothing } from './elements.ts'
import { type CoinDays, type Coverage, dateOf, dayMs, summaryOf, tipOf } from './heatmap/days.ts'
import { type Chosen, detail, legend } from './heatmap/detail.ts'
import { paintAxis, paintRows } from './heatmap/paint.ts'
import { type Shown, shownCoverage } from './heatmap/shown.ts'

const lengths = [
  ['30 days', 30],
  ['90 days', 90],
  ['1 year', 365],
] as const

type Choose = (coinId: string, timeframe: string, range?: Readonly<{ to: string }>) => unknown

type Options = Readonly<{
  place: Element
  /** A day was chosen. */
  choose: Choose
  /** Tips may have changed. */
  reportRedrawn(): void
}>

const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }

class Heatmap {
  readonly #options: Options
  readonly #list: RowWindow
  readonly #oneStop: () => void
  readonly #inSight: IntersectionObserver
  /** Hovered or focused day per coin. */
  readonly #at = new Map<string, number>()
  #timeframe: string | undefined
  #days = 90
  #timeframes: string[] = []
  #shown: Shown = { series: [], isFiltered: false }
  #answer: Coverage | undefined
  #coverage: Coverage | undefined
  #trouble: string | undefined
  #chosen: Chosen | undefined
  #asked = 0
  #isLoading = false

  constructor(options: Options) {
    this.#options = options
    const { place } = options
    this.#list = new RowWindow(place, {
      scroller: '.heatmap',
      spacer: 'div',
      usualRowPx: 22,
      redraw: () => this.#redraw(),
    })
    this.#oneStop = openRoving(place, '.days', {
      sideways: false,
      reveal: (index) => this.#list.reveal(index),
    })
    this.#inSight = new IntersectionObserver(
      (entries) =>
        this.#paint(entries.filter(({ isIntersecting }) => isIntersecting).map(({ target }) => target)),
      { rootMargin: '200px' },
    )
    place.addEventListener('click', (event) => this.#click(event))
    for (const name of ['pointerover', 'pointermove'])
      place.addEventListener(name, (event) => this.#pointAt(event as PointerEvent))
    place.addEventListener('keydown', (event) => this.#key(event as KeyboardEvent))
    // Focus starts at the last day.
    place.addEventListener('focusin', (event) => {
      const row = within(event, '.days')
      if (row) this.#point(row, this.#indexIn(row))
    })
    addEventListener('resize', () => this.#redraw())
    document.addEventListener('theme', () => this.#redraw())
  }

  /** Updates series and requests coverage. */
  async update(shown: Shown): Promise<void> {
    if (this.#take(shown) && !this.#isLoading) await this.#load()
  }

  /** Shows other series; requests coverage only of another timeframe. */
  async filter(shown: Shown): Promise<void> {
    if (!this.#take(shown)) return
    if (this.#answer?.timeframe === this.#timeframe) this.#redraw()
    else await this.#load()
  }

  /** Returns whether there is anything to show. */
  #take(shown: Shown): boolean {
    this.#shown = shown
    this.#timeframes = [...new Set(shown.series.map(({ timeframe }) => timeframe))]
    const [first] = this.#timeframes
    if (first === undefined) {
      draw(this.#options.place, nothing(shown.isFiltered ? noMatch : 'No coins are tracked yet.'))
      return false
    }
    if (this.#timeframe === undefined || !this.#timeframes.includes(this.#timeframe))
      this.#timeframe = this.#timeframes.includes('1h') ? '1h' : first
    this.#coverage = this.#answer && shownCoverage(this.#answer, shown)
    return true
  }

  async #load(): Promise<void> {
    this.#asked += 1
    const mine = this.#asked
    this.#isLoading = true
    const query = new URLSearchParams({ timeframe: this.#timeframe ?? '', from: `-${this.#days - 1}d` })
    const answer = await ask(`/api/coverage?${query}`)
    // The selection may have changed meanwhile.
    if (mine !== this.#asked) return
    this.#isLoading = false
    this.#trouble = answer.error
    if (answer.coins) this.#answer = answer
    this.#coverage = this.#answer && shownCoverage(this.#answer, this.#shown)
    this.#redraw()
  }

  #redraw(): void {
    const { place, reportRedrawn } = this.#options
    if (this.#timeframe === undefined || this.#shown.series.length === 0) return
    draw(
      place,
      this.#controls(),
      this.#trouble === undefined ? this.#rows() : nothing(this.#trouble),
      legend(),
      detail(this.#chosen, this.#coverage),
    )
    this.#list.afterDraw()
    const painted = [...place.querySelectorAll('.days, .axis')]
    for (const one of painted) {
      this.#inSight.unobserve(one)
      this.#inSight.observe(one)
    }
    this.#oneStop()
    reportRedrawn()
  }

  #controls(): HTMLElement {
    return h(
      'div',
      { class: 'controls' },
      choices(
        'Timeframe',
        this.#timeframes.map((one) => [one, one] as const),
        'timeframe',
        this.#timeframe,
      ),
      choices('How far back', lengths, 'days', this.#days),
    )
  }

  #rows(): HTMLElement {
    const coverage = this.#coverage
    if (!coverage) return nothing('Counting …')
    const span = `From ${dateOf(coverage, 0)} to ${dateOf(coverage, coverage.days - 1)}`
    return h(
      'div',
      { class: 'heatmap' },
      h(
        'div',
        { class: 'heatmap-dates' },
        h('span', {}),
        h('span', { class: 'axis' }, hidden(span), h('canvas', { 'aria-hidden': 'true' })),
      ),
      h(
        'div',
        { role: 'list', 'aria-label': 'Coins' },
        this.#list.rows(
          coverage.coins,
          ({ coinId }) => coinId,
          (coin, index) => this.#row(coverage, coin, index),
        ),
      ),
    )
  }

  #row(coverage: Coverage, coin: CoinDays, index: number): HTMLElement {
    const day = this.#at.get(coin.coinId)
    return h(
      'div',
      {
        class: 'heatmap-row',
        role: 'listitem',
        'aria-posinset': index + 1,
        'aria-setsize': coverage.coins.length,
        'data-key': coin.coinId,
        'data-index': index,
      },
      h('span', { class: 'heatmap-coin', title: coin.coinId }, h('b', {}, coin.symbol.toUpperCase())),
      h(
        'button',
        {
          type: 'button',
          class: 'days',
          'data-coin': coin.coinId,
          'data-tip': day === undefined ? null : tipOf(coverage, coin, day),
          'aria-label': summaryOf(coverage, coin),
        },
        h('canvas', { 'aria-hidden': 'true' }),
      ),
    )
  }

  #paint(elements: readonly Element[]): void {
    const coverage = this.#coverage
    if (!coverage) return
    const rows = elements.flatMap((element) => {
      if (!(element instanceof HTMLElement)) return []
      if (element.matches('.axis')) {
        paintAxis(element, coverage)
        return []
      }
      const coin = this.#coinOf(element)
      return coin ? [{ element, coin, chosen: this.#framed(element, coin) }] : []
    })
    paintRows(rows, coverage)
  }

  /** Hovered or chosen. */
  #framed(row: HTMLElement, { coinId }: CoinDays): number | undefined {
    if (row.matches(':hover, :focus')) return this.#at.get(coinId)
    return this.#chosen?.coin.coinId === coinId ? this.#chosen.index : undefined
  }

  #coinOf(row: HTMLElement): CoinDays | undefined {
    return this.#coverage?.coins.find(({ coinId }) => coinId === row.dataset.coin)
  }

  #indexIn(row: HTMLElement): number {
    return this.#at.get(row.dataset.coin ?? '') ?? (this.#coverage?.days ?? 1) - 1
  }

  #pointAt(event: PointerEvent): void {
    const row = within(event, '.days')
    if (!row || !this.#coverage) return
    const { left, width } = row.getBoundingClientRect()
    this.#point(row, Math.floor(((event.clientX - left) / width) * this.#coverage.days))
  }

  #key(event: KeyboardEvent): void {
    const row = within(event, '.days')
    const step = steps[event.key]
    if (!row || step === undefined) return
    event.preventDefault()
    this.#point(row, this.#indexIn(row) + step)
  }

  #point(row: HTMLElement, wanted: number): void {
    const coverage = this.#coverage
    const coin = this.#coinOf(row)
    if (!coverage || !coin) return
    const index = Math.max(0, Math.min(coverage.days - 1, wanted))
    this.#at.set(coin.coinId, index)
    row.dataset.tip = tipOf(coverage, coin, index)
    this.#options.reportRedrawn()
    this.#paint([row])
  }

  #click(event: Event): void {
    const { timeframe, days } = within(event, '[data-timeframe],[data-days]')?.dataset ?? {}
    if (timeframe) this.#timeframe = timeframe
    if (days) this.#days = Number(days)
    if (timeframe || days) {
      this.#chosen = undefined
      this.#at.clear()
      void this.#load()
    }
    const row = within(event, '.days')
    if (row) void this.#showDay(row)
    if (within(event, '[data-chart]') && this.#chosen && this.#coverage)
      this.#options.choose(this.#chosen.coin.coinId, this.#coverage.timeframe, this.#chosen)
  }

  async #showDay(row: HTMLElement): Promise<void> {
    const coverage = this.#coverage
    const coin = this.#coinOf(row)
    if (!coverage || !coin) return
    const index = this.#indexIn(row)
    const from = new Date(Date.parse(coverage.from) + index * dayMs)
    const to = new Date(from.getTime() + dayMs)
    const mine: Chosen = { coin, index, from: from.toISOString(), to: to.toISOString(), gaps: undefined }
    this.#chosen = mine
    this.#redraw()
    const query = new URLSearchParams({
      coin: coin.coinId,
      timeframe: coverage.timeframe,
      from: mine.from,
      to: mine.to,
    })
    const { gaps } = await ask(`/api/gaps?${query}`)
    if (this.#chosen !== mine) return
    this.#chosen = { ...mine, gaps: gaps ?? [] }
    this.#redraw()
  }
}

export const openHeatmap = (options: Options): Heatmap => new Heatmap(options)
