import { setTimeout as wait } from 'node:timers/promises'
import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Misconfigured, Unavailable } from '../fault.ts'
import { type Instant, second, toInstant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { type Timeframe, timeframeMs, timeframes } from '../market/timeframe.ts'
import type { PartitionLength } from '../settings/schema.ts'
import type { Settings } from '../settings.ts'
import { type RangeRow, toRange } from './multirange.ts'
import { databaseOf, inTransaction, rootMessage, sqlStateOf, type Transaction } from './transaction.ts'

/** A table whose leaves hold a day, a month or a year each. */
export type PartitionedTable = Readonly<{ name: string; length: PartitionLength; timeframe?: Timeframe }>

/** Every partitioned table that the settings speak of. */
export function partitionedTables(settings: Settings): PartitionedTable[] {
  const candles = timeframes.flatMap((timeframe) => {
    const policy = settings.timeframes[timeframe]
    return policy ? [candleTable(timeframe, policy.partition)] : []
  })
  return [...candles, { name: 'market_data', length: settings.prices.partition }]
}

export const candleTable = (timeframe: Timeframe, length: PartitionLength): PartitionedTable => ({
  name: `ohlcv_data_${timeframe}`,
  length,
  timeframe,
})

/** One leaf: `ohlcv_data_1m_y2024m05d17`. */
export type PartitionPlan = Readonly<{ name: string; range: Range }>

/** The leaf that holds an instant. */
export function partitionAt({ name, length }: PartitionedTable, instant: Instant): PartitionPlan {
  const date = new Date(instant)
  const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  const begin = (years: number, months: number, days: number) => toInstant(Date.UTC(years, months, days))
  const y = `y${String(year).padStart(4, '0')}`
  const m = `m${String(month + 1).padStart(2, '0')}`
  const d = `d${String(dayOfMonth).padStart(2, '0')}`
  switch (length) {
    case 'year':
      return { name: `${name}_${y}`, range: { from: begin(year, 0, 1), to: begin(year + 1, 0, 1) } }
    case 'month':
      return {
        name: `${name}_${y}${m}`,
        range: { from: begin(year, month, 1), to: begin(year, month + 1, 1) },
      }
    case 'day':
      return {
        name: `${name}_${y}${m}${d}`,
        range: { from: begin(year, month, dayOfMonth), to: begin(year, month, dayOfMonth + 1) },
      }
  }
}

/** The leaves that a range touches, ascending. */
export function partitionsOf(table: PartitionedTable, { from, to }: Range): PartitionPlan[] {
  const plans: PartitionPlan[] = []
  for (let at = from; at < to; ) {
    const plan = partitionAt(table, at)
    plans.push(plan)
    at = plan.range.to
  }
  return plans
}

/** The leaf that holds `now` and the next `ahead` ones. */
export function partitionsAhead(table: PartitionedTable, now: Instant, ahead: number): PartitionPlan[] {
  const plans = [partitionAt(table, now)]
  for (let last = plans[0]; last && plans.length <= ahead; last = plans.at(-1))
    plans.push(partitionAt(table, last.range.to))
  return plans
}

export type Partition = Readonly<{
  table: string
  name: string
  range: Range
  bytes: number
  estimatedRows: number
}>

/**
 * Every leaf in the catalog with the bounds that the catalog says, ascending. Throws Misconfigured for a leaf without
 * bounds: what lies in a default partition belongs to no time, and keeps the leaf of its time from being made.
 */
export async function listPartitions(pool: Pool, tables: readonly string[]): Promise<Partition[]> {
  if (tables.length === 0) return []
  const { rows } = await databaseOf(pool).execute<
    RangeRow & { parent: string; name: string; bounded: boolean; bytes: string; estimated_rows: string }
  >(sql`
    with leaf as (
      select parent.relname as parent, child.relname as name, child.oid,
        regexp_match(pg_get_expr(child.relpartbound, child.oid), $$FROM [(]'([^']+)'[)] TO [(]'([^']+)'[)]$$) as bounds,
        greatest(child.reltuples, 0)::bigint as estimated_rows
      from pg_inherits
      join pg_class as child on child.oid = inhrelid
      join pg_class as parent on parent.oid = inhparent
      where parent.relname in ${tables} and parent.relnamespace = current_schema()::regnamespace
    )
    select parent, name, bounds is not null as bounded, pg_total_relation_size(oid) as bytes, estimated_rows,
      extract(epoch from bounds[1]::timestamp) * 1000 as from_ms, extract(epoch from bounds[2]::timestamp) * 1000 as to_ms
    from leaf
    order by parent, bounds[1]::timestamp`)
  const unbounded = rows.find(({ bounded }) => !bounded)
  if (unbounded) {
    throw new Misconfigured(
      `partition ${unbounded.name} of ${unbounded.parent} has no bounds in time: move its rows to the table and drop it`,
    )
  }
  return rows.map((row) => ({
    table: row.parent,
    name: row.name,
    range: toRange(row),
    bytes: Number(row.bytes),
    estimatedRows: Number(row.estimated_rows),
  }))
}

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
    where parent.relname = ${name} and parent.relnamespace = current_schema()::regnamespace`)
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
      return await inTransaction(pool, (tx) => createPartition(tx, table, plan, lockTimeoutMs))
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

const literal = (instant: Instant): SQL => sql.raw(`'${toIso(instant)}'`)

async function createPartition(
  { db }: Transaction,
  table: PartitionedTable,
  plan: PartitionPlan,
  lockTimeoutMs: number,
): Promise<boolean> {
  await db.execute(sql`select set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`)
  await db.execute(sql`select pg_advisory_xact_lock(hashtextextended('beacon:partitions', 0))`)
  if (table.timeframe !== undefined) await ensureTimeframe(db, table, table.timeframe)
  const { rows } = await db.execute<{ parent: string | null }>(sql`
    select parent.relname as parent
    from pg_class as child
    left join pg_inherits on inhrelid = child.oid
    left join pg_class as parent on parent.oid = inhparent
    where child.relname = ${plan.name} and child.relnamespace = current_schema()::regnamespace`)
  const [found] = rows
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
}
