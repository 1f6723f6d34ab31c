import { sql } from 'drizzle-orm'
import { type Instant, minute, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import { fromMs, type JsonRanges, rangesJson, toRanges } from '../coverage/multirange.ts'
import type { Series } from '../coverage.ts'
import type { Database } from '../transaction.ts'

/** Allowed queue delay of a scheduled run. */
const waitingMs = 2 * minute

export type Uptime = Readonly<{
  /** Start of the first recorded run; undefined if none. */
  recordedFrom: Instant | undefined
  /** Open times followed by a successful run before the next close. */
  up: readonly Range[]
}>

/** When live ingestion of a source and timeframe worked, from recorded runs. */
export async function readUptime(
  db: Database,
  { source, timeframe }: Omit<Series, 'coinId'>,
  within: Range,
): Promise<Uptime> {
  const lengthMs = timeframeMs[timeframe]
  const milliseconds = (ms: number) => sql`make_interval(secs => ${ms / 1_000}::double precision)`
  // Candles are requested after closing, one length after their open time.
  const ofIngest = sql`job = 'ingest-candles' and payload @> ${JSON.stringify({ source, timeframe })}::jsonb`
  const { rows } = await db.execute<{ recorded_ms: string | null; up: JsonRanges | null }>(sql`
    with run as (
      select tsrange(started_at - ${milliseconds(2 * lengthMs + waitingMs)}, started_at - ${milliseconds(lengthMs)}) as covers
      from ingest_runs
      where ${ofIngest} and status in ('done', 'partial') and started_at >= ${toIso(within.from)}::timestamp
        and started_at < ${toIso(within.to)}::timestamp + ${milliseconds(2 * lengthMs + waitingMs)}
    )
    select
      (select extract(epoch from started_at) * 1000 from ingest_runs where ${ofIngest} order by started_at limit 1) as recorded_ms,
      ${rangesJson(sql`(select range_agg(covers) from run)`)} as up`)
  const recorded = rows[0]?.recorded_ms ?? undefined
  return {
    recordedFrom: recorded === undefined ? undefined : fromMs(recorded),
    up: toRanges(rows[0]?.up ?? null),
  }
}
