import type { Status } from '../../status/status.ts'
import { drawAlerts } from './alerts.ts'
import { brought } from './brought.ts'
import { openChart } from './chart.ts'
import { drawDatabase } from './database.ts'
import { draw, h } from './elements/dom.ts'
import { openSlices } from './elements/slices.ts'
import { followTips } from './elements/tip.ts'
import { age, instant, secondsBetween } from './elements/words.ts'
import { mark, time } from './elements.ts'
import { openSeriesFilter } from './filters/series-filter.ts'
import { openFreshness } from './freshness.ts'
import { openHeatmap } from './heatmap.ts'
import { watchDaemon } from './live.ts'
import { drawQueues } from './maintenance/queues.ts'
import { drawStorage } from './maintenance/storage.ts'
import { openMaintenance } from './maintenance.ts'
import { drawOverall, states } from './overall.ts'
import { part } from './part.ts'
import { openPrices } from './prices.ts'
import { openRuns } from './runs.ts'
import { openSearch } from './search.ts'
import { openSources } from './sources.ts'

let latest: Status | undefined
const tip = document.getElementById('tip')
const reportRedrawn = tip ? followTips(tip) : () => undefined
const chart = openChart(part('chart'))
const heatmap = openHeatmap({ place: part('coverage'), choose: chart.choose, reportRedrawn })
const drawFreshness = openFreshness(part('freshness'), { choose: chart.choose, reportRedrawn })
const drawPrices = openPrices(part('prices'))
const drawRuns = openRuns(part('runs'), part('run-filters'))
const shownOf = openSeriesFilter(part('filters'), () => latest && drawSeries(latest))
// The heatmap follows backfills.
const drawSources = openSources(part('sources'), () => latest && void heatmap.update(shownOf(latest)))
const drawMaintenance = openMaintenance({
  jobs: part('jobs'),
  archives: part('archives'),
  retention: part('retention'),
})
const banMarks = { 'slow-down': '◔', banned: '✗', unserved: '⊘' } as const

/** Explains other problems of the source. */
function drawBans({ bans, generatedAt }: Status): void {
  draw(
    part('bans'),
    (bans ?? []).map(({ kind, message, until }) =>
      h(
        'li',
        { class: `ban ${kind}` },
        mark(banMarks[kind]),
        h('span', {}, message),
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

const searchIn = openSearch({ form: part('search'), choose: chart.choose })

let announced: string | undefined

/** Announced only when the state changes. */
function announce(state: string, message: string): void {
  if (state === announced) return
  announced = state
  draw(part('announcement'), message)
}

function drawFooter({ process: { version, startedAt } }: Status): void {
  const up = startedAt === null ? '' : ` · up since ${instant(startedAt)} UTC`
  draw(part('footer'), `Beacon ${version}${up} · all times are UTC`)
}

/** Skips unchanged parts. */
const drawn = new Map<string, string>()
function unlessSame(name: string, shown: unknown, drawPart: () => void): void {
  const text = JSON.stringify(shown)
  if (drawn.get(name) === text) return
  drawn.set(name, text)
  drawPart()
}

/** What the filters choose. */
function drawSeries(status: Status): void {
  const shown = shownOf(status)
  drawFreshness(shown)
  drawPrices(shown)
  void heatmap.filter(shown)
}

const inSlices = openSlices()

function show(status: Status): void {
  latest = status
  searchIn(status)
  document.body.classList.remove('lost', 'stale')
  document.getElementById('main')?.classList.remove('waiting')
  void inSlices([
    () => drawHeadline(status),
    () => drawFreshness(shownOf(status)),
    () => drawPrices(shownOf(status)),
    () => drawRuns(status),
    () => unlessSame('queues', status.queues, () => drawQueues(part('queues'), status)),
    () => unlessSame('storage', status.partitions, () => drawStorage(part('storage'), status)),
    () => drawAlerts(part('alerts'), status),
    () => chart.update(status),
    () => drawSources(status),
    () => drawSlowly(status),
  ])
}

function drawHeadline(status: Status): void {
  const { state, message } = status.overall
  drawOverall(part('overall'), status)
  document.title = `${states[state].symbol} ${states[state].word} · Beacon`
  announce(state, message)
  drawBans(status)
  drawFooter(status)
  draw(
    part('live'),
    h('span', { class: 'dot', 'aria-hidden': 'true' }),
    h('span', {}, h('span', { class: 'wide' }, 'live · '), `${status.generatedAt.slice(11, 19)} UTC`),
  )
}

const slowlyMs = 60_000
let drawnSlowlyAt: number | undefined

/** Slow data is requested less often. */
function drawSlowly(status: Status): void {
  if (drawnSlowlyAt !== undefined && performance.now() - drawnSlowlyAt < slowlyMs) return
  drawnSlowlyAt = performance.now()
  void heatmap.update(shownOf(status))
  void drawMaintenance(status)
  void drawDatabase(part('database'))
}

/** Old data stays, greyed. */
function showTrouble(message: string): void {
  document.body.classList.add('lost')
  drawDecision(message)
  draw(part('live'), h('span', { class: 'dot', 'aria-hidden': 'true' }), lastNews('not up to date'))
}

function showStale(): void {
  document.body.classList.add('stale')
  showTrouble(`${lastNews('The daemon has not answered')}; trying again.`)
}

const lastNews = (what: string): string =>
  latest ? `${what} since ${latest.generatedAt.slice(11, 19)} UTC` : what

function drawDecision(message: string): void {
  draw(
    part('overall'),
    h(
      'div',
      { class: 'headline attention' },
      h('span', { class: 'badge', 'aria-hidden': 'true' }, '!'),
      h('div', {}, h('p', { class: 'state' }, states.attention.word), h('p', { class: 'message' }, message)),
    ),
  )
  document.title = `! ${states.attention.word} · Beacon`
  announce('lost', message)
}

/** Initial data is fresh. */
const newMs = 1_000

async function begin(): Promise<void> {
  const first = (await brought('/api/status')) as Status | undefined
  if (first) show(first)
  const watch = () => watchDaemon({ onStatus: show, onTrouble: showTrouble, onStale: showStale })
  setTimeout(watch, first ? newMs : 0)
}

void begin()
