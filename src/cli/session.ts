import type { Pool } from 'pg'
import { Aborted, Fault } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { type DatabaseServer, openDatabase, openServer } from '../runtime/database.ts'
import { type Log, openLog } from '../runtime/log.ts'
import { Releases } from '../runtime/release.ts'
import type { LogLevel } from '../settings/log-level.ts'
import { readSettings, type Settings } from '../settings.ts'
import { type Database, databaseOf } from '../store/transaction.ts'
import { say } from './terminal/output.ts'

export type Session = Readonly<{
  settings: Settings
  log: Log
  clock: Clock
  releases: Releases
  signal: AbortSignal
}>

export type DatabaseSession = Session & Readonly<{ database: DatabaseServer & { pool: Pool }; db: Database }>

type SessionOptions = Readonly<{ settings?: Settings; logLevel?: LogLevel }>

/** Ctrl-C aborts `signal`; a second one exits. */
export async function withSession<T>(
  work: (session: Session) => Promise<T>,
  options: SessionOptions = {},
): Promise<T> {
  const settings = options.settings ?? readSettings(process.env)
  // Commands report errors themselves; logs are opt-in.
  const level = process.env.BEACON_LOG_LEVEL ? settings.environment.logLevel : (options.logLevel ?? 'silent')
  const log = openLog({ level, pretty: process.stderr.isTTY === true })
  const releases = new Releases()
  const stop = new AbortController()
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(130)
    stop.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    return await work({ settings, log, clock: systemClock, releases, signal: stop.signal })
  } catch (error) {
    // Child programs also get Ctrl-C; their errors are consequences.
    const isConsequence = stop.signal.aborted && error instanceof Fault && !(error instanceof Aborted)
    throw isConsequence ? new Aborted('stopped before it was done; run it again', { cause: error }) : error
  } finally {
    await releases.release()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** Reading commands must not create a database. */
export type Creation = Readonly<{ mayCreate?: boolean }>

const creating = ({ mayCreate }: Creation) =>
  mayCreate ? { onCreate: (place: string) => say(`Creating a PostgreSQL database in ${place}.`) } : {}

/** Before migrations. */
export const withServer = <T>(
  work: (session: Session, server: DatabaseServer) => Promise<T>,
  creation: Creation = {},
): Promise<T> =>
  withSession(async (session) => work(session, await openServer({ ...session, ...creating(creation) }, 0)))

/** With the database. */
export const withDatabase = <T>(
  work: (session: DatabaseSession) => Promise<T>,
  creation: Creation = {},
): Promise<T> =>
  withSession(async (session) => {
    const database = await openDatabase({ ...session, ...creating(creation) }, 'when-new')
    return work({ ...session, database, db: databaseOf(database.pool) })
  })

/** With database and queues. */
export const withFleet = <T>(
  work: (session: DatabaseSession, fleet: Fleet) => Promise<T>,
  creation: Creation = {},
): Promise<T> =>
  withDatabase(async (session) => {
    // Loaded only when needed: half of all code.
    const { openFleet } = await import('../fleet.ts')
    return work(session, await openFleet(session, 0))
  }, creation)
