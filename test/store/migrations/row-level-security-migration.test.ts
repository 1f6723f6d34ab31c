import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { test as base, describe, expect } from 'vitest'
import { Misconfigured } from '../../../src/fault.ts'
import { migrationsDir } from '../../../src/store/migrations/files.ts'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { createEmptyDatabase, servers, type TestDatabase } from '../../support/database.ts'
import { createLogin, type Login, onServer } from '../access/row-level-security-stage.ts'
import { waiting } from '../loading.ts'

const kinds = ['app', 'ingest', 'readonly', 'upkeep'] as const

/** The migrations with roles of other names, so that a sentence may say whether they are there already. */
type Migrations = Readonly<{
  dir: string
  roles: readonly string[]
  role(kind: (typeof kinds)[number]): string
}>

async function createMigrations(): Promise<Migrations> {
  const prefix = `role_${randomUUID().slice(0, 8)}`
  const dir = await mkdtemp(join(tmpdir(), 'beacon-roles-'))
  for (const file of await readdir(migrationsDir)) {
    const text = await readFile(join(migrationsDir, file), 'utf8')
    const renamed = text.replaceAll(/\bbeacon_(app|ingest|readonly|upkeep)\b/g, `${prefix}_$1`)
    await writeFile(join(dir, file), renamed)
  }
  const role = (kind: string) => `${prefix}_${kind}`
  return { dir, roles: kinds.map(role), role }
}

/** On one server: roles of their own, and databases and logins that go when the sentence ends. */
const tests = servers.map(({ server, clusterUrl }) => ({
  server,
  test: base
    .extend('clusterUrl', { scope: 'worker' }, clusterUrl)
    .extend('migrations', async ({ clusterUrl }, { onCleanup }) => {
      const migrations = await createMigrations()
      onCleanup(async () => {
        await rm(migrations.dir, { recursive: true })
        await onServer(clusterUrl, `drop role if exists ${migrations.roles.join(', ')}`)
      })
      return migrations
    })
    .extend('createOwner', async ({ clusterUrl, migrations: _ }, { onCleanup }) => {
      const logins: Login[] = []
      onCleanup(async () => {
        for (const login of logins) await login.drop()
      })
      return async (rights: string) => {
        const login = await createLogin(clusterUrl, rights)
        logins.push(login)
        return login
      }
    })
    .extend('createDatabase', async ({ clusterUrl, createOwner: _ }, { onCleanup }) => {
      const databases: TestDatabase[] = []
      onCleanup(async () => {
        for (const database of databases) await database.drop()
      })
      return async (owner: Login) => {
        const database = await createEmptyDatabase(clusterUrl)
        databases.push(database)
        await database.superuser.query(
          `alter database ${new URL(database.url).pathname.slice(1)} owner to ${owner.name}`,
        )
        return {
          url: database.superuserUrl,
          pool: database.superuser,
          ownersUrl: owner.urlOf(database.url),
        }
      }
    }),
}))

/** Which of the roles the login may act as. */
async function mayActAs({ url }: { url: string }, roles: readonly string[]): Promise<string[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const may: string[] = []
  for (const role of roles) {
    try {
      await client.query(`set role ${role}`)
      may.push(role)
    } catch (error) {
      expect(error).toMatchObject({ code: '42501' })
    }
  }
  await client.end()
  return may
}

describe.each(tests)('on $server', ({ test }) => {
  test('an owner who may make roles makes them and acts as them', async ({
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir, roles } = migrations
    const database = await createDatabase(await createOwner('createrole'))
    await migrateUp(database.ownersUrl, { dir })
    expect(await mayActAs({ url: database.ownersUrl }, roles)).toEqual(roles)
    const { rows } = await database.pool.query(
      `select rolcanlogin, rolsuper, rolcreaterole, rolbypassrls, shobj_description(oid, 'pg_authid') like 'Beacon: %' as is_told
       from pg_roles where rolname = any ($1)`,
      [roles],
    )
    const bare = {
      rolcanlogin: false,
      rolsuper: false,
      rolcreaterole: false,
      rolbypassrls: false,
      is_told: true,
    }
    expect(rows).toEqual(roles.map(() => bare))
  })

  test('a database whose roles another one makes in the same moment may act as them too', async ({
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir, roles, role } = migrations
    const owner = await createOwner('createrole')
    const [first, second] = [await createDatabase(owner), await createDatabase(owner)]
    const other = new Client({ connectionString: first.ownersUrl })
    await other.connect()
    await other.query(`begin; create role ${role('app')} nologin; create role ${role('ingest')} nologin`)
    const migrated = migrateUp(second.ownersUrl, { dir })
    await waiting(second.pool, 1)
    await other.query('commit')
    await migrated
    await other.end()
    expect(await mayActAs({ url: second.ownersUrl }, roles)).toEqual(roles)
  })

  test('three databases at once all come through', async ({ migrations, createOwner, createDatabase }) => {
    const { dir, roles } = migrations
    const owner = await createOwner('createrole')
    const databases = [await createDatabase(owner), await createDatabase(owner), await createDatabase(owner)]
    await Promise.all(databases.map(({ ownersUrl }) => migrateUp(ownersUrl, { dir })))
    for (const { ownersUrl } of databases) expect(await mayActAs({ url: ownersUrl }, roles)).toEqual(roles)
  })

  test('an owner who may not make roles is told what to have run, and that is enough', async ({
    clusterUrl,
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir, roles } = migrations
    const owner = await createOwner('')
    const { ownersUrl } = await createDatabase(owner)
    const refused = migrateUp(ownersUrl, { dir })
    await expect(refused).rejects.toThrow(Misconfigured)
    const remedy = roles
      .map((role) => `create role ${role} nologin; grant ${role} to ${owner.name}`)
      .join('; ')
    await expect(refused).rejects.toThrow(
      `the login ${owner.name} may not make the roles it needs, or act as them: let an administrator run "${remedy}" and try again`,
    )
    await onServer(clusterUrl, remedy)
    expect(await migrateUp(ownersUrl, { dir })).toContain('0006_row_level_security')
  })

  test("another login's roles are used where one may act as them", async ({
    clusterUrl,
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir, roles } = migrations
    await onServer(clusterUrl, roles.map((role) => `create role ${role} nologin`).join('; '))
    const owner = await createOwner('createrole')
    const database = await createDatabase(owner)
    const { rows } = await database.pool.query<{ isNew: boolean }>(
      `select current_setting('server_version_num')::integer >= 160000 as "isNew"`,
    )
    if (rows[0]?.isNew) {
      // Since 16 the right to make roles is none to the roles of others.
      const remedy = roles.map((role) => `grant ${role} to ${owner.name}`).join('; ')
      await expect(migrateUp(database.ownersUrl, { dir })).rejects.toThrow(
        `let an administrator run "${remedy}"`,
      )
      await onServer(clusterUrl, remedy)
    }
    await migrateUp(database.ownersUrl, { dir })
    expect(await mayActAs({ url: database.ownersUrl }, roles)).toEqual(roles)
    const told = await database.pool.query(
      `select from pg_roles where rolname = any ($1) and shobj_description(oid, 'pg_authid') is not null`,
      [roles],
    )
    expect(told.rowCount).toBe(0)
  })

  test('a role that no policy binds is refused', async ({
    clusterUrl,
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir, role } = migrations
    const { url } = await createDatabase(await createOwner(''))
    const remedy = `alter role ${role('app')} nosuperuser nobypassrls`
    await onServer(clusterUrl, `create role ${role('app')} nologin superuser`)
    for (const attributes of ['superuser nobypassrls', 'nosuperuser bypassrls']) {
      await onServer(clusterUrl, `alter role ${role('app')} ${attributes}`)
      await expect(migrateUp(url, { dir })).rejects.toThrow(
        `no policy binds the role ${role('app')}: let an administrator run "${remedy}"`,
      )
    }
    await onServer(clusterUrl, remedy)
    expect(await migrateUp(url, { dir })).toContain('0006_row_level_security')
  })

  test('a login of the name of one of the roles does not come to own the tables', async ({
    clusterUrl,
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir, role } = migrations
    const { url, pool } = await createDatabase(await createOwner(''))
    const name = role('ingest')
    await onServer(clusterUrl, `create role ${name} login password '${name}' createrole`)
    await pool.query(
      `grant create on schema public to ${name}; grant all on database ${new URL(url).pathname.slice(1)} to ${name}`,
    )
    const ingest = new URL(url)
    ingest.username = name
    ingest.password = name
    await expect(migrateUp(ingest.href, { dir })).rejects.toThrow('migrate with a login of another name')
  })

  test('a login that may not make schemas is told what to have run', async ({
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir } = migrations
    const [owner, other] = [await createOwner(''), await createOwner('createrole')]
    const { url, pool } = await createDatabase(owner)
    await pool.query(`grant create on schema public to ${other.name}`)
    const database = new URL(url).pathname.slice(1)
    await expect(migrateUp(other.urlOf(url), { dir })).rejects.toThrow(
      `let the owner of the database run "grant create on database ${database} to ${other.name}"`,
    )
    await pool.query(`grant create on database ${database} to ${other.name}`)
    expect(await migrateUp(other.urlOf(url), { dir })).toContain('0008_api_views')
  })

  test('down leaves the roles without a right here, and up again uses them', async ({
    clusterUrl,
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir, roles } = migrations
    const { ownersUrl } = await createDatabase(await createOwner('createrole'))
    await migrateUp(ownersUrl, { dir })
    await migrateDown(ownersUrl, { dir, to: '5' })
    expect(await migrateUp(ownersUrl, { dir })).toContain('0006_row_level_security')
    await migrateDown(ownersUrl, { dir, to: '5' })
    // A role that has a right on anything cannot be dropped.
    await onServer(clusterUrl, `drop role ${roles.join(', ')}`)
  })

  test('down does not drop what somebody else has put into the schema api', async ({
    migrations,
    createOwner,
    createDatabase,
  }) => {
    const { dir } = migrations
    const { ownersUrl, pool } = await createDatabase(await createOwner('createrole'))
    await migrateUp(ownersUrl, { dir })
    await pool.query('create view api_v1.theirs as select 1 as one')
    await expect(migrateDown(ownersUrl, { dir, to: '7' })).rejects.toThrow('other objects depend on it')
    await pool.query('drop view api.theirs')
    expect(await migrateDown(ownersUrl, { dir, to: '7' })).toContain('0008_api_views')
  })
})
