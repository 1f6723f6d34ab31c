import { sql } from 'drizzle-orm'
import type { Instant } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import { fromMs } from './coverage/multirange.ts'
import type { Database } from './transaction.ts'

/** The clock shared by all processes. */
export async function readDatabaseTime(db: Pick<Database, 'execute'>): Promise<Instant> {
  const { rows } = await db.execute<{ now_ms: string }>(
    sql`select extract(epoch from clock_timestamp()) * 1000 as now_ms`,
  )
  const [row] = rows
  if (!row) throw new Error('the database has no time')
  return fromMs(row.now_ms)
}

/** How far our clock is ahead of the server's, in ms, with half the round trip subtracted. */
export async function readClockSkewMs(db: Pick<Database, 'execute'>, clock: Clock): Promise<number> {
  const before = clock.now()
  const theirs = await readDatabaseTime(db)
  return (before + clock.now()) / 2 - theirs
}

/** `120 s ahead of`: the caller adds the other clock. */
export const skewText = (skewMs: number): string =>
  `${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'}`
