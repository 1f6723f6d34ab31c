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

/** How far the backfills of one source are, whichever process enqueued them. */
export type BackfillStatus = Readonly<{
  /** When the oldest of the jobs that are left was enqueued; what ended since then is done. */
  startedAt: string
  jobsLeft: number
  doneCandles: number
  totalCandles: number
  /** Of the last minute; null where no job has ended in it. */
  candlesPerSecond: number | null
  /** Sent so far, and those of the jobs that are left as planned. */
  requests: number
  plannedRequests: number
  /** At this rate; null without one. */
  endsAt: string | null
}>

/** So many waiting jobs are read; of more, the rest is estimated from them. */
const sampleSize = 200

const rateMs = minute

/** The first jobs of a backfill may have ended before its last ones are enqueued. */
const enqueuingMs = 30 * second

// Whatever the job of that day wrote: what is not as expected is left out.
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

/** The backfills of a queue; null where there are none. */
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
  /** For how many jobs it stands. */
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
