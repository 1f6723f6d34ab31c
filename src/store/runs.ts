import { randomUUID } from 'node:crypto'
import { and, desc, eq, gte, inArray, isNull, or, sql } from 'drizzle-orm'
import { ingestRuns } from '../../drizzle/schema/ingest.ts'
import { type Instant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { fromMs } from './coverage/multirange.ts'
import { recordingFailure } from './runs/failing-jobs.ts'
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

/** `fault` is the class of the error. */
type Failure = Readonly<{ error: string; fault?: string; willRetry: boolean }>

export type RunEnd =
  | Readonly<{ status: 'done'; outcome: unknown }>
  | (Failure & Readonly<{ status: 'partial'; outcome: unknown }>)
  | (Failure & Readonly<{ status: 'failed' }>)

/** Records how a run ended, and whether its job is failing. What a run that failed had noted before stays. */
export async function finishRun(db: Database, id: string, end: RunEnd, finishedAt: Instant): Promise<void> {
  const outcome = 'outcome' in end ? JSON.stringify(end.outcome) : null
  const error = 'error' in end ? end.error : null
  const ended = sql`
    update ingest_runs
    set status = ${end.status}, finished_at = greatest(started_at, ${toIso(finishedAt)}::timestamp), outcome = coalesce(${outcome}::jsonb, outcome), error = ${error},
      will_retry = ${'willRetry' in end && end.willRetry}
    where id = ${id}::uuid`
  await db.execute(recordingFailure(ended, 'fault' in end ? end.fault : undefined))
}

/** As far ahead as the clock of any process of the fleet may be. */
const soon = sql`clock_timestamp() at time zone 'UTC' + interval '1 minute'`

type RunRow = typeof ingestRuns.$inferSelect

/** One time a job ran; what is not known yet is undefined. */
export type Run = Readonly<
  Omit<RunRow, 'finishedAt' | 'error'> & { finishedAt: Instant | undefined; error: string | undefined }
>

export const toRun = ({ finishedAt, error, ...row }: RunRow): Run => ({
  ...row,
  finishedAt: finishedAt ?? undefined,
  error: error ?? undefined,
})

/** The newest runs, newest first; without those that a clock that was ahead has recorded at times that are still to come. */
export async function listRuns(db: Database, limit: number): Promise<Run[]> {
  const begun = sql`${ingestRuns.startedAt} <= ${soon}`
  const rows = await withFaults(
    db.select().from(ingestRuns).where(begun).orderBy(desc(ingestRuns.startedAt)).limit(limit),
  )
  return rows.map(toRun)
}

/** These runs, newest first. */
export async function listRunsOf(db: Database, ids: readonly string[]): Promise<Run[]> {
  if (ids.length === 0) return []
  const chosen = inArray(ingestRuns.id, [...ids])
  const rows = await withFaults(
    db.select().from(ingestRuns).where(chosen).orderBy(desc(ingestRuns.startedAt)),
  )
  return rows.map(toRun)
}

/**
 * The runs of each of these jobs of a queue that were still going at `since` or began later, oldest first, by the queue's
 * id: the same work has the same id, so what ended earlier was another occasion.
 */
export async function runsSince(
  db: Database,
  queue: string,
  jobIds: readonly string[],
  since: Instant,
): Promise<Map<string, Run[]>> {
  if (jobIds.length === 0) return new Map()
  const chosen = db
    .select()
    .from(ingestRuns)
    .where(
      and(
        eq(ingestRuns.queue, queue),
        inArray(ingestRuns.jobId, [...jobIds]),
        or(isNull(ingestRuns.finishedAt), gte(ingestRuns.finishedAt, since)),
      ),
    )
    .orderBy(ingestRuns.startedAt)
  const runs = new Map<string, Run[]>()
  for (const row of await withFaults(chosen)) {
    const before = runs.get(row.jobId)
    if (before) before.push(toRun(row))
    else runs.set(row.jobId, [toRun(row)])
  }
  return runs
}

/** The runs of a job in these queues that began at `since` or later, whatever they worked on, oldest first. */
export async function runsOfJob(
  db: Database,
  job: string,
  queues: readonly string[],
  since: Instant,
): Promise<Run[]> {
  if (queues.length === 0) return []
  const chosen = db
    .select()
    .from(ingestRuns)
    .where(
      and(eq(ingestRuns.job, job), inArray(ingestRuns.queue, [...queues]), gte(ingestRuns.startedAt, since)),
    )
    .orderBy(ingestRuns.startedAt)
  return (await withFaults(chosen)).map(toRun)
}

/** Writes down what a run has done so far: that is what is known of it, should it fail or its process die. */
export async function noteOutcome(db: Database, id: string, outcome: unknown): Promise<void> {
  await db.execute(sql`
    update ingest_runs set outcome = ${JSON.stringify(outcome)}::jsonb where id = ${id}::uuid and status = 'running'`)
}

/** What the jobs of a queue other than backfills have asked for, and how many backfills are running. */
export type OtherWork = Readonly<{ requests: number; backfills: number }>

/** The other work of each queue that has begun since then; queues without any are left out. */
export async function readOtherWork(
  db: Database,
  queues: readonly string[],
  since: Instant,
): Promise<Map<string, OtherWork>> {
  if (queues.length === 0) return new Map()
  const { rows } = await db.execute<{ queue: string; requests: string; backfills: string }>(sql`
    select queue,
      coalesce(sum((outcome ->> 'requests')::numeric) filter (
        where job <> 'backfill-candles' and jsonb_typeof(outcome -> 'requests') = 'number'), 0) as requests,
      count(*) filter (where job = 'backfill-candles' and status = 'running') as backfills
    from ingest_runs where queue in ${queues} and started_at >= ${toIso(since)}::timestamp
    group by queue`)
  return new Map(
    rows.map(({ queue, requests, backfills }) => [
      queue,
      { requests: Number(requests), backfills: Number(backfills) },
    ]),
  )
}

/** When a job last ended well, with a payload that holds the given one; undefined when it never did. */
export async function lastSuccess(db: Database, job: string, payload: unknown): Promise<Instant | undefined> {
  const { rows } = await db.execute<{ started_ms: string }>(sql`
    select extract(epoch from started_at) * 1000 as started_ms from ingest_runs
    where job = ${job} and status in ('done', 'partial') and payload @> ${JSON.stringify(payload)}::jsonb
      -- What a clock that was ahead has recorded did not happen then.
      and started_at <= ${soon}
    order by started_at desc limit 1`)
  return rows[0] && fromMs(rows[0].started_ms)
}

/** What the newest run of a job that ended well has done, and when it began. */
export async function readLastOutcome(
  db: Database,
  job: string,
): Promise<Readonly<{ startedAt: Instant; outcome: unknown }> | undefined> {
  const chosen = db
    .select({ startedAt: ingestRuns.startedAt, outcome: ingestRuns.outcome })
    .from(ingestRuns)
    .where(and(eq(ingestRuns.job, job), eq(ingestRuns.status, 'done')))
    .orderBy(desc(ingestRuns.startedAt))
    .limit(1)
  const [run] = await withFaults(chosen)
  return run
}

/** The last run of a job with one payload that has ended. */
export type EndedRun = Readonly<{
  job: string
  payload: unknown
  endedAt: Instant
  status: 'done' | 'failed'
  error: string | undefined
}>

/** The newest run of each of these jobs and payloads that began and ended in the range. */
export async function newestEndedRuns(
  db: Database,
  jobs: readonly string[],
  range: Range,
): Promise<EndedRun[]> {
  const { rows } = await db.execute<EndedRow>(sql`
    select distinct on (job, payload)
      job, payload, status, error, extract(epoch from finished_at) * 1000 as ended_ms
    from ingest_runs
    where job = any(${sql.param([...jobs])}::text[]) and status in ('done', 'failed')
      and started_at >= ${toIso(range.from)}::timestamp and finished_at < ${toIso(range.to)}::timestamp
    order by job, payload, finished_at desc`)
  return rows.map(({ ended_ms, error, ...run }) => ({
    ...run,
    error: error ?? undefined,
    endedAt: fromMs(ended_ms),
  }))
}

type EndedRow = Omit<EndedRun, 'endedAt' | 'error'> & Readonly<{ error: string | null; ended_ms: string }>
