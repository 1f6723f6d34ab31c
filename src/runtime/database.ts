import { join, resolve } from 'node:path'
import type { Client, Pool } from 'pg'
import { Misconfigured } from '../fault.ts'
import { minute } from '../market/instant.ts'
import type { Settings } from '../settings.ts'
import { takenText } from '../store/coins/market-owners.ts'
import { hasTracked, recordConfigured, trackConfigured } from '../store/coins.ts'
import { DatabaseServers } from '../store/connection/database-servers.ts'
import { openClient } from '../store/connection/open-client.ts'
import { ReadOnlyServer } from '../store/connection/primary-client.ts'
import { migrateUp } from '../store/migrations.ts'
import { openPool } from '../store/pool.ts'
import { refusalOf } from '../store/quarantine/refusal.ts'
import { databaseOf, inTransaction } from '../store/transaction.ts'
import { certificateRefusal } from './certificate-error.ts'
import type { Clock } from './clock.ts'
import { hasData } from './embedded/home.ts'
import { openEmbeddedPostgres } from './embedded.ts'
import type { Log } from './log.ts'
import type { Releases } from './release.ts'
import { whenAnswering } from './when-answering.ts'

/** The PostgreSQL server in use. */
export type DatabaseServer = Readonly<{
  url: string
  kind: 'embedded' | 'external'
  /** Restarts the embedded server when it ends unexpectedly; no effect on an external one. */
  keepRunning(): void
  /** Why it could not be restarted. */
  whyDown(): string | undefined
}>

type Surroundings = Readonly<{
  settings: Settings
  log: Log
  clock: Clock
  releases: Releases
  /** Aborts the wait for the server. */
  signal: AbortSignal
  /** Called when a database is created; without it a missing one is an error. */
  onCreate?: (place: string) => void
}>

/** Finds the configured server, waiting `timeoutMs`, or starts the embedded one. */
export async function openServer(
  { settings, log, releases, signal, onCreate }: Surroundings,
  timeoutMs: number,
): Promise<DatabaseServer> {
  const { databaseUrl, dataDir } = settings.environment
  if (databaseUrl !== undefined) {
    const { names } = new DatabaseServers(databaseUrl)
    const message = `PostgreSQL does not answer at ${names}: is it running, and is DATABASE_URL right?`
    await whenAnswering(() => checkServer(databaseUrl, settings.database.connectionTimeout), message, {
      log,
      waitMs: timeoutMs,
      signal,
    })
    return { url: databaseUrl, kind: 'external', keepRunning: () => {}, whyDown: () => undefined }
  }
  const place = resolve(dataDir)
  const folder = join(place, 'postgres')
  if (!(await hasData(folder))) {
    if (!onCreate) throw noDatabaseIn(place)
    onCreate(place)
  }
  const embedded = await openEmbeddedPostgres({ dataDir: folder, log })
  releases.push(() => embedded.release())
  const { url, keepRunning, whyDown } = embedded
  return { url, kind: 'embedded', keepRunning, whyDown }
}

export const noDatabaseIn = (place: string): Misconfigured =>
  new Misconfigured(
    `there is no database in ${place}. Create it with: beacon start, or set DATABASE_URL to yours`,
  )

const oldestVersion = 15

async function checkServer(url: string, timeoutMs: number): Promise<void> {
  let client: Client | undefined
  try {
    client = await openClient(url, {
      applicationName: 'beacon start',
      connectionTimeoutMs: timeoutMs,
      queryTimeoutMs: timeoutMs,
    })
    const { rows } = await client.query<{ version: number }>(
      `select current_setting('server_version_num')::integer / 10000 as version`,
    )
    const version = rows[0]?.version ?? 0
    if (version < oldestVersion) {
      throw new Misconfigured(
        `PostgreSQL ${version} is too old: DATABASE_URL must name version ${oldestVersion} or newer`,
      )
    }
  } catch (error) {
    if (error instanceof ReadOnlyServer) throw namesNoPrimary(error)
    const untrusted = certificateRefusal(error, 'PostgreSQL')
    throw untrusted === undefined
      ? (refusalOf(error) ?? error)
      : new Misconfigured(untrusted, { cause: error })
  } finally {
    await client?.end()
  }
}

/** With several servers one may be promoted soon: keep waiting. */
const namesNoPrimary = (cause: ReadOnlyServer): Misconfigured =>
  new Misconfigured(`${cause.message}: DATABASE_URL must name the primary`, { cause })

/** Whether to track configured coins: always (daemon), or only if nothing is tracked (commands). */
export type Following = 'always' | 'when-new'

/** A daemon waits for a database that starts later; a command does not. */
const timeoutMs: Readonly<Record<Following, number>> = { always: minute, 'when-new': 0 }

const applicationNames: Readonly<Record<Following, string>> = {
  always: 'beacon daemon',
  'when-new': 'beacon command',
}

/** Migrates, tracks configured coins and opens the pool. */
export async function openDatabase(
  surroundings: Surroundings,
  following: Following,
): Promise<DatabaseServer & { pool: Pool }> {
  const { settings, log, clock, releases } = surroundings
  const server = await openServer(surroundings, timeoutMs[following])
  const migrated = await migrateUp(server.url, {
    mayBegin: surroundings.onCreate !== undefined,
    mayReapply: false,
  })
  if (migrated.length > 0) log.debug('schema.migrated', { migrations: migrated })
  const pool = openPool(
    server.url,
    settings.database,
    (error) => log.warn('database.connection-lost', { reason: error.message }),
    applicationNames[following],
  )
  releases.push(() => pool.close())
  if (following === 'always' || !(await hasTracked(databaseOf(pool)))) {
    const { taken } = await inTransaction(pool, async (tx) => {
      const result = await trackConfigured(tx, settings.coins, clock.now())
      await recordConfigured(tx, result.added)
      return result
    })
    for (const market of taken) log.warn('coins.market-taken', { ...market, reason: takenText(market) })
  }
  return { ...server, pool }
}
