import { Fault } from '../fault.ts'
import type { Timeframe } from '../market/timeframe.ts'
import type { Context } from '../runtime/context.ts'
import { type Attributes, inSpan } from '../runtime/trace.ts'
import {
  type Accounting,
  addAccounting,
  type CandleBatch,
  loadBatches,
  nothingReceived,
} from '../store/candles.ts'
import type { BoundedPartition } from '../store/partitions/catalog.ts'
import { leaveOut, type Placed, type Unplaced } from '../store/partitions/leave-out.ts'
import { withPartitions } from '../store/partitions/partition-cache.ts'
import { candleTable } from '../store/partitions.ts'
import { inTransaction, type Transaction } from '../store/transaction.ts'

export type LoadDeps = Pick<Context, 'pool' | 'partitions' | 'settings'>

/** `unplaced`: candles without a partition. */
export type Loaded = Readonly<{ accounting: Accounting; unplaced: readonly Unplaced[] }>

const nothingLoaded: Loaded = { accounting: nothingReceived, unplaced: [] }

const addLoaded = (a: Loaded, b: Loaded): Loaded => ({
  accounting: addAccounting(a.accounting, b.accounting),
  unplaced: [...a.unplaced, ...b.unplaced],
})

/**
 * Stores pages of one timeframe with coverage in one transaction, creating partitions. If the database rejects a page,
 * each is stored separately and the first error thrown. Candles without a partition are returned.
 */
export async function loadPages(deps: LoadDeps, pages: readonly CandleBatch[]): Promise<Loaded> {
  try {
    return await loadTogether(deps, pages)
  } catch (error) {
    // A retryable fault affects all.
    if (pages.length < 2 || error instanceof Fault) throw error
    return loadOneByOne(deps, pages)
  }
}

async function loadTogether(deps: LoadDeps, pages: readonly CandleBatch[]): Promise<Loaded> {
  const timeframe = pages[0]?.series.timeframe
  if (timeframe === undefined) return nothingLoaded
  const attributes = { 'beacon.timeframe': timeframe, 'beacon.pages': pages.length }
  return inSpan('load', { attributes }, async (annotate) => {
    const loaded = await inLoad(deps, timeframe, pages, async (tx, { unplaced, ...placed }) => ({
      accounting: await loadAll(tx, placed),
      unplaced,
    }))
    annotate(accountingAttributes(loaded.accounting))
    return loaded
  })
}

type PlacedPages = Placed & Readonly<{ partitions: readonly BoundedPartition[] }>

export function inLoad<T>(
  { pool, partitions, settings }: LoadDeps,
  timeframe: Timeframe,
  pages: readonly CandleBatch[],
  work: (tx: Transaction, placed: PlacedPages) => Promise<T>,
): Promise<T> {
  return withPartitions(
    { pool, partitions, lockTimeoutMs: settings.database.lockTimeout },
    candleTable(timeframe, settings.timeframes[timeframe]?.partition ?? 'month'),
    pages.flatMap(({ rows }) => rows.openTimes),
    (places) => {
      const placed = { ...leaveOut(pages, places.obstacles), partitions: places.partitions }
      return inTransaction(pool, (tx) => work(tx, placed), 'load')
    },
  )
}

export const loadAll = async (
  tx: Transaction,
  { batches, partitions }: Omit<PlacedPages, 'unplaced'>,
): Promise<Accounting> => (await loadBatches(tx, batches, partitions)).reduce(addAccounting, nothingReceived)

const accountingAttributes = (accounting: Accounting): Attributes =>
  Object.fromEntries(Object.entries(accounting).map(([name, rows]) => [`beacon.rows.${name}`, rows]))

async function loadOneByOne(deps: LoadDeps, pages: readonly CandleBatch[]): Promise<Loaded> {
  let total = nothingLoaded
  const refusals: unknown[] = []
  for (const page of pages) {
    try {
      total = addLoaded(total, await loadTogether(deps, [page]))
    } catch (error) {
      refusals.push(error)
    }
  }
  if (refusals.length > 0) throw refusals[0]
  return total
}
