import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../market/instant.ts'
import type { FollowedCoin } from '../settings/schema.ts'
import { recordMaintenance } from './maintenance-audit.ts'
import { fromMs } from './multirange.ts'
import type { Database, Transaction } from './transaction.ts'

/** One market of a coin, in its source's spelling. */
export type Instrument = Readonly<{
  coinId: string
  source: string
  symbol: string
  preference: number
  followedFrom: Instant
  /** Since when the symbol stands for this coin, where it stood for another before. */
  listedFrom?: Instant
  /** When the market ended on its source: it has no candle that opens then or later. */
  listedTo?: Instant
  /** When the symbol was seen there again after that: it may stand for another coin now. */
  relistedAt?: Instant
}>

export type Coin = Readonly<{ id: string; symbol: string; name: string; markets: readonly Instrument[] }>

/** The coins that are followed, each with its followed markets in order of preference. */
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
    relisted_ms: string | null
  }>(sql`
    select coins.id, coins.symbol as coin_symbol, coins.name, source, instruments.symbol, preference,
      extract(epoch from followed_from) * 1000 as from_ms,
      extract(epoch from listed_from) * 1000 as listed_from_ms,
      extract(epoch from listed_to) * 1000 as listed_to_ms,
      extract(epoch from relisted_at) * 1000 as relisted_ms
    from instruments join coins on coins.id = coin_id
    where followed_to is null
    order by coins.id, preference, followed_from desc, source, instruments.symbol`)
  const coins = new Map<string, Coin & { markets: Instrument[] }>()
  for (const { id, coin_symbol, name, source, symbol, preference, ...ms } of rows) {
    const coin = coins.get(id) ?? { id, symbol: coin_symbol, name, markets: [] }
    coin.markets.push({
      coinId: id,
      source,
      symbol,
      preference,
      followedFrom: fromMs(ms.from_ms),
      ...(ms.listed_from_ms === null ? {} : { listedFrom: fromMs(ms.listed_from_ms) }),
      ...(ms.listed_to_ms === null ? {} : { listedTo: fromMs(ms.listed_to_ms) }),
      ...(ms.relisted_ms === null ? {} : { relistedAt: fromMs(ms.relisted_ms) }),
    })
    coins.set(id, coin)
  }
  return [...coins.values()]
}

type CoinNames = Readonly<{ symbol: string; name: string; imageUrl?: string }>

/** A source may say anything: what its column cannot hold must not keep a price out. */
function fitting({ symbol, name, imageUrl }: CoinNames) {
  const text = (value: string, longest: number) =>
    [...value.replaceAll('\u0000', '')].slice(0, longest).join('')
  const isUsable = imageUrl !== undefined && imageUrl.length <= 255 && !imageUrl.includes('\u0000')
  return { symbol: text(symbol, 20), name: text(name, 100), imageUrl: isUsable ? imageUrl : null }
}

/**
 * Makes a coin's row where there is none, and brings its names up to date where there is. Names are cut to their
 * column's length, and an address of an image that is longer is left out.
 */
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
 * Follows the configured coins that the database has never heard of. A market that was removed by command stays
 * removed, nothing that is followed already changes, and a symbol whose market has ended is not taken up by itself: it
 * may stand for another coin now. Returns the coins that are new.
 */
export async function followConfigured(
  { db }: Transaction,
  coins: readonly FollowedCoin[],
  now: Instant,
): Promise<string[]> {
  const added: string[] = []
  for (const { id, symbol, name, markets } of coins) {
    const known = await db.execute<{ followed: boolean }>(
      sql`select bool_or(followed_to is null) as followed from instruments where coin_id = ${id} having count(*) > 0`,
    )
    if (known.rows[0]?.followed === false) continue
    await db.execute(sql`
      insert into coins (id, symbol, name, created_at, updated_at)
      values (${id}, ${symbol}, ${name}, ${toIso(now)}::timestamp, ${toIso(now)}::timestamp)
      on conflict (id) do nothing`)
    for (const [preference, [source, market]] of Object.entries(markets).entries()) {
      await db.execute(sql`
        insert into instruments (coin_id, source, symbol, preference, followed_from)
        select ${id}, ${source}, ${market}, ${preference}, ${toIso(now)}::timestamp
        where not exists (select from instruments where source = ${source} and symbol = ${market} and listed_to is not null)
        on conflict do nothing`)
    }
    if (known.rows.length === 0) added.push(id)
  }
  return added
}

/** Whether any coin is, or ever was, followed here. */
export async function hasFollowed(db: Database): Promise<boolean> {
  const { rows } = await db.execute(sql`select from instruments limit 1`)
  return rows.length > 0
}

/**
 * Follows one more market of a coin, after those it has. A symbol whose last life has ended begins a new one, which owns
 * no candle of before; and from then on, what had ended of the coin's markets no longer stands before those that live.
 * Returns false when nothing has changed.
 */
export async function followMarket(
  { db }: Transaction,
  { coinId, source, symbol }: Pick<Instrument, 'coinId' | 'source' | 'symbol'>,
  now: Instant,
): Promise<boolean> {
  const { rows: retired } = await db.execute(sql`
    update instruments set followed_to = ${toIso(now)}::timestamp
    where coin_id = ${coinId} and listed_to is not null and followed_to is null
    returning coin_id`)
  const { rows: followed } = await db.execute(sql`
    insert into instruments (coin_id, source, symbol, preference, followed_from, listed_from)
    select ${coinId}, ${source}, ${symbol},
      (select coalesce(max(preference) + 1, 0) from instruments where coin_id = ${coinId} and followed_to is null),
      ${toIso(now)}::timestamp,
      (select max(listed_to) from instruments where source = ${source} and symbol = ${symbol})
    on conflict (coin_id, source, symbol) where listed_to is null do update
      set followed_from = excluded.followed_from, followed_to = null, preference = excluded.preference
      where instruments.followed_to is not null
    returning coin_id`)
  const hasChanged = retired.length > 0 || followed.length > 0
  if (hasChanged) await recordCoin({ db }, 'TRACK', coinId, { markets: [`${source}:${symbol}`] })
  return hasChanged
}

const recordCoin = (
  { db }: Pick<Transaction, 'db'>,
  operation: 'TRACK' | 'UNTRACK',
  coinId: string,
  details: Readonly<Record<string, unknown>>,
): Promise<void> => recordMaintenance(db, { operation, table: 'instruments', entity: coinId, details })

/** Ends every market of a coin; its data stays. Returns how many were followed. */
export async function unfollowCoin({ db }: Transaction, coinId: string, now: Instant): Promise<number> {
  const { rows } = await db.execute(sql`
    update instruments set followed_to = ${toIso(now)}::timestamp
    where coin_id = ${coinId} and followed_to is null
    returning coin_id`)
  if (rows.length > 0) await recordCoin({ db }, 'UNTRACK', coinId, { markets: rows.length })
  return rows.length
}

/** Writes down that the configuration brought in coins, in the same transaction. */
export async function recordConfigured(tx: Transaction, coinIds: readonly string[]): Promise<void> {
  for (const coinId of coinIds) await recordCoin(tx, 'TRACK', coinId, { from: 'configuration' })
}
