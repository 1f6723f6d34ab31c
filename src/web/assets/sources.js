// What goes on with each source: how far behind it is, what of its budget is being spent, and what is still to come.
import { draw, h } from './dom.js'
import { age, count, secondsBetween } from './words.js'

const lanes = ['live', 'repair', 'backfill']

/** Two looks this far apart tell how fast the budget is spent. */
const paceMs = 10_000
let before
let asking = false

/** Asks and draws, unless an answer is still to come. */
export async function drawSources(place) {
  if (asking) return
  asking = true
  try {
    const { sources } = await (await fetch('/api/sources')).json()
    if (sources) show(place, sources)
  } catch {
    // The page says already that nobody answers; what was drawn stays.
  } finally {
    asking = false
  }
}

function show(place, sources) {
  const now = performance.now()
  const paces = new Map(sources.map((one) => [one.source, paceOf(one, now)]))
  if (!before || now - before.at > paceMs) before = { at: now, sources }
  if (sources.length === 0) return draw(place, h('p', { class: 'nothing' }, 'No coin is followed yet.'))
  const headings = ['Source', 'Behind', 'Budget used', 'Backfill', 'Done in']
  draw(
    place,
    h(
      'table',
      {},
      h('caption', { class: 'visually-hidden' }, 'Each source that candles are read from'),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          headings.map((text) => h('th', { scope: 'col' }, text)),
        ),
      ),
      h(
        'tbody',
        {},
        sources.map((one) => row(one, paces.get(one.source))),
      ),
    ),
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

function row({ source, lagSeconds, allowedPointsPerSecond, backfillJobs, backfillDoneAt }, pace) {
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, h('b', {}, source)),
    h('td', {}, lagSeconds === null ? 'nothing yet' : age(lagSeconds)),
    h('td', {}, budget(pace, allowedPointsPerSecond)),
    h(
      'td',
      {},
      backfillJobs === 0 ? h('span', { class: 'faint' }, 'none') : `${count(backfillJobs)} jobs left`,
    ),
    h(
      'td',
      {},
      backfillDoneAt === null ? '' : `about ${age(secondsBetween(new Date().toISOString(), backfillDoneAt))}`,
    ),
  )
}

function budget(pace, allowed) {
  if (allowed === null) return h('span', { class: 'faint' }, 'not limited')
  if (!pace) return h('span', { class: 'faint' }, '…')
  const shares = lanes.map((lane) => [lane, Math.min(1, pace[lane] / allowed)])
  const total = shares.reduce((sum, [, share]) => sum + share, 0)
  const told = shares.flatMap(([lane, share]) => (share > 0 ? [`${lane} ${Math.round(share * 100)} %`] : []))
  return [
    h('span', {}, `${Math.round(total * 100)} % `),
    h('span', { class: 'faint' }, told.join(', ')),
    h('progress', { class: 'budget', max: 1, value: Math.min(1, total), 'aria-hidden': 'true' }),
  ]
}
