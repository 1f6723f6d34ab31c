import { type Instant, toInstant } from '../market/instant.ts'

/** The one place that asks the machine for the time; everything else is handed a clock. */
export type Clock = Readonly<{ now(): Instant }>

export const systemClock: Clock = { now: () => toInstant(Date.now()) }

export const fixedClock = (iso: string): Clock => ({ now: () => toInstant(Date.parse(iso)) })
