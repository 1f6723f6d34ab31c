import type { Pool } from 'pg'
import { Misconfigured, Unavailable } from '../../fault.ts'
import { earlier, type Instant, later, plus } from '../../market/instant.ts'
import { contains, intersect, type Range, subtract, union } from '../../market/range.ts'
import { type PartitionedTable, partitionAt } from '../partitions.ts'
import { rootMessage, sqlStateOf } from '../transaction.ts'
import { type BoundedPartition, type CatalogPartition, receiving } from './catalog.ts'
import { makePartitions } from './create-partitions.ts'
import type { Obstacle } from './obstacles.ts'

/** `inParent`: ranges whose rows go through the parent. */
type KnownTable = Readonly<{ partitions: readonly CatalogPartition[]; inParent: readonly Range[] }>

/** Partitions seen by this process, so that loads need not read the catalog. */
export type PartitionCache = Map<string, KnownTable>

export type PartitionDeps = Readonly<{ pool: Pool; partitions: PartitionCache; lockTimeoutMs: number }>

/** Target partitions, and ranges to leave out. */
export type Places = Readonly<{
  partitions: readonly BoundedPartition[]
  obstacles: readonly Obstacle[]
}>

/**
 * Ensures the partitions of these instants and writes; `write` must leave out obstacles. Retries once if a partition
 * was dropped since.
 */
export async function withPartitions<T>(
  deps: PartitionDeps,
  table: PartitionedTable,
  instants: readonly Instant[],
  write: (places: Places) => Promise<T>,
): Promise<T> {
  const needed = rangesOf(table, instants)
  let places = await findPlaces(deps, table, needed)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write(places)
    } catch (error) {
      const relation = partitionLackedBy(error)
      if (relation === undefined) throw error
      const inner = places.partitions.find(({ name }) => name === relation)
      if (inner === undefined && attempt > 1) throw droppedMeanwhile(table, error)
      deps.partitions.delete(table.name)
      places = inner ? without(places, inner, error) : await findPlaces(deps, table, needed)
    }
  }
}

const droppedMeanwhile = ({ name }: PartitionedTable, cause: unknown): Unavailable =>
  new Unavailable(`partitions of ${name} were dropped while rows were being stored; try again`, { cause })

/** A sub-partitioned partition that lacks one for some rows: its range is left out. */
function without({ partitions, obstacles }: Places, inner: BoundedPartition, cause: unknown): Places {
  const { qualifiedName, table, range } = inner
  const fault = new Misconfigured(
    `${qualifiedName}, a partition of ${table}, is partitioned itself and has no partition for some of the rows; make one, or detach it: alter table public.${table} detach partition ${qualifiedName}`,
    { cause },
  )
  return {
    partitions: partitions.filter((other) => other !== inner),
    obstacles: [...obstacles, { range, fault }],
  }
}

/** The range of instants within each usual partition. */
function rangesOf(table: PartitionedTable, instants: readonly Instant[]): Range[] {
  const spans = new Map<Instant, { from: Instant; to: Instant }>()
  let usual: Range | undefined
  for (const instant of instants) {
    // Instants mostly ascend.
    if (!usual || !contains(usual, instant)) usual = partitionAt(table, instant).range
    const span = spans.get(usual.from) ?? { from: instant, to: instant }
    span.from = earlier(span.from, instant)
    span.to = later(span.to, plus(instant, 1))
    spans.set(usual.from, span)
  }
  return [...spans.values()]
}

async function findPlaces(
  { pool, partitions: cache, lockTimeoutMs }: PartitionDeps,
  table: PartitionedTable,
  needed: readonly Range[],
): Promise<Places> {
  const known = cache.get(table.name)
  const lacking = known ? needed.filter((range) => !isCovered(range, known)) : needed
  if (lacking.length === 0) return { partitions: touching(known?.partitions ?? [], needed), obstacles: [] }
  const { partitions, inParent, obstacles } = await makePartitions(
    pool,
    table,
    lacking,
    lockTimeoutMs,
    known?.partitions,
  )
  // Do not cache: the obstacle may be gone next time.
  if (obstacles.length > 0) cache.delete(table.name)
  else cache.set(table.name, { partitions, inParent: union([...(known?.inParent ?? []), ...inParent]) })
  return { partitions: touching(partitions, needed), obstacles }
}

const isCovered = (range: Range, { partitions, inParent }: KnownTable): boolean =>
  subtract(range, [...touching(partitions, [range]).map((partition) => partition.range), ...inParent])
    .length === 0

const touching = (partitions: readonly CatalogPartition[], ranges: readonly Range[]): BoundedPartition[] =>
  receiving(partitions).filter((partition) =>
    ranges.some((range) => intersect(partition.range, range) !== undefined),
  )

/** The relation in `no partition of relation "…" found for row`, which shares its state with check violations. */
function partitionLackedBy(error: unknown): string | undefined {
  if (sqlStateOf(error) !== '23514') return undefined
  return /no partition of relation "(.*)" found for row/.exec(rootMessage(error))?.[1]
}
