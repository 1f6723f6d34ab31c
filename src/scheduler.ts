import { schedule as everyProcess } from 'node-cron'
import { jobs, queues } from '../jobs/catalog.ts'
import { type Instant, later, minute, plus } from './market/instant.ts'
import type { Engine } from './queue/engine.ts'
import { enqueue } from './queue/enqueue.ts'
import type { Job, Scheduled } from './queue/job.ts'
import { lastDue, registerSchedules } from './queue/schedule.ts'
import type { Context } from './runtime/context.ts'
import type { Releases } from './runtime/release.ts'
import { listCoins } from './store/coins.ts'
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
    { timezone: 'UTC', noOverlap: true },
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
  for (const job of jobs) {
    for (const scheduled of job.schedules?.(settings, coins) ?? []) {
      if (scheduled.whenMissed === 'skip') continue
      const wantedSince = mustHaveRunSince(scheduled)
      if (wantedSince !== undefined) await catchUp(reach, job, scheduled, wantedSince)
    }
  }
}

/** Runs once, now, what has not run well since then: our own record of runs tells, not the queue. */
async function catchUp(
  { context: { pool, clock, log }, engine }: Reach,
  job: Job,
  { payload, missedDelayMs = 0 }: Scheduled<unknown>,
  wantedSince: Instant,
): Promise<void> {
  const last = await lastSuccess(databaseOf(pool), job.name, payload)
  if (last !== undefined && last >= wantedSince) return
  log.debug('schedule.catching-up', {
    job: job.name,
    payload,
    lastMinutesAgo: last && Math.round((clock.now() - last) / minute),
  })
  await enqueue(engine, job, [payload], { delayMs: missedDelayMs })
}
