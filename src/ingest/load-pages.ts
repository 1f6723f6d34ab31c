import { Fault } from '../fault.ts'
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
import { candleTable } from '../store/partitions.ts'
import { inTransaction } from '../store/transaction.ts'

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

async function loadTogether(
  { pool, partitions, settings }: LoadReach,
  pages: readonly CandleBatch[],
): Promise<Accounting> {
  const timeframe = pages[0]?.series.timeframe
  if (timeframe === undefined) return nothingReceived
  const table = candleTable(timeframe, settings.timeframes[timeframe]?.partition ?? 'month')
  const openTimes = pages.flatMap(({ rows }) => rows.openTimes)
  const attributes = { 'beacon.timeframe': timeframe, 'beacon.pages': pages.length }
  return inSpan('load', { attributes }, async (tell) => {
    const accountings = await withPartitions(
      { pool, partitions, lockTimeoutMs: settings.database.lockTimeout },
      table,
      openTimes,
      (leaves) => inTransaction(pool, (tx) => loadBatches(tx, pages, leaves), 'load'),
    )
    const accounting = accountings.reduce(addAccounting, nothingReceived)
    tell(accountingAttributes(accounting))
    return accounting
  })
}

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
