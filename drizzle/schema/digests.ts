import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, jsonb, pgTable, primaryKey, uuid, varchar } from 'drizzle-orm/pg-core'
import { archives } from './archives.ts'
import { instant } from './instant-column.ts'
import { coins } from './market-data.ts'

export type ArchiveCheck = typeof archiveChecks.$inferSelect

const sums = () => ({
  rows: bigint({ mode: 'number' }),
  sumHigh: bigint('sum_high', { mode: 'number' }),
  sumLow: bigint('sum_low', { mode: 'number' }),
})

/** Candles of a day or month in ohlcv_data: their number and the sums of their hashes; null until counted. */
export const candleDigests = pgTable(
  'candle_digests',
  {
    coinId: varchar('coin_id', { length: 50 })
      .notNull()
      .references(() => coins.id, { onDelete: 'cascade' }),
    timeframe: varchar({ length: 10 }).notNull(),
    bucket: instant().notNull(),
    ...sums(),
  },
  (table) => [
    primaryKey({ columns: [table.coinId, table.timeframe, table.bucket] }),
    index('idx_candle_digests_bucket').on(table.timeframe, table.bucket),
    check('candle_digests_known_check', sql`num_nulls(rows, sum_high, sum_low) in (0, 3)`),
  ],
)

/** The same for candles in an archive file. */
export const archiveDigests = pgTable(
  'archive_digests',
  {
    archiveId: uuid('archive_id')
      .notNull()
      .references(() => archives.id, { onDelete: 'cascade' }),
    coinId: varchar('coin_id', { length: 50 }).notNull(),
    bucket: instant().notNull(),
    ...sums(),
  },
  (table) => [
    primaryKey({ columns: [table.archiveId, table.coinId, table.bucket] }),
    check('archive_digests_known_check', sql`num_nulls(rows, sum_high, sum_low) in (0, 3)`),
  ],
)

/** One row per comparison of rows and files with what was written. `coinId` is null for all coins. */
export const archiveChecks = pgTable(
  'archive_checks',
  {
    id: uuid().primaryKey().defaultRandom(),
    coinId: varchar('coin_id', { length: 50 }),
    checkedAt: instant('checked_at').notNull(),
    durationMs: integer('duration_ms').notNull(),
    series: integer().notNull(),
    liveRows: bigint('live_rows', { mode: 'number' }).notNull(),
    archivedRows: bigint('archived_rows', { mode: 'number' }).notNull(),
    files: integer().notNull(),
    counted: integer().notNull(),
    problems: jsonb()
      .$type<readonly { where: string; problem: string; remedy: string }[]>()
      .notNull()
      .default(sql`'[]'`),
  },
  (table) => [index('idx_archive_checks_checked_at').on(table.checkedAt)],
)
