import { day, hour, type Instant, plus, toInstant } from '../../../market/instant.ts'

/** Midnight there is 16:00 of the day before in UTC. */
const aheadMs = 8 * hour

/** Where the day, the week from Monday on and the month of an instant began. */
export const dayBegan = (instant: Instant): Instant => plus(instant, -((instant + aheadMs) % day))

// 1970 began on a Thursday.
export const weekBegan = (instant: Instant): Instant =>
  plus(instant, -((instant + aheadMs + 3 * day) % (7 * day)))

export function monthBegan(instant: Instant): Instant {
  const there = new Date(instant + aheadMs)
  return toInstant(Date.UTC(there.getUTCFullYear(), there.getUTCMonth()) - aheadMs)
}
