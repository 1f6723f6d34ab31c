import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Database } from '../transaction.ts'

/** `candles`: those in the jobs' ranges. */
export type BackfillWork = Readonly<{ candles: number; requests: number; candlesOfRate: number }>

type WorkRow = Readonly<{ candles: string; requests: string; candles_of_rate: string }>

/** Totals of successful jobs since `since`; the rate since `rateFrom`. */
export async function readBackfillWork(
  db: Database,
  queue: string,
  { since, rateFrom }: Readonly<{ since: Instant; rateFrom: Instant }>,
): Promise<BackfillWork> {
  const { rows } = await db.execute<WorkRow>(sql`
    with ended as (
      select finished_at, coalesce((outcome ->> 'requests')::bigint, 0) as requests,
        extract(epoch from (payload ->> 'to')::timestamptz - (payload ->> 'from')::timestamptz)
          / extract(epoch from (payload ->> 'timeframe')::interval) as candles
      from ingest_runs
      where job = 'backfill-candles' and queue = ${queue} and status = 'done'
        and started_at >= ${toIso(since)}::timestamp
    )
    select coalesce(sum(candles), 0) as candles, coalesce(sum(requests), 0) as requests,
      coalesce(sum(candles) filter (where finished_at >= ${toIso(rateFrom)}::timestamp), 0) as candles_of_rate
    from ended`)
  const [row] = rows
  return {
    candles: Math.round(Number(row?.candles ?? 0)),
    requests: Number(row?.requests ?? 0),
    candlesOfRate: Number(row?.candles_of_rate ?? 0),
  }
}
