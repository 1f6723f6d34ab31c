import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { test as base, describe, expect } from 'vitest'
import { InvalidInput, Misconfigured, Unavailable } from '../../../src/fault.ts'
import { readMigrations } from '../../../src/store/migrations/files.ts'
import { migrateDown, migrateUp, migrationStatus, verifyMigrations } from '../../../src/store/migrations.ts'
import { createEmptyDatabase, type TestDatabase } from '../../support/database.ts'
import { createLogin } from '../access/row-level-security-stage.ts'

type Files = Record<string, string>

const coins: Files = {
  '0001_coins.sql': 'create table coins (id text primary key);',
  '0001_coins.down.sql': 'drop table coins;',
}
const candles: Files = {
  '0002_candles.sql': `create table candles (id int);\ninsert into candles values (1);`,
  '0002_candles.down.sql': 'drop table candles;',
}
const prices: Files = {
  '0003_prices.sql': 'create table prices (id int);',
  '0003_prices.down.sql': 'drop table prices;',
}

const folder = (name: string) => join(tmpdir(), `beacon-migrations-${name}-`)

/** A folder of migrations and a database without tables. */
const test = base
  .extend('root', { scope: 'worker' }, folder('test'))
  .extend('dir', async ({ root }, { onCleanup }) => {
    const dir = await mkdtemp(root)
    onCleanup(() => rm(dir, { recursive: true }))
    return dir
  })
  .extend('database', async ({ root: _ }, { onCleanup }): Promise<TestDatabase> => {
    const database = await createEmptyDatabase()
    onCleanup(database.drop)
    return database
  })
  .extend('login', async ({ database }, { onCleanup }) => {
    const { name, urlOf, drop } = await createLogin(database.superuserUrl)
    onCleanup(async () => {
      await database.superuser.query(`drop owned by ${name} cascade`)
      await drop()
    })
    return { name, url: urlOf(database.url) }
  })

async function write(dir: string, ...parts: Files[]): Promise<void> {
  for (const [name, text] of parts.flatMap((files) => Object.entries(files)))
    await writeFile(join(dir, name), text)
}

async function tables({ pool }: TestDatabase): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' and tablename not in ('schema_migrations', 'undone_migrations')
     order by tablename`,
  )
  return rows.map(({ name }) => name)
}

/** Resolves when a session of the database waits for a lock. */
async function someoneWaits({ pool }: TestDatabase): Promise<void> {
  await expect
    .poll(async () => {
      const { rows } = await pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return rows.length
    })
    .toBe(1)
}

/** How many locks on the table of applied migrations are held. */
async function heldLocks({ pool }: TestDatabase): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::integer as count from pg_locks
     where relation = to_regclass('public.schema_migrations') and mode <> 'AccessShareLock'`,
  )
  return rows[0]?.count ?? 0
}

describe('a folder of migrations', () => {
  test('is read in the order of its numbers', async ({ dir }) => {
    await write(dir, candles, coins)
    const migrations = await readMigrations(dir)
    expect(migrations.map(({ name, number }) => [name, number])).toEqual([
      ['0001_coins', 1],
      ['0002_candles', 2],
    ])
  })

  test('may be empty', async ({ dir, database }) => {
    expect(await migrateUp(database.url, { dir })).toEqual([])
  })

  test.for([
    ['a missing way back', { '0001_coins.sql': '' }, '0001_coins.down.sql'],
    ['a way back from nothing', { '0001_coins.down.sql': '' }, '0001_coins.sql'],
    ['a hole in the numbers', prices, '0003_prices.sql'],
    ['a number taken twice', { ...coins, '0001_users.sql': '', '0001_users.down.sql': '' }, '0001_users.sql'],
    ['a name of another form', { 'coins.sql': '', 'coins.down.sql': '' }, 'coins.sql'],
  ] as const)('is refused for %s, and the file is named', async ([, files, named], { dir }) => {
    await write(dir, files)
    await expect(readMigrations(dir)).rejects.toThrow(Misconfigured)
    await expect(readMigrations(dir)).rejects.toThrow(named)
  })

  test('has the same hashes whatever line ends the checkout gave it', async ({ dir }) => {
    await write(dir, coins)
    const [unix] = await readMigrations(dir)
    await write(dir, { '0001_coins.sql': 'create table coins\r\n(id text);' })
    const [windows] = await readMigrations(dir)
    await write(dir, { '0001_coins.sql': 'create table coins\n(id text);' })
    const [converted] = await readMigrations(dir)
    expect(windows?.sha256).toBe(converted?.sha256)
    expect(windows?.sha256).not.toBe(unix?.sha256)
  })
})

describe('going up', () => {
  test('applies what is pending, in order, and nothing the second time', async ({ dir, database }) => {
    await write(dir, coins)
    expect(await migrateUp(database.url, { dir })).toEqual(['0001_coins'])
    await write(dir, candles, prices)
    expect(await migrateUp(database.url, { dir })).toEqual(['0002_candles', '0003_prices'])
    expect(await migrateUp(database.url, { dir })).toEqual([])
    expect(await tables(database)).toEqual(['candles', 'coins', 'prices'])
  })

  test('takes a client of the caller and leaves its session as it was, without a lock', async ({
    dir,
    database,
  }) => {
    await write(dir, coins)
    const client = new Client({ connectionString: database.url, options: '-c TimeZone=Asia/Kolkata' })
    await client.connect()
    await migrateUp(client, { dir })
    expect(client.getTransactionStatus()).toBe('I')
    const { rows } = await client.query(`select current_setting('TimeZone') as zone`)
    await client.end()
    expect(rows).toEqual([{ zone: 'Asia/Kolkata' }])
    expect(await heldLocks(database)).toBe(0)
  })

  test('speaks UTC and takes its time, whatever the role is set to', async ({ dir, database }) => {
    await write(dir, {
      ...coins,
      '0001_coins.sql': `create table coins as select current_setting('TimeZone') as zone,
        current_setting('statement_timeout') as bound`,
    })
    const { pathname } = new URL(database.url)
    await database.pool.query(`alter database ${pathname.slice(1)} set timezone = 'Asia/Kolkata'`)
    await database.pool.query(`alter database ${pathname.slice(1)} set statement_timeout = '1min'`)
    await migrateUp(database.url, { dir })
    expect((await database.pool.query('select * from coins')).rows).toEqual([{ zone: 'UTC', bound: '0' }])
  })

  test('refuses what a deferred check refuses, and gives its turn back', async ({ dir, database }) => {
    const dangling = `
      create table markets (coin text references coins deferrable initially deferred);
      insert into markets values ('nobody');`
    await write(dir, coins, candles, { '0002_candles.sql': dangling })
    await expect(migrateUp(database.url, { dir })).rejects.toThrow(
      /0002_candles\.sql failed and was rolled back/,
    )
    expect(await tables(database)).toEqual(['coins'])
    await write(dir, candles)
    expect(await migrateUp(database.url, { dir })).toEqual(['0002_candles'])
  })

  test('by six at once applies each step once', async ({ dir, database }) => {
    await write(dir, coins, candles, prices)
    const done = await Promise.all(Array.from({ length: 6 }, () => migrateUp(database.url, { dir })))
    expect(done.flat().toSorted()).toEqual(['0001_coins', '0002_candles', '0003_prices'])
    expect(await tables(database)).toEqual(['candles', 'coins', 'prices'])
  })

  test('waits for a process that is in the middle of a step', async ({ dir, database }) => {
    await write(dir, coins)
    await migrateUp(database.url, { dir })
    await write(dir, candles)
    const other = await database.pool.connect()
    await other.query('begin; lock table schema_migrations in share row exclusive mode')
    const migrating = migrateUp(database.url, { dir })
    await someoneWaits(database)
    await other.query('commit')
    other.release()
    expect(await migrating).toEqual(['0002_candles'])
  })

  test('leaves the version before a failing one, and names the file, the line and the reason', async ({
    dir,
    database,
  }) => {
    const failing = 'create table prices (id int);\n\ninsert into nowhere values (1);\n'
    await write(dir, coins, candles, prices, { '0003_prices.sql': failing })
    const failed = migrateUp(database.url, { dir })
    await expect(failed).rejects.toThrow(Misconfigured)
    await expect(failed).rejects.toThrow(/0003_prices\.sql \(line 3\).*relation "nowhere" does not exist/)
    expect(await tables(database)).toEqual(['candles', 'coins'])
    await write(dir, prices)
    expect(await migrateUp(database.url, { dir })).toEqual(['0003_prices'])
  })

  test('refuses a file that commits by itself, before any of it stays', async ({ dir, database }) => {
    await write(dir, coins, {
      '0001_coins.sql': 'create table coins (id int); commit; create table b (id int);',
    })
    await expect(migrateUp(database.url, { dir })).rejects.toThrow('0001_coins.sql')
    expect(await tables(database)).toEqual([])
  })

  test('refuses a step that cannot be rolled back', async ({ dir, database }) => {
    const indexed = 'create table coins (id int); create index concurrently on coins (id);'
    await write(dir, coins, { '0001_coins.sql': indexed })
    await expect(migrateUp(database.url, { dir })).rejects.toThrow('CREATE INDEX CONCURRENTLY')
    expect(await tables(database)).toEqual([])
  })

  test('refuses an applied migration that was edited, and names it', async ({ dir, database }) => {
    await write(dir, coins, candles)
    await migrateUp(database.url, { dir })
    await write(dir, prices, { '0001_coins.sql': 'create table coins (id text primary key); -- edited' })
    await expect(migrateUp(database.url, { dir })).rejects.toThrow(/0001_coins\.sql was edited/)
    await expect(verifyMigrations(database.url, { dir })).rejects.toThrow(Misconfigured)
    expect(await tables(database)).toEqual(['candles', 'coins'])
  })

  test('refuses a database that knows migrations this version does not have', async ({ dir, database }) => {
    await write(dir, coins, candles)
    await migrateUp(database.url, { dir })
    await Promise.all(Object.keys(candles).map((name) => unlink(join(dir, name))))
    const refused = migrateUp(database.url, { dir })
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow('0002_candles')
  })

  test('killed in the middle of a step leaves nothing of it and can be repeated', async ({
    dir,
    database,
  }) => {
    await write(dir, coins, candles, {
      '0002_candles.sql': 'create table candles (id int); select pg_advisory_xact_lock(1);',
    })
    const holder = await database.pool.connect()
    await holder.query('select pg_advisory_lock(1)')
    const migrating = migrateUp(database.url, { dir })
    const refused = expect(migrating).rejects.toThrow(Unavailable)
    await someoneWaits(database)
    await holder.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    )
    await refused
    expect(await tables(database)).toEqual(['coins'])
    await holder.query('select pg_advisory_unlock(1)')
    holder.release()
    expect(await migrateUp(database.url, { dir })).toEqual(['0002_candles'])
  })

  test('tells a database that does not answer from one that refuses us', async ({ dir, database }) => {
    const nobody = new URL(database.url)
    nobody.port = '1'
    await expect(migrateUp(nobody.href, { dir })).rejects.toThrow(Unavailable)
    const wrong = new URL(database.url)
    wrong.password = 'wrong'
    await expect(migrateUp(wrong.href, { dir })).rejects.toThrow(Misconfigured)
  })
})

describe('going down', () => {
  test('undoes the last one', async ({ dir, database }) => {
    await write(dir, coins, candles, prices)
    await migrateUp(database.url, { dir })
    expect(await migrateDown(database.url, { dir })).toEqual(['0003_prices'])
    expect(await tables(database)).toEqual(['candles', 'coins'])
  })

  test.for(['1', '0001', '0001_coins'])('keeps the one named by %s', async (to, { dir, database }) => {
    await write(dir, coins, candles, prices)
    await migrateUp(database.url, { dir })
    expect(await migrateDown(database.url, { dir, to })).toEqual(['0003_prices', '0002_candles'])
    expect(await tables(database)).toEqual(['coins'])
  })

  test('to 0 undoes all, and up again leaves the same', async ({ dir, database }) => {
    await write(dir, coins, candles, prices)
    await migrateUp(database.url, { dir })
    expect(await migrateDown(database.url, { dir, to: '0' })).toHaveLength(3)
    expect(await tables(database)).toEqual([])
    await migrateUp(database.url, { dir })
    expect(await tables(database)).toEqual(['candles', 'coins', 'prices'])
  })

  test('of an untouched database does nothing', async ({ dir, database }) => {
    await write(dir, coins)
    expect(await migrateDown(database.url, { dir })).toEqual([])
  })

  test('to one that is not applied is refused', async ({ dir, database }) => {
    await write(dir, coins, candles)
    await migrateUp(database.url, { dir })
    await expect(migrateDown(database.url, { dir, to: '0007' })).rejects.toThrow(InvalidInput)
    expect(await tables(database)).toEqual(['candles', 'coins'])
  })

  test('that fails leaves the migration applied', async ({ dir, database }) => {
    await write(dir, coins, { '0001_coins.down.sql': 'drop table coins; drop table nowhere;' })
    await migrateUp(database.url, { dir })
    await expect(migrateDown(database.url, { dir })).rejects.toThrow('0001_coins.down.sql')
    expect(await tables(database)).toEqual(['coins'])
    expect(await migrateUp(database.url, { dir })).toEqual([])
  })
})

describe('a login', () => {
  test('that may create nothing in public is told what to grant, and then migrates', async ({
    dir,
    database,
    login,
  }) => {
    await write(dir, coins)
    const refused = migrateUp(login.url, { dir })
    const grant = `grant usage, create on schema public to ${login.name}`
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow(
      `permission denied for schema public: let an administrator run "${grant}"`,
    )
    await database.pool.query(grant)
    expect(await migrateUp(login.url, { dir })).toEqual(['0001_coins'])
  })

  test.for([
    ['up', migrateUp],
    ['down', migrateDown],
    ['status', migrationStatus],
    ['verify', verifyMigrations],
  ] as const)(
    'to which the tables do not belong is told so by %s',
    async ([, migrate], { dir, database, login }) => {
      await write(dir, coins)
      await migrateUp(database.url, { dir })
      await database.pool.query(`grant usage, create on schema public to ${login.name}`)
      const refused = migrate(login.url, { dir })
      await expect(refused).rejects.toThrow(Misconfigured)
      await expect(refused).rejects.toThrow(
        new RegExp(`schema_migrations: let an administrator run "grant .+ to ${login.name}"`),
      )
    },
  )

  test('with a schema of its own name has its tables in public all the same', async ({
    dir,
    database,
    login,
  }) => {
    await database.pool.query(`grant usage, create on schema public to ${login.name}`)
    await database.superuser.query(`create schema ${login.name} authorization ${login.name}`)
    await write(dir, coins)
    await migrateUp(login.url, { dir })
    expect(await tables(database)).toEqual(['coins'])
    await migrateDown(login.url, { dir })
    expect(await tables(database)).toEqual([])
  })
})

test('a session that only reads is sent to the primary, and has its client back without a lock', async ({
  dir,
  database,
}) => {
  await write(dir, coins)
  const client = new Client({
    connectionString: database.url,
    options: '-c default_transaction_read_only=on',
  })
  await client.connect()
  try {
    const refused = migrateUp(client, { dir })
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow('DATABASE_URL must name the primary')
    expect(client.getTransactionStatus()).toBe('I')
    expect(await heldLocks(database)).toBe(0)
  } finally {
    await client.end()
  }
})

describe('the status', () => {
  test('tells what is applied and when, without writing', async ({ dir, database }) => {
    await write(dir, coins)
    expect(await migrationStatus(database.url, { dir })).toEqual([{ name: '0001_coins', applied: false }])
    const { rows } = await database.pool.query(`select to_regclass('public.schema_migrations') as history`)
    expect(rows).toEqual([{ history: null }])

    const clock = () =>
      database.pool.query<{ ms: number }>(
        `select floor(extract(epoch from clock_timestamp()) * 1000)::float as ms`,
      )
    const before = (await clock()).rows[0]?.ms
    await migrateUp(database.url, { dir })
    const after = (await clock()).rows[0]?.ms
    await write(dir, candles)
    const [first, second] = await migrationStatus(database.url, { dir })
    expect(first?.applied).toBe(true)
    expect(first?.appliedAt).toBeGreaterThanOrEqual(before ?? Number.NaN)
    expect(first?.appliedAt).toBeLessThanOrEqual(after ?? Number.NaN)
    expect(second).toEqual({ name: '0002_candles', applied: false })
  })

  test('is a table with a comment', async ({ dir, database }) => {
    await migrateUp(database.url, { dir })
    const { rows } = await database.pool.query(
      `select obj_description('public.schema_migrations'::regclass) is not null as commented`,
    )
    expect(rows).toEqual([{ commented: true }])
  })
})
