import { type SQL, sql } from 'drizzle-orm'
import { day, type Instant, toIso } from '../../market/instant.ts'
import type { Database } from '../transaction.ts'
import { type Partition, relationOf } from './list-partitions.ts'
import { PartitionHeld } from './partition-holds.ts'
import type { Safekeeping } from './safekeeping.ts'

/** Tables behind the daily summary. */
export const summarisedTables: ReadonlyMap<string, '1h' | '1d'> = new Map([
  ['ohlcv_data_1h', '1h'],
  ['ohlcv_data_1d', '1d'],
])

const values = sql`open, high, low, close, volume, candles`

/** One row per coin and UTC day, as in the view, in exact decimals. */
function daysOf(rows: SQL, timeframe: '1h' | '1d'): SQL {
  return timeframe === '1d'
    ? sql`select coin_id, timestamp::date as day, open, high, low, close, volume, 0 as candles from ${rows}`
    : sql`
      select coin_id, timestamp::date as day, (array_agg(open order by timestamp))[1] as open, max(high) as high,
        min(low) as low, (array_agg(close order by timestamp desc))[1] as close, sum(volume) as volume,
        count(*)::integer as candles
      from ${rows} group by coin_id, timestamp::date`
}

/** A daily candle counts as 24 hourly ones. */
const completeness = (owner: SQL): SQL => sql`case ${owner}.candles when 0 then 24 else ${owner}.candles end`

/** Keeps the days of candles about to be deleted. A kept day is replaced only by one of at least as many candles. */
export const keepDays = async (
  db: Database,
  rows: SQL,
  timeframe: '1h' | '1d',
  now: Instant,
): Promise<void> => {
  await db.execute(sql`
    insert into summary_days (coin_id, day, ${values}, composed_at)
    select coin_id, day, ${values}, ${toIso(now)}::timestamp from (${daysOf(rows, timeframe)}) as composed
    on conflict (coin_id, day) do update
      set (${values}, composed_at) = (
        excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.candles, excluded.composed_at)
      where ${completeness(sql`excluded`)} >= ${completeness(sql`summary_days`)}`)
}

/** Candles are deleted after each of their days is kept. */
export const keptInSummary: Safekeeping = async (partition) => {
  const timeframe = summarisedTables.get(partition.table) ?? '1h'
  refuseHalfDays(partition)
  return async (db, now) => {
    await keepDays(db, relationOf(partition), timeframe, now)
    const { rows } = await db.execute<{ lost: number; first: string | null }>(sql`
      select count(*)::integer as lost, min(composed.day || ' of ' || composed.coin_id) as first
      from (${daysOf(relationOf(partition), timeframe)}) as composed
      left join summary_days as kept using (coin_id, day)
      where kept.candles is null
        or ${completeness(sql`kept`)} < ${completeness(sql`composed`)}
        or (kept.candles = composed.candles
          and (kept.open, kept.high, kept.low, kept.close, kept.volume)
            is distinct from (composed.open, composed.high, composed.low, composed.close, composed.volume))`)
    const { lost = 0, first } = rows[0] ?? {}
    if (lost > 0)
      throw new PartitionHeld(
        'content',
        `${lost} of its days are not kept by the daily summary, the first ${first}`,
      )
  }
}

function refuseHalfDays({ table, schema, name, range }: Partition): void {
  if (range.from % day === 0 && range.to % day === 0) return
  throw new PartitionHeld(
    'shape',
    'its bounds are not midnights in UTC, and the summary of half a day would be wrong',
    `alter table ${table} detach partition ${schema}.${name}, and attach its rows with bounds that are midnights`,
  )
}
