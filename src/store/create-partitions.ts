import { setTimeout as wait } from 'node:timers/promises'
import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Misconfigured, Unavailable } from '../fault.ts'
import { type Instant, second, toIso } from '../market/instant.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { inSpan } from '../runtime/trace.ts'
import { takeLocks } from './locks.ts'
import { recordMaintenance } from './maintenance-audit.ts'
import type { PartitionedTable, PartitionPlan } from './partitions.ts'
import { databaseOf, inTransaction, rootMessage, sqlStateOf, type Transaction } from './transaction.ts'

const tries = 8

const lockNotAvailable = '55P03'
const overlaps = '42P17'

/**
 * Makes the missing ones of the planned leaves, and returns their names. Each is made beside its parent and attached,
 * which readers and writers do not notice; one process at a time makes any.
 */
export async function ensurePartitions(
  pool: Pool,
  table: PartitionedTable,
  plans: readonly PartitionPlan[],
  lockTimeoutMs: number,
): Promise<string[]> {
  const existing = await leafNames(pool, table)
  const missing = plans.filter(({ name }) => !existing.has(name))
  const made: string[] = []
  for (const plan of missing) {
    if (await createWithRetries(pool, table, plan, lockTimeoutMs)) made.push(plan.name)
  }
  return made
}

/** Names alone: bounds and sizes would wait, without end, for whoever holds a lock on a leaf. */
async function leafNames(pool: Pool, { name }: PartitionedTable): Promise<Set<string>> {
  const { rows } = await databaseOf(pool).execute<{ name: string }>(sql`
    select child.relname as name
    from pg_inherits
    join pg_class as child on child.oid = inhrelid
    join pg_class as parent on parent.oid = inhparent
    where parent.relname = ${name} and parent.relnamespace = current_schema()::regnamespace and not inhdetachpending`)
  return new Set(rows.map((row) => row.name))
}

async function createWithRetries(
  pool: Pool,
  table: PartitionedTable,
  plan: PartitionPlan,
  lockTimeoutMs: number,
): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inSpan('partition', { attributes: { 'db.collection.name': plan.name } }, () =>
        inTransaction(pool, (tx) => createPartition(tx, table, plan, lockTimeoutMs)),
      )
    } catch (error) {
      const state = sqlStateOf(error)
      if (state === overlaps) {
        throw new Misconfigured(
          `partition ${plan.name} cannot be made: ${rootMessage(error)}; set the partition length of ${table.name} back to what it was`,
          { cause: error },
        )
      }
      // Another's lock: step back, so that whoever waits behind us gets on, and try again.
      if (state !== lockNotAvailable) throw error
      if (attempt === tries)
        throw new Unavailable(
          `could not make partition ${plan.name}: another session holds a lock on its parent`,
          { cause: error },
        )
      await wait(50 * attempt)
    }
  }
}

/** Until the transaction ends, nobody else makes a partition. */
export const lockPartitionCreation = (db: Transaction['db']): Promise<void> => takeLocks(db, ['partitions'])

const literal = (instant: Instant): SQL => sql.raw(`'${toIso(instant)}'`)

async function createPartition(
  { db }: Transaction,
  table: PartitionedTable,
  plan: PartitionPlan,
  lockTimeoutMs: number,
): Promise<boolean> {
  await db.execute(sql`select set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`)
  await lockPartitionCreation(db)
  if (table.timeframe !== undefined) await ensureTimeframe(db, table, table.timeframe)
  const { rows } = await db.execute<{ parent: string | null; is_detaching: boolean }>(sql`
    select parent.relname as parent,
      coalesce(inhdetachpending, false) as is_detaching
    from pg_class as child
    left join pg_inherits on inhrelid = child.oid
    left join pg_class as parent on parent.oid = inhparent
    where child.relname = ${plan.name} and child.relnamespace = current_schema()::regnamespace`)
  const [found] = rows
  if (found?.is_detaching)
    throw new Misconfigured(
      `DETACH PARTITION of ${plan.name} was interrupted: finish it with alter table ${table.name} detach partition ${plan.name} finalize`,
    )
  if (found?.parent === table.name) return false
  if (found)
    throw new Misconfigured(
      `table ${plan.name} exists but is no partition of ${table.name}: attach it or rename it`,
    )
  const parent = sql.identifier(table.name)
  const child = sql.identifier(plan.name)
  await db.execute(
    sql`create table ${child} (like ${parent} including defaults including constraints including storage)`,
  )
  await db.execute(
    sql`alter table ${parent} attach partition ${child} for values from (${literal(plan.range.from)}) to (${literal(plan.range.to)})`,
  )
  const details = { from: toIso(plan.range.from), to: toIso(plan.range.to) }
  await recordMaintenance(db, { operation: 'CREATE', table: table.name, entity: plan.name, details })
  return true
}

/** The first level of ohlcv_data: a timeframe that came with the configuration gets its branch here. */
async function ensureTimeframe(
  db: Transaction['db'],
  { name }: PartitionedTable,
  timeframe: Timeframe,
): Promise<void> {
  const { rows } = await db.execute(
    sql`select from pg_class where relname = ${name} and relnamespace = current_schema()::regnamespace`,
  )
  if (rows.length > 0) return
  const branch = sql.identifier(name)
  await db.execute(
    sql`create table ${branch} (like ohlcv_data including defaults including constraints) partition by range (timestamp)`,
  )
  // As the migrations have it on theirs; the leaves take it over. DDL takes no parameters.
  const length = sql.raw(`'${timeframeMs[timeframe] / second} seconds'`)
  await db.execute(sql`
    alter table ${branch} add constraint ${sql.identifier(`${name}_aligned`)}
    check (timestamp = date_bin(${length}, timestamp, '1970-01-01'))`)
  await db.execute(
    sql`alter table ohlcv_data attach partition ${branch} for values in (${sql.raw(`'${timeframe}'`)})`,
  )
  await recordMaintenance(db, {
    operation: 'CREATE',
    table: 'ohlcv_data',
    entity: name,
    details: { timeframe },
  })
}
