import { sql } from 'drizzle-orm'
import { day, type Instant, toMinuteText } from '../market/instant.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import { fromMs } from '../store/coverage/multirange.ts'
import type { Database } from '../store/transaction.ts'

/** Clocks that should agree. */
export type Clocks = Readonly<{
  own: Instant
  database: Instant
  /** Close of the newest candle, or a newer price; undefined without data. */
  newest: Instant | undefined
}>

export async function readClocks(db: Database, own: Instant): Promise<Clocks> {
  const { rows } = await db.execute<{ database_ms: string; newest_ms: string | null }>(sql`
    select extract(epoch from clock_timestamp()) * 1000 as database_ms,
      extract(epoch from greatest(
        (select max(upper(ranges)) from candle_coverage where state = 'stored' and not isempty(ranges)),
        (select max(timestamp) from market_data)
      )) * 1000 as newest_ms`)
  const { database_ms = '', newest_ms = null } = rows[0] ?? {}
  return { own, database: fromMs(database_ms), newest: newest_ms === null ? undefined : fromMs(newest_ms) }
}

const mostMs = day

/** Why the clocks cannot be trusted, undefined if they agree. A clock ahead would delete everything. */
export function clockObjection(
  { own, database, newest }: Clocks,
  { timeframes }: Settings,
): string | undefined {
  if (Math.abs(own - database) > mostMs) {
    return `the clock here says ${toMinuteText(own)} and that of the database ${toMinuteText(database)}: set the one that is wrong`
  }
  if (newest === undefined) return undefined
  // The newest candle may be one length old.
  const shortestMs = Math.min(
    ...Object.keys(timeframes).map((timeframe) => timeframeMs[timeframe as Timeframe]),
  )
  const toleratedMs = mostMs + (Number.isFinite(shortestMs) ? shortestMs : 0)
  if (Math.abs(own - newest) <= toleratedMs) return undefined
  return `the clock says ${toMinuteText(own)} and the newest candle or price is of ${toMinuteText(newest)}, more than a day off: set the clock if it is wrong, or let beacon start load what is newer`
}
