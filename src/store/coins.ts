import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../market/instant.ts'
import { fittingName } from '../market/name.ts'
import type { TrackedCoin } from '../settings/schema.ts'
import { lockMarkets } from './coins/instruments.ts'
import {
  lastEnd,
  latest,
  type NewMarket,
  readLivesOf,
  refuseOthers,
  type TakenMarket,
} from './coins/market-owners.ts'
import { fromMs } from './coverage/multirange.ts'
import { recordMaintenance } from './maintenance-audit.ts'
import type { Database, Transaction } from './transaction.ts'

/** One market of a coin. */
export type Instrument = Readonly<{
  coinId: string
  source: string
  symbol: string
  preference: number
  trackedFrom: Instant
  /** Start of this listing if the symbol belonged to another coin before. */
  listedFrom?: Instant
  /** End of the market: no candle opens at or after it. */
  listedTo?: Instant
  /** Since when the source lists it without trading, or not at all. */
  haltedSince?: Instant
  /** When the symbol appeared again after that; it may belong to another coin. */
  relistedAt?: Instant
  /** Set on markets tracked twice before a market could belong to one coin only. */
  sharesMarket?: true
}>

export type Coin = Readonly<{ id: string; symbol: string; name: string; markets: readonly Instrument[] }>

/** The tracked coins with their tracked markets in order of preference. */
export async function listCoins(db: Database): Promise<Coin[]> {
  const { rows } = await db.execute<{
    id: string
    coin_symbol: string
    name: string
    source: string
    symbol: string
    preference: number
    from_ms: string
    listed_from_ms: string | null
    listed_to_ms: string | null
    halted_ms: string | null
    relisted_ms: string | null
    shares_market: boolean
  }>(sql`
    select coins.id, coins.symbol as coin_symbol, coins.name, source, instruments.symbol, preference,
      extract(epoch from tracked_from) * 1000 as from_ms,
      extract(epoch from listed_from) * 1000 as listed_from_ms,
      extract(epoch from listed_to) * 1000 as listed_to_ms,
      extract(epoch from coalesce(halted_since, missing_since)) * 1000 as halted_ms,
      extract(epoch from relisted_at) * 1000 as relisted_ms,
      shares_market
    from instruments join coins on coins.id = coin_id
    where tracked_to is null
    order by coins.id, preference, tracked_from desc, source, instruments.symbol`)
  const coins = new Map<string, Coin & { markets: Instrument[] }>()
  for (const { id, coin_symbol, name, source, symbol, preference, shares_market, ...ms } of rows) {
    const coin = coins.get(id) ?? { id, symbol: coin_symbol, name, markets: [] }
    coin.markets.push({
      coinId: id,
      source,
      symbol,
      preference,
      trackedFrom: fromMs(ms.from_ms),
      ...(ms.listed_from_ms === null ? {} : { listedFrom: fromMs(ms.listed_from_ms) }),
      ...(ms.listed_to_ms === null ? {} : { listedTo: fromMs(ms.listed_to_ms) }),
      ...(ms.halted_ms === null ? {} : { haltedSince: fromMs(ms.halted_ms) }),
      ...(ms.relisted_ms === null ? {} : { relistedAt: fromMs(ms.relisted_ms) }),
      ...(shares_market ? { sharesMarket: true as const } : {}),
    })
    coins.set(id, coin)
  }
  return [...coins.values()]
}

type CoinNames = Readonly<{ symbol: string; name: string; imageUrl?: string }>

/** Invalid names of a source must not block its prices. */
function fitting({ symbol, name, imageUrl }: CoinNames) {
  const isUsable = imageUrl !== undefined && imageUrl.length <= 255 && !imageUrl.includes('\u0000')
  return {
    symbol: fittingName(symbol, 20),
    name: fittingName(name, 100),
    imageUrl: isUsable ? imageUrl : null,
  }
}

/** Inserts or updates a coin. Names are cut to their column's length; an image address that is too long is dropped. */
export async function upsertCoin(db: Database, id: string, names: CoinNames, now: Instant): Promise<void> {
  const { symbol, name, imageUrl } = fitting(names)
  await db.execute(sql`
    insert into coins (id, symbol, name, image_url, created_at, updated_at)
    values (${id}, ${symbol}, ${name}, ${imageUrl}, ${toIso(now)}::timestamp, ${toIso(now)}::timestamp)
    on conflict (id) do update
      set symbol = excluded.symbol, name = excluded.name, image_url = coalesce(excluded.image_url, coins.image_url), updated_at = excluded.updated_at
      where (coins.symbol, coins.name, coins.image_url)
        is distinct from (excluded.symbol, excluded.name, coalesce(excluded.image_url, coins.image_url))`)
}

/**
 * Tracks configured coins that are new to the database. Removed markets stay removed, tracked ones do not change, ended
 * symbols are not taken (they may mean another coin). Returns the new coins and the markets taken by others.
 */
export async function trackConfigured(
  tx: Transaction,
  coins: readonly TrackedCoin[],
  now: Instant,
): Promise<Readonly<{ added: readonly string[]; taken: readonly TakenMarket[] }>> {
  const { db } = tx
  await lockMarkets(tx)
  const added: string[] = []
  const taken: TakenMarket[] = []
  for (const { id, symbol, name, markets } of coins) {
    const known = await db.execute<{ tracked: boolean }>(
      sql`select bool_or(tracked_to is null) as tracked from instruments where coin_id = ${id} having count(*) > 0`,
    )
    if (known.rows[0]?.tracked === false) continue
    await db.execute(sql`
      insert into coins (id, symbol, name, created_at, updated_at)
      values (${id}, ${symbol}, ${name}, ${toIso(now)}::timestamp, ${toIso(now)}::timestamp)
      on conflict (id) do nothing`)
    for (const [preference, [source, market]] of Object.entries(markets).entries()) {
      if (market === undefined) continue
      const lives = await readLivesOf(db, source, market)
      const other = lives.find(({ coinId, isTracked }) => isTracked && coinId !== id)
      if (other) taken.push({ coinId: id, source, symbol: market, trackedBy: other.coinId })
      if (other || lives.some(({ coinId, listedTo }) => coinId === id || listedTo !== undefined)) continue
      await db.execute(sql`
        insert into instruments (coin_id, source, symbol, preference, tracked_from)
        values (${id}, ${source}, ${market}, ${preference}, ${toIso(now)}::timestamp)`)
    }
    if (known.rows.length === 0) added.push(id)
  }
  return { added, taken }
}

export async function hasTracked(db: Database): Promise<boolean> {
  const { rows } = await db.execute(sql`select from instruments limit 1`)
  return rows.length > 0
}

export type Tracked = Readonly<{
  isChanged: boolean
  /** As stored in the database. */
  symbol: string
  /** Start of the coin's candles here; undefined if unbounded. */
  listedFrom: Instant | undefined
}>

/**
 * Adds a market to a coin, last in preference. A symbol that ended starts anew without its earlier candles, and the
 * coin's ended markets are retired. Throws InvalidInput if the market belongs to another coin.
 */
export async function trackMarket(tx: Transaction, market: NewMarket, now: Instant): Promise<Tracked> {
  const { db } = tx
  const { coinId, source, since } = market
  await lockMarkets(tx)
  const lives = await readLivesOf(db, source, market.symbol)
  refuseOthers(market, lives)
  const own = lives.find((life) => life.coinId === coinId && life.listedTo === undefined)
  const symbol = own?.symbol ?? market.symbol
  // Another coin may have had it in between.
  const begin = own?.isTracked ? own.listedFrom : latest(own?.listedFrom, lastEnd(lives))
  const listedFrom = since ?? begin
  const listedFromIso = listedFrom === undefined ? null : toIso(listedFrom)
  const { rows: retired } = await db.execute(sql`
    update instruments set tracked_to = ${toIso(now)}::timestamp
    where coin_id = ${coinId} and listed_to is not null and tracked_to is null
    returning coin_id`)
  const { rows: tracked } = await db.execute(sql`
    insert into instruments (coin_id, source, symbol, preference, tracked_from, listed_from)
    select ${coinId}, ${source}, ${symbol},
      (select coalesce(max(preference) + 1, 0) from instruments where coin_id = ${coinId} and tracked_to is null),
      ${toIso(now)}::timestamp, ${listedFromIso}::timestamp
    on conflict (coin_id, source, symbol) where listed_to is null do update
      set tracked_from = excluded.tracked_from, tracked_to = null, preference = excluded.preference
      where instruments.tracked_to is not null
    returning coin_id`)
  const { rows: moved } = await db.execute(sql`
    update instruments set listed_from = ${listedFromIso}::timestamp
    where coin_id = ${coinId} and source = ${source} and symbol = ${symbol} and listed_to is null
      and listed_from is distinct from ${listedFromIso}::timestamp
    returning coin_id`)
  const isChanged = retired.length + tracked.length + moved.length > 0
  if (isChanged) await recordCoin({ db }, 'TRACK', coinId, { markets: [`${source}:${symbol}`] })
  return { isChanged, symbol, listedFrom }
}

const recordCoin = (
  { db }: Pick<Transaction, 'db'>,
  operation: 'TRACK' | 'UNTRACK',
  coinId: string,
  details: Readonly<Record<string, unknown>>,
): Promise<void> => recordMaintenance(db, { operation, table: 'instruments', entity: coinId, details })

/**
 * Stops tracking a coin's markets and keeps its data; a coin that shared one becomes its only owner. Returns how many
 * were tracked.
 */
export async function unfollowCoin({ db }: Transaction, coinId: string, now: Instant): Promise<number> {
  const { rows } = await db.execute<{ source: string; symbol: string }>(sql`
    update instruments set tracked_to = ${toIso(now)}::timestamp, shares_market = false
    where coin_id = ${coinId} and tracked_to is null
    returning source, symbol`)
  if (rows.length > 0) await recordCoin({ db }, 'UNTRACK', coinId, { markets: rows.length })
  for (const { source, symbol } of rows) {
    // The first remaining coin, preferably the one without a shared market.
    const [left] = (await readLivesOf(db, source, symbol)).filter(({ isTracked }) => isTracked)
    if (!left) continue
    await db.execute(sql`
      update instruments set shares_market = false
      where coin_id = ${left.coinId} and source = ${source} and symbol = ${left.symbol}
        and tracked_to is null and listed_to is null and shares_market`)
  }
  return rows.length
}

/** Audits the coins added by configuration, in the same transaction. */
export async function recordConfigured(tx: Transaction, coinIds: readonly string[]): Promise<void> {
  for (const coinId of coinIds) await recordCoin(tx, 'TRACK', coinId, { from: 'configuration' })
}
