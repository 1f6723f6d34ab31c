import { type SQL, sql } from 'drizzle-orm'
import { stringify } from 'lossless-json'
import type { Candle, RejectedRow } from '../market/candle.ts'
import { type Instant, toIso } from '../market/instant.ts'
import { fittingName } from '../market/name.ts'
import type { Range } from '../market/range.ts'
import type { AnySourceId } from '../settings/source-ids.ts'
import { fromMs } from './coverage/multirange.ts'
import { entryOfRows } from './maintenance-audit.ts'
import { orCountAgain, rejectedAlike } from './quarantine/repeated-rejections.ts'
import type { Database } from './transaction.ts'

/** Where rejected rows came from. */
export type Origin = Readonly<{
  source: string
  market: string
  coinId?: string
  timeframe?: string
  runId: string
  now: Instant
}>

const longestRaw = 10_000

/** Quarantines rejected rows; repeated rejections are counted. */
export async function quarantine(
  db: Database,
  origin: Origin,
  rejected: readonly RejectedRow[],
): Promise<void> {
  const now = sql`${toIso(origin.now)}::timestamp`
  for (const { raw, reason, kind, openTime, acceptable, isSuperseded } of rejectedAlike(rejected)) {
    const resolved = isSuperseded ? sql`'superseded', ${now}, 'beacon'` : sql`null, null, null`
    await db.execute(sql`
      insert into quarantined_rows (
        source, market, coin_id, timeframe, timestamp, reason, kind, raw, candle, run_id, quarantined_at, last_seen_at,
        resolution, resolved_at, resolved_by
      )
      values (${origin.source}, ${marketText(origin.market)}, ${origin.coinId ?? null}, ${origin.timeframe ?? null},
        ${openTime === undefined ? null : toIso(openTime)}::timestamp, ${reason}, ${kind}, ${rawText(raw)},
        ${acceptable === undefined ? null : valuesText(acceptable)}::jsonb, ${origin.runId}::uuid, ${now}, ${now}, ${resolved})
      ${orCountAgain}`)
  }
}

/** Numbers as text, since JSON numbers could lose digits. */
const valuesText = ({ open, high, low, close, volume }: Candle): string =>
  JSON.stringify({ open, high, low, close, volume })

/** The source's text, without NUL, which PostgreSQL cannot store. */
const rawText = (raw: unknown): string =>
  (stringify(raw) ?? 'undefined').replaceAll('\u0000', '\\u0000').slice(0, longestRaw)

/** The source may use any name. */
const marketText = (market: string): string => fittingName(market, 50)

/**
 * `loaded`: a candle is stored. `withdrawn`: no longer at the source. `discarded`: rejected by hand, counts as absent.
 * `accepted`: stored by hand. `superseded`: the same answer had a later state.
 */
export type Resolution = 'loaded' | 'withdrawn' | 'discarded' | 'accepted' | 'superseded'

/** A quarantined row; undefined fields are unknown. */
export type QuarantinedRow = Readonly<{
  id: string
  source: AnySourceId
  market: string
  coinId: string | undefined
  timeframe: string | undefined
  openTime: Instant | undefined
  reason: string
  raw: string
  /** The candle to store on acceptance, if valid. */
  values: Omit<Candle, 'openTime'> | undefined
  runId: string | undefined
  /** First seen. */
  quarantinedAt: Instant
  lastSeenAt: Instant
  timesSeen: number
  /** Whether a candle of any source is stored there. */
  isStored: boolean
  resolved: Readonly<{ as: Resolution; at: Instant; by: string; why: string | undefined }> | undefined
}>

/** Absent fields match all; `reason` is a substring. */
export type QuarantineFilter = Readonly<{
  source?: string
  coinId?: string
  timeframe?: string
  reason?: string
  /** Bounds of the concerned candles, of any timeframe. */
  range?: Range
  state: 'open' | 'resolved' | 'all'
}>

/** The matching rows last seen, and the total count. */
export async function listQuarantined(
  db: Database,
  filter: QuarantineFilter,
  most: number,
): Promise<{ rows: QuarantinedRow[]; total: number }> {
  const matching = matches(filter)
  const { rows } = await db.execute<{ total: number }>(
    sql`select count(*)::integer as total from quarantined_rows as kept where ${matching}`,
  )
  return {
    rows: await readRows(db, sql`${matching} order by last_seen_at desc, timestamp, id limit ${most}`),
    total: rows[0]?.total ?? 0,
  }
}

const stateConditions = {
  open: sql`resolution is null`,
  resolved: sql`resolution is not null`,
  all: sql`true`,
} as const

function matches({ source, coinId, timeframe, reason, range, state }: QuarantineFilter): SQL {
  return sql.join(
    [
      stateConditions[state],
      ...(source === undefined ? [] : [sql`source = ${source}`]),
      ...(coinId === undefined ? [] : [sql`coin_id = ${coinId}`]),
      ...(timeframe === undefined ? [] : [sql`timeframe = ${timeframe}`]),
      ...(reason === undefined ? [] : [sql`position(lower(${reason}) in lower(reason)) > 0`]),
      ...(range === undefined
        ? []
        : [sql`timestamp >= ${toIso(range.from)}::timestamp and timestamp < ${toIso(range.to)}::timestamp`]),
    ],
    sql` and `,
  )
}

/** Rows by id prefix, at most two, to detect ambiguity. */
export const findQuarantined = (db: Database, idBeginning: string): Promise<QuarantinedRow[]> =>
  readRows(db, sql`starts_with(id::text, ${idBeginning.toLowerCase()}) order by id limit 2`)

async function readRows(db: Database, condition: SQL): Promise<QuarantinedRow[]> {
  const { rows } = await db.execute<{
    id: string
    source: AnySourceId
    market: string
    coin_id: string | null
    timeframe: string | null
    open_ms: string | null
    reason: string
    raw: string
    candle: Omit<Candle, 'openTime'> | null
    run_id: string | null
    quarantined_ms: string
    last_seen_ms: string
    times_seen: number
    is_stored: boolean
    resolution: Resolution | null
    resolved_ms: string | null
    resolved_by: string | null
    resolved_reason: string | null
  }>(sql`
    select id, source, market, coin_id, timeframe, reason, raw, candle, run_id, times_seen, resolution, resolved_by, resolved_reason,
      extract(epoch from timestamp) * 1000 as open_ms,
      extract(epoch from quarantined_at) * 1000 as quarantined_ms,
      extract(epoch from last_seen_at) * 1000 as last_seen_ms,
      extract(epoch from resolved_at) * 1000 as resolved_ms,
      exists (
        select from candle_coverage as known
        where known.coin_id = kept.coin_id and known.timeframe = kept.timeframe and state = 'stored'
          and ranges @> kept.timestamp
      ) as is_stored
    from quarantined_rows as kept
    where ${condition}`)
  return rows.map((row) => ({
    id: row.id,
    source: row.source,
    market: row.market,
    coinId: row.coin_id ?? undefined,
    timeframe: row.timeframe ?? undefined,
    openTime: row.open_ms === null ? undefined : fromMs(row.open_ms),
    reason: row.reason,
    raw: row.raw,
    values: row.candle ?? undefined,
    runId: row.run_id ?? undefined,
    quarantinedAt: fromMs(row.quarantined_ms),
    lastSeenAt: fromMs(row.last_seen_ms),
    timesSeen: row.times_seen,
    isStored: row.is_stored,
    resolved:
      row.resolution === null || row.resolved_ms === null || row.resolved_by === null
        ? undefined
        : {
            as: row.resolution,
            at: fromMs(row.resolved_ms),
            by: row.resolved_by,
            why: row.resolved_reason ?? undefined,
          },
  }))
}

export type Resolving = Readonly<{ by: string; now: Instant }>

/** Discards open rows and the other open rows of the same candles; returns their ids. */
export async function discard(
  db: Database,
  ids: readonly string[],
  { by, now, why }: Resolving & { why: string },
): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(sql`
    with discarded as (
      update quarantined_rows
      set resolution = 'discarded', resolved_at = ${toIso(now)}::timestamp, resolved_by = ${whoText(by)}, resolved_reason = ${why}
      where resolution is null and id in (
        select coalesce(other.id, named.id) from quarantined_rows as named left join quarantined_rows as other on ${isOfSameCandle}
        where named.id in (select jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)::uuid)
      )
      returning id
    ), entry as (${entryOfRows('discarded', {
      operation: 'DISCARD',
      table: 'quarantined_rows',
      entity: ids.length === 1 ? `${ids[0]}` : `${ids.length} rows`,
      details: { ids: ids.slice(0, mostNamed), why },
      actor: by,
    })})
    select id from discarded`)
  return rows.map(({ id }) => id)
}

/** Limit on ids in the audit log; rows record who discarded them. */
const mostNamed = 100

/** Condition on `named` and `other`: both concern the same candle. */
export const isOfSameCandle = sql`
  other.coin_id = named.coin_id and other.timeframe = named.timeframe and other.source = named.source
  and date_bin(other.timeframe::interval, other.timestamp, '1970-01-01') = date_bin(named.timeframe::interval, named.timestamp, '1970-01-01')`

export const whoText = (by: string): string => by.slice(0, 100)

/** Resolves rows that coverage answers (stored or absent at the source). Returns the new resolutions. */
export async function resolveAnswered(
  db: Database,
  ids: readonly string[],
  { by, now }: Resolving,
): Promise<Map<string, Resolution>> {
  const { rows } = await db.execute<{ id: string; resolution: Resolution }>(sql`
    with answered as (
      select id, bool_or(known.state = 'stored') as is_stored
      from quarantined_rows as kept
      join candle_coverage as known on known.coin_id = kept.coin_id and known.timeframe = kept.timeframe
      where id in (select jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)::uuid)
        and (known.state = 'stored' or (known.state = 'no-trades' and known.source = kept.source))
        and known.ranges @> kept.timestamp
      group by id
    )
    update quarantined_rows as kept
    set resolution = case when is_stored then 'loaded' else 'withdrawn' end, resolved_at = ${toIso(now)}::timestamp,
      resolved_by = ${whoText(by)},
      resolved_reason = case
        when resolution = 'discarded' then format('discarded by %s at %s: %s', resolved_by, to_char(resolved_at, 'YYYY-MM-DD HH24:MI'), resolved_reason)
        else resolved_reason
      end
    from answered where kept.id = answered.id
    returning kept.id, resolution`)
  return new Map(rows.map(({ id, resolution }) => [id, resolution]))
}
