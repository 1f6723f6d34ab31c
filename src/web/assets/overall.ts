// Overall state, findings and figures.
import type { Status } from '../../status/status.ts'
import { base } from './ask.ts'
import { type Child, draw, h } from './elements/dom.ts'
import { age, bytes, count, instant, secondsBetween } from './elements/words.ts'
import { time, withCode } from './elements.ts'

// Symbols and words accompany colours.
export const states = {
  ok: { symbol: '✓', word: 'All is well' },
  'catching-up': { symbol: '↻', word: 'Catching up' },
  attention: { symbol: '!', word: 'Needs attention' },
} as const

type Finding = Status['overall']['findings'][number]

export function drawOverall(place: Element, status: Status): void {
  const { state, message, findings } = status.overall
  const { symbol, word } = states[state]
  const [first, ...others] = findings
  draw(
    place,
    h(
      'div',
      { class: `headline ${state}` },
      h('span', { class: 'badge', 'aria-hidden': 'true' }, symbol),
      h(
        'div',
        {},
        h('p', { class: 'state' }, word, first && [' · ', whenAndWhere(first, status.generatedAt)]),
        h('p', { class: 'message' }, withCode(message)),
        others.length > 0 &&
          h(
            'ul',
            { class: 'others' },
            others.map((one) =>
              h(
                'li',
                { class: one.state },
                withCode(one.message),
                ' ',
                whenAndWhere(one, status.generatedAt),
              ),
            ),
          ),
      ),
    ),
    h('dl', { class: 'figures' }, figures(status)),
  )
}

const whenAndWhere = ({ since, path }: Finding, now: string): HTMLElement =>
  h(
    'span',
    { class: 'since' },
    since && [
      time(since, `since ${instant(since).slice(0, 16)} UTC, ${age(secondsBetween(since, now))}`),
      ' · ',
    ],
    h('a', { href: `${base}${path}` }, 'Show'),
  )

function figures({ series, prices, process, generatedAt }: Status): Child[] {
  const fresh = series.filter(({ state }) => state === 'fresh').length
  const missing = series.reduce((sum, { missingCandles }) => sum + missingCandles, 0)
  const newest = prices.length > 0 ? Math.min(...prices.map(({ ageSeconds }) => ageSeconds)) : undefined
  return [
    figure('Series fresh', `${fresh}`, `of ${series.length}`),
    figure('Candles missing', count(missing), missing === 0 ? 'history is complete' : 'still to fetch'),
    figure(
      'Newest price',
      newest === undefined ? '–' : age(newest),
      newest === undefined ? 'none yet' : 'old',
    ),
    figure('Database', bytes(process.database.bytes), `PostgreSQL ${process.database.version}`),
    figure(
      'Up for',
      process.startedAt === null ? '–' : age(secondsBetween(process.startedAt, generatedAt)),
      `queues on ${engines[process.queueEngine]}`,
    ),
  ]
}

const engines = { postgres: 'PostgreSQL', redis: 'Redis' } as const

const figure = (name: string, value: string, note: string): HTMLElement =>
  h('div', {}, h('dt', {}, name), h('dd', {}, h('b', {}, value), h('span', {}, note)))
