import { type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { second } from '../market/instant.ts'
import { openClient } from './connection/open-client.ts'
import type { Database } from './transaction.ts'

/**
 * Waits for the named locks and holds them until the transaction ends. Everybody takes them in the same order, so that
 * two transactions never wait for each other. They are rows of a table that no role may touch: an advisory lock can be
 * taken by every login.
 */
export async function takeLocks(db: Database, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await createLocks(db, names)
  await db.execute(sql`
    select from public.locks where name in (${namesOf(names)}) order by name collate "C" for update`)
}

/**
 * Takes the lock unless another transaction has it, and returns whether it did. Its row must be committed: one that is
 * being inserted would be waited for.
 */
export async function tryLock(db: Database, name: string): Promise<boolean> {
  const { rows } = await db.execute(sql`select from public.locks where name = ${name} for update skip locked`)
  return rows.length > 0
}

/** Makes sure of the rows. A row that another transaction is inserting is waited for. */
export async function createLocks(db: Database, names: readonly string[]): Promise<void> {
  await db.execute(sql`
    insert into public.locks (name) select name from (${namesOf(names)}) as missing order by name collate "C"
    on conflict do nothing`)
}

const namesOf = (names: readonly string[]): SQL =>
  sql`select distinct wanted.name from jsonb_array_elements_text(${JSON.stringify(names)}::jsonb) as wanted (name)`

/** Runs the work while no other process of the fleet runs one under the same name. */
export async function underLock<T>(databaseUrl: string, name: string, work: () => Promise<T>): Promise<T> {
  // A connection of its own, so that no pool can be drained by those who wait; the lock ends with its transaction.
  // A lost connection loses the lock. The query under way rejects, and writing twice is harmless.
  const client = await openClient(databaseUrl, {
    applicationName: 'beacon schedule',
    connectionTimeoutMs: 5 * second,
    queryTimeoutMs: 60 * second,
  })
  try {
    const db = drizzle({ client })
    await createLocks(db, [name])
    await client.query('begin')
    await takeLocks(db, [name])
    return await work()
  } finally {
    await client.end()
  }
}
