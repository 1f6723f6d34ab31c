import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, describe, expect } from 'vitest'
import { migrateDown, migrateUp, planMigrateDown } from '../../../src/store/migrations.ts'
import { createEmptyDatabase, type TestDatabase } from '../../support/database.ts'

const files = {
  '0001_base.sql': `
    create table kept (id int);
    create table secret (owner text);
    alter table secret enable row level security;
    alter table secret force row level security;`,
  '0001_base.down.sql': 'drop table kept, secret;',
  '0002_more.sql': `
    alter table kept add column note text, add column unused text;
    create table parted (id int) partition by range (id);
    create table parted_low partition of parted for values from (0) to (100);
    create table blank (id int);`,
  '0002_more.down.sql': `
    delete from kept where id > 2;
    alter table kept rename to renamed;
    alter table renamed rename to kept;
    alter table kept drop column note, drop column unused;
    drop table parted, blank;`,
}

const test = base
  .extend('prefix', { scope: 'worker' }, join(tmpdir(), 'beacon-down-plan-'))
  .extend('dir', async ({ prefix }, { onCleanup }) => {
    const dir = await mkdtemp(prefix)
    onCleanup(() => rm(dir, { recursive: true }))
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
    return dir
  })
  .extend('database', async ({ prefix: _ }, { onCleanup }): Promise<TestDatabase> => {
    const database = await createEmptyDatabase()
    onCleanup(database.drop)
    return database
  })

async function filled({ url, pool, superuser }: TestDatabase, dir: string): Promise<void> {
  await migrateUp(url, { dir })
  await pool.query(`insert into kept values (1, 'a', null), (2, null, null), (3, null, null)`)
  await pool.query('insert into parted select generate_series(0, 9)')
  // The policies hide the row from the owner of the table.
  await superuser.query(`insert into secret values ('ada')`)
}

describe('the plan of migrate down', () => {
  test('names deleted tables, columns and rows, and changes nothing', async ({ database, dir }) => {
    await filled(database, dir)
    expect(await planMigrateDown(database.url, { dir })).toEqual({
      migrations: ['0002_more'],
      tables: [
        { table: 'parted', rows: 10 },
        { table: 'kept', rows: 1 },
      ],
      columns: [{ table: 'kept', column: 'note', values: 1 }],
    })
    const { rows } = await database.pool.query('select count(*)::integer as count from kept')
    expect(rows).toEqual([{ count: 3 }])
  })

  test('counts rows that the policies hide from the owner, and leaves the policies as they were', async ({
    database,
    dir,
  }) => {
    await filled(database, dir)
    const { tables } = await planMigrateDown(database.url, { dir, to: '0' })
    expect(tables).toContainEqual({ table: 'secret', rows: 1 })
    const { rows } = await database.pool.query(
      `select relforcerowsecurity as forced from pg_class where relname = 'secret'`,
    )
    expect(rows).toEqual([{ forced: true }])
  })

  test('is empty where there are no rows and where nothing is applied', async ({ database, dir }) => {
    await migrateUp(database.url, { dir })
    expect(await planMigrateDown(database.url, { dir, to: '0' })).toEqual({
      migrations: ['0002_more', '0001_base'],
      tables: [],
      columns: [],
    })
    await migrateDown(database.url, { dir, to: '0' })
    expect(await planMigrateDown(database.url, { dir })).toEqual({ migrations: [], tables: [], columns: [] })
  })
})

describe('a migration that was undone', () => {
  test('is applied again by migrate up alone', async ({ database: { url }, dir }) => {
    await migrateUp(url, { dir })
    await migrateDown(url, { dir })
    await expect(migrateUp(url, { dir, mayReapply: false })).rejects.toThrow(
      /0002_more was undone by hand\. Apply it again with: beacon migrate up/,
    )
    expect(await migrateUp(url, { dir })).toEqual(['0002_more'])
    expect(await migrateUp(url, { dir, mayReapply: false })).toEqual([])
  })

  test('does not keep a later version from applying its own', async ({ database: { url }, dir }) => {
    await migrateUp(url, { dir })
    await migrateDown(url, { dir })
    await migrateUp(url, { dir })
    await writeFile(join(dir, '0003_new.sql'), 'create table fresh (id int);')
    await writeFile(join(dir, '0003_new.down.sql'), 'drop table fresh;')
    expect(await migrateUp(url, { dir, mayReapply: false })).toEqual(['0003_new'])
  })
})
