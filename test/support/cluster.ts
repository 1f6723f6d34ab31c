import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import type { ProvidedContext } from 'vitest'
import type { TestProject } from 'vitest/node'
import { stopPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import { processIdentity } from '../../src/runtime/embedded/process.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { installedDataDir, openInstalledPostgres } from './installed-postgres.ts'
import { memoryFolder } from './memory-folder.ts'
import { openRedis } from './redis.ts'
import { urlAs } from './url-as.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The maintenance database of the cluster that the test databases are made in, as its superuser. */
    clusterUrl: string
    redisUrl: string | undefined
    /** A PostgreSQL of the system's packages beside the bundled one; undefined where none is installed. */
    installedPostgres: Readonly<{ major: number; binDir: string; url: string }> | undefined
  }
}

export const templateName = 'template_beacon'

/** Owns the databases of the tests, and is what they connect as: no superuser, like the login of a hosted database. */
export const ownerName = 'hub_owner'

const releases = new Releases()

/**
 * One cluster and one Redis for the whole run; every test file has a database of its own in it. The cluster is of the
 * bundled version, or of the one in TEST_POSTGRES_BIN.
 */
export async function setup(project: TestProject): Promise<void> {
  try {
    await removeLeftovers()
    const folder = await createFolder()
    const installed = await openPostgresIfInstalled(folder)
    const isChosen = installed !== undefined && process.env.TEST_POSTGRES_BIN !== undefined
    project.provide('clusterUrl', isChosen ? installed.url : await openCluster(folder))
    project.provide('redisUrl', await openRedisIfInstalled(folder))
    project.provide('installedPostgres', installed)
  } catch (error) {
    await releases.release()
    throw error
  }
}

export async function teardown(): Promise<void> {
  await releases.release()
}

async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(await memoryFolder(), `beacon-test-${process.pid}-`))
  releases.push(() => rm(folder, { recursive: true, force: true }))
  // The account that runs the server is not root: it must be able to come in.
  await chmod(folder, 0o711)
  return folder
}

async function openCluster(folder: string): Promise<string> {
  const log = openLog({ level: 'warn', pretty: true })
  const server = await openEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log })
  releases.push(server.release)
  const url = new URL(server.url)
  url.pathname = '/postgres'
  await prepare(url)
  return url.href
}

/** Nothing here outlives the run, so nothing needs to reach the disk. */
async function prepare(url: URL): Promise<void> {
  const client = new Client({ connectionString: url.href })
  await client.connect()
  try {
    for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
      await client.query(`alter system set ${setting} = off`)
    }
    await client.query('select pg_reload_conf()')
  } finally {
    await client.end()
  }
  await createTemplate(url)
}

/** The migrated database that those of the tests are cloned from. */
async function createTemplate(url: URL): Promise<void> {
  const client = new Client({ connectionString: url.href })
  await client.connect()
  try {
    await client.query(`create role ${ownerName} login nosuperuser createrole password '${ownerName}'`)
    await client.query(`create database ${templateName} owner ${ownerName}`)
  } finally {
    await client.end()
  }
  const template = new URL(url)
  template.pathname = `/${templateName}`
  await migrateUp(urlAs(template.href, ownerName))
}

async function openRedisIfInstalled(folder: string): Promise<string | undefined> {
  const redis = await openRedis(folder)
  if (redis) releases.push(redis.close)
  else process.stderr.write('no redis-server or valkey-server was found: the tests on Redis are left out\n')
  return redis?.url
}

async function openPostgresIfInstalled(folder: string): Promise<ProvidedContext['installedPostgres']> {
  const postgres = await openInstalledPostgres(folder)
  if (!postgres) {
    process.stderr.write(
      'no PostgreSQL 15 or newer is installed beside the bundled one: the tests on it are left out\n',
    )
    return undefined
  }
  releases.push(postgres.close)
  const { close: _, ...server } = postgres
  await createTemplate(new URL(server.url))
  return server
}

/** A run that was killed could not stop its server: the next one does. */
async function removeLeftovers(): Promise<void> {
  const parent = await memoryFolder()
  for (const name of await readdir(parent)) {
    const pid = /^beacon-test-(\d+)-/.exec(name)?.[1]
    if (pid === undefined || (await processIdentity(Number(pid))) !== undefined) continue
    const folder = join(parent, name)
    // Another account's leftovers are its own to remove.
    if ((await stat(folder)).uid !== process.getuid?.()) continue
    await stopPostmaster(join(folder, 'postgres/data'))
    await stopPostmaster(installedDataDir(folder))
    await rm(folder, { recursive: true, force: true })
  }
}
