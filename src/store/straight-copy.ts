import { escapeLiteral } from 'pg'
import { type Instant, toIso } from '../market/instant.ts'
import type { Timeframe } from '../market/timeframe.ts'
import { candleColumns, rowsBetween } from './candle-rows.ts'
import { countOf, type IncomingCandles, type Run, type RunsOf } from './compare-candles.ts'
import { copyRowsInto } from './copy.ts'
import type { PartitionPlan } from './partitions.ts'
import type { Transaction } from './transaction.ts'

/** Copies candles that are not there straight into their leaves, one COPY for each leaf. Fails where one is there. */
export async function copyStraight(
  tx: Transaction,
  timeframe: Timeframe,
  candles: readonly RunsOf[],
  leaves: readonly PartitionPlan[],
): Promise<void> {
  if (countOf(candles) === 0) return
  const attached = await attachedLeaves(tx, timeframe, leaves)
  for (const [table, { pieces, count }] of byLeaf(candles, attached)) {
    const copied = await copyRowsInto(tx, table, candleColumns, pieces)
    if (copied !== count) throw new Error(`COPY took ${copied} of ${count} candles`)
  }
}

/**
 * Which of the leaves may be written by their own names: what is written into one that is being detached would be lost
 * with it. The first statement holds off whoever would detach one from now on, for it waits for all who have locked the
 * parent; the second sees which are still there. A role with rights on the tables alone writes through these.
 */
async function attachedLeaves(
  { client }: Transaction,
  timeframe: Timeframe,
  leaves: readonly PartitionPlan[],
): Promise<PartitionPlan[]> {
  const sorted = leaves.toSorted((a, b) => a.range.from - b.range.from)
  const [first, last] = [sorted[0], sorted.at(-1)]
  if (!first || !last) return []
  const at = (instant: Instant) => `timestamp '${toIso(instant)}'`
  await client.query(`
    select from ohlcv_data
    where timeframe = ${escapeLiteral(timeframe)} and timestamp >= ${at(first.range.from)} and timestamp < ${at(last.range.to)}
    limit 0`)
  const { rows } = await client.query<{ name: string }>({
    text: `
      select leaf.relname as name
      from pg_class as leaf join pg_inherits on inhrelid = leaf.oid
      where leaf.relname = any($1::name[]) and inhparent = to_regclass($2) and not inhdetachpending
        and has_table_privilege(leaf.oid, 'insert')`,
    values: [sorted.map(({ name }) => name), `ohlcv_data_${timeframe}`],
  })
  const attached = new Set(rows.map(({ name }) => name))
  return sorted.filter(({ name }) => attached.has(name))
}

type Pile = { pieces: Buffer[]; count: number }

/** The rows of each leaf, sorted as its index is; what has no leaf goes through the table, which knows where to. */
function byLeaf(candles: readonly RunsOf[], leaves: readonly PartitionPlan[]): Map<string, Pile> {
  const piles = new Map<string, Pile>()
  for (const { incoming, runs } of candles) {
    for (const run of runs) {
      for (const { table, from, to } of splitByLeaf(incoming, run, leaves)) {
        const pile = piles.get(table) ?? { pieces: [], count: 0 }
        piles.set(table, pile)
        pile.pieces.push(rowsBetween(incoming.rows, from, to))
        pile.count += to - from
      }
    }
  }
  return piles
}

function* splitByLeaf(
  { rows: { openTimes } }: IncomingCandles,
  { from, to }: Run,
  leaves: readonly PartitionPlan[],
): Generator<Run & { table: string }> {
  let start = from
  while (start < to) {
    const openTime = openTimes[start] ?? Number.NaN
    const leaf = leaves.find(({ range }) => range.from <= openTime && openTime < range.to)
    const isHere = (candle: number) => {
      const time = openTimes[candle] ?? Number.NaN
      return leaf ? time < leaf.range.to : !leaves.some(({ range }) => range.from <= time && time < range.to)
    }
    let end = start + 1
    while (end < to && isHere(end)) end += 1
    yield { from: start, to: end, table: leaf?.name ?? 'ohlcv_data' }
    start = end
  }
}
