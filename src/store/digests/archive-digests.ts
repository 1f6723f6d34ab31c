import { sql } from 'drizzle-orm'
import { type Instant, toInstant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import type { Database } from '../transaction.ts'
import { isWholeBuckets } from './buckets.ts'
import type { SeriesSums } from './candle-digests.ts'
import type { CandleSums } from './candle-hash.ts'

/**
 * Moves a deleted partition's checksums to its archive, in the deleting transaction. Unknown ones are counted by the
 * next check.
 */
export async function moveDigests(
  db: Database,
  archiveId: string,
  timeframe: Timeframe,
  range: Range,
): Promise<void> {
  const own = sql`timeframe = ${timeframe} and bucket >= ${toIso(range.from)}::timestamp and bucket < ${toIso(range.to)}::timestamp`
  await db.execute(sql`delete from archive_digests where archive_id = ${archiveId}::uuid`)
  if (!isWholeBuckets(timeframe, range)) return recordCounted(db, archiveId, false)
  await db.execute(sql`
    insert into archive_digests (archive_id, coin_id, bucket, rows, sum_high, sum_low)
    select ${archiveId}::uuid, coin_id, bucket, rows, sum_high, sum_low from candle_digests where ${own} and rows is distinct from 0`)
  const { rows } = await db.execute<{ unknown: boolean }>(sql`
    select exists (select from candle_digests where ${own} and rows is null) as unknown`)
  await recordCounted(db, archiveId, rows[0]?.unknown === false)
}

const recordCounted = async (db: Database, archiveId: string, isCounted: boolean): Promise<void> => {
  await db.execute(sql`update archives set counted = ${isCounted} where id = ${archiveId}::uuid`)
}

export async function writeArchiveDigests(
  db: Database,
  archiveId: string,
  counted: readonly SeriesSums[],
): Promise<void> {
  await db.execute(sql`delete from archive_digests where archive_id = ${archiveId}::uuid`)
  const rows = counted.flatMap(({ coinId, sums }) =>
    [...sums].map(([bucket, { rows: count, high, low }]) => ({
      coin_id: coinId,
      bucket: toIso(bucket),
      rows: count,
      high,
      low,
    })),
  )
  await db.execute(sql`
    insert into archive_digests (archive_id, coin_id, bucket, rows, sum_high, sum_low)
    select ${archiveId}::uuid, coin_id, bucket, rows, high, low
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as change (
      coin_id text, bucket timestamp, rows bigint, high bigint, low bigint)`)
  await recordCounted(db, archiveId, true)
}

type Row = Readonly<{ coin_id: string; bucket_ms: string; rows: string; high: string; low: string }>

/** Expected checksums of a file by coin and bucket; undefined until counted. */
export async function readArchiveDigests(
  db: Database,
  archiveId: string,
  coinId: string | undefined,
): Promise<ReadonlyMap<string, ReadonlyMap<Instant, CandleSums>> | undefined> {
  const { rows: counted } = await db.execute<{ counted: boolean }>(
    sql`select counted from archives where id = ${archiveId}::uuid`,
  )
  if (counted[0]?.counted !== true) return undefined
  const ofCoin = coinId === undefined ? sql`true` : sql`coin_id = ${coinId}`
  const { rows } = await db.execute<Row>(sql`
    select coin_id, extract(epoch from bucket) * 1000 as bucket_ms, rows, sum_high as high, sum_low as low
    from archive_digests where archive_id = ${archiveId}::uuid and ${ofCoin} and rows is not null`)
  const known = new Map<string, Map<Instant, CandleSums>>()
  for (const { coin_id, bucket_ms, rows: count, high, low } of rows) {
    const own = known.get(coin_id) ?? new Map<Instant, CandleSums>()
    known.set(coin_id, own)
    own.set(toInstant(Number(bucket_ms)), { rows: Number(count), high: Number(high), low: Number(low) })
  }
  return known
}
