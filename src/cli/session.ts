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

/** What every command works with; all that it opens is closed when its work ends, or when it is told to stop. */
export type Session = Readonly<{
  settings: Settings
  log: Log
  clock: Clock
  releases: Releases
  signal: AbortSignal
}>

export type DatabaseSession = Session & Readonly<{ database: DatabaseServer & { pool: Pool }; db: Database }>

type SessionOptions = Readonly<{ settings?: Settings; logLevel?: LogLevel }>

/** Runs a command's work. Ctrl-C aborts `signal`; a second one ends the process at once. */
export async function withSession<T>(
  work: (session: Session) => Promise<T>,
  options: SessionOptions = {},
): Promise<T> {
  const settings = options.settings ?? readSettings(process.env)
  // A command says itself what went wrong, once; who wants every event asks for them.
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
    // Ctrl-C reaches a program that was started for the work as well: what it says of that is no news.
    const isConsequence = stop.signal.aborted && error instanceof Fault && !(error instanceof Aborted)
    throw isConsequence ? new Aborted('stopped before it was done; run it again', { cause: error }) : error
  } finally {
    await releases.release()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** Whether a command may begin a database where there is none; one that only reads must not. */
export type Creation = Readonly<{ mayCreate?: boolean }>

const creating = ({ mayCreate }: Creation) =>
  mayCreate ? { onCreate: (place: string) => say(`Creating a PostgreSQL database in ${place}.`) } : {}

/** The same, with a database server that may not be migrated yet. */
export const withServer = <T>(
  work: (session: Session, server: DatabaseServer) => Promise<T>,
  creation: Creation = {},
): Promise<T> =>
  withSession(async (session) => work(session, await openServer({ ...session, ...creating(creation) }, 0)))

/** The same, with the database. */
export const withDatabase = <T>(
  work: (session: DatabaseSession) => Promise<T>,
  creation: Creation = {},
): Promise<T> =>
  withSession(async (session) => {
    const database = await openDatabase({ ...session, ...creating(creation) }, 'when-new')
    return work({ ...session, database, db: databaseOf(database.pool) })
  })

/** The same, with the database and the queues. */
export const withFleet = <T>(
  work: (session: DatabaseSession, fleet: Fleet) => Promise<T>,
  creation: Creation = {},
): Promise<T> =>
  withDatabase(async (session) => {
    // The queues are half of all that is loaded, and the commands that only read have no use for them.
    const { openFleet } = await import('../fleet.ts')
    return work(session, await openFleet(session, 0))
  }, creation)
