// The database's five figures, each with the line of its last day.
import { draw, h } from './dom.js'
import { bytes, count } from './words.js'

const figures = [
  {
    name: 'Query time',
    of: ({ averageQueryMs }) => averageQueryMs,
    text: (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`,
    note: 'a transaction, on the average',
  },
  {
    name: 'Index use',
    of: ({ indexScanRatio }) => indexScanRatio,
    text: (ratio) => `${Math.round(ratio * 100)} %`,
    note: 'of the scans',
  },
  {
    name: 'Cache hits',
    of: ({ cacheHitRatio }) => cacheHitRatio,
    text: (ratio) => `${(ratio * 100).toFixed(1)} %`,
    note: 'of the blocks read',
  },
  {
    name: 'Disk',
    of: ({ databaseBytes }) => databaseBytes,
    text: bytes,
    note: ({ diskFreeBytes }) => (diskFreeBytes === null ? 'used' : `used, ${bytes(diskFreeBytes)} free`),
  },
  {
    name: 'Connections',
    of: ({ connectionsActive, connectionsIdle }) => connectionsActive + connectionsIdle,
    text: count,
    note: ({ connectionsMax, connectionsWaiting }) =>
      `of ${connectionsMax}${connectionsWaiting > 0 ? `, ${connectionsWaiting} waiting` : ''}`,
  },
]

/** Asks for the samples and draws them. */
export async function drawDatabase(place) {
  try {
    const answer = await (await fetch('/api/database')).json()
    show(place, answer)
  } catch {
    // The page says already that nobody answers; what was drawn stays.
  }
}

function show(place, { samples = [], indexes, slowStatements }) {
  const newest = samples.at(-1)
  if (!newest) return draw(place, h('p', { class: 'nothing' }, 'The first sample is taken within a minute.'))
  return draw(
    place,
    h(
      'dl',
      { class: 'figures' },
      figures.map((figure) => drawFigure(figure, samples, newest)),
    ),
    indexes?.unused.length > 0 &&
      h(
        'p',
        { class: 'note inset' },
        `Never used since the statistics began: ${indexes.unused
          .slice(0, 5)
          .map(({ index, bytes: size }) => `${index} (${bytes(size)})`)
          .join(', ')}.`,
      ),
    slowStatements?.length > 0 &&
      h(
        'p',
        { class: 'note inset' },
        `Most time: ${slowStatements[0].text} (${count(slowStatements[0].calls)} times, ${slowStatements[0].averageMs.toFixed(1)} ms each).`,
      ),
  )
}

function drawFigure({ name, of, text, note }, samples, newest) {
  const known = samples.map(of)
  const value = known.findLast((one) => one !== null)
  return h(
    'div',
    {},
    h('dt', {}, name),
    h(
      'dd',
      {},
      h('b', {}, value === undefined ? '–' : text(value)),
      h('span', {}, typeof note === 'function' ? note(newest) : note),
    ),
    sparkline(known.filter((one) => one !== null)),
  )
}

const svg = (tag, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}

/** From the lowest to the highest value of the day; the figure beside it says which the last one is. */
function sparkline(values) {
  const picture = svg('svg', {
    class: 'sparkline',
    viewBox: '0 0 100 24',
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  })
  if (values.length < 2) return picture
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const points = values.map(
    (value, index) =>
      `${((index / (values.length - 1)) * 100).toFixed(1)},${(22 - ((value - low) / (high - low || 1)) * 20).toFixed(1)}`,
  )
  picture.append(
    svg('polyline', { points: points.join(' '), fill: 'none', 'vector-effect': 'non-scaling-stroke' }),
  )
  return picture
}
