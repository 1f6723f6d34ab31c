import { sql } from 'drizzle-orm'
import {
  bigint,
  char,
  check,
  date,
  index,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  text,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'
import type { Decimal } from '../../src/market/decimal.ts'
import { decimal } from './decimal-column.ts'
import { instant } from './instant-column.ts'
import { coins } from './market-data.ts'

export type ViewRefresh = typeof viewRefreshes.$inferSelect
export type SummaryDay = typeof summaryDays.$inferSelect
export type ViewDefinition = typeof viewDefinitions.$inferSelect

/** One row per refresh of a materialized view. `incomplete` has the number of missing candles by coin. */
export const viewRefreshes = pgTable(
  'view_refreshes',
  {
    id: uuid().primaryKey().defaultRandom(),
    view: varchar({ length: 63 }).notNull(),
    refreshedAt: instant('refreshed_at').notNull(),
    durationMs: integer('duration_ms').notNull(),
    rows: bigint({ mode: 'number' }).notNull(),
    coversTo: instant('covers_to').notNull(),
    fingerprint: text().notNull(),
    incomplete: jsonb().$type<Record<string, number>>().notNull().default(sql`'{}'`),
    runId: uuid('run_id'),
  },
  (table) => [index('idx_view_refreshes_view').on(table.view, table.refreshedAt)],
)

/** Materialized views made from files of drizzle/views, with the hash of the file. */
export const viewDefinitions = pgTable('view_definitions', {
  view: varchar({ length: 63 }).primaryKey(),
  sha256: char({ length: 64 }).notNull(),
  madeAt: instant('made_at').notNull(),
})

/** Days kept for the daily summary after their candles were deleted. */
export const summaryDays = pgTable(
  'summary_days',
  {
    coinId: varchar('coin_id', { length: 50 })
      .notNull()
      .references(() => coins.id),
    day: date().notNull(),
    open: decimal('open').notNull(),
    high: decimal('high').notNull(),
    low: decimal('low').notNull(),
    close: decimal('close').notNull(),
    volume: numeric({ precision: 38, scale: 8 }).$type<Decimal>().notNull(),
    candles: integer().notNull(),
    composedAt: instant('composed_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.coinId, table.day] }),
    check('summary_days_candles_check', sql`candles between 0 and 24`),
    check(
      'summary_days_sane',
      sql`low >= 0 and low <= open and low <= close and high >= open and high >= close and volume >= 0
        and high <> 'NaN' and volume <> 'NaN'`,
    ),
  ],
)
