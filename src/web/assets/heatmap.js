// What there is: a row for each coin, a cell for each day.
import { draw, h } from './dom.js'
import { ask, hidden } from './elements.js'
import { openRoving } from './roving.js'
import { count, day } from './words.js'

const dayMs = 86_400_000

/** A shape stands beside every colour, so that none has to be told from another. */
const kinds = {
  whole: { word: 'whole', variable: '--green-strong' },
  partial: { word: 'partial', variable: '--amber-strong' },
  absent: { word: 'no trades', variable: '--quiet' },
  missing: { word: 'missing', variable: '--red-strong' },
  none: { word: 'not kept', variable: '--grey-soft' },
}

const lengths = [
  ['30 days', 30],
  ['90 days', 90],
  ['1 year', 365],
]

/**
 * Draws the heatmap into its place and keeps it up to date. `choose(coinId, timeframe, range)` is called for a day that
 * somebody wants to see, `tellRedrawn` when what a tip says has changed.
 */
export function openHeatmap({ place, choose, tellRedrawn }) {
  const view = {
    timeframe: undefined,
    days: 90,
    timeframes: [],
    coinIds: [],
    coverage: undefined,
    trouble: undefined,
    chosen: undefined,
  }
  const oneStop = openRoving(place, '.days', { row: '.heatmap-row', sideways: false })
  // Of a hundred coins some twenty can be seen at a time: each row is painted when it comes into sight, and the axis too.
  const inSight = new IntersectionObserver(
    (entries) => {
      const seen = entries.filter(({ isIntersecting }) => isIntersecting).map(({ target }) => target)
      paintAll(
        seen.filter((one) => one.matches('.days')),
        view.coverage,
      )
      for (const axis of seen.filter((one) => one.matches('.axis'))) paintAxis(axis, view.coverage)
    },
    { rootMargin: '2000px' },
  )
  let asked = 0

  async function load() {
    asked += 1
    const mine = asked
    // Whole days, the last of which is today.
    const query = new URLSearchParams({ timeframe: view.timeframe, from: `-${view.days - 1}d` })
    const answer = await ask(`/api/coverage?${query}`)
    // Somebody may have chosen something else in the meantime.
    if (mine !== asked) return
    view.trouble = answer.error
    if (answer.coins) view.coverage = { ...answer, coins: inOrder(answer.coins, view.coinIds) }
    redraw()
  }

  function redraw() {
    draw(place, controls(view), view.trouble ? trouble(view.trouble) : heatmap(view), legend(), detail(view))
    for (const one of place.querySelectorAll('.days, .axis')) {
      inSight.unobserve(one)
      inSight.observe(one)
    }
    oneStop()
    tellRedrawn()
  }

  place.addEventListener('click', ({ target }) => {
    const { timeframe, days } = target.closest('[data-timeframe],[data-days]')?.dataset ?? {}
    if (timeframe) view.timeframe = timeframe
    if (days) view.days = Number(days)
    if (timeframe || days) {
      view.chosen = undefined
      void load()
    }
    const row = target.closest('.days')
    if (row) void showDay(row)
    if (target.closest('[data-chart]')) choose(view.chosen.coin.coinId, view.coverage.timeframe, view.chosen)
  })
  place.addEventListener('pointermove', (event) => {
    const row = event.target.closest?.('.days')
    if (!row || !view.coverage) return
    const { left, width } = row.getBoundingClientRect()
    point(row, Math.floor(((event.clientX - left) / width) * view.coverage.days))
  })
  place.addEventListener('keydown', (event) => {
    const row = event.target.closest?.('.days')
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key]
    if (!row || step === undefined || !view.coverage) return
    event.preventDefault()
    point(row, Number(row.dataset.at ?? view.coverage.days - 1) + step)
  })
  // A row that is not pointed at yet begins with its last day.
  place.addEventListener('focusin', ({ target }) => {
    const row = target.closest?.('.days')
    if (row && view.coverage) point(row, Number(row.dataset.at ?? view.coverage.days - 1))
  })
  addEventListener('resize', () => view.coverage && redraw())
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => view.coverage && redraw())

  function point(row, wanted) {
    const at = Math.max(0, Math.min(view.coverage.days - 1, wanted))
    row.dataset.at = at
    const coin = coinOf(view.coverage, row)
    row.dataset.tip = `${coin.symbol} ${view.coverage.timeframe} · ${sentenceOf(view.coverage, coin, at)}`
    tellRedrawn()
    paint(row, view.coverage)
  }

  async function showDay(row) {
    const { coverage } = view
    const coin = coinOf(coverage, row)
    const at = Number(row.dataset.at ?? coverage.days - 1)
    const from = new Date(Date.parse(coverage.from) + at * dayMs)
    const to = new Date(from.getTime() + dayMs)
    view.chosen = { coin, at, from: from.toISOString(), to: to.toISOString(), gaps: undefined }
    redraw()
    const mine = view.chosen
    const query = new URLSearchParams({
      coin: coin.coinId,
      timeframe: coverage.timeframe,
      from: mine.from,
      to: mine.to,
    })
    const { gaps } = await ask(`/api/gaps?${query}`)
    if (view.chosen !== mine) return
    mine.gaps = gaps ?? []
    redraw()
  }

  return {
    /** Takes notice of the series there are, and asks again, for something may have changed. */
    update({ series }) {
      view.timeframes = [...new Set(series.map(({ timeframe }) => timeframe))]
      view.coinIds = [...new Set(series.map(({ coinId }) => coinId))]
      if (view.timeframes.length === 0)
        return draw(place, h('p', { class: 'nothing' }, 'No coin is followed yet.'))
      if (!view.timeframes.includes(view.timeframe))
        view.timeframe = view.timeframes.includes('1h') ? '1h' : view.timeframes[0]
      return load()
    },
  }
}

/** The coins in the order of the page; those that nothing is expected of any more after them. */
function inOrder(coins, coinIds) {
  const placeOf = ({ coinId }) => (coinIds.includes(coinId) ? coinIds.indexOf(coinId) : coinIds.length)
  return coins.toSorted((a, b) => placeOf(a) - placeOf(b))
}

const trouble = (sentence) => h('p', { class: 'nothing' }, sentence)

const coinOf = ({ coins }, row) => coins.find(({ coinId }) => coinId === row.dataset.coin)

const controls = ({ timeframe, timeframes, days }) =>
  h(
    'div',
    { class: 'controls' },
    choices(
      'Timeframe',
      timeframes.map((one) => [one, one]),
      'timeframe',
      timeframe,
    ),
    choices('How far back', lengths, 'days', days),
  )

export const choices = (label, options, name, chosen) =>
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

const legend = () =>
  h(
    'ul',
    { class: 'legend', 'aria-label': 'Legend of the days' },
    Object.entries(kinds).map(([kind, { word }]) =>
      h('li', {}, h('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' }), ' ', word),
    ),
  )

function heatmap({ coverage }) {
  if (!coverage) return h('p', { class: 'nothing' }, 'Counting …')
  const first = day(coverage.from)
  const last = day(new Date(Date.parse(coverage.from) + (coverage.days - 1) * dayMs).toISOString())
  return h(
    'div',
    { class: 'heatmap' },
    coverage.coins.map((coin) =>
      h(
        'div',
        { class: 'heatmap-row' },
        h('span', { class: 'heatmap-coin' }, h('b', {}, coin.symbol.toUpperCase())),
        h(
          'button',
          {
            type: 'button',
            class: 'days',
            'data-coin': coin.coinId,
            'aria-label': summaryOf(coverage, coin),
          },
          h('canvas', { 'aria-hidden': 'true' }),
        ),
      ),
    ),
    h(
      'div',
      { class: 'heatmap-row' },
      h('span', {}),
      h(
        'span',
        { class: 'axis' },
        hidden(`From ${first} to ${last}`),
        h('canvas', { 'aria-hidden': 'true' }),
      ),
    ),
  )
}

/** What a day is, and how many of its candles are where. */
function dayOf({ candlesOfDay }, coin, at) {
  const stored = coin.stored[at]
  const absent = Math.min(coin.absent[at], candlesOfDay - stored)
  const refused = Math.min(coin.refused[at], candlesOfDay - stored - absent)
  const wanted = coin.wanted[at]
  const settled = stored + absent
  const missing = Math.max(0, wanted - settled)
  const counts = { stored, absent, refused, missing, wanted }
  if (stored === 0 && wanted === 0) return { kind: absent > 0 ? 'absent' : 'none', ...counts }
  if (settled >= candlesOfDay || (wanted > 0 && missing === 0))
    return { kind: stored > 0 ? 'whole' : 'absent', ...counts }
  return { kind: stored > 0 ? 'partial' : 'missing', ...counts }
}

function sentenceOf(coverage, coin, at) {
  const date = day(new Date(Date.parse(coverage.from) + at * dayMs).toISOString())
  const { kind, stored, absent, refused, missing } = dayOf(coverage, coin, at)
  const parts = [`${count(stored)} of ${count(coverage.candlesOfDay)} stored`]
  if (absent > 0) parts.push(`${count(absent)} without trades`)
  if (refused > 0) parts.push(`${count(refused)} in quarantine`)
  if (missing > 0) parts.push(`${count(missing)} missing`)
  return `${date}, ${kinds[kind].word}\n${parts.join(', ')}`
}

function summaryOf(coverage, coin) {
  const found = { whole: 0, partial: 0, absent: 0, missing: 0, none: 0 }
  for (let at = 0; at < coverage.days; at += 1) found[dayOf(coverage, coin, at).kind] += 1
  const parts = Object.entries(found).flatMap(([kind, days]) =>
    days > 0 ? [`${days} ${kinds[kind].word}`] : [],
  )
  return `${coin.coinId} ${coverage.timeframe}, days: ${parts.join(', ')}. Arrow keys go from day to day.`
}

const paint = (row, coverage) => paintAll([row], coverage)

/** Every row is measured before the first is painted: painting one would make the browser measure the next anew. */
function paintAll(rows, coverage) {
  if (!coverage) return
  const style = getComputedStyle(document.documentElement)
  const colours = Object.fromEntries(
    Object.entries(kinds).map(([kind, { variable }]) => [kind, style.getPropertyValue(variable).trim()]),
  )
  colours.frame = style.getPropertyValue('--text').trim()
  const measured = [...rows].map(({ clientWidth, clientHeight }) => ({ clientWidth, clientHeight }))
  for (const [index, row] of [...rows].entries()) paintRow(row, coverage, measured[index], colours)
}

function paintRow(row, coverage, { clientWidth, clientHeight }, colours) {
  const canvas = row.querySelector('canvas')
  const coin = coinOf(coverage, row)
  if (!canvas || !coin) return
  const scale = devicePixelRatio || 1
  canvas.width = Math.round(clientWidth * scale)
  canvas.height = Math.round(clientHeight * scale)
  const context = canvas.getContext('2d')
  const width = canvas.width / coverage.days
  const gap = width > 5 * scale ? scale : 0
  for (let at = 0; at < coverage.days; at += 1) {
    const box = { left: at * width, width: Math.max(1, width - gap), height: canvas.height }
    paintDay(context, box, dayOf(coverage, coin, at), colours)
  }
  if (row.dataset.at === undefined || !row.matches(':hover, :focus')) return
  context.strokeStyle = colours.frame
  context.lineWidth = 2 * scale
  context.strokeRect(
    Number(row.dataset.at) * width,
    scale,
    Math.max(2 * scale, width - gap),
    canvas.height - 2 * scale,
  )
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `2 Mar`, and of the first of a month its name alone: January with its year. */
function tick(date) {
  const month = months[date.getUTCMonth()]
  if (date.getUTCDate() > 1) return `${date.getUTCDate()} ${month}`
  return date.getUTCMonth() === 0 ? `${month} ${date.getUTCFullYear()}` : month
}

/** The first day of each month, and as many of them as there is room for. */
function paintAxis(axis, coverage) {
  const canvas = axis.querySelector('canvas')
  if (!canvas || !coverage) return
  const scale = devicePixelRatio || 1
  canvas.width = Math.round(axis.clientWidth * scale)
  canvas.height = Math.round(axis.clientHeight * scale)
  const { color, fontFamily } = getComputedStyle(axis)
  const context = canvas.getContext('2d')
  context.fillStyle = color
  context.font = `${11.5 * scale}px ${fontFamily}`
  context.textBaseline = 'top'
  const width = canvas.width / coverage.days
  let free = 0
  for (let at = 0; at < coverage.days; at += 1) {
    const date = new Date(Date.parse(coverage.from) + at * dayMs)
    const isFirst = date.getUTCDate() === 1
    if (!isFirst && at !== 0) continue
    const text = tick(date)
    const { width: needed } = context.measureText(text)
    const left = at * width
    if (left < free || left + needed > canvas.width) continue
    context.fillText(text, left, 3 * scale)
    if (at > 0) context.fillRect(left, 0, scale, 3 * scale)
    free = left + needed + 8 * scale
  }
}

/** Whole is filled, partial as high as its share, without trades a line in the middle, missing a frame. */
function paintDay(context, { left, width, height }, { kind, stored, absent, missing }, colours) {
  context.fillStyle = colours.none
  context.fillRect(left, 0, width, height)
  context.fillStyle = colours[kind]
  if (kind === 'whole') context.fillRect(left, 0, width, height)
  if (kind === 'absent') context.fillRect(left, height * 0.42, width, height * 0.16)
  if (kind === 'partial') {
    const share = (stored + absent) / Math.max(1, stored + absent + missing)
    context.fillRect(left, height * (1 - Math.max(0.15, share * 0.9)), width, height)
  }
  if (kind === 'missing') {
    context.fillRect(left, 0, width, height)
    context.fillStyle = colours.none
    const edge = Math.max(1, height * 0.14)
    context.fillRect(
      left + Math.min(edge, width * 0.2),
      edge,
      width - 2 * Math.min(edge, width * 0.2),
      height - 2 * edge,
    )
  }
}

const causes = {
  'no-trades': 'no trades',
  'not-fetched': 'not fetched yet',
  refused: 'in quarantine',
  'no-partition': 'cannot be stored: see beacon gaps',
  late: 'closed just now',
}

function detail({ chosen, coverage }) {
  if (!chosen || !coverage) return h('div', { class: 'detail', 'aria-live': 'polite' })
  const { coin, at, gaps } = chosen
  return h(
    'div',
    { class: 'detail', 'aria-live': 'polite' },
    h(
      'p',
      {},
      h('b', {}, `${coin.coinId} ${coverage.timeframe}`),
      ` · ${sentenceOf(coverage, coin, at).replace('\n', ': ')}`,
    ),
    gaps === undefined
      ? h('p', { class: 'faint' }, 'Looking for the gaps …')
      : gaps.length > 0 &&
          h(
            'ul',
            {},
            gaps.slice(0, 20).map(gapLine),
            gaps.length > 20 && h('li', {}, `and ${count(gaps.length - 20)} more: beacon gaps`),
          ),
    h('button', { type: 'button', class: 'more', 'data-chart': true }, 'Show this day in the chart'),
  )
}

const gapLine = ({ from, to, candles, cause }) =>
  h(
    'li',
    {},
    `${Date.parse(to) - Date.parse(from) === dayMs ? 'the whole day' : `${from.slice(11, 16)} – ${to.slice(11, 16)}`} · ${count(candles)} ${candles === 1 ? 'candle' : 'candles'} · ${causes[cause] ?? cause.replaceAll('-', ' ')}`,
  )
