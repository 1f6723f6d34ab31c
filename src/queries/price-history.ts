import { type SQL, sql } from 'drizzle-orm'
import { fromTimestamp } from '../../drizzle/schema/instant-column.ts'
import type { Candle } from '../market/candle.ts'
import type { Decimal } from '../market/decimal.ts'
import { type Instant, toIso } from '../market/instant.ts'
import { alignTo, candleCount, isEmpty, type Range } from '../market/range.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import type { Database } from '../store/transaction.ts'
import { checkCount } from './input.ts'

/** Candles that open in the range. */
export type PriceHistoryQuery = Readonly<{ coinId: string; timeframe: Timeframe; range: Range }>

type Values = Readonly<Record<'open' | 'high' | 'low' | 'close' | 'volume', Decimal>>
type CandleRow = Values & Readonly<{ openTime: string }>

/** More than a screen's pixels. */
const mostCandles = 100_000

/** Compares partition keys directly, so that pruning happens at planning. */
const isInHistory = ({ coinId, timeframe, range }: PriceHistoryQuery): SQL => sql`
  coin_id = ${coinId} and timeframe = ${timeframe}
  and timestamp >= ${toIso(range.from)}::timestamp and timestamp < ${toIso(range.to)}::timestamp`

const toCandle = ({ openTime, open, high, low, close, volume }: CandleRow): Candle => ({
  openTime: fromTimestamp(openTime),
  open,
  high,
  low,
  close,
  volume,
})

/** Ascending; `newest` limits to the last ones. Throws InvalidInput for a bad count. */
export async function readPriceHistory(
  db: Database,
  query: PriceHistoryQuery & Readonly<{ newest?: number }>,
): Promise<Candle[]> {
  const order =
    query.newest === undefined
      ? sql`order by timestamp`
      : sql`order by timestamp desc limit ${checkCount('newest', query.newest, mostCandles)}`
  const { rows } = await db.execute<CandleRow>(sql`
    select timestamp::text as "openTime", open, high, low, close, volume
    from api_v1.ohlcv_data
    where ${isInHistory(query)}
    ${order}`)
  const candles = rows.map(toCandle)
  return query.newest === undefined ? candles : candles.toReversed()
}

/** `candles`: stored candles in the point. */
export type ChartPoint = Candle & Readonly<{ candles: number }>

/** A multiple of the timeframe. */
export type Chart = Readonly<{ pointMs: number; points: readonly ChartPoint[] }>

/**
 * At most `points` equal points from the range's start, exact; empty ones are left out. Throws InvalidInput for a bad
 * count.
 */
export async function readChart(
  db: Database,
  query: PriceHistoryQuery & Readonly<{ points: number }>,
): Promise<Chart> {
  const points = checkCount('points', query.points, mostCandles)
  const range = alignTo(query.timeframe, query.range)
  const candlesEach = Math.max(1, Math.ceil(candleCount(range, query.timeframe) / points))
  const pointMs = candlesEach * timeframeMs[query.timeframe]
  if (isEmpty(range)) return { pointMs, points: [] }
  const { rows } = await db.execute<CandleRow & { candles: number }>(sql`
    select point::text as "openTime", (array_agg(open order by timestamp))[1] as open, max(high) as high, min(low) as low,
      (array_agg(close order by timestamp desc))[1] as close, sum(volume) as volume, count(*)::integer as candles
    from (
      select date_bin(${`${pointMs} milliseconds`}::interval, timestamp, ${toIso(range.from)}::timestamp) as point,
        timestamp, open, high, low, close, volume
      from api_v1.ohlcv_data
      where ${isInHistory({ ...query, range })}
    ) as candle
    group by point
    order by point`)
  return { pointMs, points: rows.map((row) => ({ ...toCandle(row), candles: row.candles })) }
}

/** `candles`: hourly candles used; 0 for a daily one. */
export type DailySummary = Values & Readonly<{ day: Instant; candles: number }>

/** Days starting in the range, ascending, as of the last refresh. */
export async function readDailySummary(
  db: Database,
  { coinId, range: { from, to } }: Omit<PriceHistoryQuery, 'timeframe'>,
): Promise<DailySummary[]> {
  const { rows } = await db.execute<Omit<DailySummary, 'day'> & { day: string }>(sql`
    select day::text as day, open, high, low, close, volume, candles
    from api_v1.daily_price_summary
    where coin_id = ${coinId} and day >= ${toIso(from)}::timestamp and day < ${toIso(to)}::timestamp
    order by day`)
  return rows.map((row) => ({ ...row, day: fromTimestamp(row.day) }))
}
