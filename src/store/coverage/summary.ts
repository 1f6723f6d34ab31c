import { type SQL, sql } from 'drizzle-orm'
import { type AlignedRange, toAlignedRange } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { Database } from '../transaction.ts'
import { type RangeRow, toRange } from './multirange.ts'

export type SeriesSummary = Readonly<{
  coinId: string
  timeframe: Timeframe
  source: string
  /** From the first stored candle to the last. */
  stored: AlignedRange
  rangeCount: number
  candles: number
  /** Between the first and the last stored candle. */
  absent: number
  /** Rejected, between the first and the last stored candle. */
  rejected: number
  /** Stored candles not yet confirmed after their close. */
  provisional: number
}>

/** One row per series and source. */
export async function summarizeCoverage(db: Database, coinIds: readonly string[]): Promise<SeriesSummary[]> {
  const chosen = coinIds.length === 0 ? sql`true` : sql`coin_id in ${coinIds}`
  const lengthOf = (ranges: SQL) =>
    sql`coalesce((select sum(extract(epoch from upper(part) - lower(part))) * 1000 from unnest(${ranges}) as part), 0)`
  const { rows } = await db.execute<
    RangeRow &
      Record<'stored_ms' | 'absent_ms' | 'rejected_ms' | 'provisional_ms', string> & {
        coin_id: string
        timeframe: Timeframe
        source: string
        range_count: number
      }
  >(sql`
    with series as (
      select coin_id, timeframe, source,
        range_agg(ranges) filter (where state = 'stored') as stored,
        range_agg(ranges) filter (where state = 'no-trades') as absent,
        range_agg(ranges) filter (where state = 'refused') as rejected,
        range_agg(ranges) filter (where state = 'provisional') as provisional
      from candle_coverage where ${chosen}
      group by coin_id, timeframe, source
    )
    select coin_id, timeframe, source,
      extract(epoch from lower(stored)) * 1000 as from_ms, extract(epoch from upper(stored)) * 1000 as to_ms,
      (select count(*)::integer from unnest(stored)) as range_count,
      ${lengthOf(sql`stored`)} as stored_ms,
      ${lengthOf(sql`absent * tsmultirange(range_merge(stored))`)} as absent_ms,
      ${lengthOf(sql`rejected * tsmultirange(range_merge(stored))`)} as rejected_ms,
      ${lengthOf(sql`provisional`)} as provisional_ms
    from series
    where not isempty(stored)
    order by coin_id, timeframe, source`)
  return rows.map((row) => {
    const count = (ms: string) => Math.round(Number(ms) / timeframeMs[row.timeframe])
    return {
      coinId: row.coin_id,
      timeframe: row.timeframe,
      source: row.source,
      stored: toAlignedRange(row.timeframe, toRange(row)),
      rangeCount: row.range_count,
      candles: count(row.stored_ms),
      absent: count(row.absent_ms),
      rejected: count(row.rejected_ms),
      provisional: count(row.provisional_ms),
    }
  })
}
