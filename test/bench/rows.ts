import { countText } from '../../src/cli/terminal/output.ts'
import { table } from '../../src/cli/terminal/table.ts'
import { type Cost, type Findings, medianCost, rounds, scale } from './measure.ts'
import { type Memory, mostMegabytes } from './memory.ts'

/** `speed`: so many times as fast as the baseline, at least. `time`: so many times as long, at most. Some are only told. */
type Target = Readonly<{ speed: number } | { time: number }> | undefined

/** One line of the table: what we do, held against a baseline that ran in the same rounds. */
export type Row = Readonly<{
  what: string
  against: string
  target: Target
  ours: Cost
  baseline: Cost
  ratio: number
  isMet: boolean
  /** How many candles ours were, where the cost of a million of them makes sense. */
  candles?: number
}>

/** Takes the medians of the rounds and holds them against the target. */
export function ratioRow(
  { what, against, target, candles }: Pick<Row, 'what' | 'against' | 'target' | 'candles'>,
  ours: readonly Cost[],
  baseline: readonly Cost[],
): Row {
  const cost = medianCost(ours)
  const other = medianCost(baseline)
  const isTime = target !== undefined && 'time' in target
  const ratio = isTime ? cost.seconds / other.seconds : other.seconds / cost.seconds
  const isMet = target === undefined || ('time' in target ? ratio <= target.time : ratio >= target.speed)
  return {
    what,
    against,
    target,
    ours: cost,
    baseline: other,
    ratio,
    isMet,
    ...(candles && { candles }),
  }
}

function wanted(target: Target): string {
  if (target === undefined) return 'none'
  return 'speed' in target ? `at least ${target.speed} ×` : `at most ${target.time} × its time`
}

const ratios: Parameters<typeof table<Row>>[1] = [
  { title: 'what', of: ({ what }) => what },
  { title: 'against', of: ({ against }) => against },
  { title: 'seconds', of: ({ ours }) => ours.seconds.toFixed(2), align: 'right' },
  { title: 'baseline', of: ({ baseline }) => baseline.seconds.toFixed(2), align: 'right' },
  { title: 'ratio', of: ({ ratio }) => `${ratio.toFixed(2)} ×`, align: 'right' },
  { title: 'target', of: ({ target }) => wanted(target), align: 'right' },
  { title: 'met', of: ({ target, isMet }) => (target === undefined ? '' : isMet ? 'yes' : 'NO') },
]

const perMillion = (value: number, { candles = Number.NaN }: Row): string =>
  ((value / candles) * 1e6).toFixed(2)

const costs: Parameters<typeof table<Row>>[1] = [
  { title: 'for a million candles', of: ({ what }) => what },
  { title: 'our CPU seconds', of: (row) => perMillion(row.ours.ourCpuSeconds, row), align: 'right' },
  { title: "the server's", of: (row) => perMillion(row.ours.serverCpuSeconds, row), align: 'right' },
  { title: 'wall clock', of: (row) => perMillion(row.ours.seconds, row), align: 'right' },
  {
    title: "the baseline's server",
    of: (row) => perMillion(row.baseline.serverCpuSeconds, row),
    align: 'right',
  },
]

const memories: Parameters<typeof table<Memory>>[1] = [
  { title: 'candles', of: ({ candles }) => countText(candles), align: 'right' },
  { title: 'most memory', of: ({ megabytes }) => `${megabytes.toFixed(0)} MB`, align: 'right' },
  { title: 'target', of: () => `less than ${mostMegabytes} MB`, align: 'right' },
  { title: 'met', of: ({ isMet }) => (isMet ? 'yes' : 'NO') },
]

/** The tables: ratios, what a million candles cost, and memory. */
export function findingsOf(rows: readonly Row[], memory: readonly Memory[]): Findings {
  const counted = rows.filter(({ candles }) => candles !== undefined)
  const texts = [
    ...(rows.length > 0 ? [table(rows, ratios)] : []),
    ...(counted.length > 0 ? [table(counted, costs)] : []),
    ...(memory.length > 0 ? [table(memory, memories)] : []),
  ]
  return { text: texts.join('\n\n'), json: { rounds, scale, rows, memory } }
}
