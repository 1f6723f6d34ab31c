import { isDeepStrictEqual } from 'node:util'
import { hour, type Instant, minute, plus, second, toIso } from '../../market/instant.ts'
import type { AnyJob } from '../../queue/job.ts'
import { idleQueues, pausedQueues } from '../../queue/progress.ts'
import { lastDue } from '../../queue/schedule.ts'
import { workersSince } from '../../runtime/presence.ts'
import { listCoins } from '../../store/coins.ts'
import { readDatabaseTime } from '../../store/database-clock.ts'
import { readBlockingSessions } from '../../store/figures/blocking-sessions.ts'
import { type EndedRun, newestEndedRuns } from '../../store/runs.ts'
import { databaseOf } from '../../store/transaction.ts'
import { subjectOf } from '../runs.ts'
import { lengthInWords } from '../words.ts'
import type { ReadinessDeps } from './readiness-deps.ts'

/** Public: the session has its own finding. */
export const blockedReason = 'a session of another program blocks writes: `beacon status` names it'

/** Startup time for all schedules. */
const startMs = 3 * minute

/** Frequent schedules show progress. */
const oftenMs = 5 * minute

/** Time a run may take. */
const runMs = 90 * second

type Tick = Readonly<{
  queue: string
  job: string
  payload: unknown
  name: string
  dueAt: Instant
  everyMs: number
}>

/**
 * A message if work does not progress: blocked writes, no heartbeat, unfinished recent schedules, or runs the database
 * rejects.
 */
export async function checkWork(deps: ReadinessDeps): Promise<string | undefined> {
  const { engine, pool, upSinceMs } = deps
  const db = databaseOf(pool)
  const [blocking] = await readBlockingSessions(db)
  if (blocking) return blockedReason
  if (performance.now() - upSinceMs < startMs) return undefined
  const now = await readDatabaseTime(db)
  const ticks = await ticksOf(deps, now)
  const queues = [...new Set(ticks.map(({ queue }) => queue))]
  const [idle] = await idleQueues(engine, queues, now)
  if (idle) {
    return `the queue ${idle.queue} stands still: no heartbeat has ended in it for ${lengthInWords(idle.lateMs)}`
  }
  const paused = await pausedQueues(engine, queues)
  const since = await workersSince(pool, engine.kind)
  const often = ticks.filter(
    ({ everyMs, queue, dueAt }) =>
      everyMs <= oftenMs && !paused.has(queue) && (since === undefined || dueAt >= since),
  )
  const jobs = [...new Set(often.map(({ job }) => job))]
  const ended = await newestEndedRuns(db, jobs, { from: plus(now, -hour), to: plus(now, minute) })
  for (const tick of often) {
    const run = ended.find(({ job, payload }) => job === tick.job && isDeepStrictEqual(payload, tick.payload))
    const message = messageFor(tick, run)
    if (message !== undefined) return message
  }
  return undefined
}

/** With their last run that should have ended. */
async function ticksOf({ jobs, settings, pool }: ReadinessDeps, now: Instant): Promise<Tick[]> {
  const coins = await listCoins(databaseOf(pool))
  const since = plus(now, -startMs)
  return jobs.flatMap((job) =>
    (job.schedules?.(settings, coins) ?? [])
      // New schedules have not run.
      .filter(({ changedAt }) => changedAt === undefined || changedAt < since)
      .map(({ pattern, payload }) => {
        const dueAt = lastDue(pattern, plus(now, -runMs))
        const everyMs = dueAt - lastDue(pattern, plus(dueAt, -1))
        return {
          queue: job.queueOf(payload),
          job: job.name,
          payload,
          name: nameOf(job, payload),
          dueAt,
          everyMs,
        }
      }),
  )
}

const nameOf = (job: AnyJob, payload: unknown): string =>
  [job.name, ...Object.values(subjectOf(payload))].join(' ')

function messageFor({ name, dueAt }: Tick, run: EndedRun | undefined): string | undefined {
  if (run === undefined || run.endedAt < dueAt)
    return `${name} has not ended since it was due at ${toIso(dueAt)}`
  if (run.status === 'done') return undefined
  const refusal = refusals.find(([form]) => form.test(run.error ?? ''))?.[1]
  return refusal === undefined ? undefined : `${name} fails: ${refusal}`
}

/** Failing sources are not our fault; a rejecting database is. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/No space left on device|could not (?:extend|write)/i, 'the disk of PostgreSQL is full'],
  [/read-only transaction|takes no writes/, 'PostgreSQL takes no writes'],
  [
    /^(?:the database|all \d+ connections to the database)\b/,
    'the database did not store what it has loaded',
  ],
]
