import { type Instant, toInstant } from '../market/instant.ts'

/** The only source of time; everything else receives a clock. */
export type Clock = Readonly<{ now(): Instant }>

export const systemClock: Clock = { now: () => toInstant(Date.now()) }

/** Monotonic, for durations: unaffected by clock changes. */
export const steadyClock: Clock = {
  now: () => toInstant(Math.round(performance.timeOrigin + performance.now())),
}
