// The page of a series: its candles with what is known of them, and beside them months, runs, source and commands.
import { commandLine } from '../../command-line.ts'
import type { Status } from '../../status/status.ts'
import type { SeriesAnswer } from '../series-api.ts'
import { ask, base } from './ask.ts'
import { openChart, type ShownRange } from './chart.ts'
import { draw, h } from './elements/dom.ts'
import { age, count } from './elements/words.ts'
import { type Column, cell, followErrors, mark, nothing, table } from './elements.ts'
import { timeframeLink } from './links.ts'
import { watchDaemon } from './live.ts'
import { part } from './part.ts'
import { runTable } from './runs.ts'
import { marksOf } from './series/marks.ts'
import { openSources } from './sources.ts'

const { coin: coinId = '', timeframe = '' } = document.getElementById('main')?.dataset ?? {}
const states = { fresh: '●', late: '▲', empty: '○', stale: '■' } as const

const chart = openChart(part('chart'), {
  fixed: { coinId, timeframe },
  onRange: (range) => void showRange(range),
})
let latest: SeriesAnswer | undefined
let shownRange: ShownRange | undefined
const drawSource = openSources(
  part('source'),
  () => undefined,
  (source) => source === latest?.market?.source,
)
for (const name of ['runs', 'commands']) followErrors(part(name), () => latest && show(latest))

async function showRange(range: ShownRange): Promise<void> {
  shownRange = range
  drawCommands(range)
  const query = new URLSearchParams({ coin: coinId, timeframe, from: range.from, to: range.to })
  const answer = await ask(`/api/marks?${query}`)
  // Somebody may have gone on meanwhile.
  if (answer.gaps && shownRange === range) await chart.mark(marksOf(answer, range))
}

/** To the minute, in which every candle opens. */
const dateArgument = (iso: string): string => `${iso.slice(0, 16)}Z`

function drawCommands(shown: ShownRange): void {
  const [from, to] = [dateArgument(shown.from), dateArgument(shown.to)]
  const file = `${coinId}-${timeframe}.csv`
  const commands = [
    [
      'List its gaps and repair them',
      commandLine`beacon gaps ${coinId} --timeframe ${timeframe} --from ${from} --to ${to} --repair`,
    ],
    [
      'Compare it with the source',
      commandLine`beacon verify ${coinId} --timeframe ${timeframe} --from ${from} --to ${to}`,
    ],
    [
      'Export it',
      commandLine`beacon export ${coinId} --timeframe ${timeframe} --from ${from} --to ${to} --format csv --out ${file}`,
    ],
  ] as const
  draw(
    part('commands'),
    h(
      'ul',
      { class: 'commands' },
      commands.map(([what, text]) =>
        h(
          'li',
          {},
          h('span', {}, `${what}: `, h('code', {}, text)),
          h(
            'button',
            { type: 'button', class: 'link', 'data-copy': text, 'aria-label': `Copy: ${what}` },
            'Copy',
          ),
        ),
      ),
    ),
  )
}

const monthColumns: readonly Column[] = [
  ['Month'],
  ['Stored', 'number'],
  ['Unavailable', 'number'],
  ['Rejected', 'number'],
  ['Missing', 'number'],
]

function drawMonths({ months }: SeriesAnswer): void {
  if (months.length === 0) {
    draw(part('months'), nothing('No candles are stored or wanted yet.'))
    return
  }
  const amount = (label: string, value: number, warns = false) =>
    cell(label, `number ${value === 0 ? 'zero' : warns ? 'warns' : ''}`, count(value))
  const rows = months.map(({ month, stored, unavailable, rejected, missing }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, month),
      amount('stored', stored),
      amount('unavailable', unavailable),
      amount('rejected', rejected, true),
      amount('missing', missing, true),
    ),
  )
  draw(part('months'), h('div', { class: 'scroll tall' }, table('Coverage by month', monthColumns, rows)))
}

function drawHead({ coin, series, market, timeframes }: SeriesAnswer): void {
  const state =
    series === undefined
      ? 'no market with these candles'
      : `${series.state}${series.secondsBehind === null ? '' : `, ${age(series.secondsBehind)} behind`}`
  draw(
    part('head'),
    h('h1', {}, `${coin.symbol.toUpperCase()} ${timeframe}`),
    h('span', { class: 'faint' }, `${coin.name} · ${coin.id}`),
    market && h('span', { class: 'faint' }, `${market.source}, ${market.symbol}`),
    h('span', { class: 'state' }, series && mark(states[series.state]), ` ${state}`),
    h(
      'nav',
      { 'aria-label': 'Timeframes' },
      timeframes.map((one) => timeframeLink(coinId, one, one === timeframe)),
    ),
    h('a', { href: `${base}/` }, 'All series'),
  )
}

function drawRuns({ runs, generatedAt }: SeriesAnswer): void {
  draw(
    part('runs'),
    runs.length === 0 ? nothing('No run has requested its candles yet.') : runTable(runs, generatedAt),
  )
}

function show(answer: SeriesAnswer): void {
  latest = answer
  drawHead(answer)
  drawMonths(answer)
  drawRuns(answer)
}

const refreshMs = 15_000
let askedAt: number | undefined

async function refresh(status: Status): Promise<void> {
  chart.update(status)
  void drawSource(status)
  if (askedAt !== undefined && performance.now() - askedAt < refreshMs) return
  askedAt = performance.now()
  const query = new URLSearchParams({ coin: coinId, timeframe })
  const answer = await ask(`/api/series?${query}`)
  if (answer.coin) show(answer)
  else draw(part('months'), nothing(answer.error ?? 'The daemon does not answer.'))
}

const showLive = (text: string, isLost: boolean) => {
  document.body.classList.toggle('lost', isLost)
  draw(part('live'), h('span', { class: 'dot', 'aria-hidden': 'true' }), h('span', {}, text))
}

watchDaemon({
  onStatus(status) {
    showLive(`live · ${status.generatedAt.slice(11, 19)} UTC`, false)
    void refresh(status)
  },
  onTrouble: (message) => showLive(message, true),
  onStale: () => showLive('The daemon does not answer', true),
})
