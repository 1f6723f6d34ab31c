import { sql } from 'drizzle-orm'
import type { Decimal } from '../market/decimal.ts'
import { type Instant, toIso } from '../market/instant.ts'
import { alignTo, candleCount, type Range } from '../market/range.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { fromMs } from './multirange.ts'
import type { Database } from './transaction.ts'

/** One candle of a chart, made of one or several of the table. */
export type CandlePoint = Readonly<{
  openTime: Instant
  open: Decimal
  high: Decimal
  low: Decimal
  close: Decimal
  volume: Decimal
  /** Of how many candles it is made. */
  candles: number
}>

export type CandlePoints = Readonly<{
  /** The length of each point; a multiple of the timeframe's. */
  pointMs: number
  points: readonly CandlePoint[]
}>

type PointRow = Readonly<Record<Exclude<keyof CandlePoint, 'openTime' | 'candles'>, Decimal>> &
  Readonly<{ open_ms: string; candles: number }>

/**
 * The candles of a range, ascending: one by one, or several made into one where they are more than `most`. Where there is
 * none there is no point.
 */
export async function readCandlePoints(
  db: Database,
  { coinId, timeframe }: Readonly<{ coinId: string; timeframe: Timeframe }>,
  range: Range,
  most: number,
): Promise<CandlePoints> {
  const each = Math.max(1, Math.ceil(candleCount(alignTo(timeframe, range), timeframe) / most))
  const pointMs = each * timeframeMs[timeframe]
  const { rows } = await db.execute<PointRow>(sql`
    select extract(epoch from date_bin(${`${pointMs} milliseconds`}::interval, timestamp, '2001-01-01')) * 1000 as open_ms,
      (array_agg(open order by timestamp))[1] as open, max(high) as high, min(low) as low,
      (array_agg(close order by timestamp desc))[1] as close, sum(volume) as volume, count(*)::integer as candles
    from ohlcv_data
    where coin_id = ${coinId} and timeframe = ${timeframe}
      and timestamp >= ${toIso(range.from)}::timestamp and timestamp < ${toIso(range.to)}::timestamp
    group by 1 order by 1`)
  return {
    pointMs,
    points: rows.map(({ open_ms, ...values }) => ({ openTime: fromMs(open_ms), ...values })),
  }
}
