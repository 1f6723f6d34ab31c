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
import { withPartitions } from '../store/partition-cache.ts'
import { candleTable, type PartitionPlan } from '../store/partitions.ts'
import { inTransaction, type Transaction } from '../store/transaction.ts'

export type LoadReach = Pick<Context, 'pool' | 'partitions' | 'settings'>

/**
 * Writes pages of candles of one timeframe with their coverage in one transaction, and makes sure of their partitions
 * before. A page that the database refuses does not keep the others out: then each is written by itself, and the first
 * refusal is thrown at the end.
 */
export async function loadPages(reach: LoadReach, pages: readonly CandleBatch[]): Promise<Accounting> {
  try {
    return await loadTogether(reach, pages)
  } catch (error) {
    // What another try can overcome concerns all of them.
    if (pages.length < 2 || error instanceof Fault) throw error
    return loadOneByOne(reach, pages)
  }
}

async function loadTogether(reach: LoadReach, pages: readonly CandleBatch[]): Promise<Accounting> {
  const timeframe = pages[0]?.series.timeframe
  if (timeframe === undefined) return nothingReceived
  const attributes = { 'beacon.timeframe': timeframe, 'beacon.pages': pages.length }
  return inSpan('load', { attributes }, async (tell) => {
    const accounting = await inLoad(reach, timeframe, pages, (tx, leaves) => loadAll(tx, pages, leaves))
    tell(accountingAttributes(accounting))
    return accounting
  })
}

/** Makes sure of the partitions of pages of one timeframe, and does the work in one transaction. */
export function inLoad<T>(
  { pool, partitions, settings }: LoadReach,
  timeframe: Timeframe,
  pages: readonly CandleBatch[],
  work: (tx: Transaction, leaves: readonly PartitionPlan[]) => Promise<T>,
): Promise<T> {
  return withPartitions(
    { pool, partitions, lockTimeoutMs: settings.database.lockTimeout },
    candleTable(timeframe, settings.timeframes[timeframe]?.partition ?? 'month'),
    pages.flatMap(({ rows }) => rows.openTimes),
    (leaves) => inTransaction(pool, (tx) => work(tx, leaves), 'load'),
  )
}

/** Writes pages in a transaction, and returns what they come to together. */
export const loadAll = async (
  tx: Transaction,
  pages: readonly CandleBatch[],
  leaves: readonly PartitionPlan[],
): Promise<Accounting> => (await loadBatches(tx, pages, leaves)).reduce(addAccounting, nothingReceived)

const accountingAttributes = (accounting: Accounting): Attributes =>
  Object.fromEntries(Object.entries(accounting).map(([name, rows]) => [`beacon.rows.${name}`, rows]))

async function loadOneByOne(reach: LoadReach, pages: readonly CandleBatch[]): Promise<Accounting> {
  let total = nothingReceived
  const refusals: unknown[] = []
  for (const page of pages) {
    try {
      total = addAccounting(total, await loadTogether(reach, [page]))
    } catch (error) {
      refusals.push(error)
    }
  }
  if (refusals.length > 0) throw refusals[0]
  return total
}
