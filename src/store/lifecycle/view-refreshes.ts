import { desc, eq, sql } from 'drizzle-orm'
import { type ViewRefresh, viewRefreshes } from '../../../drizzle/schema/summaries.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { type Database, withFaults } from '../transaction.ts'

export type NewRefresh = Omit<ViewRefresh, 'id' | 'runId'> & { runId: string }

export async function recordRefresh(db: Database, refresh: NewRefresh): Promise<void> {
  const { view, refreshedAt, durationMs, rows, coversTo, fingerprint, incomplete, runId } = refresh
  await db.execute(sql`
    insert into view_refreshes (view, refreshed_at, duration_ms, rows, covers_to, fingerprint, incomplete, run_id)
    values (${view}, ${toIso(refreshedAt)}::timestamp, ${durationMs}, ${rows}, ${toIso(coversTo)}::timestamp, ${fingerprint},
      ${JSON.stringify(incomplete)}::jsonb, ${runId}::uuid)`)
}

export async function listRefreshes(db: Database, view: string, limit: number): Promise<ViewRefresh[]> {
  return withFaults(
    db
      .select()
      .from(viewRefreshes)
      .where(eq(viewRefreshes.view, view))
      .orderBy(desc(viewRefreshes.refreshedAt))
      .limit(limit),
  )
}

/** Timeframes of the daily summaries. */
const summarised = ['1h', '1d'] as const

/**
 * A hash of the coverage before `coversTo`; changes with any candle. Read it before a refresh to notice later arrivals.
 */
export async function summaryFingerprint(db: Database, coversTo: Instant): Promise<string> {
  const before = sql`${toIso(coversTo)}::timestamp`
  const { rows } = await db.execute<{ fingerprint: string }>(sql`
    select md5(coalesce((
      select string_agg(
        format('%s %s %s %s', coin_id, timeframe, source, ranges * tsmultirange(tsrange(null, ${before}))), e'\n'
        order by coin_id, timeframe, source)
      from candle_coverage
      where state = 'stored' and timeframe in ${summarised} and ranges && tsmultirange(tsrange(null, ${before}))
    ), '')) || ' ' || (
      select count(*) from candle_revisions where timeframe in ('1h', '1d') and timestamp < ${before}
    ) as fingerprint`)
  return rows[0]?.fingerprint ?? ''
}
