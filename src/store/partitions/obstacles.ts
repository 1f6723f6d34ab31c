import { sql } from 'drizzle-orm'
import { Fault, Misconfigured } from '../../fault.ts'
import { intersect, type Range } from '../../market/range.ts'
import { missingPartitions, type PartitionedTable, type PartitionPlan } from '../partitions.ts'
import type { Database } from '../transaction.ts'
import { findBranch } from './branch.ts'
import { type CatalogPartition, isBounded, readPartitions } from './catalog.ts'
import { boundsClause } from './statements.ts'

/** A range without a partition and why none can be made; the message has the remedy. */
export type Obstacle = Readonly<{ range: Range; fault: Fault }>

/** Finds obstacles to storing rows in these ranges, read-only. */
export async function findObstacles(
  db: Database,
  table: PartitionedTable,
  ranges: readonly Range[],
): Promise<Obstacle[]> {
  if (ranges.length === 0) return []
  const branch = table.timeframe && (await findBranch(db, table.name, table.timeframe))
  if (branch === 'plain') return []
  if (branch instanceof Fault) return ranges.map((range) => ({ range, fault: branch }))
  const partitions = await readPartitions(db, [table.name])
  const taken = partitions.filter(isBounded).map(({ range }) => range)
  const missing = new Map(
    ranges.flatMap((range) => missingPartitions(table, taken, range)).map((plan) => [plan.name, plan]),
  )
  const detaching = detachObstacles(partitions)
  const plans = [...missing.values()]
  const taking = [...(await rightsObstacles(db, table, plans)), ...(await nameObstacles(db, table, plans))]
  const within = (obstacle: Obstacle) =>
    ranges.flatMap((range): Obstacle[] => {
      const common = intersect(range, obstacle.range)
      return common ? [{ ...obstacle, range: common }] : []
    })
  return [...detaching, ...taking].flatMap(within)
}

/** Interrupted detaches: they take no rows, but their range stays taken. */
export const detachObstacles = (partitions: readonly CatalogPartition[]): Obstacle[] =>
  partitions
    .filter(isBounded)
    .filter(({ isDetachPending }) => isDetachPending)
    .map(({ table, qualifiedName, bounds, range }) => ({
      range,
      fault: new Misconfigured(
        `detaching partition ${qualifiedName} (${bounds}) from ${table} was interrupted, and its range stays taken until it is finished; run: alter table public.${table} detach partition ${qualifiedName} finalize`,
      ),
    }))

async function rightsObstacles(
  db: Database,
  { name }: PartitionedTable,
  plans: readonly PartitionPlan[],
): Promise<Obstacle[]> {
  if (plans.length === 0) return []
  const { rows } = await db.execute<{ may: boolean }>(sql`
    select has_schema_privilege('public', 'create') and pg_has_role(relowner, 'usage') as may
    from pg_class where relname = ${name} and relnamespace = 'public'::regnamespace`)
  return rows[0]?.may === false
    ? plans.map(({ range }) => ({ range, fault: lacksRights(name, 'our role may not create tables there') }))
    : []
}

export const lacksRights = (table: string, reason: string, cause?: unknown): Misconfigured =>
  new Misconfigured(
    `a partition of ${table} cannot be made: ${reason}; let the owner of ${table} run: beacon partitions ensure; or make our role its owner, with the right to create in schema public`,
    { cause },
  )

type NameRow = Readonly<{ name: string; kind: string; partition_of: string | null }>

/** Partitions whose name is taken. */
export async function nameObstacles(
  db: Database,
  { name: table }: PartitionedTable,
  plans: readonly PartitionPlan[],
): Promise<Obstacle[]> {
  if (plans.length === 0) return []
  const { rows } = await db.execute<NameRow>(sql`
    select relation.relname as name, relkind as kind, inhparent::regclass::text as partition_of
    from pg_class as relation left join pg_inherits on inhrelid = relation.oid
    where relation.relname in ${plans.map(({ name }) => name)} and relation.relnamespace = 'public'::regnamespace`)
  const found = new Map(rows.map((row) => [row.name, row]))
  return plans.flatMap((plan) => {
    const row = found.get(plan.name)
    return row ? [{ range: plan.range, fault: nameFault(table, plan, row) }] : []
  })
}

/** Attachable relations: tables, partitioned and foreign tables. */
const tableKinds = new Set(['r', 'p', 'f'])

function nameFault(table: string, { name, range }: PartitionPlan, row: NameRow): Fault {
  const rename = `alter table public.${name} rename to ${name}_old`
  if (row.partition_of !== null) {
    return new Misconfigured(
      `a partition of ${table} cannot be made: public.${name} is a partition of ${row.partition_of}; rename it: ${rename}`,
    )
  }
  if (!tableKinds.has(row.kind)) {
    return new Misconfigured(
      `a partition of ${table} cannot be made: public.${name} exists and is no table; rename it: ${rename}`,
    )
  }
  const attach = `alter table public.${table} attach partition public.${name} ${boundsClause(range)}`
  return new Misconfigured(
    `a partition of ${table} cannot be made: table public.${name} exists and is not attached; attach it: ${attach}; or rename it: ${rename}`,
  )
}
