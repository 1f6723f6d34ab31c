import { escapeLiteral } from 'pg'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type BoundedPartition, readWritable } from '../partitions/catalog.ts'
import type { Transaction } from '../transaction.ts'
import { candleColumns, rowsBetween } from './candle-rows.ts'
import { countOf, type IncomingCandles, type Run, type RunsOf } from './compare-candles.ts'
import { copyRowsInto } from './copy.ts'

/** Copies candles that are not there straight into their partitions, one COPY for each. Fails where one is there. */
export async function copyStraight(
  tx: Transaction,
  timeframe: Timeframe,
  candles: readonly RunsOf[],
  partitions: readonly BoundedPartition[],
): Promise<void> {
  if (countOf(candles) === 0) return
  const attached = await attachedPartitions(tx, timeframe, partitions)
  for (const [table, { pieces, count }] of byPartition(candles, attached)) {
    const copied = await copyRowsInto(tx, table, candleColumns, pieces)
    if (copied !== count) throw new Error(`COPY took ${copied} of ${count} candles`)
  }
}

/**
 * Which of the partitions may be written directly, with their bounds as they are now: what is written into one that is
 * being detached would be lost with it. The first statement holds off any detaching from now on, for it waits for all
 * who have locked the parent; the second reads which are still there. A role with rights on the tables alone writes
 * through these.
 */
async function attachedPartitions(
  { client, db }: Transaction,
  timeframe: Timeframe,
  partitions: readonly BoundedPartition[],
): Promise<BoundedPartition[]> {
  const sorted = partitions.toSorted((a, b) => a.range.from - b.range.from)
  const [first, last] = [sorted[0], sorted.at(-1)]
  if (!first || !last) return []
  const at = (instant: Instant) => `timestamp '${toIso(instant)}'`
  await client.query(`
    select from ohlcv_data
    where timeframe = ${escapeLiteral(timeframe)} and timestamp >= ${at(first.range.from)} and timestamp < ${at(last.range.to)}
    limit 0`)
  return readWritable(
    db,
    `ohlcv_data_${timeframe}`,
    sorted.map(({ oid }) => oid),
  )
}

type Pile = { pieces: Buffer[]; count: number }

const wholeTable = 'public.ohlcv_data'

/** The rows of each partition, sorted as its index is; what has none goes through the table, which knows where to. */
function byPartition(candles: readonly RunsOf[], partitions: readonly BoundedPartition[]): Map<string, Pile> {
  const piles = new Map<string, Pile>()
  for (const { incoming, runs } of candles) {
    for (const run of runs) {
      for (const { table, from, to } of splitByPartition(incoming, run, partitions)) {
        const pile = piles.get(table) ?? { pieces: [], count: 0 }
        piles.set(table, pile)
        pile.pieces.push(rowsBetween(incoming.rows, from, to))
        pile.count += to - from
      }
    }
  }
  return piles
}

function* splitByPartition(
  { rows: { openTimes } }: IncomingCandles,
  { from, to }: Run,
  partitions: readonly BoundedPartition[],
): Generator<Run & { table: string }> {
  let start = from
  while (start < to) {
    const openTime = openTimes[start] ?? Number.NaN
    const partition = partitions.find(({ range }) => range.from <= openTime && openTime < range.to)
    const isHere = (candle: number) => {
      const time = openTimes[candle] ?? Number.NaN
      return partition
        ? time < partition.range.to
        : !partitions.some(({ range }) => range.from <= time && time < range.to)
    }
    let end = start + 1
    while (end < to && isHere(end)) end += 1
    yield { from: start, to: end, table: partition?.qualifiedName ?? wholeTable }
    start = end
  }
}
