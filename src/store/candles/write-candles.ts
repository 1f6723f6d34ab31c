import { Unavailable } from '../../fault.ts'
import type { Instant } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { bucketsOf } from '../digests/buckets.ts'
import { addToDigests, type SeriesSums } from '../digests/candle-digests.ts'
import { addRows, type CandleHashes, hashesOf } from '../digests/candle-hash.ts'
import type { BoundedPartition } from '../partitions/catalog.ts'
import { sqlStateOf, type Transaction } from '../transaction.ts'
import { viewOf } from './binary-copy.ts'
import { keepRevisions, planChanges, takeOut, updateCandles } from './change-candles.ts'
import {
  type Comparison,
  compareCandles,
  countOf,
  type IncomingCandles,
  type RunsOf,
  readSuspicions,
} from './compare-candles.ts'
import { copyStraight } from './straight-copy.ts'

export type Written = Readonly<{ added: number; revised: readonly Instant[]; unchanged: number }>

type Compared = Readonly<{ incoming: IncomingCandles; comparison: Comparison }>

/** A concurrent writer that ignores coverage can collide repeatedly. */
const tries = 3

/**
 * Writes candles of one timeframe in index order. Those that coverage proves absent are copied directly into
 * partitions; others are compared first, and unchanged ones neither written nor locked. The series must be locked.
 * Throws Unavailable while another program writes the same candles.
 */
export async function writeCandles(
  tx: Transaction,
  timeframe: Timeframe,
  incoming: readonly IncomingCandles[],
  partitions: readonly BoundedPartition[],
): Promise<Written[]> {
  let suspicions = await readSuspicions(tx.db, timeframe, incoming)
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    const comparisons = await compareCandles(tx, timeframe, incoming, suspicions)
    const compared = incoming.flatMap((one, place): Compared[] => {
      const comparison = comparisons[place]
      return comparison ? [{ incoming: one, comparison }] : []
    })
    if (await writeCompared(tx, timeframe, compared, partitions)) {
      await addToDigests(tx.db, timeframe, digestChanges(timeframe, compared))
      return compared.map(written)
    }
    // Coverage was incomplete: compare everything with the table.
    suspicions = incoming.map(({ span }, place) => ({ place, range: span }))
  }
  throw new Unavailable('another program writes the same candles at the same time')
}

function written({ incoming: { rows }, comparison: { absent, changed, unchanged } }: Compared): Written {
  const revised = changed.flatMap(({ index }) => rows.openTimes[index] ?? [])
  return { added: absent.reduce((sum, { from, to }) => sum + to - from, 0), revised, unchanged }
}

/** Adds new candles to the series' checksums and replaces those of changed ones. */
function digestChanges(timeframe: Timeframe, compared: readonly Compared[]): SeriesSums[] {
  const bucketOf = bucketsOf(timeframe)
  return compared.map(({ incoming: { series, rows }, comparison: { absent, changed } }) => {
    const hashes = new Map<Instant, CandleHashes>()
    for (const { from, to } of absent) addRows(hashes, bucketOf, rows, from, to)
    for (const { index, before } of changed) {
      const openTime = rows.openTimes[index]
      if (openTime === undefined) throw new RangeError('a candle has changed that has not come')
      addRows(hashes, bucketOf, rows, index, index + 1)
      hashesOf(hashes, bucketOf(openTime)).add(viewOf(before), 0, before.length, openTime, -1)
    }
    return { coinId: series.coinId, sums: new Map([...hashes].map(([bucket, one]) => [bucket, one.sums()])) }
  })
}

const uniqueViolation = '23505'

/** Writes absent and changed candles. Returns false, with nothing written, if an absent one exists. */
async function writeCompared(
  tx: Transaction,
  timeframe: Timeframe,
  compared: readonly Compared[],
  partitions: readonly BoundedPartition[],
): Promise<boolean> {
  const absent = compared.map(({ incoming, comparison }) => ({ incoming, runs: comparison.absent }))
  const isChanged = compared.some(({ comparison }) => comparison.changed.length > 0)
  if (countOf(absent) === 0 && !isChanged) return true
  await tx.client.query('savepoint compared')
  try {
    const copied = isChanged ? await change(tx, timeframe, compared) : []
    await copyStraight(tx, timeframe, joined(absent, copied), partitions)
  } catch (error) {
    if (sqlStateOf(error) !== uniqueViolation) throw error
    await tx.client.query('rollback to savepoint compared')
    return false
  }
  // Not released: the transaction's end does that without another round trip.
  return true
}

/** Keeps the revisions, deletes or updates changed candles, and returns those to copy. */
async function change(
  tx: Transaction,
  timeframe: Timeframe,
  compared: readonly Compared[],
): Promise<readonly RunsOf[]> {
  const changed = compared.map(({ incoming, comparison }) => ({ incoming, changed: comparison.changed }))
  await keepRevisions(tx, changed)
  const { longRuns, scattered } = await planChanges(tx.db, changed)
  await updateCandles(tx, timeframe, scattered)
  await takeOut(tx.db, timeframe, longRuns)
  return longRuns
}

const joined = (absent: readonly RunsOf[], copied: readonly RunsOf[]): RunsOf[] =>
  absent.map(({ incoming, runs }, place) => ({
    incoming,
    runs: [...runs, ...(copied[place]?.runs ?? [])].sort((a, b) => a.from - b.from),
  }))
