import type { Client } from 'pg'
import { Misconfigured } from '../../fault.ts'
import { type Instant, toInstant } from '../../market/instant.ts'
import type { Migration } from './files.ts'

type AppliedRow = Readonly<{ name: string; sha256: string; appliedAt: Instant }>

/** What is applied, and what was undone and not applied again: no migration creates these tables, and none undoes them. */
export async function createHistory(client: Client): Promise<void> {
  if (await hasBothTables(client)) return
  try {
    await client.query(`
      create table if not exists public.schema_migrations (
        name text primary key,
        sha256 text not null,
        applied_at timestamp not null
      );
      comment on table public.schema_migrations is
        'The migrations applied to this database: name, SHA-256 of the file that was run, and when (UTC).';
      create table if not exists public.undone_migrations (
        name text primary key,
        undone_at timestamp not null
      );
      comment on table public.undone_migrations is
        'The migrations that beacon migrate down has undone: only beacon migrate up applies them again.';
      comment on column public.undone_migrations.name is 'File name without its ending.';
      comment on column public.undone_migrations.undone_at is 'When it was undone (UTC).'`)
  } catch (error) {
    // Another process created them in the same moment.
    if (!(await hasBothTables(client))) throw error
  }
}

async function hasBothTables(client: Client): Promise<boolean> {
  return (await hasTable(client, 'public.schema_migrations')) && hasTable(client, 'public.undone_migrations')
}

export const hasHistory = (client: Client): Promise<boolean> => hasTable(client, 'public.schema_migrations')

async function hasTable(client: Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
    name,
  ])
  return rows[0]?.there === true
}

export async function readHistory(client: Client): Promise<AppliedRow[]> {
  if (!(await hasHistory(client))) return []
  const { rows } = await client.query<{ name: string; sha256: string; ms: string }>(`
    select name, sha256, (extract(epoch from applied_at) * 1000)::bigint::text as ms
    from public.schema_migrations
    order by name collate "C"`)
  return rows.map(({ name, sha256, ms }) => ({ name, sha256, appliedAt: toInstant(Number(ms)) }))
}

/** The migrations that were undone by hand and not applied again, in order. */
export async function readUndone(client: Client): Promise<string[]> {
  if (!(await hasTable(client, 'public.undone_migrations'))) return []
  const { rows } = await client.query<{ name: string }>(
    'select name from public.undone_migrations order by name collate "C"',
  )
  return rows.map(({ name }) => name)
}

/** By the database's own clock: several machines may migrate in turn. */
const databaseNow = `date_trunc('milliseconds', clock_timestamp() at time zone 'UTC')`

export async function recordApplied(client: Client, { name, sha256 }: Migration): Promise<void> {
  await client.query(
    `insert into public.schema_migrations (name, sha256, applied_at) values ($1, $2, ${databaseNow})`,
    [name, sha256],
  )
  await client.query('delete from public.undone_migrations where name = $1', [name])
}

export async function recordUndone(client: Client, { name }: Migration): Promise<void> {
  await client.query('delete from public.schema_migrations where name = $1', [name])
  await client.query(
    `insert into public.undone_migrations (name, undone_at) values ($1, ${databaseNow})
     on conflict (name) do update set undone_at = excluded.undone_at`,
    [name],
  )
}

/** The migrations that are applied, once it is sure that they are the first of ours and were not edited since. */
export function checkHistory(history: readonly AppliedRow[], migrations: readonly Migration[]): Migration[] {
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
