import { sql } from 'drizzle-orm'
import type { AlignedCandle } from '../../market/candle.ts'
import { toIso } from '../../market/instant.ts'
import { isOfSameCandle, type Resolving, whoText } from '../quarantine.ts'
import type { Database } from '../transaction.ts'

/** Who accepts, when, and why where they say so. */
export type Accepting = Resolving & Readonly<{ why: string | undefined }>

/**
 * Marks open or discarded rows as accepted and other open rows of their candles as loaded, in the storing transaction.
 * Returns both ids.
 */
export async function resolveAccepted(
  db: Database,
  ids: readonly string[],
  { by, now, why }: Accepting,
): Promise<Readonly<{ accepted: string[]; loaded: string[] }>> {
  const named = sql`select jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)::uuid`
  const resolved = sql`resolved_at = ${toIso(now)}::timestamp, resolved_by = ${whoText(by)}`
  const accepted = await db.execute<{ id: string }>(sql`
    update quarantined_rows set resolution = 'accepted', ${resolved}, resolved_reason = ${why ?? null}
    where id in (${named}) and (resolution is null or resolution = 'discarded')
    returning id`)
  const loaded = await db.execute<{ id: string }>(sql`
    update quarantined_rows set resolution = 'loaded', ${resolved}
    where resolution is null and id in (
      select other.id from quarantined_rows as named join quarantined_rows as other on ${isOfSameCandle}
      where named.id in (${named})
    )
    returning id`)
  return { accepted: accepted.rows.map(({ id }) => id), loaded: loaded.rows.map(({ id }) => id) }
}

const hasValuesOf = sql.join(
  ['open', 'high', 'low', 'close', 'volume'].map(
    (name) => sql`stored.${sql.identifier(name)} = (kept.candle ->> ${name})::numeric`,
  ),
  sql` and `,
)

/** Open times whose stored candle did not come from an earlier acceptance. */
export async function readStoredOtherwise(
  db: Database,
  { coinId, timeframe, source }: Readonly<Record<'coinId' | 'timeframe' | 'source', string>>,
  candles: readonly AlignedCandle[],
): Promise<string[]> {
  const openTimes = JSON.stringify(candles.map(({ openTime }) => toIso(openTime)))
  const { rows } = await db.execute<{ open_time: string }>(sql`
    select to_char(timestamp, 'YYYY-MM-DD HH24:MI') as open_time from ohlcv_data as stored
    where coin_id = ${coinId} and timeframe = ${timeframe}
      and timestamp in (select jsonb_array_elements_text(${openTimes}::jsonb)::timestamp)
      and not exists (
        select from quarantined_rows as kept
        where kept.coin_id = stored.coin_id and kept.timeframe = stored.timeframe and kept.source = ${source}
          and kept.timestamp = stored.timestamp and resolution = 'accepted' and ${hasValuesOf}
      )
    order by timestamp`)
  return rows.map((row) => row.open_time)
}
