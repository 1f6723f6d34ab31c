import { jobs, queuesWith } from '../jobs/catalog.ts'
import { Unavailable } from './fault.ts'
import { type Instant, later, minute, plus, second } from './market/instant.ts'
import { runMissed } from './missed-runs.ts'
import type { Engine } from './queue/engine.ts'
import type { Scheduled } from './queue/job.ts'
import { lastDue, registerSchedules } from './queue/schedule.ts'
import { healSetBack } from './queue/set-back.ts'
import { largestSkewMs } from './queue/wrong-clock.ts'
import { onClockStep } from './runtime/clock-steps.ts'
import type { Context } from './runtime/context.ts'
import { everyProcess } from './runtime/every-process.ts'
import type { Releases } from './runtime/release.ts'
import { sharedWhileRunning } from './runtime/share.ts'
import { readSources } from './store/coins/instruments.ts'
import { listCoins } from './store/coins.ts'
import { readClockSkewMs, readDatabaseTime, skewText } from './store/database-clock.ts'
import { databaseOf } from './store/transaction.ts'

/** A Fleet fits. */
type Deps = Readonly<{
  engine: Engine
  context: Pick<Context, 'clock' | 'log' | 'settings' | 'pool'>
}>

const everyThreeMinutes = '*/3 * * * *'

/** Registers schedules and missed runs, then repeats every few minutes and after a clock change. */
export async function startScheduler(deps: Deps, databaseUrl: string, releases: Releases): Promise<void> {
  const { log, clock } = deps.context
  await checkSchedules(deps, databaseUrl)
  let checkedAt = clock.now()
  const check = sharedWhileRunning(async () => {
    try {
      await refuseWrongClock(deps.context)
      const now = clock.now()
      await checkSchedules(deps, databaseUrl, checkedAt)
      checkedAt = now
    } catch (error) {
      log.warn('schedule.not-registered', {
        reason: error instanceof Error ? error.message : String(error),
      })
    }
  })
  const task = everyProcess(everyThreeMinutes, check, log)
  releases.push(() => task.destroy())
  const forget = onClockStep((byMs) => {
    log.warn('clock.was-set', { bySeconds: Math.round(byMs / second) })
    void check()
  })
  releases.push(forget)
}

/** A wrong clock must not plan runs. */
async function refuseWrongClock({ pool, clock }: Deps['context']): Promise<void> {
  const skewMs = await readClockSkewMs(databaseOf(pool), clock)
  if (Math.abs(skewMs) <= largestSkewMs) return
  throw new Unavailable(`this machine's clock is ${skewText(skewMs)} the database's: set both by NTP`)
}

/**
 * Queues may lose schedules (flushed Redis) and coins change. At start catches up everything missed; later only what is
 * new since `checkedAt`.
 */
export async function checkSchedules(deps: Deps, databaseUrl: string, checkedAt?: Instant): Promise<void> {
  const { engine, context } = deps
  const { settings, log, pool, clock } = context
  const db = databaseOf(pool)
  const coins = await listCoins(db)
  const queues = queuesWith(await readSources(db))
  // Queues hold times of all processes: use the database's clock.
  const sharedNow = await readDatabaseTime(db)
  const healed = await healSetBack(engine, queues, sharedNow)
  const schedules = { engine, jobs, queues, settings, coins, databaseUrl, now: sharedNow, log }
  const written = await registerSchedules(schedules)
  if (Object.values(healed).some((count) => count > 0)) log.warn('clock.set-back', { ...healed })
  const now = clock.now()
  // A future check does not count.
  const last = checkedAt === undefined || checkedAt > now ? undefined : checkedAt
  // Tolerates a clock behind ours.
  const since = last === undefined ? undefined : plus(last, -minute)
  const mustHaveRunSince = ({ id, pattern, changedAt }: Scheduled<unknown>): Instant | undefined => {
    if (since === undefined || written.has(id)) {
      const due = lastDue(pattern, now)
      return changedAt === undefined || changedAt > now ? due : later(due, changedAt)
    }
    // Due now: left to the schedule.
    return changedAt !== undefined && changedAt >= since ? changedAt : undefined
  }
  const due = jobs.flatMap((job) =>
    (job.schedules?.(settings, coins) ?? []).flatMap((scheduled) => {
      const dueSince = scheduled.whenMissed === 'skip' ? undefined : mustHaveRunSince(scheduled)
      return dueSince === undefined ? [] : [{ job, scheduled, since: dueSince }]
    }),
  )
  await runMissed({ ...deps, databaseUrl }, due)
}
