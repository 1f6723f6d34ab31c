import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { type Instant, toIso } from '../../market/instant.ts'
import { alignTo, union } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { deleteDigests } from '../digests/candle-digests.ts'
import { type Maintenance, recordMaintenance } from '../maintenance-audit.ts'
import { type Database, inTransaction, rootMessage, sqlStateOf, type Transaction } from '../transaction.ts'
import { endRestored } from './archives.ts'
import { type Partition, relationOf } from './list-partitions.ts'
import { readBlockers } from './partition-blockers.ts'
import { type Hold, PartitionHeld } from './partition-holds.ts'
import { lockAlone, lockParent, lockRows, lockWithParent, refuseAnother } from './partition-locks.ts'
import type { Proof } from './safekeeping.ts'
import { trimCoverage } from './trim-coverage.ts'

/** Called after each step; tests interrupt there. */
export type Steps = (name: string) => Promise<void>

export type DeleteDeps = Readonly<{
  pool: Pool
  lockTimeoutMs: number
  steps: Steps
  now: Instant
  /** For candles, to update coverage. */
  timeframe: Timeframe | undefined
}>

/**
 * Deletes a partition and its coverage in the transaction that proves that what must be kept is. Dropped while
 * attached, so that referenced tables are not locked. Throws PartitionHeld if it must stay.
 */
export const deletePartition = (
  deps: DeleteDeps,
  partition: Partition,
  proofs: readonly Proof[],
): Promise<void> =>
  inTransaction(
    deps.pool,
    async (tx) => {
      await refuseAnother(tx.db, [partition])
      await lockRows(tx, partition, deps.lockTimeoutMs)
      await refuseAnother(tx.db, [partition])
      await deps.steps('locked')
      for (const prove of proofs) await prove(tx.db, deps.now)
      await deps.steps('proved')
      await lockAlone(tx, partition, deps.lockTimeoutMs)
      await refuseBlocked(tx, partition)
      await forget(deps, tx, [partition])
      await deps.steps('trimmed')
      await dropTables(tx.db, [partition])
      await deps.steps('dropped')
    },
    'maintenance',
  )

/** Errors concern these partitions only: event triggers may raise any. */
async function dropTables(db: Database, partitions: readonly Partition[]): Promise<void> {
  try {
    await db.execute(sql`drop table ${sql.join(partitions.map(relationOf), sql`, `)}`)
  } catch (error) {
    if (sqlStateOf(error) === undefined || concernsDatabase(error)) throw error
    throw new PartitionHeld('failure', `PostgreSQL refused to drop it: ${rootMessage(error)}`)
  }
}

async function refuseBlocked({ db }: Transaction, partition: Partition): Promise<void> {
  const hold = (await readBlockers(db, [partition])).get(partition.oid)
  if (hold) throw new PartitionHeld(hold.kind, hold.reason, hold.remedy)
}

async function forget(
  { timeframe, now }: DeleteDeps,
  { db }: Transaction,
  partitions: readonly Partition[],
): Promise<void> {
  await endRestored(db, partitions)
  for (const partition of partitions) await recordMaintenance(db, dropEntry(partition))
  if (timeframe === undefined || partitions.length === 0) return
  const ranges = partitions.map(({ range }) => range)
  await trimCoverage(
    db,
    timeframe,
    ranges.map((range) => alignTo(timeframe, range)),
    now,
  )
  await deleteDigests(db, timeframe, union(ranges))
}

const dropEntry = ({ table, name, range }: Partition): Maintenance => ({
  operation: 'DROP',
  table,
  entity: name,
  details: { from: toIso(range.from), to: toIso(range.to) },
})

/** The result for each of several partitions. */
export type Deleted = Readonly<{
  deleted: readonly Partition[]
  failed: ReadonlyMap<Partition, Error>
}>

/** Limit on how long the parent is locked, beyond the drop in progress. */
const mostMs = 250

/**
 * Deletes partitions of one table in one transaction: all at once if possible, else one by one for 250 ms. The rest is
 * left to the next call.
 */
export const deletePartitions = (deps: DeleteDeps, partitions: readonly Partition[]): Promise<Deleted> =>
  inTransaction(
    deps.pool,
    async (tx) => {
      const [first] = partitions
      if (!first) return { deleted: [], failed: new Map() }
      await lockParent(tx, first, deps.lockTimeoutMs)
      const isDone = (await tryDelete(tx, partitions)) === undefined
      const outcome = isDone ? { deleted: partitions, failed: new Map() } : await oneByOne(tx, partitions)
      await deps.steps('several-dropped')
      await forget(deps, tx, outcome.deleted)
      return outcome
    },
    'maintenance',
  )

async function oneByOne(tx: Transaction, partitions: readonly Partition[]): Promise<Deleted> {
  const deleted: Partition[] = []
  const failed = new Map<Partition, Error>()
  const startedAt = performance.now()
  for (const partition of partitions) {
    const failure = await tryDelete(tx, [partition])
    if (failure) failed.set(partition, failure)
    else deleted.push(partition)
    if (performance.now() - startedAt > mostMs) break
  }
  return { deleted, failed }
}

/** Deletes all or none, in a savepoint. Returns the error. */
async function tryDelete(tx: Transaction, partitions: readonly Partition[]): Promise<Error | undefined> {
  const { db } = tx
  await db.execute(sql`savepoint before_partitions`)
  try {
    await lockWithParent(tx, partitions)
    await refuseAnother(db, partitions)
    const [hold] = (await readBlockers(db, partitions)).values()
    if (hold) throw new PartitionHeld(hold.kind, hold.reason, hold.remedy)
    await dropTables(db, partitions)
    await db.execute(sql`release savepoint before_partitions`)
    return undefined
  } catch (error) {
    if (!(error instanceof Error) || concernsDatabase(error)) throw error
    await db.execute(sql`rollback to savepoint before_partitions`)
    return error
  }
}

/** Errors that would fail for every partition: connection, read-only, shutdown. */
export const concernsDatabase = (error: unknown): boolean => /^(08|25|57)/.test(sqlStateOf(error) ?? '')

/**
 * Errors of a single partition: dependent objects, ownership, locks, triggers.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const refusals = new Set(['2BP01', '42501', '55006', '55P03', '40P01', 'P0001'])

/** The hold behind an error; undefined for unexpected errors. */
export function holdOf(error: unknown): Hold | undefined {
  if (error instanceof PartitionHeld) return error.hold
  if (!refusals.has(sqlStateOf(error) ?? '')) return undefined
  return { kind: 'failure', reason: `PostgreSQL refused: ${rootMessage(error)}`, remedy: undefined }
}

/** Of the server's shared lock table. */
const shareOfLocks = 0.25
const mostAtOnce = 50

/** How many partitions one transaction may drop, by the locks each takes. */
export async function partitionsAtOnce(
  { pool }: Pick<DeleteDeps, 'pool'>,
  { oid }: Partition,
): Promise<number> {
  const { rows } = await inTransaction(pool, ({ db }) =>
    db.execute<{ locks: number; each: number }>(sql`
      select current_setting('max_locks_per_transaction')::integer
          * (current_setting('max_connections')::integer + current_setting('max_prepared_transactions')::integer) as locks,
        3 + (select count(*)::integer from pg_index where indrelid = ${oid}::bigint::oid) as each`),
  )
  const { locks = 0, each = 1 } = rows[0] ?? {}
  return Math.max(1, Math.min(mostAtOnce, Math.floor((locks * shareOfLocks) / each)))
}
