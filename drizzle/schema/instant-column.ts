import { sql } from 'drizzle-orm'
import { check, customType } from 'drizzle-orm/pg-core'
import { type Instant, toInstant, toIso } from '../../src/market/instant.ts'

/** A `timestamp` without zone, in UTC, read and written as an Instant. */
export const instant = customType<{ data: Instant; driverData: string }>({
  dataType: () => 'timestamp',
  toDriver: toIso,
  fromDriver: fromTimestamp,
})

/** Reads a timestamp in the format of the server: `2024-03-01 12:00:00.123`. */
export function fromTimestamp(text: string): Instant {
  return toInstant(Date.parse(`${text.replace(' ', 'T')}Z`))
}

/** Limits times that applications write to the years 2000 to 2200. */
export const timesCheck = (table: string, ...columns: readonly string[]) =>
  check(
    `${table}_times`,
    sql.raw(columns.map((column) => `${column} >= '2000-01-01' and ${column} < '2200-01-01'`).join(' and ')),
  )
