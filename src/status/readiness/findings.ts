import { hostname } from 'node:os'
import { attention, type Finding } from '../finding.ts'
import { blockedReason } from './check-work.ts'
import type { Readiness } from './readiness.ts'

/** What each check is about, as the first part of an alert's key. */
const subjects: Readonly<Record<keyof Readiness, string>> = {
  database: 'database.refused',
  queue: 'queue.refused',
  schedule: 'schedule.missing',
  work: 'work.standing',
  clock: 'clock.skew',
}

/** The end of the key of what a process sees of itself: one on another machine may see no trouble. */
export const seenFrom = `@${hostname()}`

/** A finding for each check that failed, but for what another finding says better. */
export const readinessFindings = (readiness: Readiness): Finding[] =>
  (Object.keys(subjects) as (keyof Readiness)[]).flatMap((name) => {
    const check = readiness[name]
    return check.ok || check.reason === blockedReason
      ? []
      : [attention(`${subjects[name]} ${seenFrom}`, messageOf(check.reason))]
  })

const messageOf = (reason: string): string => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`
