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

export type MissedRunsDeps = Readonly<{
  engine: Engine
  context: Pick<Context, 'clock' | 'log' | 'settings' | 'pool'>
  databaseUrl: string
}>

export type MissedRun = Readonly<{ job: Job; scheduled: Scheduled<unknown>; since: Instant }>

/** Enqueues each once, after its dependencies, unless ingest_runs has a success since. One process enqueues. */
export async function runMissed(deps: MissedRunsDeps, due: readonly MissedRun[]): Promise<void> {
  const missed: MissedRun[] = []
  for (const one of due) if (!(await hasRun(deps, one))) missed.push(one)
  // Usually nothing is missed: avoids the lock.
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
  // Queue before runs: a job that just left the queue is recorded.
  if (await isStanding(engine, job, payload)) return
  if (await hasRun(deps, missed)) return
  context.log.debug('schedule.catching-up', { job: job.name, payload })
  await enqueue(engine, job, [payload], { delayMs: missedDelayMs, untilDue: pattern })
}

/** Delay of a busy queue. */
const lateMs = 2 * minute

/**
 * Replaces a tick that was due while no worker ran: its missed run is enqueued in order, or it is skipped. Undefined
 * for other jobs.
 */
export async function replaceLateTick(deps: MissedRunsDeps, queued: EngineJob): Promise<Outcome | undefined> {
  const tick = tickOf(queued)
  const now = deps.context.clock.now()
  // Retries started in time.
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
