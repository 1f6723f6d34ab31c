import { type Instant, plus as plusMs, toInstant } from '../../src/market/instant.ts'
import type { AlignedInstant } from '../../src/market/timeframe.ts'

/** An instant by its text. Where it should be on a grid and is not, the code under test throws. */
export const at = (iso: string): AlignedInstant => toInstant(Date.parse(iso)) as AlignedInstant

/** An instant so much later, of which the same holds. */
export const plus = (instant: Instant, ms: number): AlignedInstant => plusMs(instant, ms) as AlignedInstant

/** The same of a number of milliseconds since 1970. */
export const atMs = (ms: number): AlignedInstant => toInstant(ms) as AlignedInstant
