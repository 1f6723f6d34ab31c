import { sql } from 'drizzle-orm'
import { day, type Instant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { fromMs } from './multirange.ts'
import type { Database } from './transaction.ts'

/** How many candles of a UTC day are in the table, known not to exist, or in quarantine. */
export type DayCoverage = Readonly<{
  coinId: string
  day: Instant
  stored: number
  absent: number
  refused: number
}>

type DayRow = Readonly<{ coin_id: string; day_ms: string; stored: string; absent: string; refused: string }>

/**
 * The ledger of many coins, day by day, in one query; a day of which nothing is known has no row. What several sources
 * have stored counts once.
 */
export async function readCoverageDays(
  db: Database,
  coinIds: readonly string[],
  timeframe: Timeframe,
  { from, to }: Range,
): Promise<DayCoverage[]> {
  if (coinIds.length === 0) return []
  const { rows } = await db.execute<DayRow>(sql`
    with known as (
      select coin_id, state,
        unnest(range_agg(ranges) * tsmultirange(tsrange(${toIso(from)}::timestamp, ${toIso(to)}::timestamp))) as part
      from candle_coverage
      where timeframe = ${timeframe} and coin_id in ${coinIds} and state in ('stored', 'no-trades', 'refused')
      group by coin_id, state
    ), daily as (
      select coin_id, state, day,
        extract(epoch from least(upper(part), day + interval '1 day') - greatest(lower(part), day)) * 1000 / ${timeframeMs[timeframe]} as candles
      from known, generate_series(date_trunc('day', lower(part)), upper(part) - interval '1 microsecond', interval '1 day') as day
    )
    select coin_id, extract(epoch from day) * 1000 as day_ms,
      coalesce(sum(candles) filter (where state = 'stored'), 0) as stored,
      coalesce(sum(candles) filter (where state = 'no-trades'), 0) as absent,
      coalesce(sum(candles) filter (where state = 'refused'), 0) as refused
    from daily group by coin_id, day`)
  const count = (text: string) => Math.round(Number(text))
  return rows.map((row) => ({
    coinId: row.coin_id,
    day: fromMs(row.day_ms),
    // What one source lacks, another may have given.
    stored: count(row.stored),
    absent: count(row.absent),
    refused: count(row.refused),
  }))
}

/** How many candles of the timeframe a whole day has. */
export const candlesOfDay = (timeframe: Timeframe): number => Math.max(1, day / timeframeMs[timeframe])
