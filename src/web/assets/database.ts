// Database figures with the last day's line.
import type { DatabaseStatus } from '../../status/database.ts'
import { ask } from './ask.ts'
import { draw, h } from './elements/dom.ts'
import { bytes, count, counted } from './elements/words.ts'
import { hidden, nothing } from './elements.ts'

type Sample = NonNullable<DatabaseStatus['newest']>
/** Common to samples and averages. */
type Measured = Pick<Sample, Extract<keyof Sample, keyof DatabaseStatus['samples'][number]>>
type Answer = DatabaseStatus & Readonly<{ newest: Sample }>

type Figure = Readonly<{
  name: string
  of(sample: Measured): number | null
  text(value: number): string
  note(newest: Sample, answer: Answer): string
  isBeyond?(value: number, limits: DatabaseStatus['limits'], answer: Answer): boolean
}>

const figures: readonly Figure[] = [
  {
    name: 'Query time',
    of: ({ averageQueryMs }) => averageQueryMs,
    text: (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`,
    note: () => 'a transaction',
    isBeyond: (ms, { averageQueryMs }) => ms > averageQueryMs,
  },
  {
    name: 'Index use',
    of: ({ indexScanRatio }) => indexScanRatio,
    text: (ratio) => `${Math.round(ratio * 100)} %`,
    note: () => 'of the scans',
  },
  {
    name: 'Cache hits',
    of: ({ cacheHitRatio }) => cacheHitRatio,
    text: (ratio) => `${(ratio * 100).toFixed(1)} %`,
    note: () => 'of the blocks read',
    isBeyond: (ratio, { cacheHitRatio }) => ratio < cacheHitRatio,
  },
  {
    name: 'Disk',
    of: ({ databaseBytes }) => databaseBytes,
    text: bytes,
    note: ({ diskFreeBytes }, { daysUntilFull }) =>
      [
        diskFreeBytes === null ? 'used' : `used, ${bytes(diskFreeBytes)} free`,
        ...(daysUntilFull === null ? [] : [`full in ${counted(Math.floor(daysUntilFull), 'day')}`]),
      ].join(', '),
    isBeyond: (_, { daysUntilFull: limit }, { daysUntilFull }) =>
      daysUntilFull !== null && daysUntilFull < limit,
  },
  {
    name: 'Connections',
    of: ({ connectionsActive, connectionsIdle }) => connectionsActive + connectionsIdle,
    text: (number) => count(Math.round(number)),
    note: ({ connectionsActive, connectionsMax, connectionsWaiting }) =>
      `of ${connectionsMax}, ${connectionsActive} busy, ${connectionsWaiting} waiting`,
    isBeyond: (used, { connectionsUsed }, { newest }) => used > connectionsUsed * newest.connectionsMax,
  },
]

export async function drawDatabase(place: Element): Promise<void> {
  const answer = await ask('/api/database')
  // Unreachable daemons are shown elsewhere.
  if (answer.samples) show(place, answer)
}

function show(place: Element, given: DatabaseStatus): void {
  const { newest } = given
  if (!newest) {
    draw(place, nothing('The first sample is taken within a minute.'))
    return
  }
  const answer = { ...given, newest }
  draw(
    place,
    h(
      'dl',
      { class: 'figures' },
      figures.map((figure) => drawFigure(figure, answer)),
    ),
    h('dl', { class: 'facts' }, facts(answer)),
  )
}

function drawFigure({ name, of, text, note, isBeyond }: Figure, answer: Answer): HTMLElement {
  const known = answer.samples.map(of).filter((one) => one !== null)
  const value = of(answer.newest) ?? known.at(-1)
  const isWarning = value !== undefined && (isBeyond?.(value, answer.limits, answer) ?? false)
  return h(
    'div',
    { class: isWarning && 'beyond' },
    h('dt', {}, name, isWarning && hidden(', beyond its limit')),
    h(
      'dd',
      {},
      h('b', {}, value === undefined ? '–' : text(value)),
      h('span', {}, value === undefined ? 'in a minute' : note(answer.newest, answer)),
    ),
    sparkline(known),
  )
}

/** Smaller indexes do not matter. */
const smallestBytes = 1_000_000
const shown = 3

function facts({ indexes, slowStatements, limits, hidden: unseen }: Answer): HTMLElement[] {
  const unused = indexes.unused.filter(({ bytes: size }) => size >= smallestBytes)
  const { scanned, largest } = indexes
  return [
    fact(
      'Largest indexes',
      largest
        .slice(0, shown)
        .map(
          ({ index, bytes: size, scans }) =>
            [index, `${bytes(size)}, used ${counted(scans, 'time')}`] as const,
        ),
    ),
    fact(
      `Unused indexes (an alert from ${bytes(limits.unusedIndexBytes)} on)`,
      unused.slice(0, shown).map(({ index, bytes: size }) => [index, bytes(size)] as const),
      'none of 1 MB or more',
    ),
    fact(
      'Mostly read from end to end',
      scanned
        .slice(0, shown)
        .map(
          ({ table, tableScans }) => [table, `${counted(tableScans, 'time')}: is an index missing?`] as const,
        ),
      'no table',
    ),
    fact(
      'Slowest statements',
      (slowStatements ?? [])
        .slice(0, shown)
        .map(
          ({ text, calls, averageMs }) =>
            [text, `${counted(calls, 'time')}, ${averageMs.toFixed(1)} ms each`] as const,
        ),
      slowStatements === null ? 'not recorded: pg_stat_statements is not installed' : 'none yet',
    ),
    ...(unseen === null ? [] : [fact('Not visible', [[unseen.remedy, unseen.message]])]),
  ]
}

const fact = (
  name: string,
  lines: readonly (readonly [what: string, note: string])[],
  otherwise = '',
): HTMLElement =>
  h(
    'div',
    {},
    h('dt', {}, name),
    lines.length === 0
      ? h('dd', {}, h('span', {}, otherwise))
      : lines.map(([what, note]) => h('dd', {}, h('code', { title: what }, what), h('span', {}, note))),
  )

const svg = (tag: string, attributes: Readonly<Record<string, string>>): SVGElement => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}

/** Scaled to the day's extremes. */
function sparkline(values: readonly number[]): SVGElement {
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
