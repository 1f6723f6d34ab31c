import { sql } from 'drizzle-orm'
import type { Decimal } from '../../market/decimal.ts'
import { day, hour, type Instant, minute, plus, toIso } from '../../market/instant.ts'
import { alignTo, candleCount, type Range } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { fromMs } from '../coverage/multirange.ts'
import type { Database } from '../transaction.ts'

/** One point of a chart, made of one or more stored candles. */
type CandlePoint = Readonly<{
  openTime: Instant
  open: Decimal
  high: Decimal
  low: Decimal
  close: Decimal
  volume: Decimal
  /** Number of stored candles in this point. */
  candles: number
}>

export type CandlePoints = Readonly<{
  /** Length of a point in ms: the timeframe's or a longer one. */
  pointMs: number
  /** Number of candles in a complete point. */
  candlesOfPoint: number
  points: readonly CandlePoint[]
}>

const monday = '2001-01-01'

const usualLengths = [
  ...[1, 5, 15, 30].map((minutes) => minutes * minute),
  ...[1, 2, 4, 6, 12].map((hours) => hours * hour),
  ...[1, 7, 28].map((days) => days * day),
]

/** The shortest usual length that gives at most `most` points. */
function usualLength(range: Range, timeframe: Timeframe, most: number): number {
  const own = timeframeMs[timeframe]
  const candles = candleCount(alignTo(timeframe, range), timeframe)
  if (candles <= most) return own
  const fitting = usualLengths.find((length) => length % own === 0 && (candles * own) / length <= most)
  return fitting ?? Math.ceil(candles / most) * own
}

async function storedPart(db: Database, coinId: string, timeframe: Timeframe, range: Range): Promise<Range> {
  const { rows } = await db.execute<{ first_ms: string | null; last_ms: string | null }>(sql`
    select extract(epoch from min(timestamp)) * 1000 as first_ms, extract(epoch from max(timestamp)) * 1000 as last_ms
    from ohlcv_data
    where coin_id = ${coinId} and timeframe = ${timeframe}
      and timestamp >= ${toIso(range.from)}::timestamp and timestamp < ${toIso(range.to)}::timestamp`)
  const { first_ms, last_ms } = rows[0] ?? { first_ms: null, last_ms: null }
  if (first_ms === null || last_ms === null) return { from: range.from, to: range.from }
  return { from: fromMs(first_ms), to: plus(fromMs(last_ms), timeframeMs[timeframe]) }
}

type PointRow = Readonly<Record<Exclude<keyof CandlePoint, 'openTime' | 'candles'>, Decimal>> &
  Readonly<{ open_ms: string; candles: number }>

/**
 * The candles of a range, ascending, merged where there are more than `most`. Point length follows from the stored part
 * of the range.
 */
export async function readCandlePoints(
  db: Database,
  { coinId, timeframe }: Readonly<{ coinId: string; timeframe: Timeframe }>,
  range: Range,
  most: number,
): Promise<CandlePoints> {
  const pointMs = usualLength(await storedPart(db, coinId, timeframe, range), timeframe, most)
  const { rows } = await db.execute<PointRow>(sql`
    select extract(epoch from date_bin(${`${pointMs} milliseconds`}::interval, timestamp, ${monday})) * 1000 as open_ms,
      (array_agg(open order by timestamp))[1] as open, max(high) as high, min(low) as low,
      (array_agg(close order by timestamp desc))[1] as close, sum(volume) as volume, count(*)::integer as candles
    from ohlcv_data
    where coin_id = ${coinId} and timeframe = ${timeframe}
      and timestamp >= ${toIso(range.from)}::timestamp and timestamp < ${toIso(range.to)}::timestamp
    group by 1 order by 1`)
  return {
    pointMs,
    candlesOfPoint: pointMs / timeframeMs[timeframe],
    points: rows.map(({ open_ms, ...values }) => ({ openTime: fromMs(open_ms), ...values })),
  }
}
