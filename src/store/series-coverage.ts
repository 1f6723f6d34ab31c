import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import type { Series } from './coverage.ts'
import { fromMs } from './multirange.ts'
import type { Database } from './transaction.ts'

/** A series and the open times that are wanted of it. */
export type WantedSeries = Series & Readonly<{ range: Range }>

export type SeriesCoverage = Readonly<{
  /** The close of the last stored candle. */
  storedTo: Instant | undefined
  /** Up to when its source has said that there were no trades. */
  quietTo: Instant | undefined
  /** How much of the range is not settled. */
  owedMs: number
}>

export const keyOf = ({ coinId, timeframe }: Pick<Series, 'coinId' | 'timeframe'>): string =>
  `${coinId} ${timeframe}`

type CoverageRow = Readonly<{
  coin_id: string
  timeframe: Series['timeframe']
  stored_to_ms: string | null
  quiet_to_ms: string | null
  owed_ms: string | null
}>

/** What is known of many series, by `keyOf`, in one query. */
export async function readSeriesCoverage(
  db: Database,
  series: readonly WantedSeries[],
): Promise<Map<string, SeriesCoverage>> {
  if (series.length === 0) return new Map()
  const wanted = series.map(({ coinId, timeframe, source, range: { from, to } }) => ({
    coin_id: coinId,
    timeframe,
    source,
    opens_from: toIso(from),
    opens_to: toIso(to),
  }))
  const { rows } = await db.execute<CoverageRow>(sql`
    with wanted as (
      select * from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb)
        as series (coin_id text, timeframe text, source text, opens_from timestamp, opens_to timestamp)
    ), known as (
      select wanted.coin_id, wanted.timeframe, opens_from, opens_to,
        max(upper(ranges)) filter (where state = 'stored') as stored_to,
        max(upper(ranges)) filter (where state = 'no-trades' and coverage.source = wanted.source) as quiet_to,
        range_agg(ranges) filter (where state = 'stored' or coverage.source = wanted.source) as settled
      from wanted left join candle_coverage as coverage
        on coverage.coin_id = wanted.coin_id and coverage.timeframe = wanted.timeframe
      group by wanted.coin_id, wanted.timeframe, opens_from, opens_to
    )
    select coin_id, timeframe,
      extract(epoch from stored_to) * 1000 as stored_to_ms,
      extract(epoch from quiet_to) * 1000 as quiet_to_ms,
      (
        select sum(extract(epoch from upper(part) - lower(part))) * 1000
        from unnest(tsmultirange(tsrange(opens_from, opens_to)) - coalesce(settled, '{}')) as part
      ) as owed_ms
    from known`)
  return new Map(
    rows.map((row) => [
      keyOf({ coinId: row.coin_id, timeframe: row.timeframe }),
      {
        storedTo: row.stored_to_ms === null ? undefined : fromMs(row.stored_to_ms),
        quietTo: row.quiet_to_ms === null ? undefined : fromMs(row.quiet_to_ms),
        owedMs: Number(row.owed_ms ?? 0),
      },
    ]),
  )
}
