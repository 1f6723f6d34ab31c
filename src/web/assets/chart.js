// The candles of one series, with their volume. Where there is no candle the chart has none: a gap is a gap.

import { draw, h } from './dom.js'
import { ask } from './elements.js'
import { choices } from './heatmap.js'
import { instant, price } from './words.js'

const dayMs = 86_400_000
const lengths = [
  ['1 day', 1],
  ['1 week', 7],
  ['1 month', 30],
  ['1 year', 365],
  ['5 years', 1826],
]
const mostPoints = 1_500

/** Asked for at once: it comes beside the candles. */
const library = import('./candle-canvas.js')

/** Opens the chart in its place. It asks for its candles when it is told which series to show, and when one has closed. */
export function openChart(place) {
  const view = {
    series: [],
    coinId: undefined,
    timeframe: undefined,
    days: 1,
    to: undefined,
    shown: undefined,
    trouble: undefined,
    lastClose: undefined,
  }
  const controls = h('div', { class: 'controls' })
  const summary = h('p', { class: 'note chart-summary', 'aria-live': 'polite' })
  const canvas = h('div', { class: 'chart', role: 'img', 'aria-label': 'No candles yet' })
  place.replaceChildren(controls, canvas, summary)
  const pointedAt = (time) => tell(view.shown?.byTime.get(time) ?? view.shown?.last)
  let opening
  /** Opened for the first candles: the library measures its place, which is free once the browser has done so itself. */
  const opened = () => {
    opening ??= Promise.all([library, laidOut(canvas)]).then(([{ openCanvas }]) =>
      openCanvas(canvas, pointedAt),
    )
    return opening
  }

  let asked = 0
  async function load({ fit }) {
    asked += 1
    const mine = asked
    const range = view.to
      ? { from: new Date(view.to - view.days * dayMs).toISOString(), to: view.to.toISOString() }
      : { from: `-${view.days}d` }
    const query = new URLSearchParams({
      coin: view.coinId,
      timeframe: view.timeframe,
      ...range,
      points: mostPoints,
    })
    const answer = await ask(`/api/candles?${query}`)
    const drawing = await opened()
    if (mine !== asked) return
    view.trouble = answer.error
    if (answer.candles) show(answer, drawing, fit)
    drawControls()
  }

  function show({ candles: found, pointSeconds }, drawing, fit) {
    const byTime = new Map(found.map((one) => [Date.parse(one.openTime) / 1000, one]))
    const points = withGaps(byTime, pointSeconds)
    view.shown = { byTime, last: found.at(-1) }
    drawing.show(points, { decimals: decimalsOf(found), fit })
    tell(view.shown.last)
    const missing = points.length - byTime.size
    canvas.setAttribute(
      'aria-label',
      found.length === 0
        ? 'No candles in this range'
        : `${found.length} candles of ${view.coinId} ${view.timeframe} from ${instant(found[0].openTime)} to ${instant(found.at(-1).openTime)} UTC, the last close ${price(found.at(-1).close)}${missing > 0 ? `, ${missing} missing between them` : ''}`,
    )
  }

  function tell(one) {
    if (view.trouble) return draw(summary, view.trouble)
    if (!one) return draw(summary, 'There is no candle in this range.')
    const made = one.candles > 1 ? ` · made of ${one.candles} candles` : ''
    return draw(
      summary,
      `${instant(one.openTime)} UTC · open ${price(one.open)} · high ${price(one.high)} · low ${price(one.low)} · close ${price(one.close)} · volume ${price(one.volume)}${made}`,
    )
  }

  function drawControls() {
    const coins = [...new Map(view.series.map(({ coinId, symbol }) => [coinId, symbol]))]
    const timeframes = [
      ...new Set(
        view.series.filter(({ coinId }) => coinId === view.coinId).map(({ timeframe }) => timeframe),
      ),
    ]
    draw(
      controls,
      h(
        'select',
        { 'data-coin': true, 'aria-label': 'Coin of the chart' },
        coins.map(([coinId, symbol]) =>
          h(
            'option',
            { value: coinId, selected: coinId === view.coinId },
            `${symbol.toUpperCase()} · ${coinId}`,
          ),
        ),
      ),
      choices(
        'Timeframe of the chart',
        timeframes.map((one) => [one, one]),
        'timeframe',
        view.timeframe,
      ),
      choices('How much', lengths, 'days', view.days),
      view.to && h('button', { type: 'button', class: 'more', 'data-now': true }, 'Back to now'),
    )
    controls.querySelector('select').value = view.coinId
  }

  controls.addEventListener('change', ({ target }) => {
    if (!target.matches('[data-coin]')) return
    view.coinId = target.value
    void load({ fit: true })
  })
  controls.addEventListener('click', ({ target }) => {
    const { timeframe, days, now } = target.closest('button')?.dataset ?? {}
    if (timeframe) view.timeframe = timeframe
    if (days) view.days = Number(days)
    if (days || now !== undefined) view.to = undefined
    if (timeframe || days || now !== undefined) void load({ fit: true })
  })

  return {
    /** Takes notice of the series there are, and of a candle that has closed. */
    update({ series }) {
      view.series = series
      if (series.length === 0) return draw(summary, 'No coin is followed yet.')
      const isNew = view.coinId === undefined
      view.coinId ??= series[0].coinId
      view.timeframe ??= (
        series.find(({ coinId, timeframe }) => coinId === view.coinId && timeframe === '1m') ?? series[0]
      ).timeframe
      const lastClose = series.find(
        (one) => one.coinId === view.coinId && one.timeframe === view.timeframe,
      )?.lastCloseTime
      const hasClosed = lastClose !== view.lastClose
      view.lastClose = lastClose
      drawControls()
      if (isNew || (hasClosed && view.to === undefined)) void load({ fit: isNew })
    },
    /** Shows what lies in the range. */
    choose(coinId, timeframe, { to }) {
      Object.assign(view, { coinId, timeframe, days: 1, to: new Date(to) })
      place.closest('section').scrollIntoView({ behavior: 'smooth', block: 'nearest' })
      return load({ fit: true })
    },
  }
}

const laidOut = (element) =>
  new Promise((resolve) => {
    const sizes = new ResizeObserver(() => {
      sizes.disconnect()
      resolve()
    })
    sizes.observe(element)
  })

/** Every point of time between the first candle and the last one. */
function withGaps(byTime, pointSeconds) {
  const times = [...byTime.keys()]
  const points = []
  for (let time = times[0]; time <= times.at(-1); time += pointSeconds) {
    const one = byTime.get(time)
    points.push({ time, candle: one && numbersOf(one) })
  }
  return points
}

const numbersOf = (candle) =>
  Object.fromEntries(['open', 'high', 'low', 'close', 'volume'].map((name) => [name, Number(candle[name])]))

/** As many decimals as the prices have, so that a coin of 0.000004 is not drawn as 0.00. */
const decimalsOf = (candles) =>
  Math.max(
    2,
    ...candles.slice(-200).map(({ close }) => (close.split('.')[1] ?? '').replace(/0+$/, '').length),
  )
