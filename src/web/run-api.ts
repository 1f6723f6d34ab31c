import type { Pool } from 'pg'
import { z } from 'zod'
import { InvalidInput } from '../fault.ts'
import { minute, plus, second, toIso } from '../market/instant.ts'
import type { Engine } from '../queue/engine.ts'
import { traceIdOf } from '../queue/job-trace.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import type { Settings } from '../settings.ts'
import { describeRun, runStatuses } from '../status/runs.ts'
import { listRuns, listRunsOf, type Run } from '../store/runs.ts'
import { databaseOf } from '../store/transaction.ts'
import { readQuery } from './query.ts'

type Deps = Readonly<{ settings: Settings; pool: Pool; engine: Engine; log: Log; clock: Clock }>

const queueLimitMs = 3 * second

/** One run of a job, with what the queue still has of the job. */
export async function readRunPage(deps: Omit<Deps, 'clock'>, query: unknown) {
  const { id } = readQuery(z.strictObject({ id: z.uuid({ error: 'is no id of a run' }) }), query)
  const [run] = await listRunsOf(databaseOf(deps.pool), [id])
  if (!run)
    throw Object.assign(new InvalidInput(`no run ${id} is recorded: old runs are deleted`), {
      statusCode: 404,
    })
  return {
    run: describeRun(run),
    payload: run.payload,
    outcome: run.outcome,
    job: await readJob(deps, run),
  }
}

const mostRuns = 100

/** The newest runs that match, newest first. */
export async function readRunList({ pool, clock }: Pick<Deps, 'pool' | 'clock'>, query: unknown) {
  const name = z.string().min(1).max(100).optional()
  const status = z.enum(runStatuses, { error: `is none of ${runStatuses.join(', ')}` }).optional()
  const { result, ...asked } = readQuery(z.strictObject({ job: name, source: name, result: status }), query)
  const runs = await listRuns(databaseOf(pool), mostRuns, { ...asked, status: result })
  return { generatedAt: toIso(clock.now()), runs: runs.map(describeRun) }
}

/** Ids of jobs repeat, and the clocks of the fleet differ. */
const clockToleranceMs = minute

/** Undefined where the queue no longer has the job, or does not answer: the rest is worth seeing. */
async function readJob({ settings, engine, log }: Omit<Deps, 'clock' | 'pool'>, run: Run) {
  try {
    const queue = engine.queue(run.queue)
    const job = await within(queueLimitMs, queue.getJob(run.jobId), 'the queue did not answer in time')
    if (!job || job.timestamp > plus(run.startedAt, clockToleranceMs)) return undefined
    const { logs } = await within(
      queueLimitMs,
      queue.getJobLogs(run.jobId),
      'the queue did not answer in time',
    )
    return { lines: logs, trace: traceOf(settings, job) }
  } catch (error) {
    log.warn('run.queue-unavailable', { reason: reasonOf(error) })
    return undefined
  }
}

/** Null without tracing. */
function traceOf({ environment, monitoring }: Settings, job: Parameters<typeof traceIdOf>[0]) {
  if (environment.tracesUrl === undefined) return null
  const id = traceIdOf(job)
  return { id, url: monitoring.traceUrl?.replaceAll('{traceId}', id) ?? null }
}

export type RunAnswer = Awaited<ReturnType<typeof readRunPage>>
export type RunListAnswer = Awaited<ReturnType<typeof readRunList>>
