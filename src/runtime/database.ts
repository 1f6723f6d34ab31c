import { join, resolve } from 'node:path'
import { Client, type Pool } from 'pg'
import { Misconfigured } from '../fault.ts'
import type { Settings } from '../settings.ts'
import { followConfigured, hasFollowed } from '../store/coins.ts'
import { migrateUp } from '../store/migrations.ts'
import { openPool, sessionOptions } from '../store/pool.ts'
import { databaseOf, inTransaction } from '../store/transaction.ts'
import type { Clock } from './clock.ts'
import { openEmbeddedPostgres } from './embedded.ts'
import type { Log } from './log.ts'
import type { Releases } from './release.ts'

/** The server that everything is kept in, and how to reach it. */
export type DatabaseServer = Readonly<{ url: string; kind: 'embedded' | 'external' }>

type Surroundings = Readonly<{ settings: Settings; log: Log; clock: Clock; releases: Releases }>

/** Finds the database server: the one configured, or the embedded one, which is started where it does not run yet. */
export async function openServer({ settings, log, clock, releases }: Surroundings): Promise<DatabaseServer> {
  const { databaseUrl, dataDir } = settings.environment
  if (databaseUrl !== undefined) {
    await checkServer(databaseUrl, settings.database.connectionTimeout)
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
    options: sessionOptions,
  })
  // A connection that breaks while it is used rejects the query; its event is the same news again.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (cause) {
    const { hostname, port } = new URL(url)
    throw new Misconfigured(
      `cannot reach PostgreSQL at ${hostname}:${port || 5432} (${cause instanceof Error ? cause.message || cause.name : cause}): is it running, and is DATABASE_URL right?`,
      { cause },
    )
  }
  try {
    const { rows } = await client.query<{ version: number }>(
      `select current_setting('server_version_num')::integer / 10000 as version`,
    )
    const version = rows[0]?.version ?? 0
    if (version < oldestVersion)
      throw new Misconfigured(
        `PostgreSQL ${version} is too old: DATABASE_URL must name version ${oldestVersion} or newer`,
      )
  } finally {
    await client.end()
  }
}

/** When the configured coins are followed: at every start of a daemon, by any command only where nothing is followed yet. */
export type Following = 'always' | 'when-new'

/** Opens the pool on a database that is migrated and follows the configured coins. */
export async function openDatabase(
  surroundings: Surroundings,
  following: Following,
): Promise<DatabaseServer & { pool: Pool }> {
  const { settings, log, clock, releases } = surroundings
  const server = await openServer(surroundings)
  const migrated = await migrateUp(server.url)
  if (migrated.length > 0) log.debug('schema.migrated', { migrations: migrated })
  const pool = openPool(server.url, settings.database, (error) =>
    log.warn('database.connection-lost', { reason: error.message }),
  )
  releases.push(() => pool.end())
  if (following === 'always' || !(await hasFollowed(databaseOf(pool)))) {
    await inTransaction(pool, (tx) => followConfigured(tx, settings.coins, clock.now()))
  }
  return { ...server, pool }
}
