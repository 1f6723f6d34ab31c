import { CronExpressionParser } from 'cron-parser'
import { day, hour, type Instant, minute, second, toInstant } from '../market/instant.ts'
import type { Job } from './job.ts'

/** Name of the backoff strategy. */
const untilNextRun = 'until-next-run'

const longestAtFirstMs = minute
const atFirstMs = hour
const longestLaterMs = 5 * minute

/** Part of the interval between two runs that retries may use. */
const usable = 0.9

/** For errors other than an unavailable server. */
export const mostQuickTries = 5

/** 1 s, 2 s, 4 s … 1 min; after an hour 5 min. */
export function delayAfter(failedTries: number): number {
  const early = Math.min(second * 2 ** Math.min(failedTries - 1, 10), longestAtFirstMs)
  const spentMs = (failedTries - 1) * longestAtFirstMs
  return spentMs < atFirstMs ? early : longestLaterMs
}

export const backoffStrategy = (failedTries: number): number =>
  Math.round(delayAfter(failedTries) * (1 - Math.random() / 4))

/** Retries that fit into the period. */
export function triesWithin(periodMs: number): number {
  let [tries, spentMs] = [1, 0]
  while (spentMs + delayAfter(tries) <= usable * periodMs) {
    spentMs += delayAfter(tries)
    tries += 1
  }
  return Math.max(tries, mostQuickTries)
}

/** Retries until the pattern is next due, at most a day. */
export const retriesUntilNext = (pattern: string) => ({
  attempts: triesWithin(Math.min(shortestGapMs(pattern), day)),
  backoff: { type: untilNextRun },
})

export const retriesOf = ({ attempts }: Pick<Job, 'attempts'>, pattern: string) =>
  attempts === undefined ? retriesUntilNext(pattern) : {}

export const nextDue = (pattern: string, now: Instant): Instant =>
  toInstant(CronExpressionParser.parse(pattern, { currentDate: now, tz: 'UTC' }).next().getTime())

/** Fixed, so that unchanged schedules compare equal. */
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
