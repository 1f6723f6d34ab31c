import { openChart } from './chart.js'
import { drawDatabase } from './database.js'
import { draw, h } from './dom.js'
import { openHeatmap } from './heatmap.js'
import { drawSources } from './sources.js'
import { followTips } from './tip.js'
import { age, bytes, count, day, instant, money, percent, price, secondsBetween, took } from './words.js'

const tellRedrawn = followTips(document.getElementById('tip'))

const part = (name) => document.querySelector(`[data-part="${name}"]`)

const chart = openChart(part('chart'))
const heatmap = openHeatmap({ place: part('coverage'), choose: chart.choose, tellRedrawn })

// A symbol stands beside every colour, and a word beside every symbol.
const freshness = {
  fresh: { mark: '●', word: 'fresh' },
  late: { mark: '▲', word: 'late' },
  stale: { mark: '■', word: 'stale' },
  empty: { mark: '○', word: 'empty' },
}
const overall = {
  ok: { mark: '✓', word: 'All is well' },
  'catching-up': { mark: '↻', word: 'Catching up' },
  attention: { mark: '!', word: 'Needs attention' },
}
const outcome = {
  done: { mark: '✓', word: 'done' },
  running: { mark: '▸', word: 'running' },
  failed: { mark: '✗', word: 'failed' },
  abandoned: { mark: '–', word: 'abandoned' },
}

const mark = (symbol) => h('span', { class: 'mark', 'aria-hidden': 'true' }, symbol)
const hidden = (text) => h('span', { class: 'visually-hidden' }, text)
const nothing = (text) => h('p', { class: 'nothing' }, text)
const time = (iso, text) => h('time', { datetime: iso, title: `${instant(iso)} UTC` }, text)

/** A table whose columns are `[heading, class]`; the first cell of each row is its heading. */
function table(caption, columns, rows, attributes = {}) {
  const headings = columns.map(([text, kind]) => h('th', { scope: 'col', class: kind }, text))
  return h(
    'table',
    attributes,
    h('caption', { class: 'visually-hidden' }, caption),
    h('thead', {}, h('tr', {}, headings)),
    h('tbody', {}, rows),
  )
}

function drawOverall(status) {
  const { state, sentence, others } = status.overall
  const { mark: symbol, word } = overall[state]
  draw(
    part('overall'),
    h(
      'div',
      { class: `verdict ${state}` },
      h('span', { class: 'badge', 'aria-hidden': 'true' }, symbol),
      h(
        'div',
        {},
        h('p', { class: 'state' }, word),
        h('p', { class: 'sentence' }, withCode(sentence)),
        otherFindings(others),
      ),
    ),
    h('dl', { class: 'figures' }, figures(status)),
  )
  document.title = `${symbol} ${word} · Beacon`
  announce(state, sentence)
}

const banMarks = { 'slow-down': '◔', banned: '✗', unserved: '⊘' }

/** What stands against asking a source, until it ends: everything else on the page about it follows from this. */
function drawBans({ bans, generatedAt }) {
  draw(
    part('bans'),
    ...(bans ?? []).map(({ kind, sentence, until }) =>
      h(
        'li',
        { class: `ban ${kind}` },
        mark(banMarks[kind]),
        h('span', {}, sentence),
        h(
          'span',
          { class: 'until' },
          kind === 'unserved' ? 'asked again at ' : 'until ',
          time(until, `${until.slice(11, 19)} UTC`),
          `, in ${age(secondsBetween(generatedAt, until))}`,
        ),
      ),
    ),
  )
}

const otherFindings = (others) =>
  others.length > 0 &&
  h(
    'ul',
    { class: 'others' },
    others.map((text) => h('li', {}, withCode(text))),
  )

/** What stands between backticks is a command. */
const withCode = (text) =>
  text.split('`').map((piece, index) => (index % 2 === 1 ? h('code', {}, piece) : piece))

let announced

/** Said aloud when the state changes, and not at every number in the sentence. */
function announce(state, sentence) {
  if (state === announced) return
  announced = state
  draw(part('announcement'), sentence)
}

function figures({ series, prices, process, generatedAt }) {
  const fresh = series.filter(({ state }) => state === 'fresh').length
  const owed = series.reduce((sum, { owedCandles }) => sum + owedCandles, 0)
  const newest = prices.length > 0 && Math.min(...prices.map(({ ageSeconds }) => ageSeconds))
  return [
    figure('Series fresh', `${fresh}`, `of ${series.length}`),
    figure('Candles owed', count(owed), owed === 0 ? 'history is whole' : 'still to fetch'),
    figure('Newest price', newest === false ? '–' : age(newest), newest === false ? 'none yet' : 'old'),
    figure('Database', bytes(process.database.bytes), `PostgreSQL ${process.database.version}`),
    figure(
      'Up for',
      age(secondsBetween(process.startedAt, generatedAt)),
      `queues on ${engines[process.queueEngine]}`,
    ),
  ]
}

const engines = { postgres: 'PostgreSQL', redis: 'Redis' }

const figure = (name, value, note) =>
  h('div', {}, h('dt', {}, name), h('dd', {}, h('b', {}, value), h('span', {}, note)))

function drawFreshness({ series }) {
  const timeframes = [...new Set(series.map(({ timeframe }) => timeframe))]
  const coins = groupByCoin(series)
  if (coins.size === 0) return draw(part('freshness'), nothing('No coin is followed yet.'))
  const rows = [...coins].map(([coinId, ofCoin]) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, coinName(ofCoin[0].symbol, coinId)),
      timeframes.map((timeframe) =>
        h('td', {}, freshnessCell(ofCoin.find((one) => one.timeframe === timeframe))),
      ),
    ),
  )
  draw(
    part('freshness'),
    h(
      'div',
      { class: 'scroll' },
      table(
        'Freshness of each coin by timeframe',
        [['Coin'], ...timeframes.map((name) => [name, 'centred'])],
        rows,
        {
          class: 'grid',
        },
      ),
    ),
    legend(),
  )
}

function groupByCoin(series) {
  const coins = new Map()
  for (const one of series) coins.set(one.coinId, [...(coins.get(one.coinId) ?? []), one])
  return coins
}

const coinName = (symbol, coinId) => [
  h('b', {}, symbol.toUpperCase()),
  ' ',
  h('span', { class: 'faint' }, coinId),
]

function freshnessCell(series) {
  if (!series) return h('span', { class: 'faint' }, '–')
  const { mark: symbol, word } = freshness[series.state]
  const { owedCandles, wantedCandles } = series
  const isWhole = owedCandles === 0 || wantedCandles === 0
  return h(
    'button',
    { type: 'button', class: `cell ${series.state}`, 'data-tip': details(series, word) },
    mark(symbol),
    h('span', { class: 'age' }, series.secondsBehind === null ? 'none' : age(series.secondsBehind)),
    hidden(`, ${word}`),
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

const legend = () =>
  h(
    'ul',
    { class: 'legend', 'aria-label': 'Legend' },
    Object.entries(freshness).map(([state, { mark: symbol, word }]) =>
      h('li', { class: state }, mark(symbol), ' ', word),
    ),
    h('li', {}, h('span', { class: 'bar', 'aria-hidden': 'true' }), ' history still filling'),
  )

function drawPrices({ prices }) {
  if (prices.length === 0) return draw(part('prices'), nothing('No price yet.'))
  const columns = [
    ['Coin'],
    ['Price', 'number'],
    ['24 h', 'number'],
    ['Volume', 'number wide'],
    ['Market cap', 'number wide'],
    ['Age', 'number'],
  ]
  const rows = prices.map((one) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row', title: one.coinId }, h('b', {}, one.symbol.toUpperCase())),
      h('td', { class: 'number strong' }, price(one.price)),
      h('td', { class: 'number' }, change(one.change24h)),
      h('td', { class: 'number wide' }, money(one.volume24h)),
      h('td', { class: 'number wide' }, money(one.marketCap)),
      h('td', { class: 'number faint' }, time(one.at, age(one.ageSeconds))),
    ),
  )
  draw(part('prices'), table('Last price of each coin in USD', columns, rows))
}

function change(text) {
  if (text === null) return ''
  const falls = text.startsWith('-')
  return h(
    'span',
    { class: falls ? 'falls' : 'rises' },
    mark(falls ? '▼' : '▲'),
    hidden(falls ? 'down ' : 'up '),
    percent(text),
  )
}

const fewRuns = 12
let showsAllRuns = false
let latest

function drawRuns({ runs, generatedAt }) {
  if (runs.length === 0) return draw(part('runs'), nothing('Nothing has run yet.'))
  const columns = [
    ['Job'],
    ['For'],
    ['Began', 'number'],
    ['Took', 'number'],
    ['Received', 'number'],
    ['New', 'number'],
    ['Revised', 'number'],
    ['Quarantined', 'number'],
    ['Result'],
  ]
  const shown = showsAllRuns ? runs : runs.slice(0, fewRuns)
  draw(
    part('runs'),
    table(
      'Last runs',
      columns,
      shown.map((run) => runRow(run, generatedAt)),
      { class: 'runs' },
    ),
    runs.length > fewRuns &&
      h(
        'button',
        { type: 'button', class: 'more', 'data-more': 'runs', 'aria-expanded': String(showsAllRuns) },
        showsAllRuns ? `Show only the last ${fewRuns}` : `Show all ${runs.length}`,
      ),
  )
}

function runRow(run, generatedAt) {
  const { counts } = run
  const numberCell = (label, value, kind = '') =>
    h('td', { class: `number ${kind} ${value ? '' : 'zero'}`, 'data-label': label }, count(value))
  return h(
    'tr',
    { class: run.status },
    h('th', { scope: 'row' }, run.job),
    h('td', { class: 'subject' }, about(run.subject)),
    h(
      'td',
      { class: 'number faint', 'data-label': 'began' },
      time(run.startedAt, `${age(secondsBetween(run.startedAt, generatedAt))} ago`),
    ),
    h(
      'td',
      { class: run.tookMs === null ? 'number zero' : 'number', 'data-label': 'took' },
      took(run.tookMs),
    ),
    numberCell('received', counts.received),
    numberCell('new', counts.new),
    numberCell('revised', counts.revised),
    numberCell('quarantined', counts.quarantined, counts.quarantined ? 'warns' : ''),
    h('td', { class: 'result' }, result(run)),
  )
}

function result({ status, willRetry, attempt, error }) {
  const { mark: symbol, word } = outcome[status]
  const text = status === 'failed' && willRetry ? 'failed, will try again' : word
  return [
    h('span', { class: `outcome ${status}` }, mark(symbol), ` ${text}`),
    attempt > 1 && h('span', { class: 'faint' }, ` · try ${attempt}`),
    error !== null && h('span', { class: 'error' }, error),
  ]
}

/** What of a job's payload tells it from another run of the same job. */
function about({ source, timeframe, coinId, symbol, view, from, to }) {
  const parts = [coinId ?? view, timeframe, source ?? symbol].filter(Boolean)
  if (from && to) parts.push(day(from) === day(to) ? day(from) : `${day(from)} → ${day(to)}`)
  return parts.join(' · ')
}

function drawQueues({ queues }) {
  if (queues === null) return draw(part('queues'), nothing('The queue does not answer.'))
  const states = ['waiting', 'active', 'delayed', 'failed']
  const columns = [['Queue'], ...states.map((state) => [state, 'number'])]
  const rows = queues.map((one) =>
    h(
      'tr',
      {},
      h(
        'th',
        { scope: 'row' },
        h('a', { href: `/queues/queue/${encodeURIComponent(one.queue)}` }, one.queue),
        one.paused && h('span', { class: 'tag' }, 'paused'),
      ),
      states.map((state) => {
        const jobs = state === 'waiting' ? one.waiting + one.prioritized : one[state]
        return h('td', { class: `number ${jobs === 0 ? 'zero' : state}` }, count(jobs))
      }),
    ),
  )
  draw(part('queues'), table('Jobs of each queue by state', columns, rows))
}

function drawSchedule({ jobs, generatedAt }) {
  const rows = jobs.map(({ job, summary, subject, pattern, nextRun }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row', title: summary }, job, ' ', h('span', { class: 'faint' }, about(subject))),
      h(
        'td',
        { class: 'number', title: `cron, UTC: ${pattern}` },
        time(nextRun, `in ${age(secondsBetween(generatedAt, nextRun))}`),
      ),
    ),
  )
  draw(part('schedule'), table('When each schedule runs next', [['Job'], ['Next', 'number']], rows))
}

function drawStorage({ partitions }) {
  const columns = [['Table'], ['Leaves', 'number'], ['Size', 'number'], ['Made until', 'number']]
  const rows = partitions.map((one) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, one.table),
      h('td', { class: 'number' }, count(one.partitions)),
      h('td', { class: 'number', title: `about ${count(one.estimatedRows)} rows` }, bytes(one.bytes)),
      h(
        'td',
        { class: 'number' },
        one.newestBound === null ? '–' : time(one.newestBound, day(one.newestBound)),
      ),
    ),
  )
  draw(part('storage'), table('Partitions of each table', columns, rows))
}

function drawFooter({ process }) {
  draw(
    part('footer'),
    `Beacon ${process.version} · up since ${instant(process.startedAt)} UTC · all times are UTC`,
  )
}

function show(status) {
  latest = status
  document.body.classList.remove('lost')
  drawOverall(status)
  drawBans(status)
  drawFreshness(status)
  tellRedrawn()
  drawPrices(status)
  drawRuns(status)
  drawQueues(status)
  drawSchedule(status)
  drawStorage(status)
  drawFooter(status)
  chart.update(status)
  drawSources(part('sources'))
  drawSlowly(status)
  draw(
    part('live'),
    h('span', { class: 'dot', 'aria-hidden': 'true' }),
    h('span', {}, h('span', { class: 'wide' }, 'live · '), `${status.generatedAt.slice(11, 19)} UTC`),
  )
}

const slowlyMs = 60_000
let drawnSlowlyAt

/** What changes from minute to minute is not asked for with every status. */
function drawSlowly(status) {
  if (drawnSlowlyAt !== undefined && performance.now() - drawnSlowlyAt < slowlyMs) return
  drawnSlowlyAt = performance.now()
  heatmap.update(status)
  drawDatabase(part('database'))
}

/** What was shown stays, dimmed: it was true a moment ago. */
function showTrouble(sentence) {
  document.body.classList.add('lost')
  draw(part('live'), h('span', { class: 'dot', 'aria-hidden': 'true' }), 'not up to date')
  draw(
    part('overall'),
    h(
      'div',
      { class: 'verdict attention' },
      h('span', { class: 'badge', 'aria-hidden': 'true' }, '!'),
      h(
        'div',
        {},
        h('p', { class: 'state' }, overall.attention.word),
        h('p', { class: 'sentence' }, sentence),
      ),
    ),
  )
  document.title = `! ${overall.attention.word} · Beacon`
  announce('lost', sentence)
}

const isGone = 'The daemon does not answer; trying again.'
const patienceMs = 12_000
const pollMs = 5_000

/** Server-sent events, and plain questions where those do not come through. */
function watch() {
  let timer
  let wait
  const heard = (handle) => (event) => {
    clearInterval(timer)
    timer = undefined
    expect()
    handle(JSON.parse(event.data))
  }
  const fallBack = () => {
    timer ??= setInterval(ask, pollMs)
    return ask()
  }
  const expect = () => {
    clearTimeout(wait)
    wait = setTimeout(fallBack, patienceMs)
  }
  const events = new EventSource('/api/events')
  events.addEventListener('status', heard(show))
  events.addEventListener(
    'trouble',
    heard(({ error }) => showTrouble(error)),
  )
  events.addEventListener('error', fallBack)
  expect()
}

async function ask() {
  try {
    const answer = await fetch('/api/status')
    const body = await answer.json()
    if (answer.ok) show(body)
    else showTrouble(body.error)
  } catch {
    // Nobody there: that is told, and asked again at the next turn.
    showTrouble(isGone)
  }
}

document.addEventListener('click', ({ target }) => {
  if (!(target instanceof Element) || !target.closest('[data-more="runs"]')) return
  showsAllRuns = !showsAllRuns
  drawRuns(latest)
})

watch()
