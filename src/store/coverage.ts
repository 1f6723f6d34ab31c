import { sql } from 'drizzle-orm'
import { day, type Instant, plus, toIso } from '../market/instant.ts'
import { type AlignedRange, toAlignedRange, union } from '../market/range.ts'
import { type AlignedInstant, floorTo, type Timeframe, toAligned } from '../market/timeframe.ts'
import type { AnySourceId } from '../settings/source-ids.ts'
import { fromMs, multirangeText, type RangeRow, toRange } from './coverage/multirange.ts'
import { takeLocks } from './locks.ts'
import type { Database } from './transaction.ts'

/** The candles of one coin in one timeframe, as one source gives them. */
export type Series = Readonly<{ coinId: string; timeframe: Timeframe; source: AnySourceId }>

/** `stored`: in the table. `no-trades`: absent at the source. `refused`: rejected and quarantined. */
export const coverageStates = ['stored', 'no-trades', 'refused'] as const
export type CoverageState = (typeof coverageStates)[number]

/**
 * Ranges to request again. `provisional`, part of `stored`: not yet confirmed after its close. The others, parts of
 * `no-trades` and `refused`: not requested since the candles were a day or a month old.
 */
const pendingStates = ['provisional', 'recheck-after-day', 'recheck-after-month'] as const
export type PendingState = (typeof pendingStates)[number]

/** Candle age, from its close, at which an absence is checked again. */
export const recheckAgeMs = { 'recheck-after-day': day, 'recheck-after-month': 30 * day } as const

export type CoverageRange = Readonly<{ range: AlignedRange; state: CoverageState; source: AnySourceId }>

/** Coverage of the series inside the range, all sources, ascending. */
export async function readCoverage(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
  within: AlignedRange,
): Promise<CoverageRange[]> {
  const { rows } = await db.execute<RangeRow & { state: CoverageState; source: AnySourceId }>(sql`
    select state, source, extract(epoch from lower(part)) * 1000 as from_ms, extract(epoch from upper(part)) * 1000 as to_ms
    from candle_coverage, unnest(ranges * tsmultirange(tsrange(${toIso(within.from)}::timestamp, ${toIso(within.to)}::timestamp))) as part
    where coin_id = ${coinId} and timeframe = ${timeframe} and state in ${coverageStates}
    order by lower(part)`)
  return rows.map((row) => ({
    range: toAlignedRange(timeframe, toRange(row)),
    state: row.state,
    source: row.source,
  }))
}

/** First stored open time of any source; undefined if none. */
export async function readFirstStored(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
): Promise<AlignedInstant | undefined> {
  const { rows } = await db.execute<{ from_ms: string | null }>(sql`
    select extract(epoch from min(lower(ranges))) * 1000 as from_ms from candle_coverage
    where coin_id = ${coinId} and timeframe = ${timeframe} and state = 'stored' and not isempty(ranges)`)
  const fromText = rows[0]?.from_ms ?? undefined
  return fromText === undefined ? undefined : toAligned(timeframe, fromMs(fromText))
}

export type Findings = Readonly<
  Record<CoverageState, readonly AlignedRange[]> & Partial<Record<'provisional', readonly AlignedRange[]>>
>

export type SeriesFindings = Readonly<{ series: Series; findings: Findings }>

/**
 * Serializes writers of the same series until the transaction ends. Locks are taken in one order, which avoids
 * deadlocks.
 */
export async function lockSeries(db: Database, series: readonly Omit<Series, 'source'>[]): Promise<void> {
  await takeLocks(
    db,
    series.map(({ coinId, timeframe }) => `series ${coinId} ${timeframe}`),
  )
}

/**
 * Writes the coverage of many series in the transaction of their candles, which holds `lockSeries`. A later finding
 * replaces an earlier one; a stored candle always wins. Unchanged coverage is not written.
 */
export async function writeCoverages(
  db: Database,
  answers: readonly SeriesFindings[],
  now: Instant,
): Promise<void> {
  for (const round of roundsOf(answers)) await writeRound(db, round, now)
}

/** One statement can update a row only once. */
function roundsOf(answers: readonly SeriesFindings[]): SeriesFindings[][] {
  const rounds: SeriesFindings[][] = []
  const taken = new Map<string, number>()
  for (const answer of answers) {
    const { coinId, timeframe, source } = answer.series
    const key = `${coinId} ${timeframe} ${source}`
    const turn = taken.get(key) ?? 0
    taken.set(key, turn + 1)
    const round = rounds[turn]
    if (round) round.push(answer)
    else rounds.push([answer])
  }
  return rounds
}

async function writeRound(db: Database, answers: readonly SeriesFindings[], now: Instant): Promise<void> {
  const found = answers.map(({ series: { coinId, timeframe, source }, findings }) => ({
    coin_id: coinId,
    timeframe,
    source,
    stored: foundText(timeframe, findings.stored),
    absent: foundText(timeframe, findings['no-trades']),
    refused: foundText(timeframe, findings.refused),
    provisional: foundText(timeframe, findings.provisional),
  }))
  const ages = [...new Set(answers.map(({ series }) => series.timeframe))].map((timeframe) => ({
    timeframe,
    // Later candles are younger than the age.
    day_young: toIso(youngerThan(recheckAgeMs['recheck-after-day'], timeframe, now)),
    month_young: toIso(youngerThan(recheckAgeMs['recheck-after-month'], timeframe, now)),
  }))
  await db.execute(sql`
    with answer as materialized (
      select coin_id, timeframe, source, coalesce(stored, '{}') as stored, coalesce(absent, '{}') as absent,
        coalesce(refused, '{}') as refused, coalesce(provisional, '{}') as provisional,
        tsmultirange(tsrange(day_young, null)) as after_day, tsmultirange(tsrange(month_young, null)) as after_month
      from jsonb_to_recordset(${JSON.stringify(found)}::jsonb) as answer (
        coin_id text, timeframe text, source text, stored tsmultirange, absent tsmultirange, refused tsmultirange,
        provisional tsmultirange
      )
      join jsonb_to_recordset(${JSON.stringify(ages)}::jsonb) as ages (
        timeframe text, day_young timestamp, month_young timestamp
      ) using (timeframe)
    ), known as materialized (
      -- Retention takes ranges away without the lock of each series: read is what it has left.
      select coverage.coin_id, coverage.timeframe, coverage.source, state, ranges
      from answer join candle_coverage as coverage using (coin_id, timeframe, source)
      order by coverage.coin_id, coverage.timeframe, coverage.source, state
      for update of coverage
    ), found as (
      select answer.*, absent + refused as missing, coalesce(kept.ranges, '{}') as kept
      from answer left join (select * from known where state = 'stored') as kept using (coin_id, timeframe, source)
    ), changes as (
      select coin_id, timeframe, source, state, gained, lost
      from found, lateral (values
        ('stored', stored, '{}'::tsmultirange),
        ('no-trades', absent - kept, stored + refused),
        ('refused', refused - kept, stored + absent),
        -- What its source has no candle for any more has been looked at as well.
        ('provisional', provisional, (stored - provisional) + absent),
        ('recheck-after-day', missing * after_day - kept, stored + (missing - after_day)),
        ('recheck-after-month', missing * after_month - kept, stored + (missing - after_month))
      ) as change (state, gained, lost)
    ), changed as (
      select coin_id, timeframe, source, state, coalesce(ranges, '{}') as before,
        (coalesce(ranges, '{}') - lost) + gained as after
      from changes left join known using (coin_id, timeframe, source, state)
      -- Of most series nothing but the stored ranges changes.
      where not isempty(gained) or ranges && lost
    )
    insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at)
    select coin_id, timeframe, source, state, after, ${toIso(now)}::timestamp from changed where after <> before
    on conflict (coin_id, timeframe, source, state) do update
      set ranges = excluded.ranges, updated_at = excluded.updated_at`)
}

/** Undefined for empty findings. Throws RangeError for ranges of another timeframe. */
const foundText = (timeframe: Timeframe, ranges: readonly AlignedRange[] = []): string | undefined =>
  ranges.length === 0
    ? undefined
    : multirangeText(union(ranges).map((range) => toAlignedRange(timeframe, range)))

/** First open time of candles that closed less than `ageMs` ago. */
export const youngerThan = (ageMs: number, timeframe: Timeframe, now: Instant): AlignedInstant =>
  floorTo(timeframe, plus(now, -ageMs))

/** Marks absent candles as missing again, in case the answer was wrong. */
export async function forgetAbsence(
  db: Database,
  series: Series,
  range: AlignedRange,
  now: Instant,
): Promise<void> {
  const { coinId, timeframe, source } = series
  await db.execute(sql`
    with absent as (
      select ranges * ${multirangeText([range])}::tsmultirange as ranges from candle_coverage
      where coin_id = ${coinId} and timeframe = ${timeframe} and source = ${source} and state = 'no-trades'
    )
    update candle_coverage as known set ranges = known.ranges - absent.ranges, updated_at = ${toIso(now)}::timestamp
    from absent
    where coin_id = ${coinId} and timeframe = ${timeframe} and source = ${source}
      and state in ('no-trades', 'recheck-after-day', 'recheck-after-month') and known.ranges && absent.ranges`)
}
