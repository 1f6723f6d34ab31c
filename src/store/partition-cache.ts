import type { Pool } from 'pg'
import { Unavailable } from '../fault.ts'
import { earlier, type Instant, later, plus } from '../market/instant.ts'
import { contains, intersect, type Range, subtract, union } from '../market/range.ts'
import { makePartitions } from './create-partitions.ts'
import { type BoundedPartition, type CatalogPartition, receiving } from './partitions/catalog.ts'
import type { Obstacle } from './partitions/obstacles.ts'
import { type PartitionedTable, partitionAt } from './partitions.ts'
import { sqlStateOf } from './transaction.ts'

/** What is known of a table's partitions; `inParent`: ranges whose rows go through the table all the same. */
type KnownTable = Readonly<{ partitions: readonly CatalogPartition[]; inParent: readonly Range[] }>

/** The partitions that this process has seen, by table, so that a load need not read the catalog each time. */
export type PartitionCache = Map<string, KnownTable>

export type PartitionReach = Readonly<{ pool: Pool; partitions: PartitionCache; lockTimeoutMs: number }>

/** Where rows go: the partitions of their times, and the ranges whose rows must be left out. */
export type Places = Readonly<{
  partitions: readonly BoundedPartition[]
  obstacles: readonly Obstacle[]
}>

/**
 * Makes sure of the partitions that rows at these instants go to, then writes them; `write` leaves out what has an
 * obstacle. Should a partition have been dropped since it was seen, it is made again and the write is tried once more.
 */
export async function withPartitions<T>(
  reach: PartitionReach,
  table: PartitionedTable,
  instants: readonly Instant[],
  write: (places: Places) => Promise<T>,
): Promise<T> {
  const needed = rangesOf(table, instants)
  try {
    return await write(await findPlaces(reach, table, needed))
  } catch (error) {
    if (!isMissingPartition(error)) throw error
  }
  reach.partitions.delete(table.name)
  const places = await findPlaces(reach, table, needed)
  try {
    return await write(places)
  } catch (error) {
    if (!isMissingPartition(error)) throw error
    throw new Unavailable(
      `partitions of ${table.name} were dropped while rows were being stored; try again`,
      {
        cause: error,
      },
    )
  }
}

/** What the instants span in each usual partition. */
function rangesOf(table: PartitionedTable, instants: readonly Instant[]): Range[] {
  const spans = new Map<Instant, { from: Instant; to: Instant }>()
  let usual: Range | undefined
  for (const instant of instants) {
    // Most instants come ascending.
    if (!usual || !contains(usual, instant)) usual = partitionAt(table, instant).range
    const span = spans.get(usual.from) ?? { from: instant, to: instant }
    span.from = earlier(span.from, instant)
    span.to = later(span.to, plus(instant, 1))
    spans.set(usual.from, span)
  }
  return [...spans.values()]
}

async function findPlaces(
  { pool, partitions: cache, lockTimeoutMs }: PartitionReach,
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
  // What is in the way may be gone the next time.
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

/** `no partition of relation "…" found for row` has the state of a broken check. */
const isMissingPartition = (error: unknown): boolean =>
  sqlStateOf(error) === '23514' &&
  /no partition of relation/.test(String(error instanceof Error && error.cause ? error.cause : error))
