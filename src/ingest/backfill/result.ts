import { z } from 'zod'
import type { Instant } from '../../market/instant.ts'
import type { WalkCost } from '../../sources/source.ts'
import { type Accounting, addAccounting } from '../../store/candles.ts'
import type { Run } from '../../store/runs.ts'

/** What runs of a backfill's jobs have done. */
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

/** What a run wrote down; another version may have written less. */
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

/**
 * What the runs of one job have done since then, those that failed included. One that had begun before and was given up
 * since has done its work for somebody else.
 */
export const workOfRuns = (runs: readonly Run[], since: Instant): WorkDone =>
  runs
    .filter(({ startedAt, status }) => startedAt >= since || status !== 'abandoned')
    .map((run) => outcome.parse(run.outcome))
    .reduce(addWork, nothingDone)

/** How the requests differ from those that were planned, by the reason. */
export type BeyondPlan = Readonly<{
  /** Of jobs that failed before they were done: what had come is not asked for again, but where it broke off is. */
  failedAttempts: number
  /** For what files left out, or would have held. */
  files: number
  /** Where a page came short, its end was asked for again. */
  askedAgain: number
  /** How many more trades there were than was estimated; below zero, how many fewer. */
  trades: number
  /** Where an answer held more than was counted on, or one covered a time without candles; or another job was faster. */
  spared: number
}>

export const asPlanned: BeyondPlan = { failedAttempts: 0, files: 0, askedAgain: 0, trades: 0, spared: 0 }

/** What one job was to cost, besides its file. */
export type JobPlan = WalkCost & Readonly<{ isFile: boolean }>

/** Adds what one job has asked for beyond its plan. */
export function addBeyond(
  beyond: BeyondPlan,
  { requests: planned, isEstimate, isFile }: JobPlan,
  requests: number,
  runs: readonly Run[],
): BeyondPlan {
  const more = requests - planned
  // What a job that was given up has not asked for was not spared.
  if (more < 0 && runs.at(-1)?.status !== 'done') return beyond
  if (isFile) return { ...beyond, files: beyond.files + more }
  if (isEstimate) return { ...beyond, trades: beyond.trades + more }
  if (more < 0) return { ...beyond, spared: beyond.spared - more }
  const hasFailed = runs.some(({ status }) => status === 'failed' || status === 'abandoned')
  return hasFailed
    ? { ...beyond, failedAttempts: beyond.failedAttempts + more }
    : { ...beyond, askedAgain: beyond.askedAgain + more }
}

/** Counts what jobs of an earlier backfill have asked for: those of this one had less to ask for. */
export function withLeftOver(beyond: BeyondPlan, requests: number): BeyondPlan {
  const spared = Math.max(0, beyond.spared - requests)
  return { ...beyond, spared, askedAgain: beyond.askedAgain + requests - (beyond.spared - spared) }
}
