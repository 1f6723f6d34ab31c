import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Pool } from 'pg'
import { test as base, describe, expect } from 'vitest'
import { migrationsDir, readMigrations } from '../../../src/store/migrations/files.ts'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { partitionAt } from '../../../src/store/partitions.ts'
import { filesBelow, projectDir } from '../../ground/project.ts'
import { createEmptyDatabase, installedPostgres, servers, type TestDatabase } from '../../support/database.ts'
import { at } from '../loading.ts'
import { testOn } from '../on-server.ts'
import { describeSchema, describeTables } from '../schema/describe-schema.ts'
import { createStatements, tablesIn } from '../schema/drizzle-statements.ts'
import { day, insertValid, validRows } from './valid-rows.ts'

const migrations = await readMigrations()
const downwards = migrations.map(({ number }) => number).toReversed()
const execute = promisify(execFile)

/** Of so many versions, one is migrated to the newest with its rows. */
const migrationsToTheTop = 12

/** The schema as a stranger's program and the catalog tell it. */
type Snapshot = Readonly<{ catalog: readonly string[]; dump: readonly string[] }>

/** Everything a server says of the schema; of a server whose pg_dump is not here, what its catalog says alone. */
async function snapshot({ url, pool }: TestDatabase): Promise<Snapshot> {
  const dumper =
    installedPostgres?.url === new URL('/postgres', url).href ? installedPostgres.binDir : undefined
  return {
    catalog: await describeSchema(pool),
    dump: dumper === undefined ? [] : await dumpSchema(url, dumper),
  }
}

/** Without the order of columns: a dropped one comes back at the end of its table. */
const withoutPlaces = (state: Snapshot | undefined): string[] | undefined =>
  state?.catalog.map((line) => line.replace(/ place \d+$/, '')).toSorted()

const placeless = async ({ pool }: TestDatabase): Promise<string[] | undefined> =>
  withoutPlaces({ catalog: await describeSchema(pool), dump: [] })

async function dumpSchema(url: string, binDir: string): Promise<string[]> {
  // The leaves were made with the rows, not by a migration.
  const options = ['--schema-only', '--exclude-table=*_y[0-9][0-9][0-9][0-9]*', `--dbname=${url}`]
  const { stdout } = await execute(join(binDir, 'pg_dump'), options, { maxBuffer: 64 * 1024 * 1024 })
  // Newer ones put another random word there each time.
  return stdout.split('\n').filter((line) => !/^\\(un)?restrict /.test(line))
}

/** The schema after one more migration: when it is applied, undone, and applied again. */
type Step = Readonly<{ applied: Snapshot; undone: readonly string[] | undefined; again: Snapshot }>

/**
 * `folders` has the first none, one, two … migrations alone, `steps` what the schema is after each of them, `states` the
 * same when it is applied first, and `database` is a new one without tables.
 */
const testSteps = (server: string) =>
  base
    .extend('template', { scope: 'file' }, join(tmpdir(), 'beacon-steps-'))
    .extend('folders', { scope: 'file' }, async ({ template }, { onCleanup }) => {
      const root = await mkdtemp(template)
      onCleanup(() => rm(root, { recursive: true }))
      return Promise.all([0, ...downwards.toReversed()].map((count) => copyOfFirst(root, count)))
    })
    .extend('steps', { scope: 'file' }, async ({ folders }, { onCleanup }) => {
      const database = await createEmptyDatabase(server)
      onCleanup(database.drop)
      const steps: Step[] = []
      for (const dir of folders) steps.push(await takeStep(database, dir, steps.length > 0))
      return steps
    })
    .extend('states', { scope: 'file' }, ({ steps }) => steps.map(({ applied }) => applied))
    .extend('database', async ({ states: _ }, { onCleanup }) => {
      const database = await createEmptyDatabase(server)
      onCleanup(database.drop)
      return database
    })

async function takeStep(database: TestDatabase, dir: string, canUndo: boolean): Promise<Step> {
  await migrateUp(database.url, { dir })
  const applied = await snapshot(database)
  if (!canUndo) return { applied, undone: undefined, again: applied }
  await migrateDown(database.url)
  const undone = await placeless(database)
  await migrateUp(database.url, { dir })
  return { applied, undone, again: await snapshot(database) }
}

async function copyOfFirst(root: string, count: number): Promise<string> {
  const dir = join(root, String(count))
  const later = new Set(migrations.slice(count).flatMap(({ name }) => [`${name}.sql`, `${name}.down.sql`]))
  await cp(migrationsDir, dir, {
    recursive: true,
    filter: (path) => !later.has(path.slice(migrationsDir.length + 1)),
  })
  return dir
}

const tableNames = `
  select relname as name from pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
    and relname not in ('schema_migrations', 'undone_migrations')
  order by relname`

/** Every row of every table, its values as text. */
type Contents = ReadonlyMap<string, readonly Readonly<Record<string, string | null>>[]>

async function contents(pool: Pool): Promise<Contents> {
  const { rows: tables } = await pool.query<{ name: string }>(tableNames)
  const found = new Map<string, Record<string, string | null>[]>()
  for (const { name } of tables) {
    const { rows } = await pool.query<{ row: Record<string, string | null> }>(
      `select (select jsonb_object_agg(key, value) from jsonb_each_text(to_jsonb(each))) as row from ${name} as each`,
    )
    found.set(
      name,
      rows.map(({ row }) => row),
    )
  }
  return found
}

/** The tables of both that lack a row that they had, as far as they still have its columns. */
const tablesWithLosses = (before: Contents, after: Contents): string[] =>
  [...after].flatMap(([name, rows]) => {
    const remains = (was: Readonly<Record<string, string | null>>) =>
      rows.some((is) =>
        Object.entries(was).every(([column, value]) => !(column in is) || is[column] === value),
      )
    return (before.get(name) ?? []).filter((was) => hasPlace(name, was)).every(remains) ? [] : [name]
  })

/** What maintenance wrote into the audit log has no place in the table that was there before. */
const hasPlace = (name: string, { operation }: Readonly<Record<string, string | null>>): boolean =>
  name !== 'audit_logs' || ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'].includes(operation ?? '')

/** Rows in every table, and in the view. */
async function fill({ pool, superuser }: TestDatabase): Promise<void> {
  const instant = at(`${day}T00:00Z`)
  for (const table of [
    { name: 'ohlcv_data_1d', length: 'year' },
    { name: 'market_data', length: 'day' },
  ] as const) {
    await ensurePartitions(pool, table, [partitionAt(table, instant)], 2_000)
  }
  // Row-level security holds for the owner of the tables too.
  const client = await superuser.connect()
  try {
    await insertValid(client, Object.keys(validRows))
  } finally {
    client.release()
  }
  await pool.query('refresh materialized view daily_price_summary')
}

const stepping = servers.map(({ server, clusterUrl }) => ({ server, test: testSteps(clusterUrl) }))

describe.each(stepping)('the migrations on $server', ({ test }) => {
  test('leave the same schema, each when it is undone and done again', ({ steps }) => {
    expect(steps.length).toBe(migrations.length + 1)
    for (const [number, { applied, undone, again }] of steps.entries()) {
      expect(undone).toEqual(withoutPlaces(steps[number - 1]?.applied))
      expect(again).toEqual(applied)
    }
  })

  test('leave the same schema, all of them when they are undone and done again', async ({
    states,
    database,
  }) => {
    await migrateUp(database.url)
    await migrateDown(database.url, { to: '0' })
    expect(await snapshot(database)).toEqual(states[0])
    await migrateUp(database.url)
    expect(await snapshot(database)).toEqual(states.at(-1))
  })

  test('do so with rows in every table, and keep those of each table that they do not drop', async ({
    folders,
    states,
    database,
  }) => {
    await migrateUp(database.url)
    await fill(database)
    let rows = await contents(database.superuser)
    expect([...rows].filter(([, ofTable]) => ofTable.length === 0)).toEqual([])
    for (const number of downwards) {
      // It is not undone while files are recorded.
      if (migrations[number - 1]?.name === '0013_archives') {
        await database.superuser.query('truncate archives cascade')
        rows = await contents(database.superuser)
      }
      const undo = async () => {
        await migrateDown(database.url, { to: String(number - 1) })
        expect(await placeless(database)).toEqual(withoutPlaces(states[number - 1]))
        const kept = await contents(database.superuser)
        expect(tablesWithLosses(rows, kept)).toEqual([])
        return kept
      }
      const kept = await undo()
      // From some versions the whole way: later migrations meet rows that older ones have filled in.
      const goesToTheTop = number % migrationsToTheTop === 1
      await migrateUp(database.url, { dir: (goesToTheTop ? undefined : folders[number]) ?? migrationsDir })
      const state = states[goesToTheTop ? migrations.length : number]
      expect(await placeless(database)).toEqual(withoutPlaces(state))
      rows = await contents(database.superuser)
      expect(tablesWithLosses(kept, rows)).toEqual([])
      rows = await undo()
    }
    await migrateUp(database.url)
    expect(await snapshot(database)).toEqual(states.at(-1))
  })
})

const modules: Record<string, unknown>[] = await Promise.all(
  filesBelow(['drizzle/schema'], '.ts').map((path) => import(pathToFileURL(join(projectDir, path)).href)),
)
const declaredTables = modules.flatMap(tablesIn)

const migrated = servers.map(({ server, clusterUrl }) => ({ server, test: testOn(clusterUrl) }))

describe.each(migrated)('the drizzle schema on $server', ({ test }) => {
  test('declares every table as it is: columns, defaults, keys, checks and indexes', async ({ client }) => {
    const actual = await describeTables(client, 'public')
    await client.query(`create schema declared; set local search_path = declared`)
    for (const statement of createStatements(declaredTables)) await client.query(statement)
    expect(await describeTables(client, 'declared')).toEqual(actual)
  })
})

const actions: Readonly<Record<string, string>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
}

describe.each(migrated)('the comments on $server', ({ test }) => {
  test('say of each foreign key what a deletion does, and why', async ({ client }) => {
    const { rows } = await client.query<{ name: string; action: string; comment: string | null }>(`
      select conrelid::regclass || '.' || conname as name, confdeltype as action,
        obj_description(oid, 'pg_constraint') as comment
      from pg_constraint
      where contype = 'f' and conparentid = 0 and connamespace = 'public'::regnamespace
      order by 1`)
    expect(rows.length).toBeGreaterThan(0)
    const wrong = rows.filter(
      ({ action, comment }) =>
        !comment?.startsWith(`ON DELETE ${actions[action]}: `) || comment.endsWith(': '),
    )
    expect(wrong).toEqual([])
  })

  test('say of each table, view, function and schema what it is for', async ({ client }) => {
    const { rows } = await client.query<{ name: string }>(`
      select oid::regclass::text as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and not relispartition
        and obj_description(oid, 'pg_class') is null
      union all
      select oid::regprocedure::text from pg_proc
      where pronamespace = 'public'::regnamespace and obj_description(oid, 'pg_proc') is null
      union all
      select nspname from pg_namespace where nspname like 'api%' and obj_description(oid, 'pg_namespace') is null`)
    expect(rows).toEqual([])
  })
})
