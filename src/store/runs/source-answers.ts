import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Database } from '../transaction.ts'

/** Result of a source's newest run, and jobs failed since. */
export type SourceAnswer = Readonly<{
  /** Empty for the price job of several sources. */
  source: string
  /** Undefined on success. */
  error: string | undefined
  failedJobs: number
}>

/** Sources requested since then; runs without requests are ignored. */
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
