import { sql } from 'drizzle-orm'
import type { Instant } from '../../market/instant.ts'

/** A row of an answer, and why it is rejected. */
export type Rejected = Readonly<{ raw: unknown; reason: string; openTime?: Instant }>

/** Rows that one answer holds for the same open time and that are rejected alike belong together. */
export function rejectedAlike(rejected: readonly Rejected[]): Rejected[] {
  const groups = new Map<string, Rejected[]>()
  for (const row of rejected) {
    const key = `${row.openTime} ${row.reason}`
    const alike = groups.get(key)
    if (alike) alike.push(row)
    else groups.set(key, [row])
  }
  return [...groups.values()].flatMap(([first, ...others]) =>
    first && others.length > 0 ? { ...first, raw: [first, ...others].map(({ raw }) => raw) } : (first ?? []),
  )
}

/** The reason without its numbers and times: rejections of one row are the same where it is. */
export const reasonKind = (reason: string): string => reason.replace(/-?\d[\d.:TZ+-]*/g, 'N').slice(0, 200)

/** The end of an insert. A row that had been answered for is open again; what was decided by hand stays. */
export const orCountAgain = sql`
  on conflict on constraint quarantined_rows_row_key do update set
    times_seen = quarantined_rows.times_seen + 1,
    last_seen_at = greatest(quarantined_rows.last_seen_at, excluded.last_seen_at),
    reason = excluded.reason, raw = excluded.raw, run_id = excluded.run_id,
    (settlement, settled_at, settled_by, settled_reason) = (
      select settlement, settled_at, settled_by, settled_reason from (select quarantined_rows.*) as was
      where settlement not in ('loaded', 'withdrawn')
    )`
