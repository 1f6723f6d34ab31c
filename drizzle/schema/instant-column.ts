import { sql } from 'drizzle-orm'
import { check, customType } from 'drizzle-orm/pg-core'
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

/** What a user's application writes is a date of our age: never infinity, nor a year before Christ. */
export const timesCheck = (table: string, ...columns: readonly string[]) =>
  check(
    `${table}_times`,
    sql.raw(columns.map((column) => `${column} >= '2000-01-01' and ${column} < '2200-01-01'`).join(' and ')),
  )
