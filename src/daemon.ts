import { schedule as everyProcess } from 'node-cron'
import { jobs, queues } from '../jobs/catalog.ts'
import { type Fleet, openFleet } from './fleet.ts'
import { minute } from './market/instant.ts'
import { enqueue } from './queue/enqueue.ts'
import { lastDue, registerSchedules } from './queue/schedule.ts'
import type { Clock } from './runtime/clock.ts'
import { type DatabaseServer, openDatabase } from './runtime/database.ts'
import type { Log } from './runtime/log.ts'
import { announceWorkers } from './runtime/presence.ts'
import type { Releases } from './runtime/release.ts'
import type { Role } from './settings/roles.ts'
import type { Settings } from './settings.ts'
import { lastSuccess } from './store/runs.ts'
import { databaseOf } from './store/transaction.ts'
import { refuseOpenDoor } from './web/access.ts'
import { openWeb } from './web/server.ts'

type DaemonOptions = Readonly<{
  settings: Settings
  roles: readonly Role[]
  log: Log
  clock: Clock
  releases: Releases
  signal: AbortSignal
}>

/** Starts the daemon. Whatever it opens is pushed to `releases`, so that a failing start closes it too. */
export async function startDaemon({
  settings,
  roles: wanted,
  log,
  clock,
  releases,
  signal,
}: DaemonOptions): Promise<{ url: string | undefined }> {
  // Before anything is started that would have to be stopped again.
  if (wanted.includes('web')) refuseOpenDoor(settings.environment)
  const database = await openDatabase({ settings, log, clock, releases, signal }, 'always')
  const fleet = await openFleet({ settings, database, log, clock, releases, signal }, minute)
  log.info('engines.ready', { database: database.kind, queue: fleet.engine.kind })
  if (wanted.includes('scheduler')) await startScheduler(fleet, database, releases)
  if (wanted.includes('worker')) {
    const presence = await announceWorkers(database.url, fleet.engine.kind, log)
    releases.push(() => presence.release())
    const workers = await fleet.work(queues)
    releases.push(() => workers.close())
  }
  if (!wanted.includes('web')) return { url: undefined }
  const web = await openWeb({ settings, pool: database.pool, engine: fleet.engine, jobs, queues, clock, log })
  releases.push(() => web.close())
  return { url: web.url }
}

/** The queue may forget its schedules (a flushed Redis, a human on the board), so they are looked after. */
const lookAfterSchedules = '*/3 * * * *'

async function startScheduler(fleet: Fleet, database: DatabaseServer, releases: Releases): Promise<void> {
  const { settings, log } = fleet.context
  const register = () =>
    registerSchedules({ engine: fleet.engine, jobs, queues, settings, databaseUrl: database.url, log })
  await register()
  await enqueueMissed(fleet)
  const task = everyProcess(
    lookAfterSchedules,
    async () => {
      try {
        await register()
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

/** What fell due while nobody was there is done once, now: our own record of runs tells, not the queue. */
async function enqueueMissed({ context, engine }: Fleet): Promise<void> {
  const { pool, settings, clock, log } = context
  for (const job of jobs) {
    for (const { pattern, payload, whenMissed, missedDelayMs = 0 } of job.schedules?.(settings) ?? []) {
      if (whenMissed === 'skip') continue
      const last = await lastSuccess(databaseOf(pool), job.name, payload)
      if (last !== undefined && last >= lastDue(pattern, clock.now())) continue
      log.debug('schedule.catching-up', {
        job: job.name,
        payload,
        lastMinutesAgo: last && Math.round((clock.now() - last) / minute),
      })
      await enqueue(engine, job, [payload], { delayMs: missedDelayMs })
    }
  }
}
