import { type Instant, toInstant } from '../market/instant.ts'

/** The one place that asks the machine for the time; everything else is handed a clock. */
export type Clock = Readonly<{ now(): Instant }>

export const systemClock: Clock = { now: () => toInstant(Date.now()) }

/**
 * Runs on evenly when the machine's clock is set: for how long something took or may take. The time that it shows means
 * nothing else.
 */
export const steadyClock: Clock = {
  now: () => toInstant(Math.round(performance.timeOrigin + performance.now())),
}
