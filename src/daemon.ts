import { jobs, queuesWith } from '../jobs/catalog.ts'
import type { Misconfigured } from './fault.ts'
import { type Fleet, openFleet } from './fleet.ts'
import { minute } from './market/instant.ts'
import { startMonitor } from './monitoring/monitor.ts'
import type { Clock } from './runtime/clock.ts'
import { openDatabase } from './runtime/database.ts'
import { openGroupedLog } from './runtime/grouped-log.ts'
import type { Log } from './runtime/log.ts'
import { announceRoles } from './runtime/presence.ts'
import type { Releases } from './runtime/release.ts'
import { watchSchema } from './runtime/schema-watch.ts'
import { sharedWhileRunning } from './runtime/share.ts'
import { startScheduler } from './scheduler.ts'
import type { Role } from './settings/roles.ts'
import { readVersion } from './settings/version.ts'
import type { Settings } from './settings.ts'
import { readReadiness } from './status/readiness/readiness.ts'
import { readSources } from './store/coins/instruments.ts'
import { refuseTooFewConnections } from './store/connection/connection-allowance.ts'
import { shareOf } from './store/connection/pool-share.ts'
import { databaseOf } from './store/transaction.ts'
import { refuseOpenDoor } from './web/access.ts'
import { openWeb } from './web/server.ts'
import { startWorkersWhereNeeded } from './workers.ts'

type DaemonOptions = Readonly<{
  settings: Settings
  roles: readonly Role[]
  log: Log
  clock: Clock
  releases: Releases
  signal: AbortSignal
  /** Use any free port if the wanted one is taken. */
  anyPort?: boolean
}>

/** Needed when idle; more are used under load. */
const neededConnections = 20

/** Connections for page, API and monitor. */
const lookingConnections = 4

type Daemon = Readonly<{
  url: string | undefined
  fleet: Fleet
  /** Resolves once the daemon can not go on: the schema is older than it needs. */
  undone: Promise<Misconfigured>
}>

/** Starts the daemon. Whatever it opens is pushed to `releases`, so that a failing start closes it too. */
export async function startDaemon({
  settings,
  roles: wanted,
  log: everyLine,
  clock,
  releases,
  signal,
  anyPort = false,
}: DaemonOptions): Promise<Daemon> {
  // Before anything is started that would have to be stopped again.
  if (wanted.includes('web')) refuseOpenDoor(settings.environment)
  const log = openGroupedLog(everyLine)
  // Released last: later lines are written directly.
  releases.push(() => log.close())
  const onCreate = () => undefined
  const database = await openDatabase({ settings, log, clock, releases, signal, onCreate }, 'always')
  database.keepRunning()
  await refuseTooFewConnections(databaseOf(database.pool), neededConnections)
  const fleet = await openFleet({ settings, database, log, clock, releases, signal }, minute)
  log.info('engines.ready', { database: database.kind, queue: fleet.engine.kind })
  const presence = await announceRoles(database.url, wanted, fleet.engine.kind, log)
  releases.push(() => presence.release())
  if (wanted.includes('scheduler')) await startScheduler(fleet, database.url, releases)
  if (wanted.includes('worker')) await startWorkersWhereNeeded(fleet, releases)
  const { undone } = await watchSchema({ pool: shareOf(database.pool, 1), log }, releases)
  const deps = { settings, engine: fleet.engine, jobs, clock, log }
  const upSinceMs = performance.now()
  const watched = {
    ...deps,
    pool: shareOf(database.pool, lookingConnections),
    // Uses the jobs' connections.
    readiness: sharedWhileRunning(() =>
      readReadiness({ ...deps, pool: database.pool, whyDown: database.whyDown, upSinceMs }),
    ),
    pauses: fleet.pauses,
    flushCounts: fleet.flushCounts,
    queues: queuesWith(await readSources(databaseOf(database.pool))),
    startedAt: clock.now(),
  }
  startMonitor(
    {
      ...watched,
      version: readVersion(),
      serverIsHere: database.kind === 'embedded',
    },
    releases,
  )
  if (!wanted.includes('web')) return { url: undefined, fleet, undone }
  const web = await openWeb({ ...watched, anyPort })
  releases.push(() => web.close())
  return { url: web.url, fleet, undone }
}
