import { z } from 'zod'
import { toIso } from '../market/instant.ts'
import { type Subject, subjectNames } from '../store/runs/failing-jobs.ts'
import type { Run } from '../store/runs.ts'

/** Null if the job does not count them. */
const countNames = ['received', 'new', 'revised', 'unchanged', 'quarantined'] as const
type Counts = Readonly<Record<(typeof countNames)[number], number | null>>

export const runStatuses = ['running', 'done', 'partial', 'failed', 'abandoned'] as const

export type RunStatus = Readonly<{
  id: string
  job: string
  queue: string
  jobId: string
  attempt: number
  status: Run['status']
  willRetry: boolean
  startedAt: string
  finishedAt: string | null
  tookMs: number | null
  subject: Subject
  counts: Counts
  /** Failed markets of a partial run. */
  failures: readonly MarketFailure[]
  error: string | null
}>

export type MarketFailure = Readonly<{ coinId: string; error: string }>

export const describeRun = (run: Run): RunStatus => ({
  id: run.id,
  job: run.job,
  queue: run.queue,
  jobId: run.jobId,
  attempt: run.attempt,
  status: run.status,
  willRetry: run.willRetry,
  startedAt: toIso(run.startedAt),
  finishedAt: run.finishedAt === undefined ? null : toIso(run.finishedAt),
  tookMs: run.finishedAt === undefined ? null : run.finishedAt - run.startedAt,
  subject: subjectOf(run.payload),
  counts: countsOf(run.outcome),
  failures: failuresOf(run.outcome),
  error: run.error ?? null,
})

const fields = z.record(z.string(), z.unknown()).catch({})

// Other versions may have other payloads.
export function subjectOf(payload: unknown): Subject {
  const given = fields.parse(payload)
  return Object.fromEntries(
    subjectNames.flatMap((name) => (typeof given[name] === 'string' ? [[name, given[name]]] : [])),
  )
}

const failures = z.array(z.object({ coinId: z.string(), error: z.string() })).catch([])

const failuresOf = (outcome: unknown): MarketFailure[] => failures.parse(fields.parse(outcome).failures)

function countsOf(outcome: unknown): Counts {
  const given = fields.parse(outcome)
  const count = (name: (typeof countNames)[number]) => (typeof given[name] === 'number' ? given[name] : null)
  return {
    received: count('received'),
    new: count('new'),
    revised: count('revised'),
    unchanged: count('unchanged'),
    quarantined: count('quarantined'),
  }
}
