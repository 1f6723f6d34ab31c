import { sql } from 'drizzle-orm'
import type { CoinPrice } from '../market/coin-price.ts'
import type { Decimal } from '../market/decimal.ts'
import { type Instant, toIso } from '../market/instant.ts'
import { copyField, copyInto } from './candles/copy.ts'
import { fromMs } from './coverage/multirange.ts'
import type { Database, Transaction } from './transaction.ts'

/** A price and the coin it is of. */
export type PricedCoin = Readonly<{ coinId: string; price: CoinPrice }>

const columns = [
  'coin_id',
  'price',
  'market_cap',
  'volume_24h',
  'change_24h',
  'timestamp',
  'rank',
  'circulating_supply',
  'max_supply',
] as const

const priceLine = ({ coinId, price }: PricedCoin): string =>
  [
    coinId,
    price.price,
    price.marketCap,
    price.volume24h,
    price.change24h,
    toIso(price.timestamp),
    price.rank,
    price.circulatingSupply,
    price.maxSupply,
  ]
    .map(copyField)
    .join('\t')

/** Inserts prices; existing ones (coin, time) stay. Returns the number inserted. The partitions must exist. */
export async function loadPrices(tx: Transaction, prices: readonly PricedCoin[]): Promise<number> {
  if (prices.length === 0) return 0
  await tx.db.execute(sql`
    create temporary table if not exists incoming_prices (
      coin_id varchar(50), price decimal(24, 8), market_cap decimal(32, 2), volume_24h decimal(32, 2), change_24h decimal(10, 2),
      timestamp timestamp, rank integer, circulating_supply decimal(30, 8), max_supply decimal(30, 8)
    ) on commit delete rows`)
  // An earlier batch in the same transaction may have left rows.
  await tx.db.execute(sql`delete from incoming_prices`)
  await copyInto(tx, 'incoming_prices', columns, prices.map(priceLine))
  const names = sql.raw(columns.join(', '))
  const { rows } = await tx.db.execute(sql`
    insert into market_data (${names})
    select ${names} from incoming_prices order by coin_id, timestamp
    on conflict (coin_id, timestamp) do nothing
    returning id`)
  return rows.length
}

/** The newest price of each coin; coins without one are left out. */
export type LatestPrice = Readonly<{
  coinId: string
  symbol: string
  timestamp: Instant
  price: Decimal
  change24h: Decimal | null
  volume24h: Decimal | null
  marketCap: Decimal | null
  rank: number | null
}>

export async function readLatestPrices(db: Database, coinIds: readonly string[]): Promise<LatestPrice[]> {
  const chosen = coinIds.length === 0 ? sql`true` : sql`coins.id in ${coinIds}`
  const { rows } = await db.execute<Omit<LatestPrice, 'timestamp'> & { at_ms: string }>(sql`
    select coins.id as "coinId", coins.symbol, latest.*
    from coins, lateral (
      select extract(epoch from timestamp) * 1000 as at_ms, price, change_24h as "change24h", volume_24h as "volume24h",
        market_cap as "marketCap", rank
      from market_data where coin_id = coins.id order by timestamp desc limit 1
    ) as latest
    where ${chosen}
    order by latest.rank nulls last, coins.id`)
  return rows.map(({ at_ms, ...row }) => ({ ...row, timestamp: fromMs(at_ms) }))
}
