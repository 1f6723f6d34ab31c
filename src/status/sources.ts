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

/** What goes on with one source that candles are read from. */
export type SourceStatus = Readonly<{
  source: string
  /** How far the series that is furthest behind is behind its newest closed candle, in seconds; null without one. */
  lagSeconds: number | null
  /** Of its rate limit, what the fleet may spend; null where the budget is switched off or nothing is known of it. */
  allowedPointsPerSecond: number | null
  /** Spent so far by lane, ever growing: the difference of two looks is what was spent between them. */
  spentPoints: Readonly<Record<'live' | 'repair' | 'backfill', number>>
  /** Candles of the kept history that are neither stored nor known to be missing, of so many. */
  missingCandles: number
  wantedCandles: number
  /** Of backfills and repairs; null where there are none. */
  backfill: BackfillStatus | null
  /** Some of the jobs that are running now. */
  running: readonly RunningJob[]
}>

type RunningJob = Readonly<{
  job: string
  subject: Subject
  startedAt: string | null
  /** As far as the job has told: candles, mostly. */
  progress: Readonly<{ done: number; total: number }> | null
}>

type Deps = Readonly<{ settings: Settings; pool: Pool; engine: Engine }>

const shownRunning = 5

/** Every source that a followed coin's candles are read from. */
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

/** A market without trades is up to date as long as its source goes on saying so. */
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

// Whatever the job of that day wrote: what is not as expected is left out.
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
