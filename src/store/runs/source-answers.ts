import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Database } from '../transaction.ts'

/** How the newest run that asked a source has ended, and how many jobs of it failed since. */
export type SourceAnswer = Readonly<{
  /** Empty for the job that asks several sources for prices. */
  source: string
  /** Undefined where it was answered. */
  error: string | undefined
  failedJobs: number
}>

/** Every source that a run has asked since then. Runs that had nothing to ask say nothing. */
export async function readSourceAnswers(db: Database, since: Instant): Promise<SourceAnswer[]> {
  const { rows } = await db.execute<{ source: string; error: string | null; failed_jobs: number }>(sql`
    with asked as (
      select coalesce(payload->>'source', '') as source, job_id, status, error, started_at
      from ingest_runs
      where started_at >= ${toIso(since)}::timestamp and (payload ? 'source' or job = 'ingest-prices')
        and (status = 'failed' or status = 'done' and coalesce(outcome->>'requests', outcome->>'listed', '0') <> '0')
    )
    select distinct on (source) source, case when status = 'failed' then coalesce(error, '') end as error,
      (select count(distinct other.job_id)::integer from asked other
       where other.source = asked.source and other.status = 'failed') as failed_jobs
    from asked order by source, started_at desc`)
  return rows.map(({ source, error, failed_jobs }) => ({
    source,
    error: error ?? undefined,
    failedJobs: failed_jobs,
  }))
}
