import { z } from 'zod'
import type { Instant } from '../../market/instant.ts'
import type { WalkCost } from '../../sources/source.ts'
import { type Accounting, addAccounting } from '../../store/candles.ts'
import type { Run } from '../../store/runs.ts'

export type WorkDone = Accounting & Readonly<{ requests: number; files: number; fileRequests: number }>

export const nothingDone: WorkDone = {
  received: 0,
  new: 0,
  revised: 0,
  unchanged: 0,
  quarantined: 0,
  requests: 0,
  files: 0,
  fileRequests: 0,
}

export const addWork = (a: WorkDone, b: WorkDone): WorkDone => ({
  ...addAccounting(a, b),
  requests: a.requests + b.requests,
  files: a.files + b.files,
  fileRequests: a.fileRequests + b.fileRequests,
})

const count = z.number().catch(0)

/** Other versions may record fewer fields. */
const outcome = z
  .object({
    received: count,
    new: count,
    revised: count,
    unchanged: count,
    quarantined: count,
    requests: count,
    files: count,
    fileRequests: count,
  })
  .catch(nothingDone)

export const workOfRuns = (runs: readonly Run[], since: Instant): WorkDone =>
  runs
    .filter(({ startedAt, status }) => startedAt >= since || status !== 'abandoned')
    .map((run) => outcome.parse(run.outcome))
    .reduce(addWork, nothingDone)

/** Requests beyond the plan, by reason. */
export type BeyondPlan = Readonly<{
  /** Repeated by failed attempts. */
  failedAttempts: number
  /** For gaps in files, or unusable files. */
  files: number
  /** For incomplete pages. */
  askedAgain: number
  /** Versus the estimate; negative if fewer. */
  trades: number
  /** Saved by fuller answers, empty ranges or other jobs. */
  spared: number
}>

export const asPlanned: BeyondPlan = { failedAttempts: 0, files: 0, askedAgain: 0, trades: 0, spared: 0 }

export type JobPlan = WalkCost & Readonly<{ isFile: boolean }>

/** Adds a job's deviation from its plan. */
export function addBeyond(
  beyond: BeyondPlan,
  { requests: planned, isEstimate, isFile }: JobPlan,
  requests: number,
  runs: readonly Run[],
): BeyondPlan {
  const more = requests - planned
  // An unfinished job did not save requests.
  if (more < 0 && runs.at(-1)?.status !== 'done') return beyond
  if (isFile) return { ...beyond, files: beyond.files + more }
  if (isEstimate) return { ...beyond, trades: beyond.trades + more }
  if (more < 0) return { ...beyond, spared: beyond.spared - more }
  const hasFailed = runs.some(({ status }) => status === 'failed' || status === 'abandoned')
  return hasFailed
    ? { ...beyond, failedAttempts: beyond.failedAttempts + more }
    : { ...beyond, askedAgain: beyond.askedAgain + more }
}

/** Accounts for jobs left from an earlier backfill, which saved this one requests. */
export function withLeftOver(beyond: BeyondPlan, requests: number): BeyondPlan {
  const spared = Math.max(0, beyond.spared - requests)
  return { ...beyond, spared, askedAgain: beyond.askedAgain + requests - (beyond.spared - spared) }
}
