// What goes on with each source: how far behind it is, what of its budget is being spent, and what is still to come.
import { draw, h } from './dom.js'
import { about, ask, cell, mark, nothing, table } from './elements.js'
import { age, count, counted, secondsBetween } from './words.js'

const lanes = ['live', 'repair', 'backfill']

/** Two looks this far apart tell how fast the budget is spent. */
const paceMs = 10_000
let before
let asking = false

/** Asks and draws, unless an answer is still to come. */
export async function drawSources(place, status) {
  if (asking) return
  asking = true
  try {
    const { sources, generatedAt } = await ask('/api/sources')
    // The page says already when nobody answers; what was drawn stays.
    if (sources) show(place, sources, { ...status, generatedAt })
  } finally {
    asking = false
  }
}

function show(place, sources, { bans, generatedAt }) {
  const now = Date.parse(generatedAt)
  const paces = new Map(sources.map((one) => [one.source, paceOf(one, now)]))
  if (!before || now - before.at > paceMs) before = { at: now, sources }
  if (sources.length === 0) return draw(place, nothing('No coin is followed yet.'))
  const columns = [
    ['Source'],
    ['Behind', 'number'],
    ['History'],
    ['Budget used'],
    ['Backfill'],
    ['Done in', 'number'],
  ]
  const rows = sources.map((one) =>
    row(one, {
      pace: paces.get(one.source),
      ban: bans?.find(({ source }) => source === one.source),
      now: generatedAt,
    }),
  )
  draw(
    place,
    table('Each source that candles are read from', columns, rows, { class: 'stack' }),
    runningNow(sources, generatedAt),
  )
}

/** Points a second of each lane since the look before; undefined at the first one. */
function paceOf({ source, spentPoints }, now) {
  const earlier = before?.sources.find((one) => one.source === source)
  if (!earlier || now - before.at < 1_000) return undefined
  const seconds = (now - before.at) / 1_000
  return Object.fromEntries(
    lanes.map((lane) => [lane, Math.max(0, (spentPoints[lane] - earlier.spentPoints[lane]) / seconds)]),
  )
}

const banned = { 'slow-down': 'slowed down', banned: 'banned', unserved: 'not served here' }

function row(one, { pace, ban, now }) {
  const { source, lagSeconds, allowedPointsPerSecond, backfillJobs, backfillDoneAt } = one
  return h(
    'tr',
    {},
    h(
      'th',
      { scope: 'row' },
      h('b', {}, source),
      ban && h('span', { class: 'tag' }, `${banned[ban.kind]} until ${ban.until.slice(11, 16)}`),
    ),
    cell('behind', 'number', lagSeconds === null ? 'nothing yet' : age(lagSeconds)),
    cell('history', 'wide-cell', history(one)),
    cell('budget used', 'wide-cell', budget(pace, allowedPointsPerSecond)),
    cell(
      'backfill',
      '',
      backfillJobs === 0 ? h('span', { class: 'faint' }, 'none') : `${counted(backfillJobs, 'job')} left`,
    ),
    cell('done in', 'number', backfillDoneAt && `about ${age(secondsBetween(now, backfillDoneAt))}`),
  )
}

function history({ owedCandles, wantedCandles }) {
  const share = wantedCandles === 0 ? 1 : (wantedCandles - owedCandles) / wantedCandles
  // Nearly whole is not whole.
  const percent = owedCandles === 0 ? '100' : (Math.floor(share * 1000) / 10).toFixed(1)
  return meter(share, `${percent} %`, owedCandles === 0 ? 'whole' : `${counted(owedCandles, 'candle')} owed`)
}

function budget(pace, allowed) {
  if (allowed === null) return h('span', { class: 'faint' }, 'not limited')
  if (!pace) return h('span', { class: 'faint' }, '…')
  const shares = lanes.map((lane) => [lane, Math.min(1, pace[lane] / allowed)])
  const total = shares.reduce((sum, [, share]) => sum + share, 0)
  const told = shares.flatMap(([lane, share]) => (share > 0 ? [`${lane} ${inPercent(share)}`] : []))
  return meter(Math.min(1, total), inPercent(total), told.join(', '))
}

/** So little that it would round to nothing is still something. */
const inPercent = (share) => (share > 0 && share < 0.01 ? '< 1 %' : `${Math.round(share * 100)} %`)

const meter = (share, text, note) => [
  h('span', {}, text, ' '),
  h('span', { class: 'faint' }, note),
  h('progress', { class: 'budget', max: 1, value: share, 'aria-hidden': 'true' }),
]

function runningNow(sources, now) {
  const running = sources.flatMap(({ running: jobs }) => jobs)
  return (
    running.length > 0 &&
    h(
      'ul',
      { class: 'running-now', 'aria-label': 'Running now' },
      running.map(({ job, subject, startedAt, progress }) =>
        h(
          'li',
          {},
          mark('▸'),
          ` ${job} `,
          h('span', { class: 'faint' }, about(subject)),
          progress && ` ${count(progress.done)} of ${count(progress.total)}`,
          startedAt &&
            h('span', { class: 'faint' }, ` for ${age(Math.max(0, secondsBetween(startedAt, now)))}`),
        ),
      ),
    )
  )
}
