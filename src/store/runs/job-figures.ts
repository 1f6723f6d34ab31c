import { sql } from 'drizzle-orm'
import type { Instant } from '../../market/instant.ts'
import { fromMs } from '../coverage/multirange.ts'
import type { Run } from '../runs.ts'
import type { Database } from '../transaction.ts'

export type LastSuccess = Readonly<{ job: string; endedAt: Instant; tookMs: number }>

/** Last success of each job and its duration; jobs without one are left out. */
export async function readLastSuccesses(db: Database, jobs: readonly string[]): Promise<LastSuccess[]> {
  const { rows } = await db.execute<{ job: string; ended_ms: string; took_ms: string }>(sql`
    select wanted.name as job,
      extract(epoch from last.finished_at) * 1000 as ended_ms,
      extract(epoch from last.finished_at - last.started_at) * 1000 as took_ms
    from jsonb_array_elements_text(${JSON.stringify(jobs)}::jsonb) as wanted (name), lateral (
      select started_at, finished_at from ingest_runs
      where job = wanted.name and status in ('done', 'partial') order by started_at desc limit 1
    ) as last`)
  return rows.map(({ job, ended_ms, took_ms }) => ({
    job,
    endedAt: fromMs(ended_ms),
    tookMs: Number(took_ms),
  }))
}

/** A job's last run. */
export type LastRun = Readonly<
  Pick<Run, 'job' | 'status' | 'willRetry' | 'startedAt' | 'error'> & { tookMs: number | undefined }
>

/** The newest run of each job; jobs without one are left out. */
export async function readLastRuns(db: Database, jobs: readonly string[]): Promise<LastRun[]> {
  const { rows } = await db.execute<{
    job: string
    status: Run['status']
    will_retry: boolean
    started_ms: string
    took_ms: string | null
    error: string | null
  }>(sql`
    select wanted.name as job, last.status, last.will_retry, last.error,
      extract(epoch from last.started_at) * 1000 as started_ms,
      extract(epoch from last.finished_at - last.started_at) * 1000 as took_ms
    from jsonb_array_elements_text(${JSON.stringify(jobs)}::jsonb) as wanted (name), lateral (
      select * from ingest_runs where job = wanted.name order by started_at desc limit 1
    ) as last`)
  return rows.map(({ job, status, will_retry, started_ms, took_ms, error }) => ({
    job,
    status,
    willRetry: will_retry,
    startedAt: fromMs(started_ms),
    tookMs: took_ms === null ? undefined : Number(took_ms),
    error: error ?? undefined,
  }))
}
