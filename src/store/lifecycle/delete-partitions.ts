import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { type Instant, toIso } from '../../market/instant.ts'
import { alignTo, union } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { deleteDigests } from '../digests/candle-digests.ts'
import { type Maintenance, recordMaintenance } from '../maintenance-audit.ts'
import { inTransaction, rootMessage, sqlStateOf, type Transaction } from '../transaction.ts'
import { endRestored } from './archives.ts'
import { type Partition, relationOf } from './list-partitions.ts'
import { readBlockers } from './partition-blockers.ts'
import { type Hold, PartitionHeld } from './partition-holds.ts'
import { lockAlone, lockParent, lockRows, lockWithParent, refuseAnother } from './partition-locks.ts'
import type { Proof } from './safekeeping.ts'
import { trimCoverage } from './trim-coverage.ts'

/** Called between two steps, with the name of the one that is done: a test ends the process there. */
export type Steps = (name: string) => Promise<void>

export type DeleteDeps = Readonly<{
  pool: Pool
  lockTimeoutMs: number
  steps: Steps
  now: Instant
  /** Of candles, by which coverage knows them. */
  timeframe: Timeframe | undefined
}>

/**
 * Deletes a partition with all that is recorded of its time, in the transaction that proves that what must outlive it is
 * kept: every query sees its rows in the table before and where they are kept after, and never in between. Dropping it
 * where it is attached also leaves the tables alone that it refers to. Throws PartitionHeld where it must stay.
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
      await tx.db.execute(sql`drop table ${relationOf(partition)}`)
      await deps.steps('dropped')
    },
    'maintenance',
  )

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

/** What became of each of several partitions: deleted, or what kept it. */
export type Deleted = Readonly<{
  deleted: readonly Partition[]
  failed: ReadonlyMap<Partition, Error>
}>

/** So long the parent of several is locked at the most, beside the one that is being dropped then. */
const mostMs = 250

/**
 * Deletes partitions of one table that nothing must outlive, in one transaction: all of them at once where nothing is in
 * the way, and otherwise one by one for a quarter of a second. Those behind are for the next call.
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

/** Deletes all of them or none, inside a savepoint, so that what stops one stops no other. Returns what stopped them. */
async function tryDelete(tx: Transaction, partitions: readonly Partition[]): Promise<Error | undefined> {
  const { db } = tx
  await db.execute(sql`savepoint before_partitions`)
  try {
    if (!(await lockWithParent(tx, partitions)))
      throw new PartitionHeld('lock', 'a session reads it by its own name')
    await refuseAnother(db, partitions)
    const [hold] = (await readBlockers(db, partitions)).values()
    if (hold) throw new PartitionHeld(hold.kind, hold.reason, hold.remedy)
    await db.execute(sql`drop table ${sql.join(partitions.map(relationOf), sql`, `)}`)
    await db.execute(sql`release savepoint before_partitions`)
    return undefined
  } catch (error) {
    if (!(error instanceof Error) || concernsDatabase(error)) throw error
    await db.execute(sql`rollback to savepoint before_partitions`)
    return error
  }
}

/** A connection that is lost, a server that stops or became read-only: no other partition would fare better. */
export const concernsDatabase = (error: unknown): boolean => /^(08|25|57)/.test(sqlStateOf(error) ?? '')

/**
 * What PostgreSQL may have against the deletion of one partition: objects that depend on it, another owner, a session that
 * uses it, and what somebody's trigger raises. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const refusals = new Set(['2BP01', '42501', '55006', '55P03', '40P01', 'P0001'])

/** What holds a partition back, told by a failure; undefined where the failure was not foreseen. */
export function holdOf(error: unknown): Hold | undefined {
  if (error instanceof PartitionHeld) return error.hold
  if (!refusals.has(sqlStateOf(error) ?? '')) return undefined
  return { kind: 'failure', reason: `PostgreSQL refused: ${rootMessage(error)}`, remedy: undefined }
}

/** Of which a transaction may have so many: a part of what the server has for all sessions together. */
const shareOfLocks = 0.25
const mostAtOnce = 50

/** How many partitions of a table one transaction may drop. Each takes a lock for itself and for each of its indexes. */
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
