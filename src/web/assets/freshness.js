// How fresh each series is: a row for each coin, a cell for each timeframe.
import { draw, h } from './dom.js'
import { mark, nothing, table } from './elements.js'
import { age, count, instant } from './words.js'

// A symbol stands beside every colour, and a word beside every symbol. The worst first.
const states = {
  stale: { symbol: '■', word: 'stale' },
  empty: { symbol: '○', word: 'empty' },
  late: { symbol: '▲', word: 'late' },
  fresh: { symbol: '●', word: 'fresh' },
}
const gravity = Object.keys(states)

export function drawFreshness(place, { series }) {
  const timeframes = [...new Set(series.map(({ timeframe }) => timeframe))]
  const coins = [...groupByCoin(series)].toSorted(([, a], [, b]) => worstOf(a) - worstOf(b))
  if (coins.length === 0) return draw(place, nothing('No coin is followed yet.'))
  const rows = coins.map(([coinId, ofCoin]) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, coinName(ofCoin[0].symbol, coinId)),
      timeframes.map((timeframe) => h('td', {}, state(ofCoin.find((one) => one.timeframe === timeframe)))),
    ),
  )
  const columns = [['Coin', 'pinned'], ...timeframes.map((name) => [name, 'pinned centred'])]
  draw(
    place,
    h(
      'div',
      { class: 'scroll tall' },
      table('Freshness of each coin by timeframe', columns, rows, { class: 'grid' }),
    ),
    legend(series),
  )
}

function groupByCoin(series) {
  const coins = new Map()
  for (const one of series) coins.set(one.coinId, [...(coins.get(one.coinId) ?? []), one])
  return coins
}

/** Whoever looks at night looks for these: the coins keep their order otherwise. */
const worstOf = (series) => Math.min(...series.map(({ state: of }) => gravity.indexOf(of)))

const coinName = (symbol, coinId) => [
  h('b', {}, symbol.toUpperCase()),
  ' ',
  h('span', { class: 'faint' }, coinId),
]

function state(series) {
  if (!series) return h('span', { class: 'faint' }, '–')
  const { symbol, word } = states[series.state]
  const { owedCandles, wantedCandles } = series
  const isWhole = owedCandles === 0 || wantedCandles === 0
  const behind = series.secondsBehind === null ? 'none' : age(series.secondsBehind)
  return h(
    'button',
    {
      type: 'button',
      class: `cell ${series.state}`,
      'aria-label': `${behind}, ${word}`,
      'data-tip': details(series, word),
    },
    mark(symbol),
    h('span', { class: 'age' }, behind),
    !isWhole &&
      h('progress', {
        class: 'history',
        max: wantedCandles,
        value: wantedCandles - owedCandles,
        'aria-label': 'history stored',
      }),
  )
}

function details(series, word) {
  const { coinId, timeframe, source, market, lastOpenTime, lastCloseTime, owedCandles, wantedCandles } =
    series
  const lines = [`${coinId} ${timeframe} · ${word}${series.quiet ? ', no trades since' : ''}`]
  lines.push(
    lastOpenTime === null
      ? 'No candle yet'
      : `Last candle ${instant(lastOpenTime)} – ${instant(lastCloseTime).slice(11)} UTC`,
  )
  lines.push(
    owedCandles === 0
      ? `All ${count(wantedCandles)} candles of its history are there`
      : `${count(owedCandles)} of ${count(wantedCandles)} candles of its history are owed`,
  )
  lines.push(`From ${source}, ${market}`)
  return lines.join('\n')
}

const legend = (series) =>
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
          h('b', {}, count(series.filter((one) => one.state === name).length)),
        ),
      ),
    h('li', {}, h('span', { class: 'bar', 'aria-hidden': 'true' }), ' history still filling'),
  )
