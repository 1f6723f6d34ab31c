import { jobs, queuesWith } from '../jobs/catalog.ts'
import { type Instant, later, minute, plus } from './market/instant.ts'
import type { Engine } from './queue/engine.ts'
import { enqueue, isStanding } from './queue/enqueue.ts'
import type { Job, Scheduled } from './queue/job.ts'
import { lastDue, registerSchedules } from './queue/schedule.ts'
import type { Context } from './runtime/context.ts'
import { everyProcess } from './runtime/every-process.ts'
import type { Releases } from './runtime/release.ts'
import { listCoins } from './store/coins.ts'
import { readSources } from './store/instruments.ts'
import { underLock } from './store/locks.ts'
import { lastSuccess } from './store/runs.ts'
import { databaseOf } from './store/transaction.ts'

/** What the schedule is looked after with; a Fleet fits. */
type Reach = Readonly<{
  engine: Engine
  context: Pick<Context, 'clock' | 'log' | 'settings' | 'pool'>
}>

const everyThreeMinutes = '*/3 * * * *'

/** Brings the schedule up to date, catches up what was missed, and goes on looking after both until released. */
export async function startScheduler(reach: Reach, databaseUrl: string, releases: Releases): Promise<void> {
  const { log, clock } = reach.context
  await lookAfterSchedules(reach, databaseUrl)
  let lookedAt = clock.now()
  const task = everyProcess(
    everyThreeMinutes,
    async () => {
      try {
        const now = clock.now()
        await lookAfterSchedules(reach, databaseUrl, lookedAt)
        lookedAt = now
      } catch (error) {
        log.warn('schedule.not-registered', {
          reason: error instanceof Error ? error.message : String(error),
        })
      }
    },
    log,
  )
  releases.push(() => task.destroy())
}

/**
 * The queue may forget its schedules (a flushed Redis, a human on the board), and coins come and go. Of what was
 * missed, everything is caught up at the start, and later, when it was last looked at `lookedAt`, what is new since.
 */
export async function lookAfterSchedules(
  reach: Reach,
  databaseUrl: string,
  lookedAt?: Instant,
): Promise<void> {
  const { engine, context } = reach
  const { settings, log, pool, clock } = context
  const coins = await listCoins(databaseOf(pool))
  const queues = queuesWith(await readSources(databaseOf(pool)))
  const written = await registerSchedules({ engine, jobs, queues, settings, coins, databaseUrl, log })
  // With some room: the clock of the machine where a coin was added may be behind ours.
  const since = lookedAt === undefined ? undefined : plus(lookedAt, -minute)
  const mustHaveRunSince = ({ id, pattern, changedAt }: Scheduled<unknown>): Instant | undefined => {
    if (since === undefined || written.has(id)) {
      const due = lastDue(pattern, clock.now())
      return later(due, changedAt ?? due)
    }
    // What is due only now is the schedule's own business.
    return changedAt !== undefined && changedAt >= since ? changedAt : undefined
  }
  const due = jobs.flatMap((job) =>
    (job.schedules?.(settings, coins) ?? []).flatMap((scheduled) => {
      const dueSince = scheduled.whenMissed === 'skip' ? undefined : mustHaveRunSince(scheduled)
      return dueSince === undefined ? [] : [{ job, scheduled, since: dueSince }]
    }),
  )
  await catchUp(reach, databaseUrl, due)
}

/** What should have run since then. */
type Due = Readonly<{ job: Job; scheduled: Scheduled<unknown>; since: Instant }>

/**
 * Runs once, now, what has not run well since it was due: our own record of runs tells, not the queue. Of all schedulers
 * that start together one enqueues it, and none again when it is done already.
 */
async function catchUp(reach: Reach, databaseUrl: string, due: readonly Due[]): Promise<void> {
  const missed: Due[] = []
  for (const one of due) if (!(await hasRun(reach, one))) missed.push(one)
  // Mostly there is nothing to do, and no need to wait for the others.
  if (missed.length === 0) return
  await underLock(databaseUrl, 'catch up', async () => {
    for (const one of missed) await enqueueMissed(reach, one)
  })
}

async function hasRun({ context: { pool } }: Reach, { job, scheduled, since }: Due): Promise<boolean> {
  const last = await lastSuccess(databaseOf(pool), job.name, scheduled.payload)
  return last !== undefined && last >= since
}

async function enqueueMissed(reach: Reach, due: Due): Promise<void> {
  const { engine, context } = reach
  const { job, scheduled } = due
  const { payload, missedDelayMs = 0 } = scheduled
  // In this order: what has just left its queue stands in the record of runs.
  if (await isStanding(engine, job, payload)) return
  if (await hasRun(reach, due)) return
  context.log.debug('schedule.catching-up', { job: job.name, payload })
  await enqueue(engine, job, [payload], { delayMs: missedDelayMs })
}
