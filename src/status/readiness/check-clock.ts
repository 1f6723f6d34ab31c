import { readClockSkewMs, skewText } from '../../store/database-clock.ts'
import { databaseOf } from '../../store/transaction.ts'
import type { ReadinessDeps } from './readiness-deps.ts'

/** A daemon does not start with such a difference. */
export async function checkClock({ pool, clock, settings }: ReadinessDeps): Promise<string | undefined> {
  const skewMs = await readClockSkewMs(databaseOf(pool), clock)
  if (Math.abs(skewMs) <= settings.monitoring.clockSkew) return undefined
  return `this machine's clock is ${skewText(skewMs)} the database's: set both by NTP`
}
