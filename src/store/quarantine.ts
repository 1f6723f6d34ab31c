import { sql } from 'drizzle-orm'
import { stringify } from 'lossless-json'
import { type Instant, toIso } from '../market/instant.ts'
import type { Database } from './transaction.ts'

/** Where rows that were not believed came from. */
export type Origin = Readonly<{
  source: string
  market: string
  coinId?: string
  timeframe?: string
  runId: string
  now: Instant
}>

const longestRaw = 10_000

/** Keeps rows aside with their reason; the same row seen again is kept once. */
export async function quarantine(
  db: Database,
  origin: Origin,
  rejected: readonly Readonly<{ raw: unknown; reason: string; openTime?: Instant }>[],
): Promise<void> {
  for (const { raw, reason, openTime } of rejected) {
    await db.execute(sql`
      insert into quarantined_rows (source, market, coin_id, timeframe, timestamp, reason, raw, run_id, quarantined_at)
      values (${origin.source}, ${marketText(origin.market)}, ${origin.coinId ?? null}, ${origin.timeframe ?? null},
        ${openTime === undefined ? null : toIso(openTime)}::timestamp, ${reason}, ${rawText(raw)}, ${origin.runId}::uuid, ${toIso(origin.now)}::timestamp)
      on conflict do nothing`)
  }
}

/** The row as it stood in the answer, digits and all, without the NUL that no text column can hold. */
const rawText = (raw: unknown): string =>
  (stringify(raw) ?? 'undefined').replaceAll('\u0000', '\\u0000').slice(0, longestRaw)

/** A row that is not believed may call its market anything. */
const marketText = (market: string): string => market.replaceAll('\u0000', '').slice(0, 50)
