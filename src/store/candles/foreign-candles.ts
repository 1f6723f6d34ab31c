import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import { allTime, candleAround } from '../../market/range.ts'
import { ceilTo, floorTo, isAligned, type Timeframe } from '../../market/timeframe.ts'
import { multirangeText } from '../coverage/multirange.ts'
import { forgetDigests } from '../digests/candle-digests.ts'
import { entryOfRows } from '../maintenance-audit.ts'
import { orCountAgain, reasonKind } from '../quarantine/repeated-rejections.ts'
import type { Database, Transaction } from '../transaction.ts'

/** Candles that belong to another market. */
export type Foreign = Readonly<{
  coinId: string
  source: string
  market: string
  /** Unbounded where absent. A candle open at a bound mixes both markets. */
  from?: Instant
  to?: Instant
  reason: string
  /** Absent when set by hand. */
  runId?: string
  now: Instant
}>

/**
 * Moves a coin's candles of one source and range into quarantine and removes their coverage. The candle that mixes both
 * markets at `from` becomes rejected. Returns how many were moved.
 */
export async function setAside(
  { db }: Transaction,
  foreign: Foreign,
  kept: readonly Timeframe[],
): Promise<number> {
  const covered = await coveredTimeframes(db, foreign)
  let moved = 0
  for (const timeframe of new Set([...covered, ...kept])) {
    moved += await moveCandles(db, foreign, timeframe)
    await forgetDigests(
      db,
      { coinId: foreign.coinId, timeframe },
      {
        from: foreign.from ?? allTime.from,
        to: foreign.to ?? allTime.to,
      },
    )
    await forget(db, foreign, timeframe)
    if (foreign.from !== undefined && !isAligned(foreign.from, timeframe))
      await refuseMixed(db, foreign, foreign.from, timeframe)
  }
  return moved
}

async function coveredTimeframes(db: Database, { coinId, source }: Foreign): Promise<Timeframe[]> {
  const { rows } = await db.execute<{ timeframe: Timeframe }>(sql`
    select distinct timeframe from candle_coverage where coin_id = ${coinId} and source = ${source} order by timeframe`)
  return rows.map(({ timeframe }) => timeframe)
}

async function moveCandles(db: Database, foreign: Foreign, timeframe: Timeframe): Promise<number> {
  const { coinId, source, market, reason, runId, now } = foreign
  const { begin, end } = openTimesOf(foreign, timeframe)
  const { rows } = await db.execute<{ moved: number }>(sql`
    with own as (
      select unnest(ranges * tsmultirange(tsrange(${begin}::timestamp, ${end}::timestamp))) as part
      from candle_coverage
      where coin_id = ${coinId} and timeframe = ${timeframe} and source = ${source} and state = 'stored'
    ), gone as (
      delete from ohlcv_data using own
      where coin_id = ${coinId} and timeframe = ${timeframe} and timestamp <@ part
        and timestamp >= ${begin}::timestamp and timestamp < ${end}::timestamp
      returning ohlcv_data.*
    ), kept as (
      insert into quarantined_rows
        (source, market, coin_id, timeframe, timestamp, reason, kind, raw, run_id, quarantined_at, last_seen_at)
      select ${source}, ${market}, coin_id, timeframe, timestamp, ${reason}, ${reasonKind(reason)},
        json_build_array(to_char(timestamp, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), open::text, high::text, low::text, close::text, volume::text)::text,
        ${runId ?? null}::uuid, ${toIso(now)}::timestamp, ${toIso(now)}::timestamp
      from gone
      ${orCountAgain}
    ), entry as (${entryOfRows('gone', {
      operation: 'REMOVE',
      table: 'ohlcv_data',
      entity: `${coinId} ${timeframe}`,
      details: { why: reason, source, market, from: begin, before: end, run: runId, to: 'quarantined_rows' },
    })})
    select count(*)::integer as moved from gone`)
  return rows[0]?.moved ?? 0
}

/** Bounds of the open times that are not entirely the coin's own. */
const openTimesOf = ({ from, to }: Foreign, timeframe: Timeframe) => ({
  begin: from === undefined ? '-infinity' : toIso(floorTo(timeframe, from)),
  end: to === undefined ? 'infinity' : toIso(ceilTo(timeframe, to)),
})

function forget(db: Database, foreign: Foreign, timeframe: Timeframe) {
  const { begin, end } = openTimesOf(foreign, timeframe)
  return db.execute(sql`
    update candle_coverage
    set ranges = ranges - tsmultirange(tsrange(${begin}::timestamp, ${end}::timestamp)),
      updated_at = ${toIso(foreign.now)}::timestamp
    where coin_id = ${foreign.coinId} and timeframe = ${timeframe} and source = ${foreign.source}`)
}

function refuseMixed(db: Database, { coinId, source, now }: Foreign, from: Instant, timeframe: Timeframe) {
  const mixed = multirangeText([candleAround(timeframe, from)])
  return db.execute(sql`
    insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at)
    values (${coinId}, ${timeframe}, ${source}, 'refused', ${mixed}::tsmultirange, ${toIso(now)}::timestamp)
    on conflict (coin_id, timeframe, source, state) do update
      set ranges = candle_coverage.ranges + excluded.ranges, updated_at = excluded.updated_at`)
}
