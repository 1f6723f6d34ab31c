import { type Client, DatabaseError } from 'pg'
import { InvalidInput, Misconfigured, Unavailable } from '../fault.ts'
import { type Instant, second, toInstant } from '../market/instant.ts'
import { openClient } from './connection/open-client.ts'
import { type Migration, migrationsDir, readMigrations } from './migration-files.ts'
import { refusalOf } from './refusal.ts'

/** A connection of its own, never one of a pool: whoever migrates may wait long for others. */
export type MigrationTarget = Client | string

export type MigrationStatus = Readonly<{ name: string; applied: boolean; appliedAt?: Instant }>

type LedgerRow = Readonly<{ name: string; sha256: string; appliedAt: Instant }>
type Place = Readonly<{ dir?: string }>
type DownOptions = Place & Readonly<{ to?: string }>

/** Any number that nothing else in the database takes for an advisory lock. */
const lockKey = 4_271_960_301
/** How long to wait while another process migrates. */
const turnMs = 600 * second
/** How long a step waits for a table that is in use, with everybody else queueing behind it. */
const tableLockMs = 30 * second

/** Applies what is not applied yet, each step in a transaction of its own, and returns their names. */
export async function migrateUp(
  target: MigrationTarget,
  { dir = migrationsDir }: Place = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir)
  return onTarget(target, (client) =>
    inTurn(client, async () => {
      await createLedger(client)
      await commit(client)
      const applied = checkLedger(await readLedger(client), migrations)
      const pending = migrations.slice(applied.length)
      for (const migration of pending) await applyUp(client, migration)
      return pending.map(({ name }) => name)
    }),
  )
}

/**
 * Undoes the last applied step; with `to` (a name or its number) all those after it, with `to: '0'` every one.
 * Returns the names in the order in which they were undone.
 */
export async function migrateDown(
  target: MigrationTarget,
  { dir = migrationsDir, to }: DownOptions = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir)
  return onTarget(target, (client) =>
    inTurn(client, async () => {
      const applied = checkLedger(await readLedger(client), migrations)
      const undone = applied.slice(countToKeep(applied, to)).toReversed()
      for (const migration of undone) await applyDown(client, migration)
      return undone.map(({ name }) => name)
    }),
  )
}

/** Every migration this version or the database knows, in order; `appliedAt` only for those that are applied. */
export async function migrationStatus(
  target: MigrationTarget,
  { dir = migrationsDir }: Place = {},
): Promise<MigrationStatus[]> {
  const migrations = await readMigrations(dir)
  const ledger = await onTarget(target, readLedger)
  const appliedAt = new Map(ledger.map((row) => [row.name, row.appliedAt]))
  const names = new Set([...migrations, ...ledger].map(({ name }) => name))
  return [...names].toSorted().map((name) => {
    const at = appliedAt.get(name)
    return at === undefined ? { name, applied: false } : { name, applied: true, appliedAt: at }
  })
}

/**
 * Returns the names of the applied migrations. Throws Misconfigured unless they are, unedited, the first of those this
 * version has.
 */
export async function verifyMigrations(
  target: MigrationTarget,
  { dir = migrationsDir }: Place = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir)
  return checkLedger(await onTarget(target, readLedger), migrations).map(({ name }) => name)
}

async function createLedger(client: Client): Promise<void> {
  await client.query(`
    create table if not exists public.schema_migrations (
      name text primary key,
      sha256 text not null,
      applied_at timestamp not null
    );
    comment on table public.schema_migrations is
      'The migrations applied to this database: name, SHA-256 of the file that was run, and when (UTC).'`)
}

async function readLedger(client: Client): Promise<LedgerRow[]> {
  const { rows: found } = await client.query<{ there: boolean }>(
    `select to_regclass('public.schema_migrations') is not null as there`,
  )
  if (!found[0]?.there) return []
  const { rows } = await client.query<{ name: string; sha256: string; ms: string }>(`
    select name, sha256, (extract(epoch from applied_at) * 1000)::bigint::text as ms
    from public.schema_migrations
    order by name collate "C"`)
  return rows.map(({ name, sha256, ms }) => ({ name, sha256, appliedAt: toInstant(Number(ms)) }))
}

/** The migrations that are applied, once it is sure that they are the first of ours and were not edited since. */
function checkLedger(ledger: readonly LedgerRow[], migrations: readonly Migration[]): Migration[] {
  return ledger.map((row, index) => {
    const ours = migrations.find(({ name }) => name === row.name)
    if (!ours) {
      throw new Misconfigured(
        `the database knows the migration ${row.name}, which this version does not have: ` +
          'run a version that has it',
      )
    }
    if (ours.number !== index + 1) {
      const missing = migrations[index]?.name
      throw new Misconfigured(`the database has ${row.name} but not ${missing}: restore it from a backup`)
    }
    if (ours.sha256 !== row.sha256) {
      throw new Misconfigured(
        `${row.name}.sql was edited after it was applied: put the file back and write a new migration`,
      )
    }
    return ours
  })
}

function countToKeep(applied: readonly Migration[], to: string | undefined): number {
  if (to === undefined) return Math.max(0, applied.length - 1)
  if (/^0+$/.test(to)) return 0
  const kept = applied.find(({ name, number }) => name === to || (/^\d+$/.test(to) && number === Number(to)))
  if (kept) return kept.number
  const known = applied.map(({ name }) => name).join(', ') || 'none'
  throw new InvalidInput(
    `no applied migration is called ${to}: name one of those applied (${known}), or 0 for all`,
  )
}

async function applyUp(client: Client, { name, up, sha256 }: Migration): Promise<void> {
  await inStep(client, `${name}.sql`, up, async () => {
    // The database's own clock: several machines may migrate in turn.
    await client.query(
      `insert into public.schema_migrations (name, sha256, applied_at)
       values ($1, $2, date_trunc('milliseconds', clock_timestamp() at time zone 'UTC'))`,
      [name, sha256],
    )
  })
}

async function applyDown(client: Client, { name, down }: Migration): Promise<void> {
  await inStep(client, `${name}.down.sql`, down, async () => {
    await client.query('delete from public.schema_migrations where name = $1', [name])
  })
}

/**
 * Runs a file and what the ledger says of it in one transaction, and begins the next. The text goes through EXECUTE, which runs several
 * statements but refuses a `commit` among them: a file cannot leave half of itself behind.
 */
async function inStep(
  client: Client,
  file: string,
  text: string,
  record: () => Promise<void>,
): Promise<void> {
  try {
    await setLocally(client, {
      lock_timeout: `${tableLockMs}ms`,
      TimeZone: 'UTC',
      // A schema with the login's name would come first otherwise, and take the tables.
      search_path: 'public',
      'beacon.migration': text,
    })
    await client.query(`do $$ begin execute current_setting('beacon.migration'); end $$`)
    await record()
    await commit(client)
  } catch (cause) {
    throw await afterwards(client, 'rollback and chain', toFault(file, text, cause))
  }
}

function toFault(file: string, text: string, cause: unknown): unknown {
  if (!(cause instanceof DatabaseError)) {
    return new Unavailable(`${file} was interrupted and is not applied: try again`, { cause })
  }
  const refusal = refusalOf(cause)
  if (refusal instanceof Misconfigured) return refusal
  const line = cause.internalPosition ? lineAt(text, Number(cause.internalPosition), cause.internalQuery) : ''
  const message = `${file}${line} failed and was rolled back: ${cause.message}`
  // Someone else was in the way: a lock not had in time, a deadlock, a server going down.
  const mayPass = /^(55P03|40P01|40001|57P0|53)/.test(cause.code ?? '')
  return mayPass ? new Unavailable(`${message}; try again`, { cause }) : new Misconfigured(message, { cause })
}

/** Where in the file PostgreSQL found the error, if it speaks of the file and not of a function called by it. */
function lineAt(text: string, position: number, query: string | undefined): string {
  if (query !== text) return ''
  return ` (line ${text.slice(0, position).split('\n').length})`
}

async function onTarget<T>(target: MigrationTarget, work: (client: Client) => Promise<T>): Promise<T> {
  if (typeof target !== 'string') return explained(target, work)
  const client = await connect(target)
  try {
    return await explained(client, work)
  } finally {
    await client.end()
  }
}

/** What the server has against the login or the session is thrown with its remedy. */
async function explained<T>(client: Client, work: (client: Client) => Promise<T>): Promise<T> {
  try {
    return await work(client)
  } catch (error) {
    throw refusalOf(error) ?? (await rightsMissing(client, error)) ?? error
  }
}

const insufficientPrivilege = '42501'

type Rights = Readonly<{ login: string; mayCreate: boolean; owner: string | null }>

/** Which right the login lacks and who gives it, where it is one that every migration needs; undefined for any other error. */
async function rightsMissing(client: Client, error: unknown): Promise<Misconfigured | undefined> {
  const cause = error instanceof Misconfigured ? error.cause : error
  if (!(cause instanceof DatabaseError) || cause.code !== insufficientPrivilege) return undefined
  const rights = await readRights(client)
  if (!rights) return undefined
  const { login, mayCreate, owner } = rights
  const refused = `${error instanceof Misconfigured ? error.message : cause.message}: let an administrator run`
  if (owner !== null) {
    return new Misconfigured(
      `${refused} "grant ${owner} to ${login}", or use the login ${owner}, which owns the tables`,
      { cause },
    )
  }
  return mayCreate
    ? undefined
    : new Misconfigured(`${refused} "grant usage, create on schema public to ${login}"`, { cause })
}

/** Undefined where the server cannot tell any more. `owner` is that of the ledger, where the login has not its rights. */
async function readRights(client: Client): Promise<Rights | undefined> {
  try {
    const { rows } = await client.query<Rights>(`
      select quote_ident(current_user) as login,
        has_schema_privilege(public.oid, 'usage') and has_schema_privilege(public.oid, 'create') as "mayCreate",
        (select quote_ident(pg_get_userbyid(relowner)) from pg_class
          where relnamespace = public.oid and relname = 'schema_migrations'
            and not pg_has_role(relowner, 'usage')) as owner
      from pg_namespace as public
      where nspname = 'public'`)
    return rows[0]
  } catch {
    return undefined
  }
}

async function connect(url: string): Promise<Client> {
  try {
    return await openClient(url, { applicationName: 'beacon migrate', connectionTimeoutMs: 30 * second })
  } catch (cause) {
    const refusal = refusalOf(cause)
    if (refusal) throw refusal
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Unavailable(`the database does not answer (${why}): check DATABASE_URL and try again`, {
      cause,
    })
  }
}

/**
 * One process at a time migrates; the next finds what this one did. The work begins inside a transaction, and each
 * `commit` in it begins the next one at once: a pooler then never takes the server's session away between two of them,
 * and the lock, which is the session's, stays ours.
 */
async function inTurn<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await takeLock(client)
  try {
    const result = await work()
    await client.query(letGo)
    return result
  } catch (error) {
    // Most failures spoil the transaction, and nothing is unlocked in a spoilt one.
    throw await afterwards(client, `rollback and chain; ${letGo}`, error)
  }
}

const letGo = `select pg_advisory_unlock(${lockKey}); commit`

async function takeLock(client: Client): Promise<void> {
  try {
    await client.query('begin')
    await setLocally(client, { lock_timeout: `${turnMs}ms` })
    await client.query('select pg_advisory_lock($1)', [lockKey])
    await commit(client)
  } catch (cause) {
    const isBusy = cause instanceof DatabaseError && cause.code === '55P03'
    const busy = 'another process is still migrating the database: try again when it is done'
    throw await afterwards(client, 'rollback', isBusy ? new Unavailable(busy, { cause }) : cause)
  }
}

/** Commits and begins the next transaction. What is checked at the end is checked before, so that it cannot fail. */
async function commit(client: Client): Promise<void> {
  await client.query('set constraints all immediate; commit and chain')
}

/** Settings of this transaction alone. The role's limits are for its daily work: a step takes as long as it takes. */
async function setLocally(client: Client, settings: Readonly<Record<string, string>>): Promise<void> {
  const all = { statement_timeout: '0', idle_in_transaction_session_timeout: '0', ...settings }
  await client.query(
    'select set_config(name, value, true) from unnest($1::text[], $2::text[]) as setting (name, value)',
    [Object.keys(all), Object.values(all)],
  )
}

/** Cleans up after a failure and gives it back. That fails only where the connection is lost, which then is the failure. */
async function afterwards(client: Client, cleaning: string, failure: unknown): Promise<unknown> {
  try {
    await client.query(cleaning)
    return failure
  } catch (error) {
    const cause = new AggregateError([failure, error])
    return new Unavailable('the connection to the database was lost: try again', { cause })
  }
}
