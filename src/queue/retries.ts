import { CronExpressionParser } from 'cron-parser'
import { day, hour, type Instant, minute, second, toInstant } from '../market/instant.ts'
import type { Job } from './job.ts'

/** The name of the delays below, as the options of a job have it. */
const untilNextRun = 'until-next-run'

/** A source that fails gets another request within a minute at first, and then every few minutes. */
const longestAtFirstMs = minute
const atFirstMs = hour
const longestLaterMs = 5 * minute

/** So much of the time between two runs is for the tries of the first. */
const usable = 0.9

/** What is not a server's trouble helps itself soon, or not at all. */
export const mostQuickTries = 5

/** How long to wait after so many failed tries: 1 s, 2 s, 4 s, … 1 min, and after an hour of that 5 min. */
export function delayAfter(failedTries: number): number {
  const early = Math.min(second * 2 ** Math.min(failedTries - 1, 10), longestAtFirstMs)
  const spentMs = (failedTries - 1) * longestAtFirstMs
  return spentMs < atFirstMs ? early : longestLaterMs
}

/** The same with jitter, so that the processes of a fleet do not retry at once. */
export const backoffStrategy = (failedTries: number): number =>
  Math.round(delayAfter(failedTries) * (1 - Math.random() / 4))

/** How often work is tried that is due again in so long. */
export function triesWithin(periodMs: number): number {
  let [tries, spentMs] = [1, 0]
  while (spentMs + delayAfter(tries) <= usable * periodMs) {
    spentMs += delayAfter(tries)
    tries += 1
  }
  return Math.max(tries, mostQuickTries)
}

/** The options of a run that is tried until the pattern is due again, or for a day. */
export const retriesUntilNext = (pattern: string) => ({
  attempts: triesWithin(Math.min(shortestGapMs(pattern), day)),
  backoff: { type: untilNextRun },
})

/** The same, unless the job says itself how often it is tried. */
export const retriesOf = ({ attempts }: Pick<Job, 'attempts'>, pattern: string) =>
  attempts === undefined ? retriesUntilNext(pattern) : {}

/** When the pattern is due next, after `now`. */
export const nextDue = (pattern: string, now: Instant): Instant =>
  toInstant(CronExpressionParser.parse(pattern, { currentDate: now, tz: 'UTC' }).next().getTime())

/** Of so many runs in a row. The result must not depend on the day: schedules are compared with it. */
const comparedRuns = 100

function shortestGapMs(pattern: string): number {
  const times = CronExpressionParser.parse(pattern, {
    currentDate: toInstant(Date.UTC(2024, 0, 1)),
    tz: 'UTC',
  })
  let before = times.next().getTime()
  let shortest = Number.POSITIVE_INFINITY
  const first = before
  for (let run = 0; run < comparedRuns && before - first < 2 * day; run += 1) {
    const next = times.next().getTime()
    shortest = Math.min(shortest, next - before)
    before = next
  }
  return shortest
}
