import { type SQL, sql } from 'drizzle-orm'
import { escapeIdentifier, type Pool, type PoolClient } from 'pg'
import { Aborted, Unavailable } from '../../fault.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { isLockFailure, type Patience, patiently, pauseAfter } from '../lock-patience.ts'
import { BoundedPool, limitSilence } from '../pool.ts'
import { databaseOf, inTransaction, sqlStateOf, withFaults } from '../transaction.ts'
import { forgetExpiring, type Leaf, readAttachment } from './expiring-partitions.ts'

type LeafName = Pick<Leaf, 'table' | 'name'>

export type DetachReach = Readonly<{ pool: Pool; signal: AbortSignal; patience: Patience }>

/**
 * Makes the leaf a table of its own, while readers and writers of its table go on. Whoever began before may still read
 * it, and is waited for; where that takes too long it throws Unavailable, and calling it again goes on from there.
 */
export async function detachPartition(
  { pool, signal, patience }: DetachReach,
  leaf: LeafName,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    if (signal.aborted) throw new Aborted(`${leaf.name} was being detached: the next run goes on with it`)
    const attachment = await readAttachment(databaseOf(pool), leaf)
    if (attachment !== 'attached' && attachment !== 'pending') return
    const step = attachment === 'attached' ? detachConcurrently : finishDetaching
    if (await step({ pool, signal, patience }, leaf)) return
    if (attempt === patience.tries) {
      throw new Unavailable(
        `could not detach ${leaf.name}: a transaction that may read it stays open; end it, or wait for the next run, which goes on from here`,
      )
    }
    await pauseAfter(attempt)
  }
}

const canceled = '57014'

/**
 * Whether it was done in time. It is no part of a transaction, and a time limit would have to be the session's, which
 * behind a pooler is not ours: what takes too long is cancelled from outside, and what it has done by then stays.
 */
async function detachConcurrently(
  { pool, signal, patience: { waitMs } }: DetachReach,
  { table, name }: LeafName,
): Promise<boolean> {
  const statement = `alter table public.${escapeIdentifier(table)} detach partition public.${escapeIdentifier(name)} concurrently`
  const client = await withFaults(pool.connect())
  let broken: Error | undefined
  const onLoss = (error: Error) => {
    broken = error
  }
  client.on('error', onLoss)
  try {
    if (pool instanceof BoundedPool) limitSilence(client, waitMs + pool.settings.connectionTimeout)
    await runWithin(pool, client, statement, AbortSignal.any([signal, AbortSignal.timeout(waitMs)]))
    return true
  } catch (error) {
    if (sqlStateOf(error) === canceled || isLockFailure(error)) return false
    broken ??= error instanceof Error ? error : undefined
    throw error
  } finally {
    client.off('error', onLoss)
    client.release(broken)
  }
}

/** Cancels the statement once the limit aborts; it may have come to its end by then. */
async function runWithin(
  pool: Pool,
  client: PoolClient,
  statement: string,
  limit: AbortSignal,
): Promise<void> {
  const running = withFaults(client.query(statement)).then(() => 'done' as const)
  if ((await Promise.race([running, whenAborted(limit)])) === 'done') return
  const cancelling = databaseOf(pool).execute(sql`
    select pg_cancel_backend(pid) from pg_stat_activity
    where datname = current_database() and state = 'active' and query = ${statement}`)
  await Promise.all([running, cancelling])
}

const whenAborted = (signal: AbortSignal): Promise<'late'> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve('late')
    else signal.addEventListener('abort', () => resolve('late'), { once: true })
  })

/** Finishes what was interrupted, which until then keeps every other leaf of the table from being detached. */
async function finishDetaching(
  { pool, patience: { waitMs } }: DetachReach,
  { table, name }: LeafName,
): Promise<boolean> {
  try {
    await inTransaction(pool, (tx) =>
      patiently(tx, { waitMs, tries: 1 }, `${name} is in use`, () =>
        tx.db.execute(
          sql`alter table ${sql.identifier(table)} detach partition ${sql.identifier(name)} finalize`,
        ),
      ),
    )
    return true
  } catch (error) {
    if (error instanceof Unavailable && isLockFailure(error)) return false
    throw error
  }
}

/** The leaves of these tables whose detaching was interrupted. */
export async function listPending(pool: Pool, tables: readonly string[]): Promise<LeafName[]> {
  if (tables.length === 0) return []
  const { rows } = await databaseOf(pool).execute<{ table: string; name: string }>(sql`
    select parent.relname as "table", child.relname as name
    from pg_inherits
    join pg_class as child on child.oid = inhrelid
    join pg_class as parent on parent.oid = inhparent
    where inhdetachpending and parent.relname in ${tables} and parent.relnamespace = 'public'::regnamespace`)
  return rows
}

const literal = (instant: Instant): SQL => sql.raw(`'${toIso(instant)}'`)

/** Makes a detached leaf part of its table again: what must outlive it is not safe, or it is to be kept after all. */
export async function attachAgain({ pool, patience }: DetachReach, leaf: Leaf): Promise<void> {
  const { table, name, range } = leaf
  await inTransaction(pool, (tx) =>
    patiently(
      tx,
      patience,
      `could not attach ${name} again: another session holds a lock on its parent`,
      async () => {
        // Detaching has left a check of the bounds on it: nothing is read.
        await tx.db.execute(sql`
        alter table ${sql.identifier(table)} attach partition ${sql.identifier(name)}
        for values from (${literal(range.from)}) to (${literal(range.to)})`)
        await forgetExpiring(tx.db, leaf)
      },
    ),
  )
}
