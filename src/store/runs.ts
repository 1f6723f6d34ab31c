import { randomUUID } from 'node:crypto'
import { and, desc, eq, gte, inArray, isNull, or, sql } from 'drizzle-orm'
import { ingestRuns } from '../../drizzle/schema/ingest.ts'
import { type Instant, toIso } from '../market/instant.ts'
import { fromMs } from './multirange.ts'
import { type Database, withFaults } from './transaction.ts'

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

type RunRow = typeof ingestRuns.$inferSelect

/** One time a job ran; what is not known yet is undefined. */
export type Run = Readonly<
  Omit<RunRow, 'finishedAt' | 'error'> & { finishedAt: Instant | undefined; error: string | undefined }
>

const toRun = ({ finishedAt, error, ...row }: RunRow): Run => ({
  ...row,
  finishedAt: finishedAt ?? undefined,
  error: error ?? undefined,
})

/** The newest runs, newest first. */
export async function listRuns(db: Database, limit: number): Promise<Run[]> {
  const rows = await withFaults(db.select().from(ingestRuns).orderBy(desc(ingestRuns.startedAt)).limit(limit))
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
  const newest = db
    .selectDistinctOn([ingestRuns.jobId])
    .from(ingestRuns)
    .where(
      and(
        eq(ingestRuns.queue, queue),
        inArray(ingestRuns.jobId, [...jobIds]),
        or(isNull(ingestRuns.finishedAt), gte(ingestRuns.finishedAt, since)),
      ),
    )
    .orderBy(ingestRuns.jobId, desc(ingestRuns.startedAt))
  const rows = await withFaults(newest)
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
