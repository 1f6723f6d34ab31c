import { randomUUID } from 'node:crypto'
import { Client, DatabaseError, escapeIdentifier, Pool, type PoolClient, type PoolConfig } from 'pg'
import { test as base } from 'vitest'
import { toInstant } from '../../../src/market/instant.ts'
import { migrateUp } from '../../../src/store/migrations.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionAt } from '../../../src/store/partitions.ts'
import { createEmptyDatabase, servers } from '../../support/database.ts'
import { urlAs } from '../../support/url-as.ts'
import { type Row, withoutDefaults } from '../migrations/valid-rows.ts'
import { aPerson, firstRowOf, type Person, tablesOfUsers } from './row-level-security-rows.ts'

/** A login of a name of its own: roles belong to the server, which other tests use in the same moment. */
export type Login = Readonly<{ name: string; urlOf(databaseUrl: string): string; drop(): Promise<void> }>

export async function createLogin(clusterUrl: string, rights = ''): Promise<Login> {
  const name = `login_${randomUUID().replaceAll('-', '')}`
  await onServer(clusterUrl, `create role ${name} login password '${name}' ${rights}`)
  return {
    name,
    urlOf: (databaseUrl) => urlAs(databaseUrl, name),
    drop: () => onServer(clusterUrl, `drop role ${name}`),
  }
}

export async function onServer(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** A pool that its caller ends. */
export function openPoolOf(connectionString: string, config: PoolConfig): Pool {
  const pool = new Pool({ connectionString, ...config })
  // A database is dropped while the last session in it is still on its way out.
  pool.on('error', () => {})
  return pool
}

export const roles = ['beacon_app', 'beacon_ingest', 'beacon_readonly', 'beacon_upkeep'] as const

/** An empty, migrated database whose owner is a plain login: what binds no superuser would show nothing. */
export type OwnedDatabase = Readonly<{
  url: string
  owner: Login
  /** As the superuser. */
  pool: Pool
  /** As the owner. */
  ownersPool: Pool
  drop(): Promise<void>
}>

export async function createOwnedDatabase(clusterUrl: string): Promise<OwnedDatabase> {
  const owner = await createLogin(clusterUrl)
  const { superuserUrl: url, superuser: pool, drop } = await createEmptyDatabase(clusterUrl)
  await pool.query(`alter database ${new URL(url).pathname.slice(1)} owner to ${owner.name}`)
  // The roles are there already, made by another: it takes an administrator to let the owner act as them.
  await pool.query(`grant ${roles.join(', ')} to ${owner.name}`)
  await migrateUp(owner.urlOf(url))
  const ownersPool = openPoolOf(owner.urlOf(url), { max: 2 })
  return {
    url,
    owner,
    pool,
    ownersPool,
    drop: async () => {
      await ownersPool.end()
      await drop()
      await owner.drop()
    },
  }
}

const day = toInstant(Date.parse('2024-03-01T00:00:00Z'))

/** Makes the leaves of the first day of March 2024, as the owner of the tables. */
async function createPartitions({ ownersPool }: OwnedDatabase): Promise<void> {
  for (const table of [candleTable('1m', 'day'), { name: 'market_data', length: 'day' } as const]) {
    await ensurePartitions(ownersPool, table, [partitionAt(table, day)], 2_000)
  }
}

export type Statement = Readonly<{ text: string; values?: readonly unknown[] | undefined }>

export function insertInto(table: string, full: Row): Statement {
  const row = withoutDefaults(table, full)
  const columns = Object.keys(row).map(escapeIdentifier).join(', ')
  const places = Object.keys(row).map((_, index) => `$${index + 1}`)
  return {
    text: `insert into ${table} (${columns}) values (${places.join(', ')})`,
    values: Object.values(row),
  }
}

/** Without a condition it is for every row that can be reached. */
export function update(table: string, values: Row, id?: string): Statement {
  const columns = Object.keys(values).map((column, index) => `${escapeIdentifier(column)} = $${index + 1}`)
  const where = id === undefined ? '' : ` where id = $${columns.length + 1}`
  return {
    text: `update ${table} set ${columns.join(', ')}${where}`,
    values: [...Object.values(values), ...(id === undefined ? [] : [id])],
  }
}

export const select = (from: string, id?: string): Statement => byId(`select from ${from}`, id)
export const deleteFrom = (table: string, id?: string): Statement => byId(`delete from ${table}`, id)

const byId = (text: string, id: string | undefined): Statement =>
  id === undefined ? { text } : { text: `${text} where id = $1`, values: [id] }

/**
 * Who runs a statement; without a person, a session that acts for nobody. A superuser has run others `before`, and may
 * run one after it whose outcome is wanted `instead`.
 */
export type Actor = Readonly<{
  role: string
  person?: Person
  before?: readonly Statement[]
  instead?: Statement
}>

/** Two persons with a row in every table, one with an account and a strategy only, and one who is not there yet. */
export type Stage = Readonly<{
  database: OwnedDatabase
  alice: Person
  bob: Person
  carol: Person
  dave: Person
  /** The id of a person's row. */
  idOf(table: string, person: Person): string
  /** How many rows the statement met, or why it was refused. Nothing of it stays. */
  attempt(actor: Actor, statement: Statement): Promise<number | string>
  close(): Promise<void>
}>

/** All of it in one transaction that is never committed, and each attempt behind a savepoint of its own. */
async function openStage(clusterUrl: string): Promise<Stage> {
  const database = await createOwnedDatabase(clusterUrl)
  await createPartitions(database)
  const client = await database.pool.connect()
  const [alice, bob, carol, dave] = [aPerson(), aPerson(), aPerson(), aPerson()]
  const tables = Object.keys(tablesOfUsers)
  await client.query('begin')
  const ids = new Map<string, string>()
  for (const [person, theirs] of [
    [alice, tables],
    [bob, tables],
    [carol, ['users', 'trading_accounts', 'trading_strategies']],
  ] as const) {
    await actFor(client, person)
    for (const table of theirs) {
      const row = firstRowOf(table, person)
      await run(client, insertInto(table, row))
      ids.set(`${table} ${person.id}`, String(row.id))
    }
  }
  for (const person of [alice, bob]) {
    const { rows } = await client.query<{ id: string }>('select id from audit_logs where user_id = $1', [
      person.id,
    ])
    ids.set(`audit_logs ${person.id}`, rows[0]?.id ?? 'not logged')
  }
  await actFor(client, undefined)
  return {
    database,
    alice,
    bob,
    carol,
    dave,
    idOf: (table, person) => ids.get(`${table} ${person.id}`) ?? 'not seeded',
    attempt: (actor, statement) => attempt(client, actor, statement),
    close: async () => {
      await client.query('rollback')
      client.release()
      await database.drop()
    },
  }
}

async function attempt(
  client: PoolClient,
  { role, person, before = [], instead }: Actor,
  statement: Statement,
): Promise<number | string> {
  await client.query('savepoint attempt')
  try {
    for (const earlier of before) await run(client, earlier)
    await client.query(`set local role ${role}`)
    await actFor(client, person)
    const count = await run(client, statement)
    if (!instead) return count
    await client.query('reset role')
    return await run(client, instead)
  } catch (error) {
    if (error instanceof DatabaseError && error.code === '42501') return error.message
    throw error
  } finally {
    await client.query('rollback to savepoint attempt')
  }
}

async function actFor(client: PoolClient, person: Person | undefined): Promise<void> {
  await client.query(`select set_config('app.user_id', $1, true)`, [person?.id ?? ''])
}

async function run(client: PoolClient, { text, values }: Statement): Promise<number> {
  const { rowCount } = await client.query(text, values && [...values])
  return rowCount ?? 0
}

/** `test` on each server, with a stage for the file. */
export const stages = servers.map(({ server, clusterUrl }) => ({
  server,
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from the pattern
  test: base.extend('stage', { scope: 'file' }, async ({}, { onCleanup }) => {
    const stage = await openStage(clusterUrl)
    onCleanup(stage.close)
    return stage
  }),
}))
