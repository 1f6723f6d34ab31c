import { sql } from 'drizzle-orm'
import type { RejectedRow } from '../../market/candle.ts'

/** A rejected row with the kind of its reason: what makes it the same rejection when it comes again. */
export type Rejection = RejectedRow & Readonly<{ kind: string }>

/**
 * The rejections of one answer. Rows for the same open time that are rejected alike are one rejection, except where each
 * could be accepted: those are numbered in their order.
 */
export function rejectedAlike(rejected: readonly RejectedRow[]): Rejection[] {
  const groups = new Map<string, RejectedRow[]>()
  for (const row of rejected) {
    const key = `${row.openTime} ${row.reason}`
    const alike = groups.get(key)
    if (alike) alike.push(row)
    else groups.set(key, [row])
  }
  return [...groups.values()].flatMap((alike) => {
    const [acceptable, others] = [alike.filter(isAcceptable), alike.filter((row) => !isAcceptable(row))]
    return [...acceptable.map(numbered), ...asOne(others)]
  })
}

const isAcceptable = ({ acceptable }: RejectedRow): boolean => acceptable !== undefined

const numbered = (row: RejectedRow, index: number): Rejection => ({
  ...row,
  kind: index === 0 ? reasonKind(row.reason) : `${reasonKind(row.reason).slice(0, 190)} #${index + 1}`,
})

function asOne([first, ...others]: readonly RejectedRow[]): Rejection[] {
  if (!first) return []
  const raw = others.length > 0 ? [first, ...others].map((row) => row.raw) : first.raw
  return [{ ...first, raw, kind: reasonKind(first.reason) }]
}

/** The reason without its numbers and times: rejections of one row are the same where it is. */
export const reasonKind = (reason: string): string => reason.replace(/-?\d[\d.:TZ+-]*/g, 'N').slice(0, 200)

/** The end of an insert. A row that had been answered for is open again; what was decided by hand stays. */
export const orCountAgain = sql`
  on conflict on constraint quarantined_rows_row_key do update set
    times_seen = quarantined_rows.times_seen + 1,
    last_seen_at = greatest(quarantined_rows.last_seen_at, excluded.last_seen_at),
    reason = excluded.reason, raw = excluded.raw, candle = excluded.candle, run_id = excluded.run_id,
    (settlement, settled_at, settled_by, settled_reason) = (
      select settlement, settled_at, settled_by, settled_reason from (select quarantined_rows.*) as was
      where settlement not in ('loaded', 'withdrawn')
    )`
