import { setTimeout as wait } from 'node:timers/promises'
import { backfillCandles } from '../jobs/backfill-candles.ts'
import { commandLine } from './command-line.ts'
import { Aborted, Misconfigured } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { type BackfillChunk, type BackfillPlan, chunksOfAll, jobPlanOf } from './ingest/backfill/plan.ts'
import { type BackfillProgress, ProgressWatch } from './ingest/backfill/progress.ts'
import { workOfRuns } from './ingest/backfill/result.ts'
import {
  type BackfillResult,
  countMissing,
  type Followed,
  type QueuedChunk,
  summarize,
} from './ingest/backfill/summary.ts'
import { earlier, type Instant, minute, second } from './market/instant.ts'
import type { Workers } from './queue/worker.ts'
import { steadyClock } from './runtime/clock.ts'
import { hasWorkers } from './runtime/presence.ts'
import { reasonOf, silenceOf, whenAnswering } from './runtime/when-answering.ts'
import { queueOfSource } from './settings/source-ids.ts'
import { type Run, runsSince } from './store/runs.ts'
import { databaseOf } from './store/transaction.ts'

export async function enqueueBackfill(
  { context, engine }: Fleet,
  plan: BackfillPlan,
  { lane }: Pick<BackfillChunk, 'lane'> = {},
): Promise<QueuedChunk[]> {
  const chunks = chunksOfAll(plan.series, context.settings.candles.chunk).map((chunk) =>
    lane === undefined ? chunk : { ...chunk, lane },
  )
  for (const queue of new Set(chunks.map(({ source }) => queueOfSource(source)))) {
    if (await engine.queue(queue).isPaused()) {
      throw new Misconfigured(
        `the queue ${queue} is paused; let it go on with: ${commandLine`beacon queues resume ${queue}`}`,
      )
    }
  }
  const ids = await context.enqueue(backfillCandles, chunks)
  const now = context.clock.now()
  return chunks.map((chunk, index) => ({
    id: ids[index] ?? '',
    queue: queueOfSource(chunk.source),
    chunk,
    planned: jobPlanOf(chunk, now),
  }))
}

export type FollowOptions = Pick<BackfillChunk, 'lane'> &
  Readonly<{
    signal: AbortSignal
    onProgress(progress: BackfillProgress): void
  }>

/**
 * Runs a plan: enqueues its jobs, works itself if there is no worker, and follows the runs. Lost jobs are enqueued
 * again. Throws Aborted; loaded data stays.
 */
export async function runBackfill(
  fleet: Fleet,
  plan: BackfillPlan,
  options: FollowOptions,
): Promise<BackfillResult> {
  const { clock, pool } = fleet.context
  const since = clock.now()
  const queued = await enqueueBackfill(fleet, plan, options)
  const sources = [...new Set(queued.map(({ queue }) => queue))]
  let workers: Workers | undefined
  // The daemon may stop meanwhile.
  const seeToWorkers = async () => {
    if (!workers && !(await hasWorkers(pool, fleet.engine.kind))) workers = await fleet.work(sources)
  }
  try {
    const followed = await followRuns(fleet, plan, queued, since, { ...options, seeToWorkers })
    return await throughOutage(fleet, options.signal, () => summarize(pool, plan, queued, followed, since))
  } catch (error) {
    // Our workers first: they return their jobs to the queue.
    await workers?.close()
    try {
      await withdraw(fleet, queued)
    } catch (cause) {
      // The daemon finishes the jobs; the first error matters.
      fleet.context.log.warn('backfill.not-withdrawn', { reason: reasonOf(cause) })
    }
    throw error
  } finally {
    await workers?.close()
  }
}

const pollMs = 250
const stalledAfterMs = 20 * second

/** Longer than a restart or fail-over. */
const outageMs = 2 * minute

async function followRuns(
  fleet: Fleet,
  plan: BackfillPlan,
  queued: readonly QueuedChunk[],
  since: Instant,
  { signal, onProgress, seeToWorkers }: FollowOptions & { seeToWorkers(): Promise<void> },
): Promise<Followed> {
  const { context } = fleet
  const { clock, pool } = context
  const runs = new Map<string, readonly Run[]>()
  const givenUp = new Map<string, string>()
  const watch = new ProgressWatch({ ...context, clock: steadyClock, pauses: fleet.pauses }, plan)
  let endedRequests: ReadonlyMap<string, number> = new Map()
  let from = since
  const requestsOf = (id: string) => workOfRuns(runs.get(id) ?? [], from).requests
  let waiting = queued
  let known = 0
  let movedAt = steadyClock.now()
  const poll = async () => {
    // After a clock change, later runs may have earlier times.
    from = earlier(from, clock.now())
    await seeToWorkers()
    for (const [queue, ids] of idsByQueue(waiting)) {
      for (const some of batches(ids, idsAtOnce)) {
        for (const [id, ofJob] of await runsSince(databaseOf(pool), queue, some, from)) runs.set(id, ofJob)
      }
    }
    const nowKnown = plan.candles - (await countMissing(pool, plan))
    const isOver = ({ id }: QueuedChunk) => hasEnded(runs.get(id)) || givenUp.has(id)
    const left = waiting.filter((job) => !isOver(job))
    if (left.length < waiting.length || nowKnown !== known) movedAt = steadyClock.now()
    endedRequests = sumBySource(waiting.filter(isOver), requestsOf, endedRequests)
    waiting = left
    known = nowKnown
    const requests = sumBySource(waiting, requestsOf, endedRequests)
    onProgress(await watch.sample(known, requests, new Set(waiting.map(({ chunk }) => chunk.source))))
    if (steadyClock.now() - movedAt <= stalledAfterMs) return
    for (const [id, reason] of await jobsGivenUp(fleet, waiting)) givenUp.set(id, reason)
    const lost = waiting.filter(({ id }) => !givenUp.has(id))
    // Existing jobs stay; lost ones return.
    await context.enqueue(
      backfillCandles,
      lost.map(({ chunk }) => chunk),
    )
    movedAt = steadyClock.now()
  }
  while (waiting.length > 0) {
    await throughOutage(fleet, signal, poll)
    await pause(signal)
  }
  return { runs, givenUp }
}

/** Jobs and runs persist: reads continue after the outage. */
async function throughOutage<T>(
  { context: { log } }: Fleet,
  signal: AbortSignal,
  read: () => Promise<T>,
): Promise<T> {
  const message = `${silenceOf('PostgreSQL or Redis', outageMs)}: see that both run; what was loaded stays, and the same command goes on from there`
  try {
    return await whenAnswering(read, message, { log, waitMs: outageMs, signal })
  } catch (error) {
    throw error instanceof Aborted ? stopped() : error
  }
}

const stopped = () => new Aborted('stopped; what was loaded stays, and the same command goes on from there')

/** `before` plus the counts, by source. */
function sumBySource(
  jobs: readonly QueuedChunk[],
  count: (id: string) => number,
  before: ReadonlyMap<string, number>,
): Map<string, number> {
  const sums = new Map(before)
  for (const { id, chunk } of jobs) sums.set(chunk.source, (sums.get(chunk.source) ?? 0) + count(id))
  return sums
}

/** Jobs failed by the queue without a run: bad payload or stalled too often. */
async function jobsGivenUp({ engine }: Fleet, queued: readonly QueuedChunk[]): Promise<Map<string, string>> {
  const reasons = new Map<string, string>()
  for (const { id, queue } of queued) {
    if ((await engine.queue(queue).getJobState(id)) !== 'failed') continue
    const job = await engine.queue(queue).getJob(id)
    reasons.set(id, job?.failedReason ?? 'the queue gave it up')
  }
  return reasons
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await wait(pollMs, undefined, { signal })
  } catch {
    throw stopped()
  }
}

/** By the newest run. */
function hasEnded(runs: readonly Run[] = []): boolean {
  const newest = runs.at(-1)
  return newest?.status === 'done' || (newest?.status === 'failed' && !newest.willRetry)
}

function idsByQueue(queued: readonly QueuedChunk[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const { id, queue } of queued) {
    const ids = groups.get(queue)
    if (ids) ids.push(id)
    else groups.set(queue, [id])
  }
  return groups
}

/** PostgreSQL's limit is 65,535 parameters. */
const idsAtOnce = 10_000

function* batches<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let first = 0; first < items.length; first += size) yield items.slice(first, first + size)
}

/** In parallel, so that a long plan is withdrawn quickly. */
const withdrawnAtOnce = 20

/** Removes jobs not started: a stopped command should not continue in the daemon. */
async function withdraw({ engine }: Fleet, queued: readonly QueuedChunk[]): Promise<void> {
  for (const some of batches(queued, withdrawnAtOnce)) {
    await Promise.all(
      some.map(async ({ id, queue }) => {
        const state = await engine.queue(queue).getJobState(id)
        if (state === 'waiting' || state === 'prioritized' || state === 'delayed')
          await engine.queue(queue).remove(id)
      }),
    )
  }
}
