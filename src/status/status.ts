import type { Pool } from 'pg'
import { Unavailable } from '../fault.ts'
import type { Pause } from '../http/pauses.ts'
import { describeRecordedHold } from '../lifecycle/describe-retention.ts'
import { day, type Instant, plus, second, toIso } from '../market/instant.ts'
import type { Engine } from '../queue/engine.ts'
import type { AnyJob } from '../queue/job.ts'
import { type QueueCounts, queueOverview } from '../queue/overview.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { hasWorkers } from '../runtime/presence.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import type { Settings } from '../settings.ts'
import { listCoins } from '../store/coins.ts'
import { readLastCheck } from '../store/digests/archive-checks.ts'
import { blockingMessage, readBlockingSessions } from '../store/figures/blocking-sessions.ts'
import { listIncidents } from '../store/incidents.ts'
import { listHolds } from '../store/lifecycle/partition-holds.ts'
import { readLatestPrices } from '../store/prices.ts'
import { listRuns, listRunsOf, type Run } from '../store/runs.ts'
import { describeServer } from '../store/server.ts'
import { type Database, databaseOf } from '../store/transaction.ts'
import { describeAlert } from './alerts.ts'
import { describeBan } from './bans.ts'
import { describeBlocking } from './blocking.ts'
import { type FailureGroup, readFailures } from './failures.ts'
import { evaluate, type Overall } from './overall.ts'
import { readTables } from './partitions.ts'
import { describePrice } from './prices.ts'
import type { Readiness } from './readiness/readiness.ts'
import { describeRun } from './runs.ts'
import { describeSchedules } from './schedules.ts'
import { readSeries, type SeriesStatus } from './series.ts'
import type { StatusFacts } from './status-facts.ts'
import { readUnreachable } from './unreachable.ts'

/** Everything the status page shows. */
export type Status = StatusFacts & Readonly<{ overall: Overall }>

export type StatusDeps = Readonly<{
  settings: Settings
  pool: Pool
  engine: Engine
  /** Current pauses of sources. */
  pauses(): Promise<readonly Pause[]>
  /** Readiness and progress. */
  readiness(): Promise<Readiness>
  jobs: readonly AnyJob[]
  queues: readonly string[]
  clock: Clock
  log: Log
  /** Undefined without a daemon. */
  startedAt: Instant | undefined
  version: string
}>

const shownRuns = 30
const mostAlerts = 50
const answerLimitMs = 8 * second
const queueLimitMs = 3 * second
/** Shorter than the status timeout. */
const blockedAnswerMs = 5 * second

/** Throws Unavailable on timeout. */
export const collectStatus = (deps: StatusDeps): Promise<Status> => inTime(deps, gatherStatus(deps))

/** Throws Unavailable on timeout; work continues. */
export async function inTime({ pool }: Pick<StatusDeps, 'pool'>, status: Promise<Status>): Promise<Status> {
  try {
    return await within(answerLimitMs, status, 'the database did not answer in time')
  } catch (error) {
    const message = await readBlockingMessage(pool)
    throw message === undefined ? error : new Unavailable(message, { cause: error })
  }
}

/** Another program's lock, read without lockable tables. */
async function readBlockingMessage(pool: Pool): Promise<string | undefined> {
  try {
    const sessions = readBlockingSessions(databaseOf(pool), blockedAnswerMs)
    const [first] = await within(queueLimitMs, sessions, 'the database did not answer in time')
    return first && blockingMessage(first)
  } catch {
    // The original failure is reported.
    return undefined
  }
}

/** The status, however long it takes. */
export async function gatherStatus(deps: StatusDeps): Promise<Status> {
  const facts = await gatherFacts(deps)
  return { ...facts, overall: evaluate(facts, deps.settings, deps.clock.now()) }
}

/** Without the evaluation. */
export async function gatherFacts(deps: StatusDeps): Promise<StatusFacts> {
  const { settings, pool, clock, jobs, startedAt } = deps
  const db = databaseOf(pool)
  const now = clock.now()
  const coins = await listCoins(db)
  const [series, prices, runs, failures, incidents, partitions, holds, check, server] = await Promise.all([
    readSeries(db, settings, coins, now),
    coins.length === 0
      ? []
      : readLatestPrices(
          db,
          coins.map(({ id }) => id),
        ),
    listRuns(db, shownRuns),
    readFailures(db, { jobs, settings, coins }),
    listIncidents(db, plus(now, -day), mostAlerts),
    readTables(pool, settings, now),
    listHolds(db),
    readLastCheck(db),
    describeServer(db),
  ])
  const failedRuns = await readOlderFailures(db, runs, failures)
  const [queues, pauses, someoneWorks, readiness, blocking, unreachable] = await Promise.all([
    countQueues(deps),
    readPauses(deps),
    hasWorkers(pool, deps.engine.kind),
    deps.readiness(),
    readBlockingSessions(db),
    readUnreachable(db, series, now),
  ])
  return {
    generatedAt: toIso(now),
    readiness,
    blocking: blocking.map(describeBlocking),
    unreachable,
    bans: pauses === null ? null : pauses.map((stop) => describeBan(stop, now)),
    alerts: incidents.map(describeAlert),
    series: inOrderOfRank(
      series,
      prices.map(({ coinId }) => coinId),
    ),
    prices: prices.map((price) => describePrice(price, now)),
    runs: [...runs, ...failedRuns].map(describeRun),
    failures,
    queues,
    jobs: describeSchedules(jobs, settings, coins, now),
    partitions,
    holds: holds.map(describeRecordedHold),
    checkProblems: check?.problems.length ?? null,
    process: {
      version: deps.version,
      startedAt: startedAt === undefined ? null : toIso(startedAt),
      queueEngine: deps.engine.kind,
      database: server,
      hasWorkers: someoneWorks,
    },
  }
}

const mostOlderFailures = 30

/** Keeps failing jobs' last runs visible. */
function readOlderFailures(
  db: Database,
  newest: readonly Run[],
  failures: readonly FailureGroup[],
): Promise<Run[]> {
  const known = new Set(newest.map(({ id }) => id))
  const ids = failures.flatMap(({ jobs }) => jobs.map(({ runId }) => runId))
  return listRunsOf(db, ids.filter((id) => !known.has(id)).slice(0, mostOlderFailures))
}

/** The page works without the queue. */
async function countQueues({ engine, queues, log }: StatusDeps): Promise<QueueCounts[] | null> {
  try {
    return await within(queueLimitMs, queueOverview(engine, queues), 'the queue did not answer in time')
  } catch (error) {
    log.warn('status.queue-unavailable', { reason: reasonOf(error) })
    return null
  }
}

/** The page works without Redis. */
async function readPauses({ pauses, log }: StatusDeps): Promise<readonly Pause[] | null> {
  try {
    return await within(queueLimitMs, pauses(), 'the request budget did not answer in time')
  } catch (error) {
    log.warn('status.budget-unavailable', { reason: reasonOf(error) })
    return null
  }
}

/** In price order; coins without a price last. */
function inOrderOfRank(series: readonly SeriesStatus[], coinIds: readonly string[]): SeriesStatus[] {
  const places = new Map(coinIds.map((id, place) => [id, place]))
  const placeOf = ({ coinId }: SeriesStatus) => places.get(coinId) ?? coinIds.length
  return series.toSorted((a, b) => placeOf(a) - placeOf(b))
}
