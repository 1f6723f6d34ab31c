import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../market/instant.ts'
import { fromMs } from './multirange.ts'
import type { Database } from './transaction.ts'

export type RunStart = Readonly<{
  job: string
  queue: string
  jobId: string
  attempt: number
  payload: unknown
  startedAt: Instant
}>

/** Records that a job began. An earlier run of the same job that never ended died in the middle, and is marked so. */
export async function startRun(
  db: Database,
  { job, queue, jobId, attempt, payload, startedAt }: RunStart,
): Promise<string> {
  const id = randomUUID()
  await db.execute(sql`
    update ingest_runs set status = 'abandoned', finished_at = ${toIso(startedAt)}::timestamp
    where job_id = ${jobId} and queue = ${queue} and status = 'running'`)
  await db.execute(sql`
    insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at)
    values (${id}::uuid, ${job}, ${queue}, ${jobId}, ${attempt}, ${JSON.stringify(payload)}::jsonb, 'running', ${toIso(startedAt)}::timestamp)`)
  return id
}

export type RunEnd =
  | Readonly<{ status: 'done'; outcome: unknown }>
  | Readonly<{ status: 'failed'; error: string; willRetry: boolean }>

export async function finishRun(db: Database, id: string, end: RunEnd, finishedAt: Instant): Promise<void> {
  const outcome = end.status === 'done' ? JSON.stringify(end.outcome) : null
  const error = end.status === 'failed' ? end.error : null
  await db.execute(sql`
    update ingest_runs
    set status = ${end.status}, finished_at = ${toIso(finishedAt)}::timestamp, outcome = ${outcome}::jsonb, error = ${error},
      will_retry = ${end.status === 'failed' && end.willRetry}
    where id = ${id}::uuid`)
}

export type Run = Readonly<{
  id: string
  job: string
  queue: string
  jobId: string
  attempt: number
  payload: unknown
  status: 'running' | 'done' | 'failed' | 'abandoned'
  willRetry: boolean
  startedAt: Instant
  finishedAt: Instant | undefined
  outcome: unknown
  error: string | undefined
}>

type RunRow = Omit<Run, 'startedAt' | 'finishedAt' | 'error'> & {
  started_ms: string
  finished_ms: string | null
  error: string | null
}

const columns = sql`id, job, queue, job_id as "jobId", attempt, payload, status, will_retry as "willRetry",
  extract(epoch from started_at) * 1000 as started_ms, extract(epoch from finished_at) * 1000 as finished_ms, outcome, error`

const toRun = ({ started_ms, finished_ms, error, ...row }: RunRow): Run => ({
  ...row,
  startedAt: fromMs(started_ms),
  finishedAt: finished_ms === null ? undefined : fromMs(finished_ms),
  error: error ?? undefined,
})

/** The newest runs, newest first. */
export async function listRuns(db: Database, limit: number): Promise<Run[]> {
  const { rows } = await db.execute<RunRow>(
    sql`select ${columns} from ingest_runs order by started_at desc limit ${limit}`,
  )
  return rows.map(toRun)
}

/**
 * The newest run of each of these jobs of a queue that was still going at `since` or began later, by the queue's id:
 * the same work has the same id, so what ended earlier was another occasion.
 */
export async function newestRuns(
  db: Database,
  queue: string,
  jobIds: readonly string[],
  since: Instant,
): Promise<Map<string, Run>> {
  if (jobIds.length === 0) return new Map()
  const { rows } = await db.execute<RunRow>(sql`
    select distinct on (job_id) ${columns} from ingest_runs
    where queue = ${queue} and job_id in ${jobIds} and (finished_at is null or finished_at >= ${toIso(since)}::timestamp)
    order by job_id, started_at desc`)
  return new Map(rows.map((row) => [row.jobId, toRun(row)]))
}

/** When a job last ended well, with a payload that holds the given one; undefined when it never did. */
export async function lastSuccess(db: Database, job: string, payload: unknown): Promise<Instant | undefined> {
  const { rows } = await db.execute<{ started_ms: string }>(sql`
    select extract(epoch from started_at) * 1000 as started_ms from ingest_runs
    where job = ${job} and status = 'done' and payload @> ${JSON.stringify(payload)}::jsonb
    order by started_at desc limit 1`)
  return rows[0] && fromMs(rows[0].started_ms)
}
