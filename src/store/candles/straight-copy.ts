import { escapeLiteral } from 'pg'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type BoundedPartition, readWritable } from '../partitions/catalog.ts'
import type { Transaction } from '../transaction.ts'
import { candleColumns, rowsBetween } from './candle-rows.ts'
import { countOf, type IncomingCandles, type Run, type RunsOf } from './compare-candles.ts'
import { copyRowsInto } from './copy.ts'

/** Copies new candles directly into their partitions, one COPY each. Fails if a candle exists. */
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
 * Partitions that may be written directly, with current bounds. Locking the parent first blocks a concurrent detach,
 * which would lose the rows. A role with rights on partitions only does not need the parent.
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

/** Rows of each partition, in index order; rows without one go through the parent. */
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
