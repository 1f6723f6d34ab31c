import type { Pool } from 'pg'
import { z } from 'zod'
import { InvalidInput } from '../fault.ts'
import { second, toIso } from '../market/instant.ts'
import type { Engine } from '../queue/engine.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import { describeRun, runStatuses } from '../status/runs.ts'
import { listRuns, listRunsOf } from '../store/runs.ts'
import { databaseOf } from '../store/transaction.ts'
import { readQuery } from './query.ts'

type Deps = Readonly<{ pool: Pool; engine: Engine; log: Log; clock: Clock }>

const queueLimitMs = 3 * second

/** One run of a job, with what the queue still has of the job. */
export async function readRunPage({ pool, engine, log }: Omit<Deps, 'clock'>, query: unknown) {
  const { id } = readQuery(z.strictObject({ id: z.uuid({ error: 'is no id of a run' }) }), query)
  const [run] = await listRunsOf(databaseOf(pool), [id])
  if (!run)
    throw Object.assign(new InvalidInput(`no run ${id} is recorded: old runs are deleted`), {
      statusCode: 404,
    })
  return {
    run: describeRun(run),
    payload: run.payload,
    outcome: run.outcome,
    job: await readJob({ engine, log }, run.queue, run.jobId),
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

/** Undefined where the queue no longer has the job, or does not answer: the rest is worth seeing. */
async function readJob({ engine, log }: Pick<Deps, 'engine' | 'log'>, queueName: string, jobId: string) {
  try {
    const queue = engine.queue(queueName)
    const job = await within(queueLimitMs, queue.getJob(jobId), 'the queue did not answer in time')
    if (!job) return undefined
    const { logs } = await within(queueLimitMs, queue.getJobLogs(jobId), 'the queue did not answer in time')
    return { lines: logs }
  } catch (error) {
    log.warn('run.queue-unavailable', { reason: reasonOf(error) })
    return undefined
  }
}

export type RunAnswer = Awaited<ReturnType<typeof readRunPage>>
export type RunListAnswer = Awaited<ReturnType<typeof readRunList>>
