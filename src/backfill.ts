import { setTimeout as wait } from 'node:timers/promises'
import { Aborted, Misconfigured } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { type BackfillChunk, type BackfillPlan, chunksOf } from './ingest/backfill-plan.ts'
import { type Instant, second } from './market/instant.ts'
import { candleCount } from './market/range.ts'
import type { Workers } from './queue/worker.ts'
import { hasWorkers } from './runtime/presence.ts'
import { type Accounting, addAccounting, nothingReceived } from './store/candles.ts'
import { readOwed } from './store/coverage.ts'
import { newestRuns, type Run } from './store/runs.ts'
import { databaseOf } from './store/transaction.ts'

/** How the jobs ended, by their ids: in a run, or without one, for the reason that the queue has. */
type Followed = Readonly<{ runs: ReadonlyMap<string, Run>; givenUp: ReadonlyMap<string, string> }>

/** A job of the backfill, as it stands in its queue. */
type QueuedChunk = Readonly<{ id: string; queue: string; chunk: BackfillChunk }>

export type BackfillResult = Accounting &
  Readonly<{
    requests: number
    failed: readonly Readonly<{ chunk: BackfillChunk; error: string }>[]
    /** Candles that are still owed when all is done. */
    remaining: number
  }>

/** Puts the plan's jobs into their queues. */
export async function enqueueBackfill(
  { context, engine }: Fleet,
  plan: BackfillPlan,
  { lane }: Pick<BackfillChunk, 'lane'> = {},
): Promise<QueuedChunk[]> {
  const chunks = plan.series
    .flatMap((series) => chunksOf(series, context.settings.candles.chunk, 'from-start'))
    .map((chunk) => (lane === undefined ? chunk : { ...chunk, lane }))
  for (const source of new Set(chunks.map((chunk) => chunk.source))) {
    if (await engine.queue(source).isPaused()) {
      throw new Misconfigured(
        `the queue ${source} is paused; let it go on with: beacon queues resume ${source}`,
      )
    }
  }
  const ids = await context.enqueue('backfill-candles', chunks)
  return chunks.map((chunk, index) => ({ id: ids[index] ?? '', queue: chunk.source, chunk }))
}

export type FollowOptions = Pick<BackfillChunk, 'lane'> &
  Readonly<{
    signal: AbortSignal
    /** How many of the plan's candles are settled. */
    onProgress(candles: number): void
  }>

/**
 * Runs a plan to its end: puts its jobs into the queues, works on them itself when nobody else does, and follows the
 * record of runs. What the queue loses is put back. Throws Aborted when told to stop; what was loaded stays.
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
  // The daemon may be stopped while we wait for it.
  const seeToWorkers = async () => {
    if (!workers && !(await hasWorkers(pool, fleet.engine.kind))) workers = await fleet.work(sources)
  }
  try {
    const followed = await followRuns(fleet, plan, queued, since, { ...options, seeToWorkers })
    return await summarize(fleet, plan, queued, followed)
  } catch (error) {
    // First of all our own workers: they put the jobs that they give up back into the queue.
    await workers?.close()
    await withdraw(fleet, queued)
    throw error
  } finally {
    await workers?.close()
  }
}

const pollMs = 250
const stalledAfterMs = 20 * second

async function followRuns(
  fleet: Fleet,
  plan: BackfillPlan,
  queued: readonly QueuedChunk[],
  since: Instant,
  { signal, onProgress, seeToWorkers }: FollowOptions & { seeToWorkers(): Promise<void> },
): Promise<Followed> {
  const { context } = fleet
  const { clock, pool } = context
  const ended = new Map<string, Run>()
  const givenUp = new Map<string, string>()
  let waiting = queued
  let settled = 0
  let movedAt = since
  while (waiting.length > 0) {
    await seeToWorkers()
    await pause(signal)
    for (const [queue, ids] of idsByQueue(waiting)) {
      for (const some of batches(ids, idsAtOnce)) {
        const runs = await newestRuns(databaseOf(pool), queue, some, since)
        for (const [id, run] of runs) if (hasEnded(run)) ended.set(id, run)
      }
    }
    const nowSettled = plan.candles - (await countOwed(fleet, plan))
    const left = waiting.filter(({ id }) => !ended.has(id) && !givenUp.has(id))
    if (left.length < waiting.length || nowSettled !== settled) movedAt = clock.now()
    waiting = left
    settled = nowSettled
    onProgress(settled)
    if (clock.now() - movedAt > stalledAfterMs) {
      for (const [id, reason] of await jobsGivenUp(fleet, waiting)) givenUp.set(id, reason)
      const lost = waiting.filter(({ id }) => !givenUp.has(id))
      // Jobs that are there stay as they are; one that the queue has lost comes back.
      await context.enqueue(
        'backfill-candles',
        lost.map(({ chunk }) => chunk),
      )
      movedAt = clock.now()
    }
  }
  return { runs: ended, givenUp }
}

/** Jobs that the queue itself gave up, without a run that could tell: a refused payload, or one that stalled too often. */
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
    throw new Aborted('stopped; what was loaded stays, and the same command goes on from there')
  }
}

const hasEnded = ({ status, willRetry }: Run): boolean =>
  status === 'done' || (status === 'failed' && !willRetry)

function idsByQueue(queued: readonly QueuedChunk[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const { id, queue } of queued) {
    const ids = groups.get(queue)
    if (ids) ids.push(id)
    else groups.set(queue, [id])
  }
  return groups
}

/** PostgreSQL takes at most 65,535 parameters. */
const idsAtOnce = 10_000

function* batches<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let first = 0; first < items.length; first += size) yield items.slice(first, first + size)
}

async function countOwed({ context: { pool } }: Fleet, plan: BackfillPlan): Promise<number> {
  let owed = 0
  for (const { series, wanted, candles } of plan.series) {
    if (candles === 0) continue
    const ranges = await readOwed(databaseOf(pool), series, wanted, 'retry-refused')
    owed += ranges.reduce((sum, range) => sum + candleCount(range, series.timeframe), 0)
  }
  return owed
}

async function summarize(
  fleet: Fleet,
  plan: BackfillPlan,
  queued: readonly QueuedChunk[],
  { runs, givenUp }: Followed,
): Promise<BackfillResult> {
  let accounting: Accounting = nothingReceived
  let requests = 0
  const failed: { chunk: BackfillChunk; error: string }[] = []
  for (const { id, chunk } of queued) {
    const run = runs.get(id)
    const reason = givenUp.get(id)
    if (reason !== undefined) failed.push({ chunk, error: reason })
    if (run?.status === 'failed') failed.push({ chunk, error: run.error ?? 'no reason was recorded' })
    const outcome = run?.outcome as (Accounting & { requests: number }) | null | undefined
    if (!outcome) continue
    accounting = addAccounting(accounting, outcome)
    requests += outcome.requests
  }
  return { ...accounting, requests, failed, remaining: await countOwed(fleet, plan) }
}

/** Jobs taken back at a time, so that a long plan is withdrawn before a user loses patience. */
const withdrawnAtOnce = 20

/** Takes back what has not begun: whoever stopped the command does not expect the daemon to finish it tomorrow. */
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
