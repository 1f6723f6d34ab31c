import type { Pool } from 'pg'
import type { Instant } from '../../market/instant.ts'
import { type AlignedRange, candleCount } from '../../market/range.ts'
import { readMissing, readRejected } from '../../store/coverage/missing-candles.ts'
import type { Series } from '../../store/coverage.ts'
import { type Run, runsOfJob } from '../../store/runs.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type BackfillChunk, type BackfillPlan, isForPlan } from './plan.ts'
import {
  addBeyond,
  addWork,
  asPlanned,
  type BeyondPlan,
  type JobPlan,
  nothingDone,
  type WorkDone,
  withLeftOver,
  workOfRuns,
} from './result.ts'

/** By job id: runs, or the queue's reason without one. */
export type Followed = Readonly<{
  runs: ReadonlyMap<string, readonly Run[]>
  givenUp: ReadonlyMap<string, string>
}>

export type QueuedChunk = Readonly<{ id: string; queue: string; chunk: BackfillChunk; planned: JobPlan }>

export type BackfillResult = WorkDone &
  Readonly<{
    /** Requested candles stored before or known absent. */
    knownBefore: number
    beyondPlan: BeyondPlan
    /** Failed attempts, retried or not. */
    failedAttempts: number
    failed: readonly Readonly<{ chunk: BackfillChunk; error: string }>[]
    remaining: number
    /** Quarantined candles of the request, per series. */
    rejected: readonly RejectedCandles[]
  }>

/** The range spans from the first to the last. */
export type RejectedCandles = Series & AlignedRange & Readonly<{ candles: number }>

export async function summarize(
  pool: Pool,
  plan: BackfillPlan,
  queued: readonly QueuedChunk[],
  { runs, givenUp }: Followed,
  since: Instant,
): Promise<BackfillResult> {
  let work = nothingDone
  let beyondPlan = asPlanned
  let failedAttempts = 0
  const failed: { chunk: BackfillChunk; error: string }[] = []
  for (const { id, chunk, planned } of queued) {
    const ofJob = runs.get(id) ?? []
    const ofRequest = workOfRuns(ofJob, since)
    const newest = ofJob.at(-1)
    const reason = givenUp.get(id)
    if (reason !== undefined) failed.push({ chunk, error: reason })
    if (newest?.status === 'failed') failed.push({ chunk, error: newest.error ?? 'no reason was recorded' })
    failedAttempts += ofJob.filter(({ status, startedAt }) => status !== 'done' && startedAt >= since).length
    work = addWork(work, ofRequest)
    beyondPlan = addBeyond(beyondPlan, planned, ofRequest.requests, ofJob)
  }
  const leftOver = await workOfLeftOverJobs(pool, plan, queued, since)
  work = addWork(work, leftOver)
  beyondPlan = withLeftOver(beyondPlan, leftOver.requests)
  const remaining = await countMissing(pool, plan)
  const rejected = await readRejectedOf(pool, plan)
  return { ...work, knownBefore: plan.known, beyondPlan, failedAttempts, failed, remaining, rejected }
}

export async function readRejectedOf(pool: Pool, { series }: BackfillPlan): Promise<RejectedCandles[]> {
  const wanted = series.map(({ series: one, wanted: range }) => ({ ...one, range }))
  const rejected = await readRejected(databaseOf(pool), wanted)
  return series.flatMap(({ series: one }, place) => {
    const ranges = rejected[place] ?? []
    const [first, last] = [ranges[0], ranges.at(-1)]
    if (!first || !last) return []
    const candles = ranges.reduce((count, range) => count + candleCount(range, one.timeframe), 0)
    return [{ ...one, candles, from: first.from, to: last.to }]
  })
}

/** Jobs of a killed backfill, cut elsewhere, may do part of the work. */
async function workOfLeftOverJobs(
  pool: Pool,
  plan: BackfillPlan,
  queued: readonly QueuedChunk[],
  since: Instant,
): Promise<WorkDone> {
  const ours = new Set(queued.map(({ id }) => id))
  const queues = [...new Set(queued.map(({ queue }) => queue))]
  const runs = await runsOfJob(databaseOf(pool), 'backfill-candles', queues, since)
  return workOfRuns(
    runs.filter(({ jobId, payload }) => !ours.has(jobId) && isForPlan(payload, plan)),
    since,
  )
}

export async function countMissing(pool: Pool, { series }: BackfillPlan): Promise<number> {
  const incomplete = series.filter(({ candles }) => candles > 0)
  const missing = await readMissing(
    databaseOf(pool),
    incomplete.map(({ series: one, wanted }) => ({ ...one, range: wanted })),
    'skip-rejected',
  )
  return incomplete.reduce((sum, { series: { timeframe } }, place) => {
    const ranges = missing[place] ?? []
    return ranges.reduce((count, range) => count + candleCount(range, timeframe), sum)
  }, 0)
}
