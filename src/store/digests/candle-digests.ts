import { type SQL, sql } from 'drizzle-orm'
import { day, type Instant, toInstant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { Series } from '../coverage.ts'
import type { Database } from '../transaction.ts'
import { bucketSpan, isWholeBuckets } from './buckets.ts'
import type { CandleSums } from './candle-hash.ts'

/** Checksums of one series by bucket. */
export type SeriesSums = Readonly<{ coinId: string; sums: ReadonlyMap<Instant, CandleSums> }>

const rowsOf = (changes: readonly SeriesSums[]) =>
  changes.flatMap(({ coinId, sums }) =>
    [...sums].map(([bucket, { rows, high, low }]) => ({
      coin_id: coinId,
      bucket: toIso(bucket),
      rows,
      high,
      low,
    })),
  )

const recordset = (changes: readonly SeriesSums[]) => sql`
  jsonb_to_recordset(${JSON.stringify(rowsOf(changes))}::jsonb) as change (
    coin_id text, bucket timestamp, rows bigint, high bigint, low bigint)`

/** Adds a load's changes, in its transaction under the series' locks. Uncounted buckets stay uncounted. */
export async function addToDigests(
  db: Database,
  timeframe: Timeframe,
  changes: readonly SeriesSums[],
): Promise<void> {
  if (changes.every(({ sums }) => sums.size === 0)) return
  await db.execute(sql`
    insert into candle_digests as known (coin_id, timeframe, bucket, rows, sum_high, sum_low)
    select coin_id, ${timeframe}, bucket, sum(rows), sum(high), sum(low) from ${recordset(changes)}
    group by coin_id, bucket order by coin_id, bucket
    on conflict (coin_id, timeframe, bucket) do update
      set (rows, sum_high, sum_low) = (
        known.rows + excluded.rows, known.sum_high + excluded.sum_high, known.sum_low + excluded.sum_low)`)
}

/** Replaces a series' checksums by counted ones, in the counting transaction. */
export async function writeDigests(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
  counted: ReadonlyMap<Instant, CandleSums>,
): Promise<void> {
  await db.execute(sql`
    insert into candle_digests (coin_id, timeframe, bucket, rows, sum_high, sum_low)
    select coin_id, ${timeframe}, bucket, rows, high, low from ${recordset([{ coinId, sums: counted }])}
    on conflict (coin_id, timeframe, bucket) do update
      set (rows, sum_high, sum_low) = (excluded.rows, excluded.sum_high, excluded.sum_low)`)
}

const within = (timeframe: Timeframe, range: Range) => {
  const { from, to } = bucketSpan(timeframe, range)
  return sql`timeframe = ${timeframe} and bucket >= ${toIso(from)}::timestamp and bucket < ${toIso(to)}::timestamp`
}

/** Marks buckets as uncounted after a change outside of a load; the next check counts them. */
export async function forgetDigests(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
  range: Range,
): Promise<void> {
  await db.execute(sql`
    update candle_digests set (rows, sum_high, sum_low) = (null, null, null)
    where coin_id = ${coinId} and ${within(timeframe, range)}`)
}

/** Call in the transaction that deletes all rows of the ranges. Partly deleted buckets become uncounted. */
export async function deleteDigests(
  db: Database,
  timeframe: Timeframe,
  ranges: readonly Range[],
): Promise<void> {
  for (const range of ranges) {
    if (isWholeBuckets(timeframe, range))
      await db.execute(sql`delete from candle_digests where ${within(timeframe, range)}`)
    else
      await db.execute(sql`
        update candle_digests set (rows, sum_high, sum_low) = (null, null, null) where ${within(timeframe, range)}`)
  }
}

/**
 * Call in the transaction that restores a file. Buckets that already had rows, or a file never counted, are left to the
 * next check.
 */
export async function restoreDigests(
  db: Database,
  timeframe: Timeframe,
  { id, range, isExact, staged }: Readonly<{ id: string; range: Range; isExact: boolean; staged: SQL }>,
): Promise<void> {
  if (isExact && isWholeBuckets(timeframe, range)) {
    await db.execute(sql`
      insert into candle_digests as known (coin_id, timeframe, bucket, rows, sum_high, sum_low)
      select coin_id, ${timeframe}, bucket, rows, sum_high, sum_low from archive_digests where archive_id = ${id}::uuid
      on conflict (coin_id, timeframe, bucket) do update
        set (rows, sum_high, sum_low) = (
          known.rows + excluded.rows, known.sum_high + excluded.sum_high, known.sum_low + excluded.sum_low)`)
    return
  }
  const bucket = sql.raw(timeframeMs[timeframe] < day ? `'day'` : `'month'`)
  await db.execute(sql`
    insert into candle_digests (coin_id, timeframe, bucket)
    select distinct coin_id, ${timeframe}, date_trunc(${bucket}, timestamp) from ${staged}
    on conflict (coin_id, timeframe, bucket) do nothing`)
  await db.execute(sql`
    update candle_digests set (rows, sum_high, sum_low) = (null, null, null) where ${within(timeframe, range)}`)
}

export async function listCoinIds(db: Database): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(sql`select id from coins order by id`)
  return rows.map(({ id }) => id)
}

/** Checksums of a coin's series; undefined until counted. */
export type KnownDigests = ReadonlyMap<Timeframe, ReadonlyMap<Instant, CandleSums | undefined>>

type DigestRow = Readonly<{
  timeframe: Timeframe
  bucket_ms: string
  rows: string | null
  high: string
  low: string
}>

export async function readDigests(db: Database, coinId: string): Promise<KnownDigests> {
  const { rows } = await db.execute<DigestRow>(sql`
    select timeframe, extract(epoch from bucket) * 1000 as bucket_ms, rows, sum_high as high, sum_low as low
    from candle_digests where coin_id = ${coinId} order by timeframe, bucket`)
  const known = new Map<Timeframe, Map<Instant, CandleSums | undefined>>()
  for (const { timeframe, bucket_ms, rows: count, high, low } of rows) {
    const own = known.get(timeframe) ?? new Map<Instant, CandleSums | undefined>()
    known.set(timeframe, own)
    const sums = count === null ? undefined : { rows: Number(count), high: Number(high), low: Number(low) }
    own.set(toInstant(Number(bucket_ms)), sums)
  }
  return known
}
