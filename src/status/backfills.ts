import { z } from 'zod'
import { jobPlanOf } from '../ingest/backfill/plan.ts'
import { earlier, type Instant, later, minute, plus, second, toInstant, toIso } from '../market/instant.ts'
import { timeframeMs, timeframes } from '../market/timeframe.ts'
import type { Engine, EngineQueue } from '../queue/engine.ts'
import type { QueueCounts } from '../queue/overview.ts'
import { anySourceId } from '../settings/source-ids.ts'
import { archiveKinds } from '../sources/binance-archive.ts'
import { readBackfillWork } from '../store/runs/backfill-work.ts'
import type { Database } from '../store/transaction.ts'

/** All backfills of one source. */
export type BackfillStatus = Readonly<{
  /** Enqueue time of the oldest remaining job; jobs ended since count as done. */
  startedAt: string
  jobsLeft: number
  doneCandles: number
  totalCandles: number
  /** Last minute; null without finished jobs. */
  candlesPerSecond: number | null
  /** Sent, and planned for remaining jobs. */
  requests: number
  plannedRequests: number
  /** Null without a rate. */
  endsAt: string | null
}>

/** Jobs sampled; the rest is extrapolated. */
const sampleSize = 200

const rateMs = minute

/** Early jobs may finish before the last are enqueued. */
const enqueuingMs = 30 * second

// Other versions may have other payloads.
const payload = z.object({
  source: anySourceId,
  symbol: z.string(),
  coinId: z.string(),
  timeframe: z.enum(timeframes),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  archive: z.enum(archiveKinds).exactOptional(),
})
const reported = z.object({ done: z.number().min(0) }).catch({ done: 0 })

/** Null if there are none. */
export async function readBackfillStatus(
  db: Database,
  engine: Engine,
  counts: QueueCounts,
  now: Instant,
): Promise<BackfillStatus | null> {
  const { queue: name, prioritized, active, delayed } = counts
  if (prioritized + active + delayed === 0) return null
  const queue = engine.queue(name)
  const [waiting, others] = await Promise.all([
    queue.getJobs(['prioritized'], 0, sampleSize - 1),
    queue.getJobs(['active', 'delayed'], 0, sampleSize - 1),
  ])
  const isWhole = waiting.length < sampleSize
  const left = [
    ...pendingOf(waiting, isWhole ? 1 : prioritized / waiting.length, now),
    ...pendingOf(others, 1, now),
  ]
  if (left.length === 0) return null
  const sum = (pick: (one: Pending) => number) =>
    Math.round(left.reduce((total, one) => total + one.weight * pick(one), 0))
  const startedAt = left.reduce((first, one) => earlier(first, one.enqueuedAt), now)
  const rateFrom = later(startedAt, plus(now, -rateMs))
  const work = await readBackfillWork(db, name, { since: plus(startedAt, -enqueuingMs), rateFrom })
  const doneCandles = work.candles + sum((one) => one.doneCandles)
  const totalCandles = work.candles + sum((one) => one.candles)
  const perMs = work.candlesOfRate / Math.max(second, now - rateFrom)
  return {
    startedAt: toIso(startedAt),
    jobsLeft: sum(() => 1),
    doneCandles,
    totalCandles,
    candlesPerSecond: perMs === 0 ? null : Math.round(perMs * second),
    requests: work.requests,
    plannedRequests: work.requests + sum((one) => one.requests),
    endsAt: perMs === 0 ? null : toIso(plus(now, Math.round((totalCandles - doneCandles) / perMs))),
  }
}

type Pending = Readonly<{
  candles: number
  doneCandles: number
  requests: number
  enqueuedAt: Instant
  /** Number of jobs it represents. */
  weight: number
}>

type QueuedJob = Awaited<ReturnType<EngineQueue['getJobs']>>[number]

const pendingOf = (jobs: readonly QueuedJob[], weight: number, now: Instant): Pending[] =>
  jobs.flatMap(({ name, data, progress, timestamp }) => {
    const range = payload.safeParse(data).data
    if (name !== 'backfill-candles' || !range) return []
    const candles = Math.max(
      0,
      (Date.parse(range.to) - Date.parse(range.from)) / timeframeMs[range.timeframe],
    )
    return {
      candles,
      doneCandles: Math.min(candles, reported.parse(progress).done),
      requests: jobPlanOf(range, now).requests,
      enqueuedAt: earlier(now, toInstant(timestamp)),
      weight,
    }
  })
