import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { RejectedRow } from '../../market/candle.ts'

/** A rejected row with the kind of its reason, which identifies repeats. */
export type Rejection = RejectedRow & Readonly<{ kind: string }>

/** Merges rejections of one answer with the same open time and kind. */
export function rejectedAlike(rejected: readonly RejectedRow[]): Rejection[] {
  const groups = new Map<string, Rejection[]>()
  for (const row of rejected) {
    const kind = kindOf(row)
    const key = `${row.openTime} ${kind}`
    const alike = groups.get(key)
    if (alike) alike.push({ ...row, kind })
    else groups.set(key, [{ ...row, kind }])
  }
  return [...groups.values()].flatMap(([first, ...others]) =>
    first && others.length > 0 ? { ...first, raw: [first, ...others].map(({ raw }) => raw) } : (first ?? []),
  )
}

/** For acceptable candles the values count too: the operator decides on them. */
function kindOf({ reason, acceptable }: RejectedRow): string {
  if (acceptable === undefined) return reasonKind(reason)
  const { open, high, low, close, volume } = acceptable
  const values = createHash('md5').update([open, high, low, close, volume].join(' ')).digest('hex')
  return `${reasonKind(reason).slice(0, 160)} #${values}`
}

/** The reason without numbers and times. */
export const reasonKind = (reason: string): string => reason.replace(/-?\d[\d.:TZ+-]*/g, 'N').slice(0, 200)

/** Clause of the insert: resolved rows reopen, except those decided by hand. */
export const orCountAgain = sql`
  on conflict on constraint quarantined_rows_row_key do update set
    times_seen = quarantined_rows.times_seen + 1,
    last_seen_at = greatest(quarantined_rows.last_seen_at, excluded.last_seen_at),
    reason = excluded.reason, raw = excluded.raw, candle = excluded.candle, run_id = excluded.run_id,
    (resolution, resolved_at, resolved_by, resolved_reason) = (
      select resolution, resolved_at, resolved_by, resolved_reason from (select quarantined_rows.*) as was
      where resolution not in ('loaded', 'withdrawn')
    )`
