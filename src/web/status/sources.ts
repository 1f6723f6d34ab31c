import type { Pool } from 'pg'
import { candleMarketOf } from '../../ingest/markets.ts'
import { type Instant, minute, plus, second, toIso } from '../../market/instant.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import { counted } from '../../metrics/counted.ts'
import type { Engine } from '../../queue/engine.ts'
import { queueOverview } from '../../queue/overview.ts'
import type { Settings } from '../../settings.ts'
import { isSourceId, sources } from '../../sources/catalog.ts'
import { listCoins } from '../../store/coins.ts'
import { readFleetCounters } from '../../store/fleet-counters.ts'
import { countDone } from '../../store/runs.ts'
import { databaseOf } from '../../store/transaction.ts'
import { readSeries } from './series.ts'

/** What goes on with one source that candles are read from. */
export type SourceStatus = Readonly<{
  source: string
  /** How far the series that is furthest behind is behind its newest closed candle, in seconds; null without one. */
  lagSeconds: number | null
  /** Of its rate limit, what the fleet may spend; null where the budget is switched off or nothing is known of it. */
  allowedPointsPerSecond: number | null
  /** Spent so far by lane, ever growing: the difference of two looks is what was spent between them. */
  spentPoints: Readonly<Record<'live' | 'repair' | 'backfill', number>>
  /** Jobs of backfills and repairs that wait or run. */
  backfillJobs: number
  /** When they are done at the pace of the last minutes; null where there is none, or no pace yet. */
  backfillDoneAt: string | null
}>

type Reach = Readonly<{ settings: Settings; pool: Pool; engine: Engine }>

/** The pace of a backfill is that of the last so many minutes. */
const paceMs = 5 * minute

/** Every source that a followed coin's candles are read from. */
export async function readSources({ settings, pool, engine }: Reach, now: Instant): Promise<SourceStatus[]> {
  const db = databaseOf(pool)
  const coins = await listCoins(db)
  const names = [...new Set(coins.flatMap((coin) => candleMarketOf(coin)?.source.id ?? []))]
  const [series, counts, queues, done] = await Promise.all([
    readSeries(db, settings, coins, now),
    readFleetCounters(db),
    queueOverview(engine, names),
    countDone(db, 'backfill-candles', plus(now, -paceMs)),
  ])
  return names.map((source) => {
    const spent = (lane: string) =>
      counts
        .filter(
          ({ name, labels }) =>
            name === counted.budgetPoints.name && labels.source === source && labels.lane === lane,
        )
        .reduce((sum, { value }) => sum + value, 0)
    const queue = queues.find((one) => one.queue === source)
    const backfillJobs = (queue?.prioritized ?? 0) + (queue?.active ?? 0)
    const perMs = (done.get(source) ?? 0) / paceMs
    const lags = series.flatMap((one) =>
      one.source === source && one.secondsBehind !== null
        ? [one.secondsBehind - timeframeMs[one.timeframe] / second]
        : [],
    )
    return {
      source,
      lagSeconds: lags.length === 0 ? null : Math.max(0, ...lags),
      allowedPointsPerSecond: allowedOf(source, settings),
      spentPoints: { live: spent('live'), repair: spent('repair'), backfill: spent('backfill') },
      backfillJobs,
      backfillDoneAt:
        backfillJobs === 0 || perMs === 0 ? null : toIso(plus(now, Math.round(backfillJobs / perMs))),
    }
  })
}

function allowedOf(source: string, { environment, budget }: Settings): number | null {
  if (environment.unlimitedBudget || !isSourceId(source)) return null
  return Math.min(
    ...sources[source].rateLimits.map(({ points, perMs }) => (points * budget.share * second) / perMs),
  )
}
