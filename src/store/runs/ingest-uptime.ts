import { sql } from 'drizzle-orm'
import { type Instant, minute, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import { fromMs, type JsonRanges, rangesJson, toRanges } from '../coverage/multirange.ts'
import type { Series } from '../coverage.ts'
import type { Database } from '../transaction.ts'

/** What a tick may wait in its queue, beyond the candle that it is for. */
const waitingMs = 2 * minute

export type Uptime = Readonly<{
  /** When the first of its runs that is still on record began, however it ended; undefined where there is none. */
  recordedFrom: Instant | undefined
  /** The open times of candles that a run which succeeded came after, before the next one had closed. */
  up: readonly Range[]
}>

/** When live ingest of a source and timeframe worked, by the record of runs. */
export async function readUptime(
  db: Database,
  { source, timeframe }: Omit<Series, 'coinId'>,
  within: Range,
): Promise<Uptime> {
  const lengthMs = timeframeMs[timeframe]
  const milliseconds = (ms: number) => sql`make_interval(secs => ${ms / 1_000}::double precision)`
  // A candle is looked for once it has closed, so its open time lies a length before.
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
