import { type SQL, sql } from 'drizzle-orm'
import { second, toIso } from '../../market/instant.ts'
import type { AlignedRange } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { type JsonRanges, rangesJson, toAlignedRanges } from '../coverage/multirange.ts'
import type { Database } from '../transaction.ts'

/** SQL values or columns to search by. */
type Whereabouts = Readonly<Record<'coinId' | 'timeframe' | 'source' | 'from' | 'to' | 'candleLength', SQL>>

/**
 * A multirange of open times with discarded and no open rows (null if none): they count as absent and are not requested
 * again.
 */
export const discardedRanges = ({
  coinId,
  timeframe,
  source,
  from,
  to,
  candleLength,
}: Whereabouts): SQL => sql`(
  select range_agg(tsrange(open_time, open_time + ${candleLength})) from (
    select date_bin(${candleLength}, timestamp, '1970-01-01') as open_time from quarantined_rows as kept
    where kept.coin_id = ${coinId} and kept.timeframe = ${timeframe} and kept.source = ${source}
      and timestamp >= ${from} and timestamp < ${to}
    group by open_time
    having bool_or(resolution = 'discarded') and bool_and(resolution is not null)
  ) as discarded
)`

export async function readDiscarded(
  db: Database,
  { coinId, timeframe, source }: Readonly<{ coinId: string; timeframe: Timeframe; source: string }>,
  { from, to }: AlignedRange,
): Promise<AlignedRange[]> {
  const ranges = discardedRanges({
    coinId: sql`${coinId}`,
    timeframe: sql`${timeframe}`,
    source: sql`${source}`,
    from: sql`${toIso(from)}::timestamp`,
    to: sql`${toIso(to)}::timestamp`,
    candleLength: sql`${`${timeframeMs[timeframe] / second} seconds`}::interval`,
  })
  const { rows } = await db.execute<{ discarded: JsonRanges | null }>(
    sql`select ${rangesJson(ranges)} as discarded`,
  )
  return toAlignedRanges(timeframe, rows[0]?.discarded ?? null)
}
