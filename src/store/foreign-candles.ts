import { sql } from 'drizzle-orm'
import { type Instant, plus, toInstant, toIso } from '../market/instant.ts'
import { floorTo, isAligned, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { forgetDigests } from './digests/candle-digests.ts'
import { entryOfRows } from './maintenance-audit.ts'
import { multirangeText } from './multirange.ts'
import type { Database, Transaction } from './transaction.ts'

/** Candles that turned out to be those of another market, from when on, and why. */
export type Foreign = Readonly<{
  coinId: string
  source: string
  /** The symbol under which both were listed. */
  market: string
  from: Instant
  reason: string
  runId: string
  now: Instant
}>

/**
 * Moves a coin's candles of one source from then on out of the table into quarantine, and forgets that they were ever
 * covered. A candle that was open at that moment is made of both markets: it is refused. Returns how many were moved.
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
    await forgetDigests(db, { coinId: foreign.coinId, timeframe }, { from: foreign.from, to: endOfTime })
    await forget(db, foreign, timeframe)
    if (!isAligned(foreign.from, timeframe)) await refuseMixed(db, foreign, timeframe)
  }
  return moved
}

const endOfTime = toInstant(Date.UTC(9_999, 0))

async function coveredTimeframes(db: Database, { coinId, source }: Foreign): Promise<Timeframe[]> {
  const { rows } = await db.execute<{ timeframe: Timeframe }>(sql`
    select distinct timeframe from candle_coverage where coin_id = ${coinId} and source = ${source} order by timeframe`)
  return rows.map(({ timeframe }) => timeframe)
}

async function moveCandles(db: Database, foreign: Foreign, timeframe: Timeframe): Promise<number> {
  const { coinId, source, market, from, reason, runId, now } = foreign
  const begin = toIso(floorTo(timeframe, from))
  const { rows } = await db.execute<{ moved: number }>(sql`
    with own as (
      select unnest(ranges * tsmultirange(tsrange(${begin}::timestamp, null))) as part
      from candle_coverage
      where coin_id = ${coinId} and timeframe = ${timeframe} and source = ${source} and state = 'stored'
    ), gone as (
      delete from ohlcv_data using own
      where coin_id = ${coinId} and timeframe = ${timeframe} and timestamp >= ${begin}::timestamp and timestamp <@ part
      returning ohlcv_data.*
    ), kept as (
      insert into quarantined_rows (source, market, coin_id, timeframe, timestamp, reason, raw, run_id, quarantined_at)
      select ${source}, ${market}, coin_id, timeframe, timestamp, ${reason},
        json_build_array(to_char(timestamp, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), open::text, high::text, low::text, close::text, volume::text)::text,
        ${runId}::uuid, ${toIso(now)}::timestamp
      from gone
      on conflict do nothing
    ), entry as (${entryOfRows('gone', {
      operation: 'REMOVE',
      table: 'ohlcv_data',
      entity: `${coinId} ${timeframe}`,
      details: { why: reason, source, market, from: begin, run: runId, to: 'quarantined_rows' },
    })})
    select count(*)::integer as moved from gone`)
  return rows[0]?.moved ?? 0
}

const forget = (db: Database, { coinId, source, from, now }: Foreign, timeframe: Timeframe) =>
  db.execute(sql`
    update candle_coverage
    set ranges = ranges - tsmultirange(tsrange(${toIso(floorTo(timeframe, from))}::timestamp, null)),
      updated_at = ${toIso(now)}::timestamp
    where coin_id = ${coinId} and timeframe = ${timeframe} and source = ${source}`)

function refuseMixed(db: Database, { coinId, source, from, now }: Foreign, timeframe: Timeframe) {
  const openTime = floorTo(timeframe, from)
  const mixed = multirangeText([{ from: openTime, to: plus(openTime, timeframeMs[timeframe]) }])
  return db.execute(sql`
    insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at)
    values (${coinId}, ${timeframe}, ${source}, 'refused', ${mixed}::tsmultirange, ${toIso(now)}::timestamp)
    on conflict (coin_id, timeframe, source, state) do update
      set ranges = candle_coverage.ranges + excluded.ranges, updated_at = excluded.updated_at`)
}
