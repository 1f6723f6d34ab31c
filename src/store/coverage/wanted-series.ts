import { type SQL, sql } from 'drizzle-orm'
import { second, toIso } from '../../market/instant.ts'
import type { AlignedRange } from '../../market/range.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import type { Series } from '../coverage.ts'

export type WantedSeries = Series & Readonly<{ range: AlignedRange }>

/**
 * The series as rows that a query can join, each with its place in the list: place, coin_id, timeframe, source, opens_from,
 * opens_to, candle_length.
 */
export function wantedRows(series: readonly WantedSeries[]): SQL {
  const rows = series.map(({ coinId, timeframe, source, range: { from, to } }, place) => ({
    place,
    coin_id: coinId,
    timeframe,
    source,
    opens_from: toIso(from),
    opens_to: toIso(to),
    candle_length: `${timeframeMs[timeframe] / second} seconds`,
  }))
  return sql`
    select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as series (
      place integer, coin_id text, timeframe text, source text, opens_from timestamp, opens_to timestamp, candle_length interval
    )`
}
