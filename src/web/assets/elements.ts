// Shared elements.
import type { RunStatus } from '../../status/runs.ts'
import type { Subject } from '../../store/runs/failing-jobs.ts'
import { type Attributes, type Child, h } from './elements/dom.ts'
import { day, inBothZones } from './elements/words.ts'

/** Decorative; a word says the same. */
export const mark = (symbol: string): HTMLElement =>
  h('span', { class: 'mark', 'aria-hidden': 'true' }, symbol)
export const hidden = (text: string): HTMLElement => h('span', { class: 'visually-hidden' }, text)
export const nothing = (text: string): HTMLElement => h('p', { class: 'nothing' }, text)
/** Instead of rows that a filter hides. */
export const noMatch = 'Nothing matches the filters.'
export const time = (iso: string, text: string): HTMLElement =>
  h('time', { datetime: iso, title: inBothZones(iso) }, text)

/** Heading, class. */
export type Column = readonly [heading: string, kind?: string]

/** The first cell of each row is a heading. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly Child[],
  attributes: Attributes = {},
): HTMLTableElement {
  const headings = columns.map(([text, kind]) => h('th', { scope: 'col', class: kind }, text))
  return h(
    'table',
    attributes,
    h('caption', { class: 'visually-hidden' }, caption),
    h('thead', {}, h('tr', {}, headings)),
    h('tbody', {}, rows),
  )
}

/** Index in a windowed table; row 1 is the header. */
export const rowPlace = (key: string, index: number): Attributes => ({
  'data-key': key,
  'data-index': index,
  'aria-rowindex': index + 2,
})

/** Labelled for the card layout. */
export const cell = (label: string, kind: string, ...content: Child[]): HTMLElement =>
  h('td', { class: kind, 'data-label': label }, ...content)

/** Backticks mark commands. */
export const withCode = (text: string): Child[] =>
  text.split('`').map((piece, index) => (index % 2 === 1 ? h('code', {}, piece) : piece))

const outcomes = {
  done: { symbol: '✓', word: 'done' },
  running: { symbol: '▸', word: 'running' },
  partial: { symbol: '◐', word: 'partial' },
  failed: { symbol: '✗', word: 'failed' },
  abandoned: { symbol: '–', word: 'abandoned' },
  retried: { symbol: '↻', word: 'will be retried' },
} as const

/** A run to be retried is not failed yet. */
export function outcome({ status, willRetry }: Pick<RunStatus, 'status' | 'willRetry'>): HTMLElement {
  const shown = willRetry ? 'retried' : status
  const { symbol, word } = outcomes[shown]
  return h('span', { class: `outcome ${shown}` }, mark(symbol), ` ${word}`)
}

/** Distinguishes runs of a job. */
export function about({ source, timeframe, coinId, symbol, view, from, to }: Subject): string {
  const parts = [coinId ?? view, timeframe, source ?? symbol].filter((part) => part !== undefined)
  if (from && to) parts.push(day(from) === day(to) ? day(from) : `${day(from)} → ${day(to)}`)
  return parts.join(' · ')
}

/** Expanded errors, kept when redrawn. */
const expanded = new Set<string>()

/** Two lines, or all. */
export function errorRow(id: string, columns: number, error: string): HTMLElement {
  const isWhole = expanded.has(id)
  return h(
    'tr',
    { class: 'error-row' },
    h(
      'td',
      { colspan: columns },
      h('p', { class: isWhole ? 'error' : 'error clamped' }, error),
      h(
        'span',
        { class: 'error-tools' },
        error.length > 90 &&
          h(
            'button',
            { type: 'button', class: 'link', 'data-expand': id, 'aria-expanded': isWhole },
            isWhole ? 'Less' : 'More',
          ),
        h('button', { type: 'button', class: 'link', 'data-copy': error }, 'Copy'),
      ),
    ),
  )
}

/** Handles the buttons of errors. */
export function followErrors(place: Element, redraw: () => void): void {
  place.addEventListener('click', ({ target }) => {
    const button = target instanceof Element ? target.closest('button') : null
    const { expand, copy } = button?.dataset ?? {}
    if (copy !== undefined) void navigator.clipboard?.writeText(copy)
    if (expand === undefined) return
    if (!expanded.delete(expand)) expanded.add(expand)
    redraw()
  })
}

export const choices = (
  label: string,
  options: readonly (readonly [text: string, value: string | number])[],
  name: string,
  chosen: string | number | undefined,
): HTMLElement =>
  h(
    'div',
    { class: 'choices', role: 'group', 'aria-label': label },
    options.map(([text, value]) =>
      h(
        'button',
        { type: 'button', [`data-${name}`]: String(value), 'aria-pressed': String(value === chosen) },
        text,
      ),
    ),
  )
