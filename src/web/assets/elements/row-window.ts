// Renders only visible rows and the focused one, with spacers.
import { type Child, h } from './dom.ts'

type Options = Readonly<{
  /** Selector of the scrolling element, which limits the height. */
  scroller: string
  /** Element of spacers. */
  spacer: 'tr' | 'div'
  /** Before measuring. */
  usualRowPx: number
  /** Called when the visible rows change. */
  redraw(): void
}>

/** Extra rows above and below. */
const marginRows = 3
const usualHeightPx = 430

export class RowWindow {
  readonly #place: Element
  readonly #options: Options
  /** ResizeObserver avoids forced layouts. */
  readonly #sizes = new ResizeObserver(() => this.#measure())
  #observed: readonly Element[] = []
  #rowPx: number
  #heightPx = usualHeightPx
  #topPx = 0
  #total = 0
  #drawn = ''

  constructor(place: Element, options: Options) {
    this.#place = place
    this.#options = options
    this.#rowPx = options.usualRowPx
    place.addEventListener('scroll', () => this.#scrolled(), { capture: true, passive: true })
  }

  /** Visible rows and spacers; rows have `data-key` and `data-index`. */
  rows<T>(items: readonly T[], keyOf: (item: T) => string, row: (item: T, index: number) => Child): Child[] {
    this.#total = items.length
    const { first, end } = this.#inSight()
    this.#drawn = `${first} ${end}`
    const focusedKey = this.#focusedKey()
    const focused = focusedKey === undefined ? -1 : items.findIndex((item) => keyOf(item) === focusedKey)
    const drawn: Child[] = []
    let next = 0
    const add = (index: number) => {
      const item = items[index]
      if (item === undefined) return
      if (index > next) drawn.push(this.#spacer(index - next))
      drawn.push(row(item, index))
      next = index + 1
    }
    if (focused >= 0 && focused < first) add(focused)
    for (let index = first; index < end; index += 1) add(index)
    if (focused >= end) add(focused)
    if (next < items.length) drawn.push(this.#spacer(items.length - next))
    return drawn
  }

  /** Call after drawing: sizes the spacers. */
  afterDraw(): void {
    for (const spacer of this.#place.querySelectorAll<HTMLElement>('.spacer'))
      spacer.style.height = `${Number(spacer.dataset.rows) * this.#rowPx}px`
    if (this.#observed.length === 2 && this.#observed.every((one) => one.isConnected)) return
    this.#sizes.disconnect()
    this.#observed = [this.#scroller(), this.#row()].filter((one) => one !== null)
    for (const one of this.#observed) this.#sizes.observe(one)
  }

  /** Scrolls the row into view. */
  reveal(index: number): void {
    const scroller = this.#scroller()
    if (!scroller || index < 0 || index >= this.#total) return
    const headPx = this.#place.querySelector('thead, .heatmap-dates')?.getBoundingClientRect().height ?? 0
    const top = index * this.#rowPx
    const bottom = headPx + top + this.#rowPx
    if (top < scroller.scrollTop) scroller.scrollTop = top
    else if (bottom > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = bottom - scroller.clientHeight
    this.#scrolled()
  }

  #scroller(): HTMLElement | null {
    return this.#place.querySelector<HTMLElement>(this.#options.scroller)
  }

  #row(): Element | null {
    return this.#place.querySelector('[data-index]')
  }

  #scrolled(): void {
    this.#topPx = this.#scroller()?.scrollTop ?? 0
    this.#redrawWhereNeeded()
  }

  #measure(): void {
    this.#heightPx = this.#scroller()?.clientHeight || usualHeightPx
    const rowPx = this.#row()?.getBoundingClientRect().height || this.#rowPx
    const isOther = Math.abs(rowPx - this.#rowPx) > 0.1
    this.#rowPx = rowPx
    if (isOther) this.#options.redraw()
    else this.#redrawWhereNeeded()
  }

  #redrawWhereNeeded(): void {
    const { first, end } = this.#inSight()
    if (`${first} ${end}` !== this.#drawn) this.#options.redraw()
  }

  #inSight(): Readonly<{ first: number; end: number }> {
    // The browser scrolls shortened lists only when drawn.
    const lastTopPx = Math.max(0, this.#total * this.#rowPx - this.#heightPx)
    const topPx = Math.min(this.#topPx, lastTopPx)
    const first = Math.max(0, Math.floor(topPx / this.#rowPx) - marginRows)
    const end = Math.min(this.#total, Math.ceil((topPx + this.#heightPx) / this.#rowPx) + marginRows)
    return { first, end }
  }

  #focusedKey(): string | undefined {
    const row = document.activeElement?.closest<HTMLElement>('[data-key]')
    return row && this.#place.contains(row) ? row.dataset.key : undefined
  }

  #spacer(rows: number): HTMLElement {
    const { spacer } = this.#options
    return h(spacer, { class: 'spacer', 'data-rows': rows, 'aria-hidden': 'true' })
  }
}
