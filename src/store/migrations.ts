import { type Client, DatabaseError } from 'pg'
import { InvalidInput, Misconfigured, Unavailable } from '../fault.ts'
import { type Instant, second, toInstant } from '../market/instant.ts'
import { type Migration, migrationsDir, readMigrations } from './migrations/files.ts'
import { refuseLosses } from './migrations/losses.ts'
import { type MigrationTarget, onTarget } from './migrations/target.ts'
import { refusalOf } from './quarantine/refusal.ts'

export type MigrationStatus = Readonly<{ name: string; applied: boolean; appliedAt?: Instant }>

type AppliedRow = Readonly<{ name: string; sha256: string; appliedAt: Instant }>
type Place = Readonly<{ dir?: string }>
/** Without `mayBegin`, an empty database stays as it is. */
type UpOptions = Place & Readonly<{ mayBegin?: boolean }>
type DownOptions = Place & Readonly<{ to?: string }>

/** Timeout for another process that migrates. */
const turnMs = 600 * second
/** Timeout for a table lock, since others queue behind it. */
const tableLockMs = 30 * second

/** Applies pending migrations, each in its own transaction; returns their names. */
export async function migrateUp(
  target: MigrationTarget,
  { dir = migrationsDir, mayBegin = true }: UpOptions = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir)
  return onTarget(target, async (client) => {
    if (!mayBegin && (await readHistory(client)).length === 0)
      throw new Misconfigured(
        'the database has no tables of Beacon Ingest. Create them with: beacon migrate up, or set DATABASE_URL to another',
      )
    await createHistory(client)
    const applied = await inTurn(client, async () => checkHistory(await readHistory(client), migrations))
    const done: string[] = []
    for (const migration of migrations.slice(applied.length))
      if (await applyUp(client, migrations, migration)) done.push(migration.name)
    return done
  })
}

/** Reverts the last migration, or all after `to` (name or number; '0' for all). Returns their names in order. */
export async function migrateDown(
  target: MigrationTarget,
  { dir = migrationsDir, to }: DownOptions = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir)
  return onTarget(target, async (client) => {
    if (!(await hasHistory(client))) {
      countToKeep([], to)
      return []
    }
    const applied = await inTurn(client, async () => checkHistory(await readHistory(client), migrations))
    const undone = applied.slice(countToKeep(applied, to)).toReversed()
    await refuseLosses(client, undone)
    const done: string[] = []
    for (const migration of undone)
      if (await applyDown(client, migrations, migration)) done.push(migration.name)
    return done
  })
}

/** Migrations known to this version or the database, in order. */
export async function migrationStatus(
  target: MigrationTarget,
  { dir = migrationsDir }: Place = {},
): Promise<MigrationStatus[]> {
  const migrations = await readMigrations(dir)
  const history = await onTarget(target, readHistory)
  const appliedAt = new Map(history.map((row) => [row.name, row.appliedAt]))
  const names = new Set([...migrations, ...history].map(({ name }) => name))
  return [...names].toSorted().map((name) => {
    const at = appliedAt.get(name)
    return at === undefined ? { name, applied: false } : { name, applied: true, appliedAt: at }
  })
}

/** Names of applied migrations. Throws Misconfigured unless they are the first of this version's, unedited. */
export async function verifyMigrations(
  target: MigrationTarget,
  { dir = migrationsDir }: Place = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir)
  return checkHistory(await onTarget(target, readHistory), migrations).map(({ name }) => name)
}

async function createHistory(client: Client): Promise<void> {
  if (await hasHistory(client)) return
  try {
    await client.query(`
      create table if not exists public.schema_migrations (
        name text primary key,
        sha256 text not null,
        applied_at timestamp not null
      );
      comment on table public.schema_migrations is
        'The migrations applied to this database: name, SHA-256 of the file that was run, and when (UTC).'`)
  } catch (error) {
    // Another process created it at the same time.
    if (!(await hasHistory(client))) throw error
  }
}

async function hasHistory(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `select to_regclass('public.schema_migrations') is not null as there`,
  )
  return rows[0]?.there === true
}

async function readHistory(client: Client): Promise<AppliedRow[]> {
  if (!(await hasHistory(client))) return []
  const { rows } = await client.query<{ name: string; sha256: string; ms: string }>(`
    select name, sha256, (extract(epoch from applied_at) * 1000)::bigint::text as ms
    from public.schema_migrations
    order by name collate "C"`)
  return rows.map(({ name, sha256, ms }) => ({ name, sha256, appliedAt: toInstant(Number(ms)) }))
}

/** Verifies that applied migrations are the first of ours and unedited. */
function checkHistory(history: readonly AppliedRow[], migrations: readonly Migration[]): Migration[] {
  return history.map((row, index) => {
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

/** Returns false if another process applied it meanwhile. */
async function applyUp(
  client: Client,
  migrations: readonly Migration[],
  { name, number, up, sha256 }: Migration,
): Promise<boolean> {
  return inTurn(client, async () => {
    const count = checkHistory(await readHistory(client), migrations).length
    if (count >= number) return false
    if (count < number - 1) throw interfered('undoes migrations')
    await runFile(client, `${name}.sql`, up)
    // The database's clock, as several machines may migrate.
    await client.query(
      `insert into public.schema_migrations (name, sha256, applied_at)
       values ($1, $2, date_trunc('milliseconds', clock_timestamp() at time zone 'UTC'))`,
      [name, sha256],
    )
    return true
  })
}

async function applyDown(
  client: Client,
  migrations: readonly Migration[],
  { name, number, down }: Migration,
): Promise<boolean> {
  return inTurn(client, async () => {
    const count = checkHistory(await readHistory(client), migrations).length
    if (count < number) return false
    if (count > number) throw interfered('applies migrations')
    await runFile(client, `${name}.down.sql`, down)
    await client.query('delete from public.schema_migrations where name = $1', [name])
    return true
  })
}

const interfered = (what: string): Unavailable =>
  new Unavailable(`another process ${what} at the same time: try again when it is done`)

/** EXECUTE runs several statements but rejects `commit`, so a file is applied completely or not at all. */
async function runFile(client: Client, file: string, text: string): Promise<void> {
  try {
    await setLocally(client, {
      lock_timeout: `${tableLockMs}ms`,
      TimeZone: 'UTC',
      // A schema with the login's name would otherwise come first.
      search_path: 'public',
      'beacon.migration': text,
    })
    await client.query(`do $$ begin execute current_setting('beacon.migration'); end $$`)
    // Checks deferred constraints now, so that the commit cannot fail.
    await client.query('set constraints all immediate')
  } catch (cause) {
    throw toFault(file, text, cause)
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
  // Transient errors: locks, serialization, shutdown, resources.
  const mayPass = /^(55P03|40P01|40001|57P0|53)/.test(cause.code ?? '')
  return mayPass ? new Unavailable(`${message}; try again`, { cause }) : new Misconfigured(message, { cause })
}

/** The line, if the error is in the file and not in a function it calls. */
function lineAt(text: string, position: number, query: string | undefined): string {
  if (query !== text) return ''
  return ` (line ${text.slice(0, position).split('\n').length})`
}

/**
 * Runs work under a lock on the migrations table, one process at a time. Only the owner may lock it; any login could
 * take an advisory lock.
 */
async function inTurn<T>(client: Client, work: () => Promise<T>): Promise<T> {
  try {
    await client.query('begin')
    await takeTurn(client)
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    throw await afterwards(client, error)
  }
}

async function takeTurn(client: Client): Promise<void> {
  try {
    await setLocally(client, { lock_timeout: `${turnMs}ms` })
    await client.query('lock table public.schema_migrations in share row exclusive mode')
  } catch (cause) {
    const isBusy = cause instanceof DatabaseError && cause.code === '55P03'
    throw isBusy
      ? new Unavailable('another process is still migrating the database: try again when it is done', {
          cause,
        })
      : cause
  }
}

/** Transaction-local settings; the role's timeouts do not apply to migrations. */
async function setLocally(client: Client, settings: Readonly<Record<string, string>>): Promise<void> {
  const all = { statement_timeout: '0', idle_in_transaction_session_timeout: '0', ...settings }
  await client.query(
    'select set_config(name, value, true) from unnest($1::text[], $2::text[]) as setting (name, value)',
    [Object.keys(all), Object.values(all)],
  )
}

/** Rolls back and returns the failure, or the lost connection. */
async function afterwards(client: Client, failure: unknown): Promise<unknown> {
  try {
    await client.query('rollback')
    return failure
  } catch (error) {
    const cause = new AggregateError([failure, error])
    return new Unavailable('the connection to the database was lost: try again', { cause })
  }
}
