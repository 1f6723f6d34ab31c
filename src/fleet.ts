import type { Pool } from 'pg'
import { jobs } from '../jobs/catalog.ts'
import { type Budget, openBudget, unlimitedBudget } from './http/budget.ts'
import { openHttpClient } from './http/client.ts'
import type { Pause } from './http/pauses.ts'
import { Reachability } from './http/reachability.ts'
import { countRequests } from './metrics/counted-requests.ts'
import { countedRuns } from './metrics/counted-runs.ts'
import { startCounting } from './metrics/counters.ts'
import { replaceLateTick } from './missed-runs.ts'
import { missingPackage } from './missing-package.ts'
import { type Engine, openEngine } from './queue/engine.ts'
import { enqueue } from './queue/enqueue.ts'
import type { Job } from './queue/job.ts'
import { type RunEnd, type RunRecorder, startWorkers } from './queue/worker.ts'
import { type Clock, steadyClock } from './runtime/clock.ts'
import type { Context } from './runtime/context.ts'
import type { Log } from './runtime/log.ts'
import type { Releases } from './runtime/release.ts'
import { SeriesRanges } from './runtime/series-ranges.ts'
import type { Tracer } from './runtime/trace.ts'
import { sourceIds } from './settings/source-ids.ts'
import { readVersion } from './settings/version.ts'
import type { Settings } from './settings.ts'
import { readSources } from './store/coins/instruments.ts'
import { finishRun, type RunEnd as RecordedEnd, startRun } from './store/runs.ts'
import { databaseOf, inOwnTransactions } from './store/transaction.ts'

/** This process's queues and job dependencies. */
export type Fleet = Readonly<{
  engine: Engine
  context: Omit<Context, 'signal' | 'runId'>
  /** Undefined without tracing. */
  tracer: Tracer | undefined
  /** Current bans and unserved regions. */
  pauses(): Promise<Pause[]>
  /** Flushes counters to the database. */
  flushCounts(): Promise<void>
  /** Runs jobs until released. */
  work(names: readonly string[]): Promise<{ close(): Promise<void> }>
}>

type Surroundings = Readonly<{
  settings: Settings
  database: Readonly<{ url: string; pool: Pool }>
  log: Log
  clock: Clock
  releases: Releases
  signal: AbortSignal
}>

/** Opens queue engine (waiting `timeoutMs`), HTTP client and budget. */
export async function openFleet(
  { settings, database, log, clock, releases, signal }: Surroundings,
  timeoutMs: number,
): Promise<Fleet> {
  const { redisUrl, tracesUrl } = settings.environment
  const tracer = await openTracerIfWanted(tracesUrl, log, releases)
  // Released after the engine, to count its last runs.
  const counters = startCounting({ pool: database.pool, clock, log }, releases)
  const counting = countRequests(counters, steadyClock)
  const engine = await openEngine({
    ...(redisUrl ? { redisUrl } : {}),
    databaseUrl: database.url,
    log,
    clock,
    signal,
    waitMs: timeoutMs,
  })
  releases.push(() => engine.close())
  const budget = counting.budget(openSharedBudget({ settings, database, log, clock }, engine))
  const reachability = new Reachability(log)
  releases.push(() => reachability.close())
  const http = openHttpClient({
    clock,
    budget,
    log,
    reachability,
    timeoutMs: settings.http.timeout,
    maxBodyBytes: settings.http.maxBodyBytes,
    secretHeaders: secretHeaders(settings),
  })
  releases.push(() => http.close())
  const context: Fleet['context'] = {
    clock,
    steadyClock,
    log,
    settings,
    pool: database.pool,
    http: counting.http(http),
    partitions: new Map(),
    seriesRanges: new SeriesRanges(),
    enqueue: ({ name }, payloads) => enqueue(engine, jobNamed(name), payloads),
  }
  return {
    engine,
    context,
    tracer,
    pauses: async () => {
      const tracked = await readSources(databaseOf(database.pool))
      return budget.pauses([...new Set([...sourceIds, ...tracked])])
    },
    flushCounts: counters.flush,
    work: (names) =>
      startWorkers({
        engine,
        jobs,
        queues: names,
        context,
        concurrency: settings.queue.concurrency,
        onRun: countedRuns(recordRuns(context), counters, steadyClock),
        insteadOf: (queued) => replaceLateTick({ engine, context, databaseUrl: database.url }, queued),
        tracer,
        reachability,
      }),
  }
}

/** Loads the SDK only if wanted. */
async function openTracerIfWanted(
  url: string | undefined,
  log: Log,
  releases: Releases,
): Promise<Tracer | undefined> {
  if (url === undefined) return undefined
  const { openTracer } = await loadTracing()
  return openTracer({ url, version: readVersion(), log }, releases)
}

async function loadTracing() {
  try {
    return await import('./tracing/open-tracer.ts')
  } catch (error) {
    throw missingPackage(error, 'OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed', [
      '@opentelemetry/api',
      '@opentelemetry/exporter-trace-otlp-http',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-trace-base',
    ])
  }
}

function jobNamed(name: string): Job {
  const job = jobs.find((candidate) => candidate.name === name)
  if (!job) throw new Error(`no job is called ${name}`)
  return job
}

function openSharedBudget(
  { settings, database, log, clock }: Omit<Surroundings, 'signal' | 'releases'>,
  { redis }: Engine,
): Budget {
  const { environment, budget } = settings
  if (environment.unlimitedBudget) return unlimitedBudget
  const store = redis ? { redis } : { pool: inOwnTransactions(database.pool) }
  return openBudget(store, { ...budget, clock, log })
}

const secretHeaders = ({
  environment: { coingeckoApiKey },
}: Settings): Record<string, Record<string, string>> =>
  coingeckoApiKey === undefined ? {} : { coingecko: { 'x-cg-demo-api-key': coingeckoApiKey } }

function endOf({ outcome, fault, willRetry }: RunEnd): RecordedEnd {
  if (!fault) return { status: 'done', outcome }
  const failure = { error: fault.message, fault: fault.name, willRetry }
  return outcome ? { status: 'partial', outcome, ...failure } : { status: 'failed', ...failure }
}

function recordRuns({ pool, clock }: Pick<Context, 'pool' | 'clock'>): RunRecorder {
  const db = databaseOf(pool)
  return {
    started: (run) => startRun(db, { ...run, startedAt: clock.now() }),
    finished: (runId, end) => finishRun(db, runId, endOf(end), clock.now()),
  }
}
