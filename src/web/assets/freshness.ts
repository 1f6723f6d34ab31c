// One row per coin, one cell per timeframe.
import type { SeriesStatus } from '../../status/series.ts'
import type { Status } from '../../status/status.ts'
import { draw, h, within } from './elements/dom.ts'
import { openRoving } from './elements/roving.ts'
import { RowWindow } from './elements/row-window.ts'
import { age, count, instant } from './elements/words.ts'
import { type Column, mark, noMatch, nothing, rowPlace, table } from './elements.ts'

// Symbols and words accompany colours. Worst first.
const states = {
  stale: { symbol: '■', word: 'stale' },
  empty: { symbol: '○', word: 'empty' },
  late: { symbol: '▲', word: 'late' },
  fresh: { symbol: '●', word: 'fresh' },
} as const
const gravity = Object.keys(states)

type Shown = Pick<Status, 'series'> & Readonly<{ isFiltered: boolean }>

type Options = Readonly<{
  /** A series was chosen. */
  choose(coinId: string, timeframe: string): unknown
  /** Tips may have changed. */
  reportRedrawn(): void
}>

export function openFreshness(place: Element, { choose, reportRedrawn }: Options): (shown: Shown) => void {
  let latest: Shown = { series: [], isFiltered: false }
  const list = new RowWindow(place, { scroller: '.tall', spacer: 'tr', usualRowPx: 42, redraw })
  const oneStop = openRoving(place, '.cell', { sideways: true, reveal: (index) => list.reveal(index) })
  function redraw(): void {
    drawSeries(place, latest, list)
    oneStop()
    reportRedrawn()
  }
  place.addEventListener('click', (event) => {
    const { coin, timeframe } = within(event, '.cell')?.dataset ?? {}
    if (coin && timeframe) choose(coin, timeframe)
  })
  return (shown) => {
    latest = shown
    redraw()
  }
}

function drawSeries(place: Element, { series, isFiltered }: Shown, list: RowWindow): void {
  if (series.length === 0) {
    draw(place, nothing(isFiltered ? noMatch : 'No coins are tracked yet.'))
    return
  }
  const timeframes = [...new Set(series.map(({ timeframe }) => timeframe))]
  const coins = [...groupByCoin(series)].toSorted(([, a], [, b]) => worstOf(a) - worstOf(b))
  const row = ([coinId, ofCoin]: (typeof coins)[number], index: number) => {
    const own = new Map(ofCoin.map((one) => [one.timeframe, one]))
    return h(
      'tr',
      rowPlace(coinId, index),
      h('th', { scope: 'row', title: coinId }, coinName(ofCoin[0]?.symbol ?? '', coinId)),
      timeframes.map((timeframe) => h('td', {}, cellOf(own.get(timeframe)))),
    )
  }
  const columns: Column[] = [
    ['Coin', 'pinned'],
    ...timeframes.map((name): Column => [name, 'pinned centred']),
  ]
  const rows = list.rows(coins, ([coinId]) => coinId, row)
  const grid = table('Freshness of each coin by timeframe', columns, rows, {
    class: 'grid',
    'aria-rowcount': coins.length + 1,
  })
  draw(place, h('div', { class: 'scroll tall' }, grid), legend(series))
  list.afterDraw()
}

function groupByCoin(series: readonly SeriesStatus[]): Map<string, SeriesStatus[]> {
  const coins = new Map<string, SeriesStatus[]>()
  for (const one of series) {
    const own = coins.get(one.coinId)
    if (own) own.push(one)
    else coins.set(one.coinId, [one])
  }
  return coins
}

/** Order of search; otherwise coins keep their order. */
const worstOf = (series: readonly SeriesStatus[]): number =>
  Math.min(...series.map(({ state }) => gravity.indexOf(state)))

const coinName = (symbol: string, coinId: string) => [
  h('b', {}, symbol.toUpperCase()),
  ' ',
  h('span', { class: 'faint' }, coinId),
]

function cellOf(series: SeriesStatus | undefined): HTMLElement {
  if (!series) return h('span', { class: 'faint' }, '–')
  const { word } = states[series.state]
  const { missingCandles, wantedCandles } = series
  const isComplete = missingCandles === 0 || wantedCandles === 0
  const behind = series.secondsBehind === null ? 'none' : age(series.secondsBehind)
  return h(
    'button',
    {
      type: 'button',
      class: `cell ${series.state}`,
      'aria-label': `${series.coinId} ${series.timeframe}: ${behind}, ${word}. Show its candles`,
      'data-tip': details(series, word),
      'data-coin': series.coinId,
      'data-timeframe': series.timeframe,
    },
    behind,
    !isComplete &&
      h('progress', {
        class: 'history',
        max: wantedCandles,
        value: wantedCandles - missingCandles,
        'aria-label': 'history stored',
      }),
  )
}

function details(series: SeriesStatus, word: string): string {
  const { coinId, timeframe, source, market, lastOpenTime, lastCloseTime, missingCandles, wantedCandles } =
    series
  return [
    `${coinId} ${timeframe} · ${word}${series.quiet ? ', no trades since' : ''}`,
    lastOpenTime === null || lastCloseTime === null
      ? 'No candle yet'
      : `Last candle ${instant(lastOpenTime)} – ${instant(lastCloseTime).slice(11)} UTC`,
    missingCandles === 0
      ? `All ${count(wantedCandles)} candles of its history are stored`
      : `${count(missingCandles)} of ${count(wantedCandles)} candles of its history are missing`,
    `From ${source}, ${market}`,
  ].join('\n')
}

const legend = (series: readonly SeriesStatus[]): HTMLElement =>
  h(
    'ul',
    { class: 'legend', 'aria-label': 'Legend' },
    Object.entries(states)
      .toReversed()
      .map(([name, { symbol, word }]) =>
        h(
          'li',
          { class: name },
          mark(symbol),
          ` ${word} `,
          h('b', {}, count(series.filter(({ state }) => state === name).length)),
        ),
      ),
    h('li', {}, h('span', { class: 'bar', 'aria-hidden': 'true' }), ' history still filling'),
  )
