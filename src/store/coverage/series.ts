import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import type { AlignedRange } from '../../market/range.ts'
import type { PendingState, Series } from '../coverage.ts'
import type { Database } from '../transaction.ts'
import { fromMs, type JsonRanges, rangesJson, toAlignedRanges } from './multirange.ts'
import { type WantedSeries, wantedRows } from './wanted-series.ts'

export type SeriesCoverage = Readonly<{
  /** Close of the last stored candle. */
  storedTo: Instant | undefined
  /** End of the last range known to have no trades. */
  quietTo: Instant | undefined
  /** Unresolved time in the range. */
  missingMs: number
}>

export const keyOf = ({ coinId, timeframe }: Pick<Series, 'coinId' | 'timeframe'>): string =>
  `${coinId} ${timeframe}`

type CoverageRow = Readonly<{
  coin_id: string
  timeframe: Series['timeframe']
  stored_to_ms: string | null
  quiet_to_ms: string | null
  missing_ms: string | null
}>

/** Coverage of many series by `keyOf`, in one query. */
export async function readSeriesCoverage(
  db: Database,
  series: readonly WantedSeries[],
): Promise<Map<string, SeriesCoverage>> {
  if (series.length === 0) return new Map()
  const { rows } = await db.execute<CoverageRow>(sql`
    with wanted as (${wantedRows(series)}), known as (
      select wanted.coin_id, wanted.timeframe, opens_from, opens_to,
        max(upper(ranges)) filter (where state = 'stored') as stored_to,
        max(upper(ranges)) filter (where state = 'no-trades' and coverage.source = wanted.source) as quiet_to,
        range_agg(ranges) filter (
          where state = 'stored' or (coverage.source = wanted.source and state in ('no-trades', 'refused'))
        ) as resolved
      from wanted left join candle_coverage as coverage
        on coverage.coin_id = wanted.coin_id and coverage.timeframe = wanted.timeframe
      group by wanted.coin_id, wanted.timeframe, opens_from, opens_to
    )
    select coin_id, timeframe,
      extract(epoch from stored_to) * 1000 as stored_to_ms,
      extract(epoch from quiet_to) * 1000 as quiet_to_ms,
      (
        select sum(extract(epoch from upper(part) - lower(part))) * 1000
        from unnest(tsmultirange(tsrange(opens_from, opens_to)) - coalesce(resolved, '{}')) as part
      ) as missing_ms
    from known`)
  return new Map(
    rows.map((row) => [
      keyOf({ coinId: row.coin_id, timeframe: row.timeframe }),
      {
        storedTo: row.stored_to_ms === null ? undefined : fromMs(row.stored_to_ms),
        quietTo: row.quiet_to_ms === null ? undefined : fromMs(row.quiet_to_ms),
        missingMs: Number(row.missing_ms ?? 0),
      },
    ]),
  )
}

/** Ranges to request from the source, ascending, inside the wanted range. */
export type Unresolved = Readonly<Record<PendingState | 'missing', readonly AlignedRange[]>>

export const nothingUnresolved: Unresolved = {
  missing: [],
  provisional: [],
  'recheck-after-day': [],
  'recheck-after-month': [],
}

type UnresolvedRow = Readonly<{ coin_id: string; timeframe: Series['timeframe'] }> &
  Readonly<Record<keyof Unresolved, JsonRanges | null>>

/** Missing and unconfirmed ranges of many series by `keyOf`, in one query. Rejected candles count as resolved. */
export async function readUnresolved(
  db: Database,
  series: readonly WantedSeries[],
): Promise<Map<string, Unresolved>> {
  if (series.length === 0) return new Map()
  const { rows } = await db.execute<UnresolvedRow>(sql`
    with wanted as (${wantedRows(series)}), known as (
      select wanted.coin_id, wanted.timeframe, whole,
        range_agg(part) filter (
          where state = 'stored' or (coverage.source = wanted.source and state in ('no-trades', 'refused'))
        ) as resolved,
        range_agg(part) filter (where state = 'provisional' and coverage.source = wanted.source) as provisional,
        range_agg(part) filter (where state = 'recheck-after-day' and coverage.source = wanted.source) as after_day,
        range_agg(part) filter (where state = 'recheck-after-month' and coverage.source = wanted.source) as after_month
      from wanted
      cross join lateral (select tsmultirange(tsrange(opens_from, opens_to)) as whole) as window_of
      left join candle_coverage as coverage
        on coverage.coin_id = wanted.coin_id and coverage.timeframe = wanted.timeframe
      -- Of a long history only what is asked about is put together.
      cross join lateral (select ranges * whole as part) as part_of
      group by wanted.coin_id, wanted.timeframe, whole
    )
    select coin_id, timeframe,
      ${rangesJson(sql`whole - coalesce(resolved, '{}')`)} as missing,
      ${rangesJson(sql`provisional`)} as provisional,
      ${rangesJson(sql`after_day`)} as "recheck-after-day",
      ${rangesJson(sql`after_month`)} as "recheck-after-month"
    from known`)
  return new Map(
    rows.map(({ coin_id, timeframe, ...found }) => [
      keyOf({ coinId: coin_id, timeframe }),
      {
        missing: toAlignedRanges(timeframe, found.missing),
        provisional: toAlignedRanges(timeframe, found.provisional),
        'recheck-after-day': toAlignedRanges(timeframe, found['recheck-after-day']),
        'recheck-after-month': toAlignedRanges(timeframe, found['recheck-after-month']),
      },
    ]),
  )
}

export async function readUnresolvedOf(db: Database, series: WantedSeries): Promise<Unresolved> {
  return (await readUnresolved(db, [series])).get(keyOf(series)) ?? nothingUnresolved
}

/**
 * Ranges where all of these coins lack a candle and at least one was requested. Time before a coin's first candle does
 * not count.
 */
export async function readSharedSilence(
  db: Database,
  { timeframe, source }: Omit<Series, 'coinId'>,
  coinIds: readonly string[],
  within: AlignedRange,
): Promise<AlignedRange[]> {
  if (coinIds.length === 0) return []
  const { rows } = await db.execute<{ silence: JsonRanges | null }>(sql`
    with known as (
      select coin_id, state, ranges, min(lower(ranges)) filter (where state = 'stored') over (partition by coin_id) as first_stored
      from candle_coverage
      where source = ${source} and timeframe = ${timeframe} and coin_id in ${coinIds} and state in ('stored', 'no-trades')
    ), all_known as (
      select
        range_agg(ranges * tsmultirange(tsrange(first_stored, null))) filter (where state = 'no-trades' and first_stored is not null) as absent,
        range_agg(ranges) filter (where state = 'stored') as stored
      from known
    )
    select ${rangesJson(sql`(absent - coalesce(stored, '{}')) * tsmultirange(tsrange(${toIso(within.from)}::timestamp, ${toIso(within.to)}::timestamp))`)} as silence
    from all_known`)
  return toAlignedRanges(timeframe, rows[0]?.silence ?? null)
}
