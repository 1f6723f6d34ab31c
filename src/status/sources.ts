import type { Pool } from 'pg'
import { z } from 'zod'
import { candleMarketOf } from '../ingest/markets.ts'
import { type Instant, second, toInstant, toIso } from '../market/instant.ts'
import { timeframeMs } from '../market/timeframe.ts'
import { counted } from '../metrics/counted.ts'
import type { Engine, EngineQueue } from '../queue/engine.ts'
import { type QueueCounts, queueOverview } from '../queue/overview.ts'
import { queueOfSource } from '../settings/source-ids.ts'
import type { Settings } from '../settings.ts'
import { isSourceId, sources } from '../sources/catalog.ts'
import { listCoins } from '../store/coins.ts'
import type { Subject } from '../store/runs/failing-jobs.ts'
import { readFleetCounters } from '../store/runs/fleet-counters.ts'
import { databaseOf } from '../store/transaction.ts'
import { type BackfillStatus, readBackfillStatus } from './backfills.ts'
import { subjectOf } from './runs.ts'
import { readSeries, type SeriesStatus } from './series.ts'

/** Status of a candle source. */
export type SourceStatus = Readonly<{
  source: string
  /** Of the most delayed series, in seconds; null without one. */
  lagSeconds: number | null
  /** Null without a budget. */
  allowedPointsPerSecond: number | null
  /** Cumulative by lane. */
  spentPoints: Readonly<Record<'live' | 'repair' | 'backfill', number>>
  /** In the kept history. */
  missingCandles: number
  wantedCandles: number
  /** Null if there are none. */
  backfill: BackfillStatus | null
  /** A few running jobs. */
  running: readonly RunningJob[]
}>

type RunningJob = Readonly<{
  job: string
  subject: Subject
  startedAt: string | null
  /** As reported, usually candles. */
  progress: Readonly<{ done: number; total: number }> | null
}>

type Deps = Readonly<{ settings: Settings; pool: Pool; engine: Engine }>

const shownRunning = 5

/** Every source that candles of tracked coins are read from. */
export async function readSources({ settings, pool, engine }: Deps, now: Instant): Promise<SourceStatus[]> {
  const db = databaseOf(pool)
  const coins = await listCoins(db)
  const names = [...new Set(coins.flatMap((coin) => candleMarketOf(coin)?.source.id ?? []))]
  const [series, counts, queues] = await Promise.all([
    readSeries(db, settings, coins, now),
    readFleetCounters(db),
    queueOverview(engine, names.map(queueOfSource)),
  ])
  const [running, backfills] = await Promise.all([
    readRunning(engine, queues),
    Promise.all(queues.map((queue) => readBackfillStatus(db, engine, queue, now))),
  ])
  return names.map((source, place) => {
    const spent = (lane: string) =>
      counts
        .filter(
          ({ name, labels }) =>
            name === counted.budgetPoints.name && labels.source === source && labels.lane === lane,
        )
        .reduce((sum, { value }) => sum + value, 0)
    const own = series.filter((one) => one.source === source)
    const lags = own.flatMap((one) => (one.secondsBehind === null ? [] : [lagOf(one, one.secondsBehind)]))
    return {
      source,
      lagSeconds: lags.length === 0 ? null : Math.max(0, ...lags),
      allowedPointsPerSecond: allowedOf(source, settings),
      spentPoints: { live: spent('live'), repair: spent('repair'), backfill: spent('backfill') },
      missingCandles: own.reduce((sum, { missingCandles }) => sum + missingCandles, 0),
      wantedCandles: own.reduce((sum, { wantedCandles }) => sum + wantedCandles, 0),
      backfill: backfills[place] ?? null,
      running: running.get(queueOfSource(source)) ?? [],
    }
  })
}

/** Markets without trades are up to date. */
const lagOf = ({ state, timeframe }: SeriesStatus, secondsBehind: number): number =>
  state === 'fresh' ? 0 : secondsBehind - timeframeMs[timeframe] / second

/** What workers hold at this moment, by queue. */
async function readRunning(
  engine: Engine,
  queues: readonly QueueCounts[],
): Promise<Map<string, RunningJob[]>> {
  const busy = queues.filter(({ active }) => active > 0)
  return new Map(
    await Promise.all(
      busy.map(async ({ queue }) => {
        const jobs = await engine.queue(queue).getJobs(['active'], 0, shownRunning - 1)
        return [queue, jobs.map(describeRunning)] as const
      }),
    ),
  )
}

type QueuedJob = Awaited<ReturnType<EngineQueue['getJobs']>>[number]

// Other versions may report differently.
const reported = z
  .object({ done: z.number().min(0), total: z.number().positive() })
  .nullable()
  .catch(null)

const describeRunning = ({ name, data, progress, processedOn }: QueuedJob): RunningJob => ({
  job: name,
  subject: subjectOf(data),
  startedAt: processedOn === undefined ? null : toIso(toInstant(processedOn)),
  progress: reported.parse(progress),
})

function allowedOf(source: string, { environment, budget }: Settings): number | null {
  if (environment.unlimitedBudget || !isSourceId(source)) return null
  return Math.min(
    ...sources[source].rateLimits.map(({ points, perMs }) => (points * budget.share * second) / perMs),
  )
}
