import { asc, sql } from 'drizzle-orm'
import { instrumentRenames } from '../../../drizzle/schema/listings.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { fromMs } from '../coverage/multirange.ts'
import { takeLocks } from '../locks.ts'
import { type Database, type Transaction, withFaults } from '../transaction.ts'

/** State of a tracked market in its source's listing. */
export type MarketLife = Readonly<{
  coinId: string
  symbol: string
  trackedFrom: Instant
  /** Whether the coin's candles are read from it, of this source's markets. */
  isFirst: boolean
  /** End of the market. */
  listedTo: Instant | undefined
  /** The last check that listed it. */
  lastListedAt: Instant | undefined
  /** The first check that did not list it, until confirmed. */
  missingSince: Instant | undefined
  /** Since when it is listed without trading. */
  haltedSince: Instant | undefined
  /** When its symbol was listed again after its end. */
  relistedAt: Instant | undefined
  /** Set on markets tracked twice before a market could belong to one coin only. */
  sharesMarket: boolean
}>

/** Held until the end of a transaction that assigns a market, so that two cannot both find it free. */
export const lockMarkets = ({ db }: Transaction): Promise<void> => takeLocks(db, ['markets'])

/** Tracked markets of a source, including ended ones. */
export async function readLives({ db }: Transaction, source: string): Promise<MarketLife[]> {
  const { rows } = await db.execute<{
    coin_id: string
    symbol: string
    tracked_ms: string
    is_first: boolean
    ended_ms: string | null
    seen_ms: string | null
    missing_ms: string | null
    halted_ms: string | null
    relisted_ms: string | null
    shares_market: boolean
  }>(sql`
    select coin_id, symbol, shares_market,
      extract(epoch from tracked_from) * 1000 as tracked_ms,
      extract(epoch from listed_to) * 1000 as ended_ms,
      extract(epoch from last_listed_at) * 1000 as seen_ms,
      extract(epoch from missing_since) * 1000 as missing_ms,
      extract(epoch from halted_since) * 1000 as halted_ms,
      extract(epoch from relisted_at) * 1000 as relisted_ms,
      not exists (
        select from instruments as other
        where (other.coin_id, other.source) = (instruments.coin_id, instruments.source) and other.tracked_to is null
          and other.preference < instruments.preference
      ) as is_first
    from instruments where source = ${source} and tracked_to is null
    order by coin_id, symbol, tracked_from
    for update`)
  return rows.map((row) => ({
    coinId: row.coin_id,
    symbol: row.symbol,
    trackedFrom: fromMs(row.tracked_ms),
    isFirst: row.is_first,
    listedTo: instantOf(row.ended_ms),
    lastListedAt: instantOf(row.seen_ms),
    missingSince: instantOf(row.missing_ms),
    haltedSince: instantOf(row.halted_ms),
    relistedAt: instantOf(row.relisted_ms),
    sharesMarket: row.shares_market,
  }))
}

const instantOf = (ms: string | null): Instant | undefined => (ms === null ? undefined : fromMs(ms))

export async function writeLife(db: Database, source: string, life: MarketLife): Promise<void> {
  await db.execute(sql`
    update instruments set
      listed_to = ${isoOf(life.listedTo)}::timestamp,
      last_listed_at = ${isoOf(life.lastListedAt)}::timestamp,
      missing_since = ${isoOf(life.missingSince)}::timestamp,
      halted_since = ${isoOf(life.haltedSince)}::timestamp,
      relisted_at = ${isoOf(life.relistedAt)}::timestamp
    where coin_id = ${life.coinId} and source = ${source} and symbol = ${life.symbol}
      and tracked_from = ${toIso(life.trackedFrom)}::timestamp`)
}

/** Sources of all markets ever tracked. */
export async function readSources(db: Database): Promise<string[]> {
  const { rows } = await db.execute<{ source: string }>(
    sql`select distinct source from instruments order by source`,
  )
  return rows.map(({ source }) => source)
}

/** A market's names before and after; the symbol may be the same while the base changed. */
export type Renaming = Readonly<{ oldSymbol: string; newSymbol: string; oldBase: string; newBase: string }>

export async function renameMarket(
  { db }: Transaction,
  source: string,
  { coinId, trackedFrom }: MarketLife,
  { oldSymbol, newSymbol, oldBase, newBase }: Renaming,
  now: Instant,
): Promise<void> {
  const at = toIso(now)
  await db.execute(sql`
    insert into instrument_renames (coin_id, source, old_symbol, new_symbol, old_base, new_base, renamed_at)
    values (${coinId}, ${source}, ${oldSymbol}, ${newSymbol}, ${oldBase}, ${newBase}, ${at}::timestamp)
    on conflict do nothing`)
  if (newSymbol === oldSymbol) return
  const { rows } = await db.execute<{ preference: number; listed_from: string | null }>(sql`
    update instruments
    set listed_to = ${at}::timestamp, tracked_to = ${at}::timestamp, missing_since = null, halted_since = null
    where coin_id = ${coinId} and source = ${source} and symbol = ${oldSymbol}
      and tracked_from = ${toIso(trackedFrom)}::timestamp
    returning preference, listed_from::text`)
  const [old] = rows
  if (!old) return
  await db.execute(sql`
    insert into instruments (coin_id, source, symbol, preference, tracked_from, listed_from, last_listed_at)
    values (${coinId}, ${source}, ${newSymbol}, ${old.preference}, ${at}::timestamp, ${old.listed_from}::timestamp, ${at}::timestamp)
    on conflict (coin_id, source, symbol) where listed_to is null do update
      set tracked_to = null, tracked_from = excluded.tracked_from, preference = excluded.preference
      where instruments.tracked_to is not null`)
}

export type RecordedRename = Renaming & Readonly<{ coinId: string; source: string; renamedAt: Instant }>

/** All renames, oldest first. */
export async function listRenames(db: Database): Promise<RecordedRename[]> {
  return withFaults(db.select().from(instrumentRenames).orderBy(asc(instrumentRenames.renamedAt)))
}

export const marketStates = ['listed', 'unlisted', 'missing', 'halted', 'ended', 'relisted'] as const
export type MarketCount = Readonly<{ source: string; state: (typeof marketStates)[number]; count: number }>

/** Tracked markets by source and listing state. */
export async function countMarkets(db: Database): Promise<MarketCount[]> {
  const { rows } = await db.execute<MarketCount>(sql`
    select source, state, count(*)::integer as count
    from instruments, lateral (
      select case
        when relisted_at is not null then 'relisted'
        when listed_to is not null then 'ended'
        when missing_since is not null then 'missing'
        when halted_since is not null then 'halted'
        when last_listed_at is null then 'unlisted'
        else 'listed'
      end as state
    ) as judged
    where tracked_to is null group by source, state order by source, state`)
  return rows
}

const isoOf = (at: Instant | undefined): string | null => (at === undefined ? null : toIso(at))
