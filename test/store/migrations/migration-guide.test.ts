import { randomUUID } from 'node:crypto'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, describe, expect, test as plainTest } from 'vitest'
import { withUser } from '../../../src/store/acting.ts'
import { migrationsDir, readMigrations } from '../../../src/store/migrations/files.ts'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { readText } from '../../ground/project.ts'
import { servers } from '../../support/database.ts'
import { createOwnedDatabase, type OwnedDatabase } from '../access/row-level-security-stage.ts'
import { aRow, insertRow, userId } from './valid-rows.ts'

const existing = (await readMigrations()).length
const blocks = [...readText('docs/migrations.md').matchAll(/^```sql\n(.*?)^```/gms)].map(
  ([, block = '']) => block,
)

/** The files that the page shows, under the next free numbers, in its order: of each step up and down. */
const steps = blocks
  .flatMap((text) => {
    const name = /^-- NNNN_(\w+)\.sql\n/.exec(text)?.[1]
    return name === undefined ? [] : [{ name, up: text }]
  })
  .map(({ name, up }, index) => {
    const down = blocks.find((text) => text.startsWith(`-- NNNN_${name}.down.sql\n`)) ?? ''
    return { file: `${String(existing + index + 1).padStart(4, '0')}_${name}`, up, down }
  })

const backfill = blocks.find((text) => text.startsWith('-- Again and again')) ?? ''

/** The columns of the account's name that a program knows. */
type Program = 'name' | 'label'

type Stage = Readonly<{
  /** The programs that may write. */
  programs: readonly Program[]
  /** What readers know of the account's name, by the version of the views. */
  shown: Readonly<Partial<Record<'api_v1' | 'api_v2', Program>>>
}>

/** Before the first step, and after each. */
const stages: readonly Stage[] = [
  { programs: ['name'], shown: { api_v1: 'name' } },
  { programs: ['name', 'label'], shown: { api_v1: 'name' } },
  { programs: ['name', 'label'], shown: { api_v1: 'name', api_v2: 'label' } },
  { programs: ['label'], shown: { api_v1: 'name', api_v2: 'label' } },
  { programs: ['label'], shown: { api_v2: 'label' } },
]

/** More than one batch holds. */
const accounts = 1_500

/**
 * `folders` has the project's migrations alone, then with one to four of the page's. `database` is migrated and
 * has accounts; its owner is a plain login and no superuser, whom no policy would bind.
 */
const tests = servers.map(({ server, clusterUrl }) => ({
  server,
  test: base
    .extend('clusterUrl', { scope: 'worker' }, clusterUrl)
    .extend('folders', async ({ clusterUrl: _ }, { onCleanup }) => {
      const root = await mkdtemp(join(tmpdir(), 'beacon-guide-'))
      onCleanup(() => rm(root, { recursive: true }))
      return Promise.all([0, 1, 2, 3, 4].map((count) => copyWith(root, count)))
    })
    .extend('database', async ({ clusterUrl: url }, { onCleanup }) => {
      const database = await createOwnedDatabase(url)
      onCleanup(database.drop)
      await fill(database)
      return database
    }),
}))

/** The project's migrations with so many of the page's after them. */
async function copyWith(root: string, count: number): Promise<string> {
  const dir = join(root, String(count))
  await cp(migrationsDir, dir, { recursive: true })
  for (const { file, up, down } of steps.slice(0, count)) {
    await writeFile(join(dir, `${file}.sql`), up)
    await writeFile(join(dir, `${file}.down.sql`), down)
  }
  return dir
}

async function fill({ pool }: OwnedDatabase): Promise<void> {
  const client = await pool.connect()
  await insertRow(client, 'users', aRow('users'))
  client.release()
  await pool.query(
    `insert into trading_accounts (user_id, name, balance, initial_balance, currency, created_at, updated_at)
     select $1, 'Account ' || number, 1, 1, 'USD', now(), now() from generate_series(1, $2) as number`,
    [userId, accounts],
  )
}

/** As a program that knows only the one column: opens an account, renames it, and changes something else of it. */
async function write({ ownersPool }: OwnedDatabase, column: Program): Promise<string> {
  const id = randomUUID()
  const renamed = `${column} ${id}`
  await withUser(ownersPool, userId, async ({ client }) => {
    await client.query(
      `insert into trading_accounts (id, user_id, ${column}, balance, initial_balance, currency, created_at, updated_at)
       values ($1, $2, 'new', 1, 1, 'USD', now(), now())`,
      [id, userId],
    )
    await client.query(`update trading_accounts set ${column} = $2 where id = $1`, [id, renamed])
    await client.query('update trading_accounts set balance = 2 where id = $1', [id])
  })
  return renamed
}

type Seen = Readonly<{ columns: readonly string[]; names: readonly string[] }>

/** What every reader of a version of the views sees: its columns with their types, and the names in it. */
const read = ({ ownersPool }: OwnedDatabase, version: string, known: Program): Promise<Seen> =>
  withUser(ownersPool, userId, async ({ client }) => {
    const { fields, rows } = await client.query<Record<Program, string>>(
      `select * from ${version}.trading_accounts`,
    )
    const columns = fields.map(({ name, dataTypeID, dataTypeModifier }) =>
      [name, dataTypeID, dataTypeModifier].join(' '),
    )
    return { columns, names: rows.map((row) => row[known]).toSorted() }
  })

const readAll = (database: OwnedDatabase, { shown }: Stage): Promise<Seen[]> =>
  Promise.all(Object.entries(shown).map(([version, known]) => read(database, version, known)))

async function count({ pool }: OwnedDatabase, condition: string): Promise<number> {
  const { rowCount } = await pool.query(`select from trading_accounts where ${condition}`)
  return rowCount ?? 0
}

/** Writes as each program that may run, and looks whether every reader finds it, under the columns that it knows. */
async function work(database: OwnedDatabase, number: number): Promise<void> {
  const stage = stages[number]
  if (!stage) throw new Error(`there is no stage ${number}`)
  const before = await readAll(database, stage)
  const written: string[] = []
  for (const column of stage.programs) written.push(await write(database, column))
  expect(await readAll(database, stage)).toEqual(
    before.map(({ columns, names }) => ({ columns, names: [...names, ...written].toSorted() })),
  )
  // Rows that the backfill has not come to yet have no label.
  if (stage.programs.length === 2) expect(await count(database, 'name is null or name <> label')).toBe(0)
}

/** The views of a version with who may read them, and their columns with the types. */
async function viewsOf({ pool }: OwnedDatabase, version: string): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', relname, relacl::text, reloptions::text, attnum, format_type(atttypid, atttypmod)) as line
     from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0
     where relnamespace = to_regnamespace($1) order by 1`,
    [version],
  )
  return rows.map(({ line }) => line)
}

/** Runs the page's batch; how many rows got their label. */
async function fillBatch(database: OwnedDatabase): Promise<number> {
  const before = await count(database, 'label is null')
  await database.ownersPool.query(backfill)
  return before - (await count(database, 'label is null'))
}

describe.each(tests)('the example of the migrations page on $server', ({ test }) => {
  test('keeps old and new programs working at each stage, on the way up and down', async ({
    folders: [none = '', first = '', second = '', third = '', fourth = ''],
    database,
  }) => {
    const url = database.owner.urlOf(database.url)
    const versionOne = async () => (await read(database, 'api_v1', 'name')).columns
    const columns = await versionOne()
    expect(await migrateUp(url, { dir: none })).toEqual([])
    await work(database, 0)
    expect(await migrateUp(url, { dir: first })).toHaveLength(1)
    await work(database, 1)
    expect(await fillBatch(database)).toBe(1_000)
    await work(database, 1)
    expect(await fillBatch(database)).toBe(accounts + 1 - 1_000)
    expect(await fillBatch(database)).toBe(0)
    expect(await count(database, 'label is null')).toBe(0)
    expect(await migrateUp(url, { dir: second })).toHaveLength(1)
    await work(database, 2)
    expect(await migrateUp(url, { dir: third })).toHaveLength(1)
    await work(database, 3)
    expect(await versionOne()).toEqual(columns)
    expect(await viewsOf(database, 'api_v2')).toEqual(await viewsOf(database, 'api_v1'))
    expect(await migrateUp(url, { dir: fourth })).toHaveLength(1)
    await work(database, 4)
    expect(await viewsOf(database, 'api_v1')).toEqual([])
    for (const [dir, stage] of [
      [fourth, 3],
      [third, 2],
      [second, 1],
      [first, 0],
    ] as const) {
      expect(await migrateDown(url, { dir })).toHaveLength(1)
      await work(database, stage)
    }
    expect(await versionOne()).toEqual(columns)
  })

  test('can be turned back while rows are left to fill', async ({ folders: [, first = ''], database }) => {
    const url = database.owner.urlOf(database.url)
    await migrateUp(url, { dir: first })
    expect(await fillBatch(database)).toBe(1_000)
    await work(database, 1)
    expect(await migrateDown(url, { dir: first })).toHaveLength(1)
    await work(database, 0)
  })

  test('can be applied all at once to a database that comes from before it', async ({
    folders: [, , , third = ''],
    database,
  }) => {
    const before = await read(database, 'api_v1', 'name')
    expect(await migrateUp(database.owner.urlOf(database.url), { dir: third })).toHaveLength(3)
    expect(await read(database, 'api_v1', 'name')).toEqual(before)
    await work(database, 3)
  })
})

plainTest('every statement on the page is one of its migrations or the backfill', () => {
  const used = [...steps.flatMap(({ up, down }) => [up, down]), backfill]
  expect(steps).toHaveLength(4)
  expect(blocks.filter((text) => !used.includes(text))).toEqual([])
})
