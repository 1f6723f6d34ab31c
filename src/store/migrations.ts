import type { Client } from 'pg'
import { InvalidInput, Misconfigured, Unavailable } from '../fault.ts'
import type { Instant } from '../market/instant.ts'
import { type DownPlan, tryDown } from './migrations/down-plan.ts'
import { type Migration, migrationsDir, readMigrations } from './migrations/files.ts'
import {
  checkHistory,
  createHistory,
  hasHistory,
  readHistory,
  readUndone,
  recordApplied,
  recordUndone,
} from './migrations/history.ts'
import { refuseLosses } from './migrations/losses.ts'
import { inTurn, runFile } from './migrations/run-step.ts'
import { type MigrationTarget, onTarget } from './migrations/target.ts'

export type MigrationStatus = Readonly<{ name: string; applied: boolean; appliedAt?: Instant }>

type Place = Readonly<{ dir?: string }>
type UpOptions = Place &
  Readonly<{
    /** Without it, a database without any of our tables stays as it is. */
    mayBegin?: boolean
    /** Without it, what somebody has undone stays undone. */
    mayReapply?: boolean
  }>
type DownOptions = Place & Readonly<{ to?: string }>

/** Applies what is not applied yet, each step in a transaction of its own, and returns their names. */
export async function migrateUp(
  target: MigrationTarget,
  { dir = migrationsDir, mayBegin = true, mayReapply = true }: UpOptions = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir)
  return onTarget(target, async (client) => {
    if (!mayBegin && (await readHistory(client)).length === 0)
      throw new Misconfigured(
        'the database has no tables of Beacon Ingest. Create them with: beacon migrate up, or set DATABASE_URL to another',
      )
    await createHistory(client)
    const applied = await inTurn(client, async () => checkHistory(await readHistory(client), migrations))
    const pending = migrations.slice(applied.length)
    if (!mayReapply) refuseUndone(pending, await readUndone(client))
    const done: string[] = []
    for (const migration of pending)
      if (await applyUp(client, migrations, migration)) done.push(migration.name)
    return done
  })
}

function refuseUndone(pending: readonly Migration[], undone: readonly string[]): void {
  const first = pending.find(({ name }) => undone.includes(name))
  if (first) throw undoneByHand(first.name)
}

/** What a program says that needs a migration which somebody has undone. */
export const undoneByHand = (name: string): Misconfigured =>
  new Misconfigured(
    `the schema is older than this version needs: ${name} was undone by hand. Apply it again with: beacon migrate up, or run the version that fits the schema`,
  )

/**
 * Undoes the last applied step; with `to` (a name or its number) all those after it, with `to: '0'` every one.
 * Returns the names in the order in which they were undone.
 */
export async function migrateDown(
  target: MigrationTarget,
  { dir = migrationsDir, to }: DownOptions = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir)
  return onTarget(target, async (client) => {
    const undone = await stepsDown(client, migrations, to)
    const done: string[] = []
    for (const migration of undone)
      if (await applyDown(client, migrations, migration)) done.push(migration.name)
    return done
  })
}

/** What `migrateDown` with the same options would undo and delete. The database stays as it is. */
export async function planMigrateDown(
  target: MigrationTarget,
  { dir = migrationsDir, to }: DownOptions = {},
): Promise<DownPlan> {
  const migrations = await readMigrations(dir)
  return onTarget(target, async (client) => {
    const undone = await stepsDown(client, migrations, to)
    if (undone.length === 0) return { migrations: [], tables: [], columns: [] }
    return { migrations: undone.map(({ name }) => name), ...(await tryDown(client, undone)) }
  })
}

/** The applied steps to undo, the last first. Throws InvalidInput for an unknown `to`. */
async function stepsDown(
  client: Client,
  migrations: readonly Migration[],
  to: string | undefined,
): Promise<Migration[]> {
  if (!(await hasHistory(client))) {
    countToKeep([], to)
    return []
  }
  await createHistory(client)
  const applied = await inTurn(client, async () => checkHistory(await readHistory(client), migrations))
  const undone = applied.slice(countToKeep(applied, to)).toReversed()
  await refuseLosses(client, undone)
  return undone
}

/** Every migration this version or the database knows, in order; `appliedAt` only for those that are applied. */
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
  migration: Migration,
): Promise<boolean> {
  const { name, number, up } = migration
  return inTurn(client, async () => {
    const count = checkHistory(await readHistory(client), migrations).length
    if (count >= number) return false
    if (count < number - 1) throw interfered('undoes migrations')
    await runFile(client, `${name}.sql`, up)
    await recordApplied(client, migration)
    return true
  })
}

async function applyDown(
  client: Client,
  migrations: readonly Migration[],
  migration: Migration,
): Promise<boolean> {
  const { name, number, down } = migration
  return inTurn(client, async () => {
    const count = checkHistory(await readHistory(client), migrations).length
    if (count < number) return false
    if (count > number) throw interfered('applies migrations')
    await runFile(client, `${name}.down.sql`, down)
    await recordUndone(client, migration)
    return true
  })
}

const interfered = (what: string): Unavailable =>
  new Unavailable(`another process ${what} at the same time: try again when it is done`)
