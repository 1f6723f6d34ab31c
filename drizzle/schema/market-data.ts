import { sql } from 'drizzle-orm'
import {
  check,
  index,
  integer,
  numeric,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'
import type { Decimal } from '../../src/market/decimal.ts'
import { decimal, ratio } from './decimal-column.ts'
import { instant } from './instant-column.ts'

export type Coin = typeof coins.$inferSelect
export type NewCoin = typeof coins.$inferInsert
export type MarketData = typeof marketData.$inferSelect
export type NewMarketData = typeof marketData.$inferInsert
export type OhlcvData = typeof ohlcvData.$inferSelect
export type NewOhlcvData = typeof ohlcvData.$inferInsert

export const coins = pgTable('coins', {
  id: varchar({ length: 50 }).primaryKey(),
  symbol: varchar({ length: 20 }).notNull(),
  name: varchar({ length: 100 }).notNull(),
  imageUrl: varchar('image_url', { length: 255 }),
  description: text(),
  website: varchar({ length: 255 }),
  whitepaper: varchar({ length: 255 }),
  blockchainType: varchar('blockchain_type', { length: 50 }),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
})

/** Partitioned by day. */
export const marketData = pgTable(
  'market_data',
  {
    id: uuid().notNull().defaultRandom(),
    coinId: varchar('coin_id', { length: 50 })
      .notNull()
      .references(() => coins.id),
    price: decimal('price').notNull(),
    marketCap: numeric('market_cap', { precision: 32, scale: 2 }).$type<Decimal>(),
    volume24h: numeric('volume_24h', { precision: 32, scale: 2 }).$type<Decimal>(),
    change24h: ratio('change_24h'),
    timestamp: instant().notNull(),
    rank: integer(),
    circulatingSupply: numeric('circulating_supply', { precision: 30, scale: 8 }).$type<Decimal>(),
    maxSupply: numeric('max_supply', { precision: 30, scale: 8 }).$type<Decimal>(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.timestamp] }),
    unique('market_data_coin_id_timestamp_key').on(table.coinId, table.timestamp),
    index('idx_market_data_timestamp').on(table.timestamp),
    check('market_data_price_check', sql`price > 0 and price <> 'NaN'`),
    check(
      'market_data_numbers',
      sql`market_cap <> 'NaN' and volume_24h <> 'NaN' and change_24h <> 'NaN' and circulating_supply <> 'NaN' and max_supply <> 'NaN'`,
    ),
  ],
)

/** Partitioned by list of timeframe, then by range of timestamp. */
export const ohlcvData = pgTable(
  'ohlcv_data',
  {
    coinId: varchar('coin_id', { length: 50 })
      .notNull()
      .references(() => coins.id),
    timestamp: instant().notNull(),
    timeframe: varchar({ length: 10 }).notNull(),
    open: decimal('open').notNull(),
    high: decimal('high').notNull(),
    low: decimal('low').notNull(),
    close: decimal('close').notNull(),
    volume: numeric({ precision: 32, scale: 8 }).$type<Decimal>().notNull(),
  },
  (table) => [
    primaryKey({
      name: 'idx_ohlcv_timeframe_time',
      columns: [table.coinId, table.timeframe, table.timestamp],
    }),
    check(
      'ohlcv_data_sane',
      sql`low >= 0 and low <= open and low <= close and high >= open and high >= close and volume >= 0 and high <> 'NaN' and volume <> 'NaN'`,
    ),
  ],
)
