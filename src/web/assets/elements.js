// What every part of the page is made of.
import { brought } from './brought.js'
import { h } from './dom.js'
import { day, instant } from './words.js'

/** A sign for the eye; a word beside it, or hidden behind it, says the same. */
export const mark = (symbol) => h('span', { class: 'mark', 'aria-hidden': 'true' }, symbol)
export const hidden = (text) => h('span', { class: 'visually-hidden' }, text)
export const nothing = (text) => h('p', { class: 'nothing' }, text)
export const time = (iso, text) => h('time', { datetime: iso, title: `${instant(iso)} UTC` }, text)

/** A table whose columns are `[heading, class]`; the first cell of each row is its heading. */
export function table(caption, columns, rows, attributes = {}) {
  const headings = columns.map(([text, kind]) => h('th', { scope: 'col', class: kind }, text))
  return h(
    'table',
    attributes,
    h('caption', { class: 'visually-hidden' }, caption),
    h('thead', {}, h('tr', {}, headings)),
    h('tbody', {}, rows),
  )
}

/** A cell that still says what it is of where a row is drawn as a card. */
export const cell = (label, kind, ...content) => h('td', { class: kind, 'data-label': label }, ...content)

/** What stands between backticks is a command. */
export const withCode = (text) =>
  text.split('`').map((piece, index) => (index % 2 === 1 ? h('code', {}, piece) : piece))

const outcomes = {
  done: { symbol: '✓', word: 'done' },
  running: { symbol: '▸', word: 'running' },
  failed: { symbol: '✗', word: 'failed' },
  abandoned: { symbol: '–', word: 'abandoned' },
}

/** How a run ended, or that it goes on. */
export function outcome({ status, willRetry }) {
  const { symbol, word } = outcomes[status]
  const text = status === 'failed' && willRetry ? 'failed, will try again' : word
  return h('span', { class: `outcome ${status}` }, mark(symbol), ` ${text}`)
}

/** What of a job's payload tells it from another run of the same job. */
export function about({ source, timeframe, coinId, symbol, view, from, to }) {
  const parts = [coinId ?? view, timeframe, source ?? symbol].filter(Boolean)
  if (from && to) parts.push(day(from) === day(to) ? day(from) : `${day(from)} → ${day(to)}`)
  return parts.join(' · ')
}

/** The answer as an object, as the page has brought it or as it is now; one with an error where nobody answers. */
export async function ask(url) {
  try {
    return (await brought(url)) ?? (await (await fetch(url)).json())
  } catch {
    return { error: 'The daemon does not answer.' }
  }
}
