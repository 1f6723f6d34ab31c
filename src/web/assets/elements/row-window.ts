// Of a long list only the rows in sight are in the document, and the one with the focus; spacers hold the others' room.
import { type Child, h } from './dom.ts'

type Options = Readonly<{
  /** Picks the element that scrolls, and whose class limits its height. */
  scroller: string
  /** What holds the room of rows that are not drawn. */
  spacer: 'tr' | 'div'
  /** Until a row was drawn and measured. */
  usualRowPx: number
  /** Draws the list again, with the rows that are in sight now. */
  redraw(): void
}>

/** How many more are drawn above and below those in sight. */
const marginRows = 3
const usualHeightPx = 430

export class RowWindow {
  readonly #place: Element
  readonly #options: Options
  /** Sizes are read when the browser has them anyway: to ask for them earlier costs a layout of the page. */
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

  /** The rows to draw of all the items, each with its `data-key` and `data-index`, and the spacers around them. */
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

  /** To be called when the rows are in the document: gives the spacers their height. */
  afterDraw(): void {
    for (const spacer of this.#place.querySelectorAll<HTMLElement>('.spacer'))
      spacer.style.height = `${Number(spacer.dataset.rows) * this.#rowPx}px`
    if (this.#observed.length === 2 && this.#observed.every((one) => one.isConnected)) return
    this.#sizes.disconnect()
    this.#observed = [this.#scroller(), this.#row()].filter((one) => one !== null)
    for (const one of this.#observed) this.#sizes.observe(one)
  }

  /** Scrolls as far as it takes to have the row in sight and drawn. */
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
    // A list that has become shorter is scrolled back by the browser when it is drawn.
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
