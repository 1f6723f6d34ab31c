import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { Pool } from 'pg'
import { describe, expect, test } from 'vitest'
import {
  addApiConnection,
  readApiConnection,
  updateApiConnection,
} from '../../src/accounts/api-connections.ts'
import { readProfile, writeProfile } from '../../src/accounts/profiles.ts'
import { rotateKeys } from '../../src/accounts/rotation.ts'
import { changeEmail, findLogin, readEmail, registerUser } from '../../src/accounts/users.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { keyBytesOf, ringOf } from '../encryption/rings.ts'
import { createTestDatabase, servers } from '../support/database.ts'
import { aUser, reachOf } from './reaching.ts'

/** Every plaintext begins with `canary`: so it is found also as hexadecimal or base64. */
const plaintext = /canary|63616e617279|Y2FuYXJ5/i
const keys = ['old', 'new'].map((name) => keyBytesOf(name).toString('base64'))

function expectNoSecret(text: string): void {
  expect(plaintext.exec(text)?.index).toBeUndefined()
  for (const key of keys) expect(text).not.toContain(key)
}

const secrets = { apiKey: 'canary-key', apiSecret: 'canary-secret', passphrase: 'canary-passphrase' }
const profile = { displayName: 'Canary Name', avatarUrl: 'canary://face', preferences: { theme: 'dark' } }
const connection = { provider: 'kraken', name: 'mine', status: 'active', permissions: ['read'], ...secrets }

/** Goes through all that can be done with an account, also what fails, and returns the failures. */
async function useAccounts(pool: Pool): Promise<unknown[]> {
  const deps = reachOf(pool, ringOf('old'))
  const id = await registerUser(deps, aUser({ email: 'canary@example.org' }))
  const other = await registerUser(deps, aUser({ email: 'canary-other@example.org' }))
  await writeProfile(deps, id, profile)
  await writeProfile(deps, id, { ...profile, displayName: 'canary again' })
  const connectionId = await addApiConnection(deps, id, connection)
  await updateApiConnection(deps, id, connectionId, { apiKey: 'canary-key-2' })
  await changeEmail(deps, id, 'CANARY-moved@example.org')
  expect(await findLogin(deps, 'Canary-Moved@example.org')).toMatchObject({ id })
  expect(await readEmail(deps, id)).toBe('canary-moved@example.org')
  expect(await readProfile(deps, id)).toMatchObject({ displayName: 'canary again' })

  const unused = ringOf('unused')
  // An error that only the database can find: its message holds the statement and what was bound to it.
  await pool.query(`alter table users add constraint never_forbidden check (password <> 'forbidden')`)
  const failures = await Promise.allSettled([
    registerUser(deps, aUser({ email: 'canary-moved@example.org' })),
    registerUser(deps, aUser({ email: 'canary-third@example.org', passwordHash: 'forbidden' })),
    changeEmail(deps, other, 'canary-moved@example.org'),
    changeEmail(deps, other, 'canary, no address'),
    writeProfile(deps, id, { ...profile, avatarUrl: 'canary'.repeat(50) }),
    readProfile({ ...deps, ring: unused }, id),
    readEmail({ ...deps, ring: ringOf('old=unused') }, id),
    readApiConnection({ ...deps, ring: unused }, id, connectionId),
    addApiConnection(deps, id, { ...connection, apiSecret: 'canary'.repeat(50) }),
    addApiConnection(deps, id, { ...connection, provider: 'canary'.repeat(50) }),
  ])
  expect(failures.map(({ status }) => status)).toEqual(failures.map(() => 'rejected'))
  await pool.query('alter table users drop constraint never_forbidden')

  const rotated = await rotateKeys(pool, ringOf('new', 'old'))
  expect(rotated.columns.every((column) => column.rotated > 0)).toBe(true)
  return failures.map((failure) => (failure.status === 'rejected' ? failure.reason : undefined))
}

/** Every row of every table and view of ours, as text. */
async function everyRow(pool: Pool): Promise<string> {
  const { rows: tables } = await pool.query<{ name: string }>(`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')`)
  const texts: string[] = []
  for (const { name } of tables) {
    const { rows } = await pool.query<{ text: string }>(`select stored::text as text from ${name} as stored`)
    texts.push(...rows.map(({ text }) => text))
  }
  return texts.join('\n')
}

describe.each(servers)('on $server', ({ clusterUrl }) => {
  test('neither a table, the audit log included, nor an error holds a plaintext or a key', async () => {
    const { pool, superuser, drop } = await createTestDatabase(clusterUrl)
    try {
      const failures = await useAccounts(pool)
      expectNoSecret(
        failures.map((failure) => inspect(failure, { depth: null, showHidden: true })).join('\n'),
      )
      const rows = await everyRow(superuser)
      expect(rows).toContain('[redacted, changed]')
      expect(rows).toMatch(/new\.[\w-]{38,}/)
      expectNoSecret(rows)
    } finally {
      await drop()
    }
  })
})

/** A connection that is just being closed may still hear that its server is stopped. */
function openPlainPool(url: string): Pool {
  const pool = new Pool({ connectionString: url })
  pool.on('error', () => {})
  return pool
}

/** A server that tells everything it is asked: in its log, and in pg_stat_statements. */
async function openTalkativeServer(releases: Releases) {
  const folder = await mkdtemp(join(tmpdir(), 'beacon-secrecy-'))
  releases.push(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o711)
  const log = openLog({ level: 'warn', pretty: true })
  const open = () => openEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log })
  const quiet = await open()
  try {
    const pool = openPlainPool(quiet.url)
    const settings = {
      shared_preload_libraries: 'pg_stat_statements',
      log_statement: 'all',
      log_parameter_max_length_on_error: '-1',
      fsync: 'off',
    }
    for (const [name, value] of Object.entries(settings))
      await pool.query(`alter system set ${name} = '${value}'`)
    await pool.end()
  } finally {
    await quiet.release()
  }
  // The library is loaded only at a start.
  const server = await open()
  releases.push(server.release)
  return server
}

test('neither the log of the server nor pg_stat_statements holds a plaintext or a key', async () => {
  const releases = new Releases()
  try {
    const { url, dataDir } = await openTalkativeServer(releases)
    const pool = openPlainPool(url)
    releases.push(() => pool.end())
    await migrateUp(url)
    await pool.query('create extension pg_stat_statements')
    await useAccounts(pool)
    const { rows } = await pool.query<{ query: string }>('select query from pg_stat_statements')
    const statements = rows.map(({ query }) => query).join('\n')
    expect(statements).toMatch(/insert into api_connections/)
    expectNoSecret(statements)
    const reported = await readFile(join(dataDir, 'server.log'), 'utf8')
    expect(reported).toMatch(/insert into api_connections[\s\S]*Parameters: [\s\S]*old\.[\w-]{38,}/i)
    expect(reported).toMatch(/violates check constraint "never_forbidden"/)
    expectNoSecret(reported)
  } finally {
    await releases.release()
  }
})
