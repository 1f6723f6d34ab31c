import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../market/instant.ts'
import { type Range, subtract, union } from '../market/range.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { fromMs, multirangeText, type RangeRow, toRange } from './multirange.ts'
import type { Database } from './transaction.ts'

/** The candles of one coin in one timeframe, as one source gives them. */
export type Series = Readonly<{ coinId: string; timeframe: Timeframe; source: string }>

/**
 * What is known of a stretch of a series. `stored`: in the table. `no-trades`: the source answered, and has no
 * candle there. `refused`: it has one, but it was not believed and lies in quarantine.
 */
export const coverageStates = ['stored', 'no-trades', 'refused'] as const
export type CoverageState = (typeof coverageStates)[number]

export type CoverageRange = Readonly<{ range: Range; state: CoverageState; source: string }>

/** Everything known of the series inside the range, whichever source it came from, ascending. */
export async function readCoverage(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
  within: Range,
): Promise<CoverageRange[]> {
  const { rows } = await db.execute<RangeRow & { state: CoverageState; source: string }>(sql`
    select state, source, extract(epoch from lower(part)) * 1000 as from_ms, extract(epoch from upper(part)) * 1000 as to_ms
    from candle_coverage, unnest(ranges * tsmultirange(tsrange(${toIso(within.from)}::timestamp, ${toIso(within.to)}::timestamp))) as part
    where coin_id = ${coinId} and timeframe = ${timeframe}
    order by lower(part)`)
  return rows.map((row) => ({ range: toRange(row), state: row.state, source: row.source }))
}

/** The first open time stored of the series, whichever source it came from; undefined where there is none. */
export async function readFirstStored(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
): Promise<Instant | undefined> {
  const { rows } = await db.execute<{ from_ms: string | null }>(sql`
    select extract(epoch from min(lower(ranges))) * 1000 as from_ms from candle_coverage
    where coin_id = ${coinId} and timeframe = ${timeframe} and state = 'stored' and not isempty(ranges)`)
  const fromText = rows[0]?.from_ms ?? undefined
  return fromText === undefined ? undefined : fromMs(fromText)
}

/** Live work settles for quarantined candles; a backfill asks for them once more. */
export type Persistence = 'settle-for-refused' | 'retry-refused'

/**
 * What is wanted of the series and not settled yet. A stretch stored from another source is there all the same; what
 * another source lacks, this one may have.
 */
export async function readOwed(
  db: Database,
  series: Series,
  wanted: Range,
  persistence: Persistence,
): Promise<Range[]> {
  const coverage = await readCoverage(db, series, wanted)
  const settled = coverage.filter(
    ({ state, source }) =>
      state === 'stored' ||
      (source === series.source && (state === 'no-trades' || persistence === 'settle-for-refused')),
  )
  return subtract(
    wanted,
    settled.map(({ range }) => range),
  )
}

/** What one answer has shown of a series; the three do not overlap. */
export type Findings = Readonly<Record<CoverageState, readonly Range[]>>

/** Adds an answer's findings to the ledger, in the transaction that writes the candles they speak of. */
export async function writeCoverage(
  db: Database,
  series: Series,
  findings: Findings,
  now: Instant,
): Promise<void> {
  for (const state of coverageStates) {
    const ranges = union(findings[state])
    if (ranges.length > 0) await gain(db, series, state, ranges, now)
  }
  // A later finding replaces an earlier one, and a candle in the table outweighs both.
  await lose(db, series, 'no-trades', findings.refused, now)
  await lose(db, series, 'refused', findings['no-trades'], now)
}

async function gain(
  db: Database,
  series: Series,
  state: CoverageState,
  ranges: readonly Range[],
  now: Instant,
): Promise<void> {
  await db.execute(sql`
    insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at)
    values (${series.coinId}, ${series.timeframe}, ${series.source}, ${state}, ${multirangeText(ranges)}::tsmultirange, ${toIso(now)}::timestamp)
    on conflict (coin_id, timeframe, source, state) do update
      set ranges = candle_coverage.ranges + excluded.ranges, updated_at = excluded.updated_at
      where not candle_coverage.ranges @> excluded.ranges`)
}

async function lose(
  db: Database,
  series: Series,
  state: CoverageState,
  ranges: readonly Range[],
  now: Instant,
): Promise<void> {
  await db.execute(sql`
    with gone as (
      select range_agg(part) as ranges
      from (
        select unnest(ranges) as part from candle_coverage
        where coin_id = ${series.coinId} and timeframe = ${series.timeframe} and source = ${series.source} and state = 'stored'
        union all
        select unnest(${multirangeText(union(ranges))}::tsmultirange)
      ) as parts
    )
    update candle_coverage set ranges = candle_coverage.ranges - gone.ranges, updated_at = ${toIso(now)}::timestamp
    from gone
    where coin_id = ${series.coinId} and timeframe = ${series.timeframe} and source = ${series.source} and state = ${state}
      and candle_coverage.ranges && gone.ranges`)
}

/** Makes what the source said it has no candle for owed again: an answer may have been wrong. */
export async function forgetAbsence(db: Database, series: Series, range: Range, now: Instant): Promise<void> {
  const forgotten = multirangeText([range])
  await db.execute(sql`
    update candle_coverage set ranges = ranges - ${forgotten}::tsmultirange, updated_at = ${toIso(now)}::timestamp
    where coin_id = ${series.coinId} and timeframe = ${series.timeframe} and source = ${series.source} and state = 'no-trades'
      and ranges && ${forgotten}::tsmultirange`)
}

export type SeriesSummary = Readonly<{
  coinId: string
  timeframe: Timeframe
  source: string
  stored: Range
  stretches: number
  candles: number
}>

/** One line a series and source: from when to when it is stored, in how many pieces. */
export async function summarizeCoverage(db: Database, coinIds: readonly string[]): Promise<SeriesSummary[]> {
  const chosen = coinIds.length === 0 ? sql`true` : sql`coin_id in ${coinIds}`
  const { rows } = await db.execute<
    RangeRow & { coin_id: string; timeframe: Timeframe; source: string; stretches: number; stored_ms: string }
  >(sql`
    select coin_id, timeframe, source,
      extract(epoch from lower(ranges)) * 1000 as from_ms, extract(epoch from upper(ranges)) * 1000 as to_ms,
      (select count(*)::integer from unnest(ranges)) as stretches,
      (select sum(extract(epoch from upper(part) - lower(part))) * 1000 from unnest(ranges) as part) as stored_ms
    from candle_coverage
    where state = 'stored' and not isempty(ranges) and ${chosen}
    order by coin_id, timeframe, source`)
  return rows.map((row) => ({
    coinId: row.coin_id,
    timeframe: row.timeframe,
    source: row.source,
    stored: toRange(row),
    stretches: row.stretches,
    candles: Math.round(Number(row.stored_ms) / timeframeMs[row.timeframe]),
  }))
}
