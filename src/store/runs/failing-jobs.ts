import { type SQL, sql } from 'drizzle-orm'
import type { FailingJob } from '../../../drizzle/schema/ingest.ts'
import { fromMs } from '../coverage/multirange.ts'
import type { Database } from '../transaction.ts'

/** Payload fields that distinguish a job's work. */
export const subjectNames = ['source', 'timeframe', 'coinId', 'symbol', 'view', 'from', 'to'] as const
export type Subject = Readonly<Partial<Record<(typeof subjectNames)[number], string>>>

const subjectOfPayload = sql`(
  select coalesce(jsonb_object_agg(key, value), '{}')
  from jsonb_each(case jsonb_typeof(payload) when 'object' then payload else '{}' end)
  where key in ${[...subjectNames]} and jsonb_typeof(value) = 'string')`

/** Ends a run and updates failing_jobs in one statement. A stopped run did not fail. */
export const recordingFailure = (endOfRun: SQL, fault = 'Error'): SQL => sql`
  with ended as (
    ${endOfRun}
    returning id, job, queue, status, will_retry, coalesce(error, '') as error, started_at, finished_at,
      ${subjectOfPayload} as subject
  ), recovered as (
    delete from failing_jobs using ended
    where ended.status = 'done' and failing_jobs.job = ended.job
      and failing_jobs.subject_hash = md5(ended.subject::text) and failing_jobs.last_started_at <= ended.started_at
  )
  insert into failing_jobs
    (job, subject_hash, subject, queue, status, fault, will_retry, first_error, last_error, first_failed_at,
      last_failed_at, last_started_at, failures, run_id)
  select job, md5(subject::text), subject, queue, status, ${fault.slice(0, 100)}, will_retry, error, error, finished_at,
    finished_at, started_at, 1, id
  from ended where status in ('partial', 'failed') and ${fault !== 'Aborted'}
  on conflict (job, subject_hash) do update
    set queue = excluded.queue, status = excluded.status, fault = excluded.fault, will_retry = excluded.will_retry,
      last_error = excluded.last_error,
      last_failed_at = greatest(failing_jobs.last_failed_at, excluded.last_failed_at),
      last_started_at = excluded.last_started_at, failures = failing_jobs.failures + 1, run_id = excluded.run_id
    where failing_jobs.last_started_at <= excluded.last_started_at`

/** A job whose last run for this subject failed. */
export type Failing = Readonly<
  Omit<FailingJob, 'subject' | 'subjectHash' | 'lastStartedAt'> & {
    subject: Subject
    /** Whether its range still has missing candles; undefined without a range. */
    isRangeMissing: boolean | undefined
  }
>

type Row = Readonly<{
  job: string
  queue: string
  subject: Subject
  status: Failing['status']
  fault: string
  will_retry: boolean
  first_error: string
  last_error: string
  first_ms: string
  last_ms: string
  failures: number
  run_id: string
  is_range_missing: boolean | null
}>

/** Longest failing first. */
export async function readFailingJobs(db: Database): Promise<Failing[]> {
  const { rows } = await db.execute<Row>(sql`
    select job, queue, subject, status, fault, will_retry, first_error, last_error, failures, run_id,
      extract(epoch from first_failed_at) * 1000 as first_ms, extract(epoch from last_failed_at) * 1000 as last_ms,
      case when subject ?& array['coinId', 'timeframe', 'source', 'from', 'to'] then not isempty(
        tsmultirange(tsrange((subject ->> 'from')::timestamp, (subject ->> 'to')::timestamp)) - coalesce((
          select range_agg(ranges) from candle_coverage as coverage
          where coverage.coin_id = subject ->> 'coinId' and coverage.timeframe = subject ->> 'timeframe'
            and (state = 'stored' or (coverage.source = subject ->> 'source' and state in ('no-trades', 'refused')))
        ), '{}')) end as is_range_missing
    from failing_jobs order by first_failed_at, job, subject::text`)
  return rows.map((row) => ({
    job: row.job,
    queue: row.queue,
    subject: row.subject,
    status: row.status,
    fault: row.fault,
    willRetry: row.will_retry,
    firstError: row.first_error,
    lastError: row.last_error,
    firstFailedAt: fromMs(row.first_ms),
    lastFailedAt: fromMs(row.last_ms),
    failures: row.failures,
    runId: row.run_id,
    isRangeMissing: row.is_range_missing ?? undefined,
  }))
}

/** Deletes failures of work that no longer exists, unless they failed again meanwhile. */
export async function forgetFailingJobs(db: Database, gone: readonly Failing[]): Promise<void> {
  if (gone.length === 0) return
  await db.execute(sql`
    delete from failing_jobs where run_id in (
      select jsonb_array_elements_text(${JSON.stringify(gone.map(({ runId }) => runId))}::jsonb)::uuid)`)
}
