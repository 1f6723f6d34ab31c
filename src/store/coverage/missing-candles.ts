import { sql } from 'drizzle-orm'
import type { AlignedRange } from '../../market/range.ts'
import { discardedRanges } from '../quarantine/discarded.ts'
import type { Database } from '../transaction.ts'
import { type JsonRanges, rangesJson, toAlignedRanges } from './multirange.ts'
import { type WantedSeries, wantedRows } from './wanted-series.ts'

/** Rejected candles are requested again only by a repair. */
export type Persistence = 'skip-rejected' | 'retry-rejected'

/** Discarded candles stay resolved, even in a repair. */
const discarded = discardedRanges({
  coinId: sql`wanted.coin_id`,
  timeframe: sql`wanted.timeframe`,
  source: sql`wanted.source`,
  from: sql`opens_from`,
  to: sql`opens_to`,
  candleLength: sql`candle_length`,
})

const resolvedOfSource = {
  'skip-rejected': { states: sql`('no-trades', 'refused')`, byHand: sql`null::tsmultirange` },
  'retry-rejected': { states: sql`('no-trades')`, byHand: discarded },
} as const

/**
 * Missing ranges of each series, ascending, in one query. Candles stored from another source are not missing; those
 * absent at another source are.
 */
export async function readMissing(
  db: Database,
  series: readonly WantedSeries[],
  persistence: Persistence,
): Promise<AlignedRange[][]> {
  if (series.length === 0) return []
  const { states, byHand } = resolvedOfSource[persistence]
  const { rows } = await db.execute<{ place: number; missing: JsonRanges | null }>(sql`
    with wanted as (${wantedRows(series)}), known as (
      select wanted.*, tsmultirange(tsrange(opens_from, opens_to)) as whole, (
        select range_agg(ranges * tsmultirange(tsrange(opens_from, opens_to))) from candle_coverage as coverage
        where coverage.coin_id = wanted.coin_id and coverage.timeframe = wanted.timeframe
          and (state = 'stored' or (coverage.source = wanted.source and state in ${states}))
      ) as resolved
      from wanted where opens_from < opens_to
    )
    select place, ${rangesJson(sql`whole - coalesce(resolved, '{}') - coalesce(${byHand}, '{}')`)} as missing
    from known as wanted`)
  const missing = new Map(rows.map((row) => [row.place, row.missing]))
  return series.map(({ timeframe }, place) => toAlignedRanges(timeframe, missing.get(place) ?? null))
}

/** Rejected candles of each series that are neither resolved nor stored from another source. */
export async function readRejected(db: Database, series: readonly WantedSeries[]): Promise<AlignedRange[][]> {
  if (series.length === 0) return []
  const { rows } = await db.execute<{ place: number; rejected: JsonRanges | null }>(sql`
    with wanted as (${wantedRows(series)}), known as (
      select wanted.*,
        range_agg(ranges * tsmultirange(tsrange(opens_from, opens_to))) filter (
          where state = 'refused' and coverage.source = wanted.source
        ) as rejected,
        range_agg(ranges * tsmultirange(tsrange(opens_from, opens_to))) filter (where state = 'stored') as stored
      from wanted
      join candle_coverage as coverage on coverage.coin_id = wanted.coin_id and coverage.timeframe = wanted.timeframe
      where opens_from < opens_to
      group by place, wanted.coin_id, wanted.timeframe, wanted.source, opens_from, opens_to, candle_length
    )
    select place, ${rangesJson(sql`rejected - coalesce(stored, '{}') - coalesce(${discarded}, '{}')`)} as rejected
    from known as wanted where not isempty(rejected)`)
  const rejected = new Map(rows.map((row) => [row.place, row.rejected]))
  return series.map(({ timeframe }, place) => toAlignedRanges(timeframe, rejected.get(place) ?? null))
}

/** `readMissing` of one series. */
export const readMissingOf = async (
  db: Database,
  series: WantedSeries,
  persistence: Persistence,
): Promise<AlignedRange[]> => (await readMissing(db, [series], persistence))[0] ?? []
