import { type SQL, sql } from 'drizzle-orm'
import { stringify } from 'lossless-json'
import { type Instant, second, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { entryOfRows } from './maintenance-audit.ts'
import { fromMs, type JsonRanges, rangesJson, toRanges } from './multirange.ts'
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

/**
 * What became of a row. `loaded`: the table has a candle for its open time. `withdrawn`: its source has none there any
 * more. `discarded`: settled by hand; its open time counts as absent and is not asked for again.
 */
export type Settlement = 'loaded' | 'withdrawn' | 'discarded'

/** One row kept aside; undefined is what it did not tell, and `settled` until it is. */
export type QuarantinedRow = Readonly<{
  id: string
  source: string
  market: string
  coinId: string | undefined
  timeframe: string | undefined
  openTime: Instant | undefined
  reason: string
  raw: string
  runId: string | undefined
  quarantinedAt: Instant
  /** Whether the table has a candle for its open time, from this source or another. */
  isStored: boolean
  settled: Readonly<{ as: Settlement; at: Instant; by: string; why: string | undefined }> | undefined
}>

/** What is left out matches everything; `reason` is any part of it. */
export type QuarantineFilter = Readonly<{
  source?: string
  coinId?: string
  timeframe?: string
  reason?: string
  state: 'open' | 'settled' | 'all'
}>

/** The newest of the rows that match, and how many match in all. */
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
    rows: await readRows(db, sql`${matching} order by quarantined_at desc, id limit ${most}`),
    total: rows[0]?.total ?? 0,
  }
}

const stateConditions = {
  open: sql`settlement is null`,
  settled: sql`settlement is not null`,
  all: sql`true`,
} as const

function matches({ source, coinId, timeframe, reason, state }: QuarantineFilter): SQL {
  return sql.join(
    [
      stateConditions[state],
      ...(source === undefined ? [] : [sql`source = ${source}`]),
      ...(coinId === undefined ? [] : [sql`coin_id = ${coinId}`]),
      ...(timeframe === undefined ? [] : [sql`timeframe = ${timeframe}`]),
      ...(reason === undefined ? [] : [sql`position(lower(${reason}) in lower(reason)) > 0`]),
    ],
    sql` and `,
  )
}

/** The rows whose id begins so, at most two: one beginning may stand for several rows. */
export const findQuarantined = (db: Database, idBeginning: string): Promise<QuarantinedRow[]> =>
  readRows(db, sql`starts_with(id::text, ${idBeginning.toLowerCase()}) order by id limit 2`)

async function readRows(db: Database, condition: SQL): Promise<QuarantinedRow[]> {
  const { rows } = await db.execute<{
    id: string
    source: string
    market: string
    coin_id: string | null
    timeframe: string | null
    open_ms: string | null
    reason: string
    raw: string
    run_id: string | null
    quarantined_ms: string
    is_stored: boolean
    settlement: Settlement | null
    settled_ms: string | null
    settled_by: string | null
    settled_reason: string | null
  }>(sql`
    select id, source, market, coin_id, timeframe, reason, raw, run_id, settlement, settled_by, settled_reason,
      extract(epoch from timestamp) * 1000 as open_ms,
      extract(epoch from quarantined_at) * 1000 as quarantined_ms,
      extract(epoch from settled_at) * 1000 as settled_ms,
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
    runId: row.run_id ?? undefined,
    quarantinedAt: fromMs(row.quarantined_ms),
    isStored: row.is_stored,
    settled:
      row.settlement === null || row.settled_ms === null || row.settled_by === null
        ? undefined
        : {
            as: row.settlement,
            at: fromMs(row.settled_ms),
            by: row.settled_by,
            why: row.settled_reason ?? undefined,
          },
  }))
}

/** Who settles, and when. */
export type Settling = Readonly<{ by: string; now: Instant }>

/** Settles open rows by hand, and returns the ids of those that were still open. */
export async function discard(
  db: Database,
  ids: readonly string[],
  { by, now, why }: Settling & { why: string },
): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(sql`
    with discarded as (
      update quarantined_rows
      set settlement = 'discarded', settled_at = ${toIso(now)}::timestamp, settled_by = ${whoText(by)}, settled_reason = ${why}
      where id in (select jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)::uuid) and settlement is null
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

/** So many ids of discarded rows are named in the audit log; the rows themselves say who discarded them. */
const mostNamed = 100

const whoText = (by: string): string => by.slice(0, 100)

/**
 * Settles those of the rows that the ledger has an answer for: the table has their candle, or their source has none
 * there. Returns what each of them is now; one that is not among them is as it was.
 */
export async function settleAnswered(
  db: Database,
  ids: readonly string[],
  { by, now }: Settling,
): Promise<Map<string, Settlement>> {
  const { rows } = await db.execute<{ id: string; settlement: Settlement }>(sql`
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
    set settlement = case when is_stored then 'loaded' else 'withdrawn' end, settled_at = ${toIso(now)}::timestamp,
      settled_by = ${whoText(by)},
      settled_reason = case
        when settlement = 'discarded' then format('discarded by %s at %s: %s', settled_by, to_char(settled_at, 'YYYY-MM-DD HH24:MI'), settled_reason)
        else settled_reason
      end
    from answered where kept.id = answered.id
    returning kept.id, settlement`)
  return new Map(rows.map(({ id, settlement }) => [id, settlement]))
}

/** Where the rows of one open time are looked for: values, or the columns of a query. */
type Whereabouts = Readonly<Record<'coinId' | 'timeframe' | 'source' | 'from' | 'to' | 'candleLength', SQL>>

/**
 * A multirange, or null where there are none: the open times that were settled by hand. Of the rows that the source gave
 * for them some are discarded, and none is open. They count as absent, and are not asked for again.
 */
export const discardedRanges = ({
  coinId,
  timeframe,
  source,
  from,
  to,
  candleLength,
}: Whereabouts): SQL => sql`(
  select range_agg(tsrange(timestamp, timestamp + ${candleLength})) from (
    select timestamp from quarantined_rows as kept
    where kept.coin_id = ${coinId} and kept.timeframe = ${timeframe} and kept.source = ${source}
      and timestamp >= ${from} and timestamp < ${to}
    group by timestamp
    having bool_or(settlement = 'discarded') and bool_and(settlement is not null)
  ) as discarded
)`

/** Those of one series, ascending. */
export async function readDiscarded(
  db: Database,
  { coinId, timeframe, source }: Readonly<{ coinId: string; timeframe: Timeframe; source: string }>,
  { from, to }: Range,
): Promise<Range[]> {
  const ranges = discardedRanges({
    coinId: sql`${coinId}`,
    timeframe: sql`${timeframe}`,
    source: sql`${source}`,
    from: sql`${toIso(from)}::timestamp`,
    to: sql`${toIso(to)}::timestamp`,
    candleLength: sql`${`${timeframeMs[timeframe] / second} seconds`}::interval`,
  })
  const { rows } = await db.execute<{ discarded: JsonRanges | null }>(
    sql`select ${rangesJson(ranges)} as discarded`,
  )
  return toRanges(rows[0]?.discarded ?? null)
}
