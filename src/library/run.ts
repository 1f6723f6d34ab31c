import { startDaemon } from '../daemon.ts'
import { InvalidInput, type Misconfigured } from '../fault.ts'
import { systemClock } from '../runtime/clock.ts'
import { type Log, openLog } from '../runtime/log.ts'
import { Releases } from '../runtime/release.ts'
import type { LogLevel } from '../settings/log-level.ts'
import { type Role, roles } from '../settings/roles.ts'
import { readSettings } from '../settings.ts'

export type RunOptions = Readonly<{
  /** `postgresql://…`, version 15 or newer. Without it, the embedded server is started in `dataDir`. */
  databaseUrl?: string
  /** `redis://…` for the queues; without it they are in the database. */
  redisUrl?: string
  /** What this process does; all roles without it. */
  roles?: readonly Role[]
  /** A YAML file over the defaults, as BEACON_CONFIG. */
  configFile?: string
  /** The folder of the embedded server and of local archives; `.beacon` in the working folder without it. */
  dataDir?: string
  /** Where the role `web` listens: 127.0.0.1:3000 without it; port 0 takes a free one. */
  http?: Readonly<{ host?: string; port?: number; password?: string }>
  /** Further settings under the names of docs/environment.md; `process.env` is read only if it is passed here. */
  environment?: Readonly<Record<string, string | undefined>>
  /** What is written to standard error as JSON lines; `info` without it. */
  logLevel?: LogLevel
  /** Receives every event instead of standard error. */
  log?: Log
}>

/** A running daemon. */
export type Runner = Readonly<{
  /** Where the role `web` listens; undefined without that role. */
  url: string | undefined
  /** Finishes the running jobs and closes everything that was opened. A second call waits for the first. */
  stop(): Promise<void>
  /** Resolves after `stop()`; rejects if the daemon had to stop by itself, or could not close something. */
  promise: Promise<void>
}>

/**
 * Runs the daemon in this process, applies pending migrations, and returns once it works. It handles no signals and never
 * ends the process. Throws InvalidInput or Misconfigured for wrong options, and Unavailable where the database or Redis
 * does not answer within a minute; everything is closed then.
 */
export async function run(options: RunOptions = {}): Promise<Runner> {
  const settings = readSettings(variablesOf(options))
  const wanted = checkRoles(options.roles ?? roles)
  const log = options.log ?? openLog({ level: options.logLevel ?? 'info', pretty: false })
  const releases = new Releases()
  const stopping = new AbortController()
  const surroundings = { settings, roles: wanted, log, clock: systemClock, releases }
  try {
    const { url, undone } = await startDaemon({ ...surroundings, signal: stopping.signal })
    return runnerOf(url, releases, stopping, undone)
  } catch (error) {
    stopping.abort()
    await releases.release()
    throw error
  }
}

function runnerOf(
  url: string | undefined,
  releases: Releases,
  stopping: AbortController,
  undone: Promise<Misconfigured>,
): Runner {
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    stopping.abort()
    closed ??= releases.release()
    return closed
  }
  const stopped = new Promise<undefined>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const promise = Promise.race([stopped, undone]).then(async (fault) => {
    await close()
    if (fault) throw fault
  })
  return { url, stop: close, promise }
}

function checkRoles(wanted: readonly Role[]): readonly Role[] {
  const unknown = wanted.find((role) => !roles.includes(role))
  if (unknown !== undefined)
    throw new InvalidInput(`the role "${unknown}" is unknown. There is ${roles.join(', ')}`)
  if (wanted.length === 0) throw new InvalidInput(`no role is named. There is ${roles.join(', ')}`)
  return [...new Set(wanted)]
}

function variablesOf({ environment = {}, http = {}, ...options }: RunOptions): NodeJS.ProcessEnv {
  const given = {
    DATABASE_URL: options.databaseUrl,
    REDIS_URL: options.redisUrl,
    BEACON_CONFIG: options.configFile,
    BEACON_DATA_DIR: options.dataDir,
    BEACON_HTTP_HOST: http.host,
    BEACON_HTTP_PORT: http.port?.toString(),
    BEACON_HTTP_PASSWORD: http.password,
  }
  const named = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...environment, ...Object.fromEntries(named) }
}
