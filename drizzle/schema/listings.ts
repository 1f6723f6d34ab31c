import { pgTable, primaryKey, varchar } from 'drizzle-orm/pg-core'
import { instant } from './instant-column.ts'
import { coins } from './market-data.ts'

export type ListedMarketRow = typeof listedMarkets.$inferSelect
export type InstrumentRename = typeof instrumentRenames.$inferSelect

/** The newest listing of each source, with tracked and other markets. */
export const listedMarkets = pgTable(
  'listed_markets',
  {
    source: varchar({ length: 50 }).notNull(),
    symbol: varchar({ length: 50 }).notNull(),
    base: varchar({ length: 50 }).notNull(),
    quote: varchar({ length: 50 }).notNull(),
    alsoCalled: varchar('also_called', { length: 50 }).array().notNull(),
    listedAt: instant('listed_at'),
    ownBase: varchar('own_base', { length: 50 }),
    baseName: varchar('base_name', { length: 200 }),
    kind: varchar({ length: 50 }),
    appearedAt: instant('appeared_at').notNull(),
    lastSeenAt: instant('last_seen_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.source, table.symbol] })],
)

/** Renames of tracked markets. `newSymbol` equals the old one where only the coin has a new name. */
export const instrumentRenames = pgTable(
  'instrument_renames',
  {
    coinId: varchar('coin_id', { length: 50 })
      .notNull()
      .references(() => coins.id, { onDelete: 'cascade' }),
    source: varchar({ length: 50 }).notNull(),
    oldSymbol: varchar('old_symbol', { length: 50 }).notNull(),
    newSymbol: varchar('new_symbol', { length: 50 }).notNull(),
    oldBase: varchar('old_base', { length: 50 }).notNull(),
    newBase: varchar('new_base', { length: 50 }).notNull(),
    renamedAt: instant('renamed_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.coinId, table.source, table.oldSymbol, table.renamedAt] })],
)
