import { join, resolve } from 'node:path'
import { Client, type Pool } from 'pg'
import { Misconfigured } from '../fault.ts'
import { minute } from '../market/instant.ts'
import type { Settings } from '../settings.ts'
import { followConfigured, hasFollowed, recordConfigured } from '../store/coins.ts'
import { takenText } from '../store/markets/owners.ts'
import { migrateUp } from '../store/migrations.ts'
import { openPool } from '../store/pool.ts'
import { refusalOf } from '../store/refusal.ts'
import { databaseOf, inTransaction } from '../store/transaction.ts'
import type { Clock } from './clock.ts'
import { openEmbeddedPostgres } from './embedded.ts'
import type { Log } from './log.ts'
import type { Releases } from './release.ts'
import { whenAnswering } from './when-answering.ts'

/** The server that everything is kept in, and how to reach it. */
export type DatabaseServer = Readonly<{ url: string; kind: 'embedded' | 'external' }>

type Surroundings = Readonly<{
  settings: Settings
  log: Log
  clock: Clock
  releases: Releases
  /** Ends the wait for a server that does not answer. */
  signal: AbortSignal
}>

/**
 * Finds the database server: the one configured, or the embedded one, which is started where it does not run yet.
 * Waits `patienceMs` for a configured one that does not answer.
 */
export async function openServer(
  { settings, log, clock, releases, signal }: Surroundings,
  patienceMs: number,
): Promise<DatabaseServer> {
  const { databaseUrl, dataDir } = settings.environment
  if (databaseUrl !== undefined) {
    const { hostname, port } = new URL(databaseUrl)
    const sentence = `PostgreSQL does not answer at ${hostname}:${port || 5432}: is it running, and is DATABASE_URL right?`
    await whenAnswering(() => checkServer(databaseUrl, settings.database.connectionTimeout), sentence, {
      log,
      waitMs: patienceMs,
      signal,
    })
    return { url: databaseUrl, kind: 'external' }
  }
  const embedded = await openEmbeddedPostgres({ dataDir: resolve(join(dataDir, 'postgres')), log, clock })
  releases.push(() => embedded.release())
  return { url: embedded.url, kind: 'embedded' }
}

const oldestVersion = 15

async function checkServer(url: string, timeoutMs: number): Promise<void> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  })
  // A connection that breaks while it is used rejects the query; its event is the same news again.
  client.on('error', () => undefined)
  try {
    await client.connect()
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
    throw refusalOf(error) ?? error
  } finally {
    await client.end()
  }
}

/** When the configured coins are followed: at every start of a daemon, by any command only where nothing is followed yet. */
export type Following = 'always' | 'when-new'

/** A daemon outlasts a database that starts a little later; a command tells at once. */
const patienceMs: Readonly<Record<Following, number>> = { always: minute, 'when-new': 0 }

const applicationNames: Readonly<Record<Following, string>> = {
  always: 'beacon daemon',
  'when-new': 'beacon command',
}

/** Opens the pool on a database that is migrated and follows the configured coins. */
export async function openDatabase(
  surroundings: Surroundings,
  following: Following,
): Promise<DatabaseServer & { pool: Pool }> {
  const { settings, log, clock, releases } = surroundings
  const server = await openServer(surroundings, patienceMs[following])
  const migrated = await migrateUp(server.url)
  if (migrated.length > 0) log.debug('schema.migrated', { migrations: migrated })
  const pool = openPool(
    server.url,
    settings.database,
    (error) => log.warn('database.connection-lost', { reason: error.message }),
    applicationNames[following],
  )
  releases.push(() => pool.close())
  if (following === 'always' || !(await hasFollowed(databaseOf(pool)))) {
    const { taken } = await inTransaction(pool, async (tx) => {
      const result = await followConfigured(tx, settings.coins, clock.now())
      await recordConfigured(tx, result.added)
      return result
    })
    for (const market of taken) log.warn('coins.market-taken', { ...market, reason: takenText(market) })
  }
  return { ...server, pool }
}
