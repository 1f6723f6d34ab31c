import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Fault, Misconfigured, Unavailable } from '../../fault.ts'
import { toIso } from '../../market/instant.ts'
import { intersect, type Range } from '../../market/range.ts'
import { inSpan } from '../../runtime/trace.ts'
import { takeLocks } from '../locks.ts'
import { recordMaintenance } from '../maintenance-audit.ts'
import { missingPartitions, type PartitionedTable, type PartitionPlan } from '../partitions.ts'
import { databaseOf, inTransaction, rootMessage, sqlStateOf, type Transaction } from '../transaction.ts'
import { ensureBranch } from './branch.ts'
import { type CatalogPartition, isBounded, readPartitions } from './catalog.ts'
import { detachObstacles, lacksRights, nameObstacles, type Obstacle } from './obstacles.ts'
import { boundsClause } from './statements.ts'

/** The result of making partitions for ranges. */
export type MadePartitions = Readonly<{
  made: readonly string[]
  partitions: readonly CatalogPartition[]
  /** Ranges without their own partition whose rows go to DEFAULT through the parent. */
  inParent: readonly Range[]
  /** Ranges whose rows cannot be stored now. */
  obstacles: readonly Obstacle[]
}>

/**
 * Creates missing partitions around existing ones and returns their names. Throws the obstacles after creating the
 * rest.
 */
export async function ensurePartitions(
  pool: Pool,
  table: PartitionedTable,
  plans: readonly PartitionPlan[],
  lockTimeoutMs: number,
): Promise<string[]> {
  const ranges = plans.map(({ range }) => range)
  const { made, obstacles } = await makePartitions(pool, table, ranges, lockTimeoutMs)
  throwObstacles(obstacles)
  return [...made]
}

/** Throws all obstacles in one message. */
export function throwObstacles(obstacles: readonly Obstacle[]): void {
  const [first, ...others] = obstacles
  if (!first) return
  if (others.length === 0) throw first.fault
  const messages = [...new Set(obstacles.map(({ fault }) => fault.message))]
  const kind = obstacles.some(({ fault }) => fault.remedy === 'retry') ? Unavailable : Misconfigured
  throw new kind(messages.join('\n'), { cause: first.fault })
}

/**
 * Like ensurePartitions, but returns obstacles. Tables are created apart and attached, without blocking readers or
 * writers, by one process at a time. `known`: partitions read before.
 */
export async function makePartitions(
  pool: Pool,
  table: PartitionedTable,
  ranges: readonly Range[],
  lockTimeoutMs: number,
  known?: readonly CatalogPartition[],
): Promise<MadePartitions> {
  const db = databaseOf(pool)
  const maker = new PartitionMaker(
    pool,
    table,
    lockTimeoutMs,
    known ?? (await readPartitions(db, [table.name])),
  )
  for (const range of ranges) await maker.fill(range)
  const detaching = detachObstacles(maker.partitions).filter((obstacle) =>
    ranges.some((range) => intersect(range, obstacle.range) !== undefined),
  )
  const { made, partitions, inParent, obstacles } = maker
  return { made, partitions, inParent, obstacles: [...detaching, ...obstacles] }
}

const tries = 8

const lockNotAvailable = '55P03'
const insufficientPrivilege = '42501'
/** Errors if another process created one meanwhile. */
const takenMeanwhile = new Set(['42P17', '42P07'])
/** `updated partition constraint for default partition "a" would be violated by some row` */
const rowsInDefault = '23514'

/** The new partition; rows go through the parent; another process took part of the range; or the obstacle. */
type Outcome = CatalogPartition | 'in-parent' | 'taken' | Fault

class PartitionMaker {
  readonly #pool: Pool
  readonly #table: PartitionedTable
  readonly #lockTimeoutMs: number
  readonly made: string[] = []
  readonly inParent: Range[] = []
  readonly obstacles: Obstacle[] = []
  partitions: readonly CatalogPartition[]

  constructor(
    pool: Pool,
    table: PartitionedTable,
    lockTimeoutMs: number,
    partitions: readonly CatalogPartition[],
  ) {
    this.#pool = pool
    this.#table = table
    this.#lockTimeoutMs = lockTimeoutMs
    this.partitions = partitions
  }

  /** Creates what the range lacks; repeats with a fresh catalog if another process was faster. */
  async fill(range: Range): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const taken = [...this.partitions.filter(isBounded), ...this.obstacles].map((one) => one.range)
      const plans = missingPartitions(this.#table, [...taken, ...this.inParent], range)
      let isTaken = false
      for (const plan of plans) isTaken = (await this.#make(plan)) || isTaken
      if (!isTaken) return
      if (attempt === tries)
        throw new Unavailable(`the partitions of ${this.#table.name} change too often; try again`)
      this.partitions = await readPartitions(databaseOf(this.#pool), [this.#table.name])
    }
  }

  /** Returns whether another process took part of the range. */
  async #make({ name, range }: PartitionPlan): Promise<boolean> {
    const outcome = await this.#createWithRetries({ name, range })
    if (outcome === 'taken') return true
    if (outcome === 'in-parent') this.inParent.push(range)
    else if (outcome instanceof Fault) this.obstacles.push({ range, fault: outcome })
    else {
      this.made.push(name)
      this.partitions = [...this.partitions, outcome]
    }
    return false
  }

  async #createWithRetries(plan: PartitionPlan): Promise<Outcome> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await inSpan('partition', { attributes: { 'db.collection.name': plan.name } }, () =>
          inTransaction(this.#pool, (tx) => createPartition(tx, this.#table, plan, this.#lockTimeoutMs)),
        )
      } catch (error) {
        // Back off, so that sessions queued behind us can proceed.
        if (sqlStateOf(error) !== lockNotAvailable) return outcomeOf(error, this.#table)
        if (attempt === tries) {
          return new Unavailable(
            `could not make partition ${plan.name}: another session holds a lock on ${this.#table.name}`,
            { cause: error },
          )
        }
        await wait(50 * attempt)
      }
    }
  }
}

/** Serializes partition creation until the transaction ends. */
export const lockPartitionCreation = (db: Transaction['db']): Promise<void> => takeLocks(db, ['partitions'])

function outcomeOf(error: unknown, { name }: PartitionedTable): Outcome {
  const state = sqlStateOf(error) ?? ''
  if (takenMeanwhile.has(state)) return 'taken'
  if (state === rowsInDefault) return 'in-parent'
  if (state === insufficientPrivilege) return lacksRights(name, rootMessage(error), error)
  if (error instanceof Fault) return error
  throw error
}

async function createPartition(
  { db }: Transaction,
  table: PartitionedTable,
  plan: PartitionPlan,
  lockTimeoutMs: number,
): Promise<Outcome> {
  await db.execute(sql`select set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`)
  await lockPartitionCreation(db)
  if (table.timeframe !== undefined) {
    const branch = await ensureBranch(db, table.name, table.timeframe)
    if (branch === 'plain') return 'in-parent'
    if (branch !== 'partitioned') return branch
  }
  const [obstacle] = await nameObstacles(db, table, [plan])
  if (obstacle) return (await isTaken(db, table, plan)) ? 'taken' : obstacle.fault
  const parent = sql.identifier(table.name)
  const child = sql.identifier(plan.name)
  const bounds = boundsClause(plan.range)
  await db.execute(
    sql`create table ${child} (like ${parent} including defaults including constraints including storage)`,
  )
  await db.execute(sql`alter table ${parent} attach partition ${child} ${sql.raw(bounds)}`)
  const details = { from: toIso(plan.range.from), to: toIso(plan.range.to) }
  await recordMaintenance(db, { operation: 'CREATE', table: table.name, entity: plan.name, details })
  const { rows } = await db.execute<{ oid: string }>(sql`select ${plan.name}::regclass::oid as oid`)
  return {
    table: table.name,
    oid: Number(rows[0]?.oid),
    schema: 'public',
    name: plan.name,
    qualifiedName: `public.${plan.name}`,
    bounds,
    range: plan.range,
    relation: 'table',
    isDetachPending: false,
  }
}

/** Whether another process created a partition while we waited. */
async function isTaken(
  db: Transaction['db'],
  { name }: PartitionedTable,
  { range }: PartitionPlan,
): Promise<boolean> {
  const partitions = await readPartitions(db, [name])
  return partitions.some((other) => isBounded(other) && intersect(other.range, range) !== undefined)
}
