import { CronExpressionParser } from 'cron-parser'
import { type Instant, toInstant, toIso } from '../market/instant.ts'
import type { AnyJob } from '../queue/job.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'
import type { Subject } from '../store/runs/failing-jobs.ts'
import { subjectOf } from './runs.ts'

/** One time table of a job. */
export type ScheduleStatus = Readonly<{
  job: string
  summary: string
  id: string
  subject: Subject
  queue: string
  /** Cron, UTC. */
  pattern: string
  nextRun: string
}>

/** Next to run first. */
export function describeSchedules(
  jobs: readonly AnyJob[],
  settings: Settings,
  coins: readonly Coin[],
  now: Instant,
): ScheduleStatus[] {
  return jobs
    .flatMap((job) =>
      (job.schedules?.(settings, coins) ?? []).map(({ id, pattern, payload }) => ({
        job: job.name,
        summary: job.summary,
        id,
        subject: subjectOf(payload),
        queue: job.queueOf(payload),
        pattern,
        nextRun: toIso(nextDue(pattern, now)),
      })),
    )
    .toSorted((a, b) => (a.nextRun < b.nextRun ? -1 : a.nextRun > b.nextRun ? 1 : 0))
}

const nextDue = (pattern: string, now: Instant): Instant =>
  toInstant(CronExpressionParser.parse(pattern, { currentDate: now, tz: 'UTC' }).next().getTime())
