import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { type Instant, toIso, toMinuteText } from '../../market/instant.ts'
import { fromMs } from '../coverage/multirange.ts'
import { isLockFailure } from '../lock-failure.ts'
import type { Database, Transaction } from '../transaction.ts'
import { boundsIn, type Partition, relationOf } from './list-partitions.ts'
import { PartitionHeld } from './partition-holds.ts'

/** A transaction open for this long is not waited for: others would queue behind us. */
const longOpenSeconds = 5

/** While we wait, new queries of the parent queue behind us, so the first waits are short. */
const firstWaitMs = 100

/** Blocks writes to the partition until the transaction ends; reads continue. */
export async function lockRows(tx: Transaction, partition: Partition, lockTimeoutMs: number): Promise<void> {
  const lock = sql`lock table ${relationOf(partition)} in share mode`
  if (await tryLock(tx, lockTimeoutMs, async () => void (await tx.db.execute(lock)))) return
  throw await heldBySession(tx.db, [partition.oid])
}

/**
 * Locks the partition and its parent exclusively. Throws PartitionHeld if a session keeps using them, or waits for the
 * partition while holding the parent.
 */
export async function lockAlone(tx: Transaction, partition: Partition, lockTimeoutMs: number): Promise<void> {
  const oids = [await parentOf(tx.db, partition), partition.oid]
  const lock = async () => {
    await lockParentNow(tx.db, partition)
    await tx.db.execute(sql`lock table ${relationOf(partition)} in access exclusive mode`)
  }
  if (await lockPatiently(tx, { oids, lockedOid: partition.oid, lockTimeoutMs }, lock)) return
  throw await heldBySession(tx.db, oids)
}

/** Locks only the parent, to drop several partitions. */
export async function lockParent(
  tx: Transaction,
  partition: Partition,
  lockTimeoutMs: number,
): Promise<void> {
  const oids = [await parentOf(tx.db, partition)]
  const lock = () => lockParentNow(tx.db, partition)
  if (await lockPatiently(tx, { oids, lockedOid: undefined, lockTimeoutMs }, lock)) return
  throw await heldBySession(tx.db, oids)
}

/** Locks partitions whose parent is locked; does not wait for sessions that read one directly. */
export async function lockWithParent(tx: Transaction, partitions: readonly Partition[]): Promise<void> {
  const names = sql.join(partitions.map(relationOf), sql`, `)
  const lock = sql`lock table ${names} in access exclusive mode`
  if (await tryLock(tx, firstWaitMs, async () => void (await tx.db.execute(lock)))) return
  throw await heldBySession(
    tx.db,
    partitions.map(({ oid }) => oid),
  )
}

const lockParentNow = async (db: Database, { table }: Partition): Promise<void> => {
  await db.execute(sql`lock table only ${sql.identifier(table)} in access exclusive mode`)
}

type LockAttempt = Readonly<{
  oids: readonly number[]
  /** Already locked by this transaction. */
  lockedOid: number | undefined
  lockTimeoutMs: number
}>

async function lockPatiently(
  tx: Transaction,
  { oids, lockedOid, lockTimeoutMs }: LockAttempt,
  lock: () => Promise<void>,
): Promise<boolean> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, lockTimeoutMs)) {
    if (await isInLongUse(tx.db, oids)) return false
    if (await tryLock(tx, waitMs, lock)) return true
    if (waitMs >= lockTimeoutMs) return false
    if (lockedOid !== undefined && (await isWaitedFor(tx.db, lockedOid))) return false
    await wait(waitMs / 2)
  }
}

/** Tries to lock; earlier locks stay. */
async function tryLock({ db }: Transaction, waitMs: number, lock: () => Promise<void>): Promise<boolean> {
  await db.execute(sql`savepoint before_lock`)
  await db.execute(sql`select set_config('lock_timeout', ${`${Math.ceil(waitMs)}ms`}, true)`)
  try {
    await lock()
    await db.execute(sql`release savepoint before_lock`)
    return true
  } catch (error) {
    if (!isLockFailure(error)) throw error
    await db.execute(sql`rollback to savepoint before_lock`)
    return false
  }
}

/** Whether a long transaction, or a prepared one, uses a table. Autovacuum yields by itself. */
async function isInLongUse(db: Database, oids: readonly number[]): Promise<boolean> {
  const { rows } = await db.execute(sql`
    select from pg_locks left join pg_stat_activity using (pid)
    where relation = any(${sql.param(oids)}::bigint[]::oid[]) and granted and pid is distinct from pg_backend_pid()
      and pg_locks.database = (select oid from pg_database where datname = current_database())
      and (pid is null or (
        backend_type <> 'autovacuum worker'
        and xact_start < clock_timestamp() - make_interval(secs => ${longOpenSeconds})
      ))
    limit 1`)
  return rows.length > 0
}

/** A writer that holds the parent and waits for the partition would deadlock with us. */
async function isWaitedFor(db: Database, oid: number): Promise<boolean> {
  const { rows } = await db.execute(
    sql`select from pg_locks where relation = ${oid}::bigint::oid and not granted limit 1`,
  )
  return rows.length > 0
}

async function parentOf(db: Database, { table }: Partition): Promise<number> {
  const { rows } = await db.execute<{ oid: number }>(
    sql`select ${table}::regclass::oid::bigint::float8 as oid`,
  )
  return rows[0]?.oid ?? 0
}

type Session = Readonly<{ pid: number; application: string | null; login: string; since_ms: string | null }>

/** Names the oldest session; it may have ended since. */
async function heldBySession(db: Database, oids: readonly number[]): Promise<PartitionHeld> {
  const { rows } = await db.execute<Session>(sql`
    select pid, nullif(application_name, '') as application, usename as login, extract(epoch from xact_start) * 1000 as since_ms
    from pg_locks join pg_stat_activity using (pid)
    where relation = any(${sql.param(oids)}::bigint[]::oid[]) and granted and pid <> pg_backend_pid()
      and pg_locks.database = (select oid from pg_database where datname = current_database())
    order by xact_start nulls last limit 1`)
  const [session] = rows
  if (!session) return heldByPrepared(db, oids)
  const { pid, application, login, since_ms } = session
  const since: Instant | undefined = since_ms === null ? undefined : fromMs(since_ms)
  const who = application === null ? `of ${login}` : `of ${application} (${login})`
  const open = since === undefined ? '' : `, whose transaction is open since ${toMinuteText(since)} UTC`
  return new PartitionHeld(
    'lock',
    `session ${pid} ${who}${open}, uses it`,
    `end that transaction, or select pg_terminate_backend(${pid})`,
  )
}

/**
 * Prepared transactions have no session and keep their locks until finished.
 * https://www.postgresql.org/docs/current/view-pg-locks.html
 */
async function heldByPrepared(db: Database, oids: readonly number[]): Promise<PartitionHeld> {
  const { rows } = await db.execute<{ name: string; login: string; since_ms: string }>(sql`
    select quote_literal(gid) as name, owner as login, extract(epoch from prepared) * 1000 as since_ms
    from pg_locks as used
    join pg_locks as own on own.pid is null and own.locktype = 'transactionid'
      and own.virtualtransaction = used.virtualtransaction
    join pg_prepared_xacts on pg_prepared_xacts.transaction = own.transactionid
    where used.pid is null and used.relation = any(${sql.param(oids)}::bigint[]::oid[])
      and used.database = (select oid from pg_database where datname = current_database())
    order by prepared limit 1`)
  const [prepared] = rows
  if (!prepared)
    return new PartitionHeld('lock', 'queries and loads of its table left no moment without them')
  const { name, login, since_ms } = prepared
  return new PartitionHeld(
    'lock',
    `the prepared transaction ${name} of ${login}, open since ${toMinuteText(fromMs(since_ms))} UTC, uses it`,
    `rollback prepared ${name}`,
  )
}

/**
 * Throws PartitionHeld unless the locked tables are the planned partitions (oid, name, parent, bounds): they may have
 * changed since.
 */
export async function refuseAnother(db: Database, partitions: readonly Partition[]): Promise<void> {
  const planned = partitions.map(({ oid, schema, name, table, range }) => ({
    oid,
    schema,
    name,
    parent: table,
    first: toIso(range.from),
    behind: toIso(range.to),
  }))
  const { rows } = await db.execute<{ parent: string }>(sql`
    select planned.parent
    from jsonb_to_recordset(${JSON.stringify(planned)}::jsonb) as planned (
      oid bigint, schema name, name name, parent text, first timestamp, behind timestamp
    )
    left join pg_class as child on child.oid = planned.oid::oid and child.relname = planned.name and child.relkind = 'r'
    left join pg_namespace on pg_namespace.oid = child.relnamespace and nspname = planned.schema
    left join pg_inherits on inhrelid = child.oid and inhparent = planned.parent::regclass and not inhdetachpending
    left join lateral (select ${boundsIn(sql`pg_get_expr(child.relpartbound, child.oid)`)} as bounds) as found on true
    where nspname is null or inhrelid is null
      or (bounds[1]::timestamp, bounds[2]::timestamp) is distinct from (planned.first, planned.behind)
    limit 1`)
  const [other] = rows
  if (!other) return
  throw new PartitionHeld(
    'shape',
    `it is no longer the partition of ${other.parent} that it was when the plan was made`,
    'beacon partitions list shows what there is',
  )
}
