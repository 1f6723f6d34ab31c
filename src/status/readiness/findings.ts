import { hostname } from 'node:os'
import { attention, type Finding } from '../finding.ts'
import { blockedReason } from './check-work.ts'
import type { Readiness } from './readiness.ts'

/** First part of the alert key. */
const subjects: Readonly<Record<keyof Readiness, string>> = {
  database: 'database.refused',
  queue: 'queue.refused',
  schedule: 'schedule.missing',
  work: 'work.standing',
  clock: 'clock.skew',
}

/** Key suffix of what only this process sees. */
export const seenFrom = `@${hostname()}`

/** Failed checks without a better finding. */
export const readinessFindings = (readiness: Readiness): Finding[] =>
  (Object.keys(subjects) as (keyof Readiness)[]).flatMap((name) => {
    const check = readiness[name]
    return check.ok || check.reason === blockedReason
      ? []
      : [attention(`${subjects[name]} ${seenFrom}`, messageOf(check.reason))]
  })

const messageOf = (reason: string): string => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`
