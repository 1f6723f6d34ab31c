import { sql } from 'drizzle-orm'
import type { AlignedCandle, RejectedRow } from '../../market/candle.ts'
import { toIso } from '../../market/instant.ts'
import type { AlignedInstant, Timeframe } from '../../market/timeframe.ts'
import type { Database } from '../transaction.ts'

/** The rejected rows of one series. */
export type Rejections = Readonly<{ coinId: string; rejected: readonly RejectedRow[] }>

/** `known`: open times stored exactly as rejected, since accepted by hand. `rejected`: the others. */
export type SortedRejections = Readonly<{
  known: readonly AlignedInstant[]
  rejected: readonly RejectedRow[]
}>

/**
 * Finds rejections already accepted and stored unchanged. No query unless a row is acceptable. The series must be
 * locked.
 */
export async function sortRejections(
  db: Database,
  timeframe: Timeframe,
  series: readonly Rejections[],
): Promise<SortedRejections[]> {
  const candles = series.flatMap(({ coinId, rejected }, place) =>
    rejected.flatMap(({ acceptable }, index) =>
      acceptable ? [asRow(coinId, acceptable, { place, index })] : [],
    ),
  )
  if (candles.length === 0) return series.map(({ rejected }) => ({ known: [], rejected }))
  const { rows } = await db.execute<{ place: number; index: number }>(sql`
    select place, index from jsonb_to_recordset(${JSON.stringify(candles)}::jsonb) as given (
      place integer, index integer, coin_id text, timestamp timestamp,
      open numeric, high numeric, low numeric, close numeric, volume numeric
    )
    join ohlcv_data as stored using (coin_id, timestamp, open, high, low, close, volume)
    where stored.timeframe = ${timeframe}`)
  const stored = new Set(rows.map(({ place, index }) => `${place} ${index}`))
  return series.map(({ rejected }, place) => {
    const isKnown = (index: number) => stored.has(`${place} ${index}`)
    return {
      known: rejected.flatMap(({ acceptable }, index) =>
        acceptable && isKnown(index) ? [acceptable.openTime] : [],
      ),
      rejected: rejected.filter((_, index) => !isKnown(index)),
    }
  })
}

const asRow = (
  coinId: string,
  { openTime, ...values }: AlignedCandle,
  where: { place: number; index: number },
) => ({
  ...where,
  coin_id: coinId,
  timestamp: toIso(openTime),
  ...values,
})
