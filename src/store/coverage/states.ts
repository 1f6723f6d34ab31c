import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { hour, type Instant, plus, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import type { AnySourceId } from '../../settings/source-ids.ts'
import { lockSeries, type Series } from '../coverage.ts'
import { entryOfRows } from '../maintenance-audit.ts'
import { type Database, inTransaction } from '../transaction.ts'
import { type RangeRow, toRange } from './multirange.ts'

/** A contradiction between the states of one series. */
export type StateDiscrepancy = Readonly<{
  /**
   * `states-overlap`: two exclusive states. `state-alone`: a recheck outside the state it belongs to. `in-future`:
   * candles that cannot have closed.
   */
  kind: 'states-overlap' | 'state-alone' | 'in-future'
  coinId: string
  timeframe: Timeframe
  source: AnySourceId
  states: string
  range: Range
}>

const bySeries = sql`
  select coin_id, timeframe, source,
    coalesce(range_agg(ranges) filter (where state = 'stored'), '{}') as stored,
    coalesce(range_agg(ranges) filter (where state = 'no-trades'), '{}') as absent,
    coalesce(range_agg(ranges) filter (where state = 'refused'), '{}') as refused,
    coalesce(range_agg(ranges) filter (where state = 'provisional'), '{}') as provisional,
    coalesce(range_agg(ranges) filter (where state = 'recheck-after-day'), '{}') as after_day,
    coalesce(range_agg(ranges) filter (where state = 'recheck-after-month'), '{}') as after_month`

/** Allowed difference between our clock and the source's. */
const clocksDifferMs = hour

/** Ranges of each series and whether they have closed. */
const parts = (now: Instant): SQL => sql`
  select coin_id, timeframe, source, state, part, upper(part) <= ${toIso(plus(now, clocksDifferMs))}::timestamp as has_closed
  from candle_coverage, unnest(ranges) as part`

type FoundRow = RangeRow &
  Readonly<{
    kind: StateDiscrepancy['kind']
    coin_id: string
    timeframe: Timeframe
    source: AnySourceId
    states: string
  }>

/** Finds contradictions within coverage, without reading candles. */
export async function checkStates(db: Database, now: Instant): Promise<StateDiscrepancy[]> {
  const { rows } = await db.execute<FoundRow>(sql`
    with series as (${bySeries} from candle_coverage group by coin_id, timeframe, source), found as (
      select coin_id, timeframe, source, kind, states, ranges from series, lateral (values
        ('states-overlap', 'stored and no-trades', stored * absent),
        ('states-overlap', 'stored and refused', stored * refused),
        ('states-overlap', 'no-trades and refused', absent * refused),
        ('state-alone', 'provisional without stored', provisional - stored),
        ('state-alone', 'recheck-after-month without no-trades or refused', after_month - (absent + refused)),
        ('state-alone', 'recheck-after-day without recheck-after-month', after_day - after_month)
      ) as rule (kind, states, ranges)
      where not isempty(ranges)
      union all
      select coin_id, timeframe, source, 'in-future', state, range_agg(part) from (${parts(now)}) as parts
      where not has_closed
      group by coin_id, timeframe, source, state
    )
    select kind, coin_id, timeframe, source, states,
      coalesce(extract(epoch from lower(ranges)), 0) * 1000 as from_ms,
      coalesce(extract(epoch from upper(ranges)) * 1000, ${Date.UTC(9_999, 0)}) as to_ms
    from found order by coin_id, timeframe, source, kind, states`)
  return rows.map((row) => ({
    kind: row.kind,
    coinId: row.coin_id,
    timeframe: row.timeframe,
    source: row.source,
    states: row.states,
    range: toRange(row),
  }))
}

/**
 * Repairs a series' states: removes future candles; stored wins over absent, absent over rejected; rechecks stay only
 * inside their state.
 */
export async function repairStates(
  pool: Pool,
  { coinId, timeframe, source }: Series,
  now: Instant,
): Promise<void> {
  await inTransaction(
    pool,
    async ({ db }) => {
      await lockSeries(db, [{ coinId, timeframe }])
      const ofSeries = sql`coin_id = ${coinId} and timeframe = ${timeframe} and source = ${source}`
      await db.execute(sql`
        with whole as (
          select coin_id, timeframe, source, state, range_agg(part) as ranges from (${parts(now)}) as parts
          where has_closed and ${ofSeries}
          group by coin_id, timeframe, source, state
        ), series as (${bySeries} from whole group by coin_id, timeframe, source), mended as (
          select state, ranges from series, lateral (values
            ('stored', stored),
            ('no-trades', absent - stored),
            ('refused', refused - stored - absent),
            ('provisional', provisional * stored),
            ('recheck-after-month', after_month * (absent + refused) - stored),
            ('recheck-after-day', after_day * after_month * (absent + refused) - stored)
          ) as rule (state, ranges)
        )
        , repaired as (
          update candle_coverage as known
          set ranges = coalesce((select mended.ranges from mended where mended.state = known.state), '{}'), updated_at = ${toIso(now)}::timestamp
          where ${ofSeries} and ranges <> coalesce((select mended.ranges from mended where mended.state = known.state), '{}')
          returning known.state
        )
        ${entryOfRows('repaired', {
          operation: 'REPAIR',
          table: 'candle_coverage',
          entity: `${coinId} ${timeframe}`,
          details: { why: 'states of the same source that exclude each other', source },
        })}`)
    },
    'maintenance',
  )
}
