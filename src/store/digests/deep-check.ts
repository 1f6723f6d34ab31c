import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Aborted } from '../../fault.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { allTime, type Range, subtract } from '../../market/range.ts'
import { type Timeframe, timeframeMs, timeframes } from '../../market/timeframe.ts'
import { type RangeRow, toRange } from '../coverage/multirange.ts'
import { checkStates, type StateDiscrepancy } from '../coverage/states.ts'
import { lockSeries } from '../coverage.ts'
import { entryOfRows } from '../maintenance-audit.ts'
import { isBounded, readPartitions } from '../partitions/catalog.ts'
import { type Database, inTransaction } from '../transaction.ts'
import { forgetDigests } from './candle-digests.ts'

/** A difference between coverage and candles of one series within a partition. */
export type RowDiscrepancy = Readonly<{
  /** `row-missing`: covered, not in the table. `row-unrecorded`: in the table, not covered. */
  kind: 'row-missing' | 'row-unrecorded'
  coinId: string
  timeframe: Timeframe
  /** Undefined where no partition exists. */
  partition: string | undefined
  /** From the first of the candles to the last. */
  range: Range
  candles: number
}>

export type Discrepancy = RowDiscrepancy | StateDiscrepancy

export type DeepPlan = Readonly<{ series: number; partitions: number; parts: readonly Part[] }>

export type DeepCheck = Readonly<{ candles: number; discrepancies: number }>

export type DeepCheckOptions = Readonly<{
  signal: AbortSignal
  now: Instant
  /** A callback, since there may be too many to keep. */
  onDiscrepancy(discrepancy: Discrepancy): Promise<void> | void
  /** Number of parts done. */
  onProgress(done: number): void
}>

/**
 * Compares coverage with the tables in both directions, and the states with each other. Each part is one statement over
 * some coins of a partition: bounded memory, consistent with concurrent loads.
 */
export async function checkDeeply(
  pool: Pool,
  { parts }: DeepPlan,
  { signal, now, onDiscrepancy, onProgress }: DeepCheckOptions,
): Promise<DeepCheck> {
  let [candles, discrepancies] = [0, 0]
  const report = async (found: readonly Discrepancy[]) => {
    discrepancies += found.length
    for (const one of found) await onDiscrepancy(one)
  }
  for (const [index, part] of parts.entries()) {
    if (signal.aborted) throw new Aborted('stopped; nothing was changed by looking')
    const compared = await reading(pool, (db) => comparePart(db, part))
    candles += compared.candles
    await report(compared.found)
    onProgress(index + 1)
  }
  await report(await reading(pool, (db) => checkStates(db, now)))
  return { candles, discrepancies }
}

const reading = <T>(pool: Pool, work: (db: Database) => Promise<T>): Promise<T> =>
  inTransaction(pool, ({ db }) => work(db), 'maintenance')

type Window = Readonly<{ timeframe: Timeframe; partition: string | undefined; range: Range }>
type Part = Window & Readonly<{ coinIds: readonly string[] }>

/** 50 coins × one day of 1m = 72,000 rows. */
const coinsAtOnce = 50

/** Splits the work into parts, which also measure progress. */
export async function planDeepCheck(pool: Pool): Promise<DeepPlan> {
  const tableOf = (timeframe: Timeframe) => `ohlcv_data_${timeframe}`
  const partitions = await reading(pool, (db) => readPartitions(db, timeframes.map(tableOf)))
  const coinIds = await reading(pool, (db) => readCoinIds(db))
  const batches = Array.from({ length: Math.ceil(coinIds.length / coinsAtOnce) }, (_, index) =>
    coinIds.slice(index * coinsAtOnce, (index + 1) * coinsAtOnce),
  )
  const windows = timeframes.flatMap((timeframe): Window[] => {
    // Rows of a DEFAULT partition are in the ranges between the others.
    const own = partitions.filter(isBounded).filter(({ table }) => table === tableOf(timeframe))
    const between = subtract(
      allTime,
      own.map(({ range }) => range),
    )
    return [
      ...own.map(({ name, range }) => ({ timeframe, partition: name, range })),
      ...between.map((range) => ({ timeframe, partition: undefined, range })),
    ]
  })
  const series = await reading(pool, (db) => countSeries(db))
  const parts = windows.flatMap((window): Part[] => batches.map((batch) => ({ ...window, coinIds: batch })))
  return { parts, series, partitions: partitions.length }
}

/** Rows and coverage refer to `coins`. */
async function readCoinIds(db: Database): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(sql`select id from coins order by id`)
  return rows.map(({ id }) => id)
}

async function countSeries(db: Database): Promise<number> {
  const { rows } = await db.execute<{ count: number }>(
    sql`select count(distinct (coin_id, timeframe))::integer as count from candle_coverage`,
  )
  return rows[0]?.count ?? 0
}

/** Covered and present open times of each coin in the range. */
function recordedAndPresent(timeframe: Timeframe, { from, to }: Range, coinIds: readonly string[]): SQL {
  const bounds = sql`tsmultirange(tsrange(${toIso(from)}::timestamp, ${toIso(to)}::timestamp))`
  const ofCoins = sql`timeframe = ${timeframe} and coin_id in ${coinIds}`
  return sql`
    recorded as (
      select coin_id, range_agg(ranges * ${bounds}) as ranges from candle_coverage
      where ${ofCoins} and state = 'stored'
      group by coin_id
    ), present as (
      select coin_id, range_agg(tsrange(timestamp, timestamp + ${stepOf(timeframe)})) as ranges, count(*)::integer as candles
      from ohlcv_data
      where ${ofCoins} and timestamp >= ${toIso(from)}::timestamp and timestamp < ${toIso(to)}::timestamp
      group by coin_id
    )`
}

const stepOf = (timeframe: Timeframe): SQL =>
  sql`make_interval(secs => ${timeframeMs[timeframe] / 1_000}::double precision)`

type ComparedRow = RangeRow &
  Readonly<{ coin_id: string; kind: RowDiscrepancy['kind']; missing_ms: string; candles: number }>

async function comparePart(
  db: Database,
  { timeframe, partition, range, coinIds }: Part,
): Promise<{ candles: number; found: RowDiscrepancy[] }> {
  const { rows } = await db.execute<ComparedRow>(sql`
    with ${recordedAndPresent(timeframe, range, coinIds)}, differing as (
      select coin_id, coalesce(present.candles, 0) as candles, kind, part.ranges
      from recorded full join present using (coin_id), lateral (values
        ('row-missing', coalesce(recorded.ranges, '{}') - coalesce(present.ranges, '{}')),
        ('row-unrecorded', coalesce(present.ranges, '{}') - coalesce(recorded.ranges, '{}'))
      ) as part (kind, ranges)
    )
    select coin_id, candles, kind, extract(epoch from lower(ranges)) * 1000 as from_ms, extract(epoch from upper(ranges)) * 1000 as to_ms,
      (select sum(extract(epoch from upper(piece) - lower(piece))) * 1000 from unnest(ranges) as piece) as missing_ms
    from differing order by coin_id, kind`)
  const found = rows
    .filter(({ missing_ms }) => missing_ms !== null)
    .map((row) => ({
      kind: row.kind,
      coinId: row.coin_id,
      timeframe,
      partition,
      range: toRange(row),
      candles: Math.round(Number(row.missing_ms) / timeframeMs[timeframe]),
    }))
  // Each coin has two rows, one for each kind.
  return { candles: rows.reduce((sum, { candles }) => sum + candles, 0) / 2, found }
}

/**
 * Removes coverage without rows, so that these candles are requested again. Rechecks under the series' lock. Returns
 * the number of candles.
 */
export async function forgetMissingRows(
  pool: Pool,
  { coinId, timeframe, range }: Pick<RowDiscrepancy, 'coinId' | 'timeframe' | 'range'>,
  now: Instant,
): Promise<number> {
  return inTransaction(
    pool,
    async ({ db }) => {
      await lockSeries(db, [{ coinId, timeframe }])
      await forgetDigests(db, { coinId, timeframe }, range)
      const { rows } = await db.execute<{ candles: number }>(sql`
        with ${recordedAndPresent(timeframe, range, [coinId])}, missing as (
          select coalesce(recorded.ranges, '{}') - coalesce(present.ranges, '{}') as ranges
          from recorded left join present using (coin_id)
        ), forgotten as (
          update candle_coverage as known set ranges = known.ranges - missing.ranges, updated_at = ${toIso(now)}::timestamp
          from missing
          where coin_id = ${coinId} and timeframe = ${timeframe} and state in ('stored', 'provisional') and known.ranges && missing.ranges
          returning known.state
        ), entry as (${entryOfRows('forgotten', {
          operation: 'REPAIR',
          table: 'candle_coverage',
          entity: `${coinId} ${timeframe}`,
          details: { why: 'recorded as stored without a row', from: toIso(range.from), to: toIso(range.to) },
        })})
        select coalesce(sum(extract(epoch from upper(part) - lower(part)) / ${timeframeMs[timeframe] / 1_000}::numeric), 0)::integer as candles
        from missing, unnest(missing.ranges) as part`)
      return rows[0]?.candles ?? 0
    },
    'maintenance',
  )
}
