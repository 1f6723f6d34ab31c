import { type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { second } from '../market/instant.ts'
import { openClient } from './connection/open-client.ts'
import type { Database } from './transaction.ts'

/**
 * Takes named locks until the transaction ends, in one order to avoid deadlocks. They are rows of a private table: any
 * login could take advisory locks.
 */
export async function takeLocks(db: Database, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await createLocks(db, names)
  await db.execute(sql`
    select from public.locks where name in (${namesOf(names)}) order by name collate "C" for update`)
}

/** Tries to take a lock without waiting. Its row must be committed, else this waits for the insert. */
export async function tryLock(db: Database, name: string): Promise<boolean> {
  const { rows } = await db.execute(sql`select from public.locks where name = ${name} for update skip locked`)
  return rows.length > 0
}

/** Inserts the lock rows; waits for concurrent inserts. */
export async function createLocks(db: Database, names: readonly string[]): Promise<void> {
  await db.execute(sql`
    insert into public.locks (name) select name from (${namesOf(names)}) as missing order by name collate "C"
    on conflict do nothing`)
}

const namesOf = (names: readonly string[]): SQL =>
  sql`select distinct wanted.name from jsonb_array_elements_text(${JSON.stringify(names)}::jsonb) as wanted (name)`

/** Runs work while no other process runs any under the same name. */
export async function underLock<T>(databaseUrl: string, name: string, work: () => Promise<T>): Promise<T> {
  // A dedicated connection, so that waiting cannot drain a pool. Losing it loses the lock: the running query rejects,
  // and repeating the work is harmless.
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
