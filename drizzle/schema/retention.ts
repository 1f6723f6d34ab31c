import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  date,
  index,
  integer,
  numeric,
  pgTable,
  primaryKey,
  text,
  varchar,
} from 'drizzle-orm/pg-core'
import type { Decimal } from '../../src/market/decimal.ts'
import { decimal } from './decimal-column.ts'
import { instant } from './instant-column.ts'
import { coins } from './market-data.ts'

export type MarketDataDaily = typeof marketDataDaily.$inferSelect
export type PartitionHold = typeof partitionHolds.$inferSelect

/** Prices rolled up: one row per coin and UTC day. */
export const marketDataDaily = pgTable(
  'market_data_daily',
  {
    coinId: varchar('coin_id', { length: 50 })
      .notNull()
      .references(() => coins.id),
    day: date().notNull(),
    open: decimal('open').notNull(),
    high: decimal('high').notNull(),
    low: decimal('low').notNull(),
    close: decimal('close').notNull(),
    averagePrice: decimal('average_price').notNull(),
    marketCap: numeric('market_cap', { precision: 32, scale: 2 }).$type<Decimal>(),
    volume24h: numeric('volume_24h', { precision: 32, scale: 2 }).$type<Decimal>(),
    rank: integer(),
    circulatingSupply: numeric('circulating_supply', { precision: 30, scale: 8 }).$type<Decimal>(),
    maxSupply: numeric('max_supply', { precision: 30, scale: 8 }).$type<Decimal>(),
    samples: integer().notNull(),
    firstAt: instant('first_at').notNull(),
    lastAt: instant('last_at').notNull(),
    finalizedAt: instant('finalized_at'),
  },
  (table) => [
    primaryKey({ columns: [table.coinId, table.day] }),
    index('idx_market_data_daily_day').on(table.day),
    check(
      'market_data_daily_sane',
      sql`low >= 0 and low <= open and low <= close and low <= average_price
        and high >= open and high >= close and high >= average_price and high <> 'NaN'
        and market_cap <> 'NaN' and volume_24h <> 'NaN' and circulating_supply <> 'NaN' and max_supply <> 'NaN'
        and samples > 0 and first_at >= day and first_at <= last_at and last_at < day + 1`,
    ),
  ],
)

/** Expired partitions that could not be deleted, with the reason and the remedy. */
export const partitionHolds = pgTable(
  'partition_holds',
  {
    schemaName: varchar('schema_name', { length: 63 }).notNull(),
    name: varchar({ length: 63 }).notNull(),
    parent: varchar({ length: 63 }).notNull(),
    holdsFrom: instant('holds_from'),
    holdsTo: instant('holds_to'),
    kind: varchar({
      length: 20,
      enum: ['object', 'owner', 'shape', 'lock', 'content', 'storage', 'failure'],
    }).notNull(),
    reason: text().notNull(),
    remedy: text(),
    heldSince: instant('held_since').notNull(),
    checkedAt: instant('checked_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.schemaName, table.name] }),
    check(
      'partition_holds_kind_known',
      sql`kind in ('object', 'owner', 'shape', 'lock', 'content', 'storage', 'failure')`,
    ),
    check('partition_holds_range_check', sql`holds_from < holds_to`),
    check('partition_holds_checked_check', sql`held_since <= checked_at`),
  ],
)

/** The last accepted retention of each partitioned table, in milliseconds; null for ever. */
export const retentionPolicies = pgTable(
  'retention_policies',
  {
    tableName: varchar('table_name', { length: 63 }).primaryKey(),
    keepMs: bigint('keep_ms', { mode: 'number' }),
    acceptedAt: instant('accepted_at').notNull(),
  },
  () => [check('retention_policies_keep_check', sql`keep_ms > 0`)],
)
