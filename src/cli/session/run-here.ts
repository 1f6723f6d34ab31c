import type { Fleet } from '../../fleet.ts'
import type { Job, Outcome } from '../../queue/job.ts'
import { attributesOf, outcomeAttributes } from '../../queue/job-trace.ts'
import { underSpan } from '../../runtime/trace.ts'
import { finishRun, startRun } from '../../store/runs.ts'
import { databaseOf } from '../../store/transaction.ts'
import type { Session } from '../session.ts'
import { say } from '../terminal/output.ts'

/** Recorded like any run. */
export async function runHere<P>(
  { signal }: Session,
  { context, tracer }: Fleet,
  job: Job<P>,
  payload: P,
): Promise<Outcome> {
  const { pool, clock } = context
  const db = databaseOf(pool)
  const queue = job.queueOf(payload)
  const runId = await startRun(db, {
    job: job.name,
    queue,
    jobId: `command-${job.name}`,
    attempt: 1,
    payload,
    startedAt: clock.now(),
  })
  const attributes = { 'beacon.job': job.name, 'beacon.run_id': runId, ...attributesOf(payload) }
  const span = tracer?.root(runId, `run ${job.name}`, { attributes })
  const report = { attempt: 1, progress: async () => {}, log: async (line: string) => say(line) }
  try {
    const outcome = await underSpan(span, () => job.run({ ...context, signal, runId }, payload, report))
    span?.annotate(outcomeAttributes(outcome))
    await finishRun(db, runId, { status: 'done', outcome }, clock.now())
    return outcome
  } catch (error) {
    span?.fail(error)
    const reason = error instanceof Error ? error.message : String(error)
    const fault = error instanceof Error ? error.name : 'Error'
    await finishRun(db, runId, { status: 'failed', error: reason, fault, willRetry: false }, clock.now())
    throw error
  } finally {
    span?.end()
  }
}
