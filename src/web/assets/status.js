import { drawAlerts } from './alerts.js'
import { brought } from './brought.js'
import { openChart } from './chart.js'
import { drawDatabase } from './database.js'
import { draw, h } from './dom.js'
import { hidden, mark, nothing, table, time, withCode } from './elements.js'
import { drawFreshness } from './freshness.js'
import { openHeatmap } from './heatmap.js'
import { openRoving } from './roving.js'
import { openRuns } from './runs.js'
import { drawSources } from './sources.js'
import { followTips } from './tip.js'
import { drawQueues, drawStorage, drawUpkeep } from './upkeep.js'
import { age, bytes, count, instant, money, percent, price, secondsBetween } from './words.js'

const tellRedrawn = followTips(document.getElementById('tip'))

const part = (name) => document.querySelector(`[data-part="${name}"]`)

const chart = openChart(part('chart'))
const heatmap = openHeatmap({ place: part('coverage'), choose: chart.choose, tellRedrawn })
const drawRuns = openRuns(part('runs'))
const oneStopForCells = openRoving(part('freshness'), '.cell', { row: 'tbody tr', sideways: true })

// A symbol stands beside every colour, and a word beside every symbol.
const overall = {
  ok: { symbol: '✓', word: 'All is well' },
  'catching-up': { symbol: '↻', word: 'Catching up' },
  attention: { symbol: '!', word: 'Needs attention' },
}

function drawOverall(status) {
  const { state, sentence, others } = status.overall
  const { symbol, word } = overall[state]
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

function drawPrices({ prices }) {
  if (prices.length === 0) return draw(part('prices'), nothing('No price yet.'))
  const columns = [
    ['Coin', 'pinned'],
    ['Price', 'pinned number'],
    ['24 h', 'pinned number'],
    ['Volume', 'pinned number wide'],
    ['Market cap', 'pinned number wide'],
    ['Age', 'pinned number'],
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
  // Nothing in it can be focused, and it must be possible to scroll it with the keys.
  const scrolls = { class: 'scroll tall', tabindex: 0, role: 'group', 'aria-label': 'Last prices' }
  draw(part('prices'), h('div', scrolls, table('Last price of each coin in USD', columns, rows)))
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

function drawFooter({ process }) {
  draw(
    part('footer'),
    `Beacon ${process.version} · up since ${instant(process.startedAt)} UTC · all times are UTC`,
  )
}

function show(status) {
  document.body.classList.remove('lost')
  document.getElementById('main').classList.remove('waiting')
  drawOverall(status)
  drawBans(status)
  drawFreshness(part('freshness'), status)
  oneStopForCells()
  tellRedrawn()
  drawPrices(status)
  drawRuns(status)
  drawQueues(part('queues'), status)
  drawStorage(part('storage'), status)
  drawAlerts(part('alerts'), status)
  drawFooter(status)
  chart.update(status)
  drawSources(part('sources'), status)
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
  drawUpkeep({ jobs: part('jobs'), archives: part('archives'), retention: part('retention') }, status)
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
  const events = new EventSource('/api/events')
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

const newMs = 1_000

/** What the page has brought is new: the next one is not waited for yet. */
async function begin() {
  const first = await brought('/api/status')
  if (first) show(first)
  setTimeout(watch, first ? newMs : 0)
}

void begin()
