import { type Counted, counted } from '../../metrics/counted.ts'
import { queueOfSource } from '../../settings/source-ids.ts'
import { type Coin, listCoins } from '../../store/coins.ts'
import type { FleetCount } from '../../store/runs/fleet-counters.ts'
import { databaseOf } from '../../store/transaction.ts'
import type { MetricsDeps } from './collector.ts'

type Deps = Pick<MetricsDeps, 'pool' | 'settings' | 'jobs'>
type Labels = Readonly<Record<string, string>>

const outcomes = [
  'ok',
  'rate-limited',
  'banned',
  'blocked',
  'unavailable',
  'malformed',
  'refused',
  'unknown-market',
  'aborted',
  'error',
  'held-back',
]
const lanes = ['live', 'repair', 'backfill']
const stopKinds = ['slow-down', 'banned', 'unserved']
const statuses = ['done', 'partial', 'failed', 'to-be-tried-again']
const candleResults = ['new', 'revised', 'unchanged', 'quarantined']
const priceResults = ['new', 'unchanged', 'quarantined', 'without-price', 'confirming']

/** Initial zeros: Prometheus needs a counter to exist before it increases. */
export async function readZeroCounts(deps: Deps): Promise<FleetCount[]> {
  const coins = await listCoins(databaseOf(deps.pool))
  const sources = [...new Set(coins.flatMap(({ markets }) => markets.map(({ source }) => source)))]
  const timeframes = Object.keys(deps.settings.timeframes)
  const works = worksOf(deps, coins, sources)
  const tasks = deps.jobs.map(({ name }) => ({ task: name }))
  return [
    ...zerosOf(
      counted.requests,
      product(sources, outcomes, (source, outcome) => ({ source, outcome })),
    ),
    ...zerosOf(
      counted.requestDuration,
      sources.map((source) => ({ source })),
    ),
    ...zerosOf(
      counted.budgetPoints,
      product(sources, lanes, (source, lane) => ({ source, lane })),
    ),
    ...zerosOf(
      counted.budgetWait,
      product(sources, lanes, (source, lane) => ({ source, lane })),
    ),
    ...zerosOf(
      counted.pauses,
      product(sources, stopKinds, (source, kind) => ({ source, kind })),
    ),
    ...zerosOf(
      counted.runs,
      product(works, statuses, (work, status) => ({ ...work, status })),
    ),
    ...zerosOf(counted.runDuration, tasks),
    ...zerosOf(
      counted.candles,
      product(
        sources,
        product(timeframes, candleResults, (timeframe, result) => ({ timeframe, result })),
        (source, rest) => ({ source, ...rest }),
      ),
    ),
    ...zerosOf(
      counted.prices,
      priceResults.map((result) => ({ result })),
    ),
  ]
}

/** Jobs with their queues; jobs on request may use any source's. */
function worksOf({ jobs, settings }: Deps, coins: readonly Coin[], sources: readonly string[]): Labels[] {
  return jobs.flatMap((job) => {
    const queues = job.schedules
      ? job.schedules(settings, coins).map(({ payload }) => job.queueOf(payload))
      : sources.map(queueOfSource)
    return [...new Set(queues)].map((queue) => ({ task: job.name, queue }))
  })
}

const product = <A, B, C>(as: readonly A[], bs: readonly B[], of: (a: A, b: B) => C): C[] =>
  as.flatMap((a) => bs.map((b) => of(a, b)))

const zerosOf = ({ name, buckets }: Counted, all: readonly Labels[]): FleetCount[] =>
  all.map((labels) => ({ name: buckets === undefined ? name : `${name}_count`, labels, value: 0 }))

/** Adds missing zeros. */
export function withZeros(counts: readonly FleetCount[], zeros: readonly FleetCount[]): FleetCount[] {
  const known = new Set(counts.map(keyOf))
  return [...counts, ...zeros.filter((zero) => !known.has(keyOf(zero)))]
}

const keyOf = ({ name, labels }: FleetCount): string =>
  JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))])
