import { day, hour, type Instant, plus, toInstant } from '../../../market/instant.ts'

/** Midnight in Singapore is 16:00 UTC. */
const aheadMs = 8 * hour

/** Weeks start on Monday. */
export const dayBegan = (instant: Instant): Instant => plus(instant, -((instant + aheadMs) % day))

// 1970-01-01 was a Thursday.
export const weekBegan = (instant: Instant): Instant =>
  plus(instant, -((instant + aheadMs + 3 * day) % (7 * day)))

export function monthBegan(instant: Instant): Instant {
  const there = new Date(instant + aheadMs)
  return toInstant(Date.UTC(there.getUTCFullYear(), there.getUTCMonth()) - aheadMs)
}
