import { randomUUID } from 'node:crypto'
import { Client, Pool } from 'pg'
import { test as base, inject } from 'vitest'
import type { ownerName, templateName } from './cluster.ts'
import { urlAs } from './url-as.ts'

/** A database of its own. `url` and `pool` are its owner's, an ordinary login. */
export type TestDatabase = Readonly<{
  url: string
  pool: Pool
  /** For what an ordinary login may not do: read what is forbidden, or give rights. */
  superuserUrl: string
  superuser: Pool
  drop(): Promise<void>
}>

/** A Redis server for the tests; undefined where none is installed. */
export const redisUrl: string | undefined = inject('redisUrl')

/** The queue engines that can be tested here. */
export const engines: readonly ('postgres' | 'redis')[] = redisUrl ? ['postgres', 'redis'] : ['postgres']

/** The PostgreSQL of the system's packages, with its other programs (pg_dump); undefined where there is none. */
export const installedPostgres = inject('installedPostgres')

/** The servers of the tests of the schema: the bundled one and the oldest supported where installed, or TEST_POSTGRES_BIN alone. */
export const servers: readonly Readonly<{ server: string; clusterUrl: string }>[] = [
  ...(installedPostgres?.url === inject('clusterUrl')
    ? []
    : [{ server: 'the bundled PostgreSQL', clusterUrl: inject('clusterUrl') }]),
  ...(installedPostgres
    ? [{ server: `PostgreSQL ${installedPostgres.major}`, clusterUrl: installedPostgres.url }]
    : []),
]

// The template's setup belongs to the main process: here only its name is wanted, which the type pins.
const template: typeof templateName = 'template_beacon'
const owner: typeof ownerName = 'hub_owner'

/** Any number: PostgreSQL refuses to copy a template that is just being copied, so they take turns. */
const cloneLock = 7_300_001

/** The cluster for the login that owns the databases. */
export const ownersUrlOf = (clusterUrl: string): string => urlAs(clusterUrl, owner)

/** Creates a migrated database. The caller drops it. */
export const createTestDatabase = (clusterUrl = inject('clusterUrl')): Promise<TestDatabase> =>
  createDatabaseFrom(template, clusterUrl)

/** Creates a database without any tables, for tests of the migrations themselves. The caller drops it. */
export const createEmptyDatabase = (clusterUrl = inject('clusterUrl')): Promise<TestDatabase> =>
  createDatabaseFrom('template0', clusterUrl)

async function createDatabaseFrom(source: string, clusterUrl: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await onCluster(clusterUrl, async (client) => {
    await client.query('select pg_advisory_lock($1)', [cloneLock])
    await client.query(`create database ${name} template ${source} owner ${owner} strategy file_copy`)
  })
  const url = new URL(clusterUrl)
  url.pathname = `/${name}`
  const superuserUrl = url.href
  const ownerUrl = ownersUrlOf(superuserUrl)
  const pool = openTestPool(ownerUrl)
  const superuser = openTestPool(superuserUrl)
  superusers.set(pool, superuser)
  const drop = async () => {
    await Promise.all([pool.end(), superuser.end()])
    await onCluster(clusterUrl, async (client) => {
      await client.query(`drop database if exists ${name} with (force)`)
    })
  }
  return { url: ownerUrl, pool, superuserUrl, superuser, drop }
}

const superusers = new WeakMap<Pool, Pool>()

/** The superuser's pool on the database of a test's pool: rows of users are arranged by one, past row-level security. */
export function superuserOf(pool: Pool): Pool {
  const superuser = superusers.get(pool)
  if (!superuser) throw new Error('the pool is of no test database')
  return superuser
}

function openTestPool(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: 10 })
  // Tests end servers and connections on purpose; the query under way rejects, and an idle one is replaced.
  pool.on('error', () => {})
  return pool
}

/**
 * `test` with a database per test file (`pool`, `databaseUrl`, and as a superuser `superuser`), and for a test that needs
 * one to itself `freshDatabase`.
 */
export const test = base
  .extend('clusterUrl', { scope: 'worker' }, inject('clusterUrl'))
  .extend('database', { scope: 'file' }, async ({ clusterUrl }, { onCleanup }) => {
    const database = await createTestDatabase(clusterUrl)
    onCleanup(database.drop)
    return database
  })
  .extend('databaseUrl', { scope: 'file' }, ({ database }) => database.url)
  .extend('pool', { scope: 'file' }, ({ database }) => database.pool)
  .extend('superuser', { scope: 'file' }, ({ database }) => database.superuser)
  .extend('freshDatabase', async ({ clusterUrl }, { onCleanup }) => {
    const database = await createTestDatabase(clusterUrl)
    onCleanup(database.drop)
    return database
  })

/** The lock taken there goes with the connection. */
async function onCluster(clusterUrl: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: clusterUrl })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
