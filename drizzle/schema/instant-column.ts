import { customType } from 'drizzle-orm/pg-core'
import { type Instant, toInstant, toIso } from '../../src/market/instant.ts'

/** A `timestamp` without zone, which holds UTC by rule, read and written as an Instant. */
export const instant = customType<{ data: Instant; driverData: string }>({
  dataType: () => 'timestamp',
  toDriver: toIso,
  fromDriver: fromTimestamp,
})

/** `2024-03-01 12:00:00.123` as the server writes it. */
export function fromTimestamp(text: string): Instant {
  return toInstant(Date.parse(`${text.replace(' ', 'T')}Z`))
}
