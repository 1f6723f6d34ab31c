import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import { type AlignedRange, union } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { multirangeText } from '../coverage/multirange.ts'
import type { Database } from '../transaction.ts'

/**
 * Removes coverage, revisions and quarantined rows of the ranges, for all coins and sources. Open quarantined rows stay
 * if an archive refers to them.
 */
export async function trimCoverage(
  db: Database,
  timeframe: Timeframe,
  ranges: readonly AlignedRange[],
  now: Instant,
): Promise<void> {
  const gone = sql`${multirangeText(union(ranges))}::tsmultirange`
  await db.execute(sql`
    update candle_coverage set ranges = ranges - ${gone}, updated_at = ${toIso(now)}::timestamp
    where timeframe = ${timeframe} and ranges && ${gone}`)
  await db.execute(sql`delete from candle_revisions where timeframe = ${timeframe} and ${gone} @> timestamp`)
  await db.execute(sql`
    delete from quarantined_rows as rejected
    where timeframe = ${timeframe} and ${gone} @> timestamp and (
      resolution is not null or not exists (
        select from archives
        where table_name = ${`ohlcv_data_${timeframe}`} and state in ('dropped', 'restored')
          and rejected.timestamp >= range_from and rejected.timestamp < range_to
      )
    )`)
}
