import { jobs } from '../jobs/catalog.ts'
import { type Instant, minute } from './market/instant.ts'
import type { Engine, EngineJob } from './queue/engine.ts'
import { enqueue, isStanding } from './queue/enqueue.ts'
import type { Job, Outcome, Scheduled } from './queue/job.ts'
import { idPrefix } from './queue/schedule.ts'
import { tickOf } from './queue/tick.ts'
import type { Context } from './runtime/context.ts'
import { listCoins } from './store/coins.ts'
import { underLock } from './store/locks.ts'
import { lastSuccess } from './store/runs.ts'
import { databaseOf } from './store/transaction.ts'

/** A Fleet fits. */
export type MissedRunsDeps = Readonly<{
  engine: Engine
  context: Pick<Context, 'clock' | 'log' | 'settings' | 'pool'>
  databaseUrl: string
}>

/** What should have run since then. */
export type MissedRun = Readonly<{ job: Job; scheduled: Scheduled<unknown>; since: Instant }>

/**
 * Enqueues each of them once, to run after what it needs, unless it has run well since it was due: our own record of runs
 * decides, not the queue. Of all processes that see the same one missing, one enqueues it.
 */
export async function runMissed(deps: MissedRunsDeps, due: readonly MissedRun[]): Promise<void> {
  const missed: MissedRun[] = []
  for (const one of due) if (!(await hasRun(deps, one))) missed.push(one)
  // Mostly there is nothing to do, and no need to wait for the others.
  if (missed.length === 0) return
  await underLock(deps.databaseUrl, 'catch up', async () => {
    for (const one of missed) await enqueueMissed(deps, one)
  })
}

async function hasRun(
  { context: { pool } }: MissedRunsDeps,
  { job, scheduled, since }: MissedRun,
): Promise<boolean> {
  const last = await lastSuccess(databaseOf(pool), job.name, scheduled.payload)
  return last !== undefined && last >= since
}

async function enqueueMissed(deps: MissedRunsDeps, missed: MissedRun): Promise<void> {
  const { engine, context } = deps
  const { job, scheduled } = missed
  const { payload, pattern, missedDelayMs = 0 } = scheduled
  // In this order: what has just left its queue is in the record of runs.
  if (await isStanding(engine, job, payload)) return
  if (await hasRun(deps, missed)) return
  context.log.debug('schedule.catching-up', { job: job.name, payload })
  await enqueue(engine, job, [payload], { delayMs: missedDelayMs, untilDue: pattern })
}

/** A queue that is busy begins what is due this late. */
const lateMs = 2 * minute

/**
 * For a run of a schedule that was due while nobody worked, what ends it: the schedule's missed run is enqueued in its
 * place, in its order among the others, and runs that are not caught up are left out. Undefined for any other job.
 */
export async function replaceLateTick(deps: MissedRunsDeps, queued: EngineJob): Promise<Outcome | undefined> {
  const tick = tickOf(queued)
  const now = deps.context.clock.now()
  // What is tried again has begun in time.
  if (!tick || queued.attemptsMade > 0 || now <= tick.dueAt + lateMs) return undefined
  const { settings, pool } = deps.context
  const job = jobs.find(({ name }) => name === queued.name)
  const coins = await listCoins(databaseOf(pool))
  const scheduled = job?.schedules?.(settings, coins).find(({ id }) => idPrefix + id === tick.scheduleId)
  if (!job || !scheduled) return undefined
  if (scheduled.whenMissed === 'skip') return now >= tick.nextDueAt ? { skipped: 'late' } : undefined
  await runMissed(deps, [{ job, scheduled, since: tick.dueAt }])
  return { skipped: 'late' }
}
