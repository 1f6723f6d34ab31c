import { randomUUID } from 'node:crypto'
import { and, desc, eq, gte, inArray, isNull, or, sql } from 'drizzle-orm'
import { ingestRuns } from '../../drizzle/schema/ingest.ts'
import { type Instant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import type { QueueName } from '../settings/source-ids.ts'
import { queueOfSource } from '../settings/source-ids.ts'
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

/** Starts a run. Marks an unfinished run of the same job as abandoned. */
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

/** `fault`: the error's class. */
type Failure = Readonly<{ error: string; fault?: string; willRetry: boolean }>

export type RunEnd =
  | Readonly<{ status: 'done'; outcome: unknown }>
  | (Failure & Readonly<{ status: 'partial'; outcome: unknown }>)
  | (Failure & Readonly<{ status: 'failed' }>)

/** Ends a run and records whether its job fails; earlier notes of a failed run stay. */
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

/** Tolerance for clocks ahead. */
const soon = sql`clock_timestamp() at time zone 'UTC' + interval '1 minute'`

type RunRow = typeof ingestRuns.$inferSelect

/** One run of a job. Undefined fields are not known yet. */
export type Run = Readonly<
  Omit<RunRow, 'finishedAt' | 'error'> & { finishedAt: Instant | undefined; error: string | undefined }
>

export const toRun = ({ finishedAt, error, ...row }: RunRow): Run => ({
  ...row,
  finishedAt: finishedAt ?? undefined,
  error: error ?? undefined,
})

/** Undefined fields match all runs. The runs of a source read it, or are in its queue. */
export type RunFilter = Readonly<{
  job?: string | undefined
  status?: Run['status'] | undefined
  source?: string | undefined
}>

/** Newest first; ignores runs in the future, from a clock that was ahead. */
export async function listRuns(db: Database, limit: number, filter: RunFilter = {}): Promise<Run[]> {
  const { job, status, source } = filter
  const chosen = and(
    sql`${ingestRuns.startedAt} <= ${soon}`,
    job === undefined ? undefined : eq(ingestRuns.job, job),
    status === undefined ? undefined : eq(ingestRuns.status, status),
    source === undefined
      ? undefined
      : or(sql`${ingestRuns.payload} ->> 'source' = ${source}`, eq(ingestRuns.queue, queueOfSource(source))),
  )
  const rows = await withFaults(
    db.select().from(ingestRuns).where(chosen).orderBy(desc(ingestRuns.startedAt)).limit(limit),
  )
  return rows.map(toRun)
}

/** Newest first. */
export async function listRunsOf(db: Database, ids: readonly string[]): Promise<Run[]> {
  if (ids.length === 0) return []
  const chosen = inArray(ingestRuns.id, [...ids])
  const rows = await withFaults(
    db.select().from(ingestRuns).where(chosen).orderBy(desc(ingestRuns.startedAt)),
  )
  return rows.map(toRun)
}

/**
 * Runs of these queue jobs active at or after `since`, oldest first, by job id. Ids repeat for the same work, hence
 * `since`.
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
export async function runsOfJob<Name extends string>(
  db: Database,
  job: string,
  queues: readonly QueueName<Name>[],
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

/** Saves progress of a run, in case it fails or its process dies. */
export async function noteOutcome(db: Database, id: string, outcome: unknown): Promise<void> {
  await db.execute(sql`
    update ingest_runs set outcome = ${JSON.stringify(outcome)}::jsonb where id = ${id}::uuid and status = 'running'`)
}

/** Requests of other jobs than backfills, and running backfills. */
export type OtherWork = Readonly<{ requests: number; backfills: number }>

/** The other work of each queue that has begun since then; queues without any are left out. */
export async function readOtherWork<Name extends string>(
  db: Database,
  queues: readonly QueueName<Name>[],
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

/** Last successful start of a job whose payload contains the given one. */
export async function lastSuccess(db: Database, job: string, payload: unknown): Promise<Instant | undefined> {
  const { rows } = await db.execute<{ started_ms: string }>(sql`
    select extract(epoch from started_at) * 1000 as started_ms from ingest_runs
    where job = ${job} and status in ('done', 'partial') and payload @> ${JSON.stringify(payload)}::jsonb
      -- What a clock that was ahead has recorded did not happen then.
      and started_at <= ${soon}
    order by started_at desc limit 1`)
  return rows[0] && fromMs(rows[0].started_ms)
}

/** Start and outcome of a job's last successful run. */
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

/** A job's last finished run for one payload. */
export type EndedRun = Readonly<{
  job: string
  payload: unknown
  endedAt: Instant
  status: 'done' | 'failed'
  error: string | undefined
}>

/** The newest run of each job and payload that started and ended in the range. */
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
