import type { Status } from '../../status/status.ts'
import { draw, h } from './elements/dom.ts'
import { RowWindow } from './elements/row-window.ts'
import { age, money, percent, price } from './elements/words.ts'
import { type Column, hidden, mark, noMatch, nothing, rowPlace, table, time } from './elements.ts'

const columns: readonly Column[] = [
  ['Coin', 'pinned'],
  ['Price', 'pinned number'],
  ['24 h', 'pinned number'],
  ['Volume', 'pinned number wide'],
  ['Market cap', 'pinned number wide'],
  ['Age', 'pinned number'],
]

type Shown = Pick<Status, 'prices'> & Readonly<{ isFiltered: boolean }>

export function openPrices(place: Element): (shown: Shown) => void {
  let latest: Shown = { prices: [], isFiltered: false }
  const redraw = () => drawPrices(place, latest, list)
  const list = new RowWindow(place, { scroller: '.tall', spacer: 'tr', usualRowPx: 42, redraw })
  return (shown) => {
    latest = shown
    redraw()
  }
}

function drawPrices(place: Element, { prices, isFiltered }: Shown, list: RowWindow): void {
  if (prices.length === 0) {
    draw(place, nothing(isFiltered ? noMatch : 'No price yet.'))
    return
  }
  const rows = list.rows(prices, ({ coinId }) => coinId, rowOf)
  // Focusable, so that keys can scroll it.
  const scrolls = { class: 'scroll tall', tabindex: 0, role: 'group', 'aria-label': 'Last prices' }
  const count = { 'aria-rowcount': prices.length + 1 }
  draw(place, h('div', scrolls, table('Last price of each coin in USD', columns, rows, count)))
  list.afterDraw()
}

const rowOf = (one: Status['prices'][number], index: number): HTMLElement =>
  h(
    'tr',
    rowPlace(one.coinId, index),
    h('th', { scope: 'row', title: one.coinId }, h('b', {}, one.symbol.toUpperCase())),
    h('td', { class: 'number strong' }, price(one.price)),
    h('td', { class: 'number' }, change(one.change24h)),
    h('td', { class: 'number wide' }, money(one.volume24h)),
    h('td', { class: 'number wide' }, money(one.marketCap)),
    h('td', { class: 'number faint' }, time(one.at, age(one.ageSeconds))),
  )

/** Rounded to zero: neither up nor down. */
function change(text: string | null): HTMLElement | null {
  if (text === null) return null
  const shown = percent(text)
  if (Number.parseFloat(shown) === 0) return h('span', { class: 'faint' }, shown)
  const falls = text.startsWith('-')
  return h(
    'span',
    { class: falls ? 'falls' : 'rises' },
    mark(falls ? '▼' : '▲'),
    hidden(falls ? 'down ' : 'up '),
    shown,
  )
}
