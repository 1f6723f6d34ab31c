import { sql } from 'drizzle-orm'
import { check, index, pgTable, uuid, varchar } from 'drizzle-orm/pg-core'
import { decimal } from './decimal-column.ts'
import { instant, timesCheck } from './instant-column.ts'
import { tradingStrategies } from './strategies.ts'
import { users } from './users.ts'

export type TradingAccount = typeof tradingAccounts.$inferSelect
export type NewTradingAccount = typeof tradingAccounts.$inferInsert
export type Position = typeof positions.$inferSelect
export type NewPosition = typeof positions.$inferInsert
export type Trade = typeof trades.$inferSelect
export type NewTrade = typeof trades.$inferInsert

export const tradingAccounts = pgTable(
  'trading_accounts',
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'restrict' }),
    name: varchar({ length: 255 }).notNull(),
    balance: decimal('balance').notNull(),
    initialBalance: decimal('initial_balance').notNull(),
    currency: varchar({ length: 10 }).notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    index('idx_trading_accounts_user').on(table.userId),
    timesCheck('trading_accounts', 'created_at', 'updated_at'),
    check('trading_accounts_numbers', sql`balance <> 'NaN' and initial_balance <> 'NaN'`),
  ],
)

/** Holdings of an account. An amount below zero is a short position. */
export const positions = pgTable(
  'positions',
  {
    id: uuid().primaryKey().defaultRandom(),
    accountId: uuid('account_id')
      .notNull()
      .references(() => tradingAccounts.id, { onDelete: 'cascade' }),
    coinId: varchar('coin_id', { length: 50 }).notNull(),
    coinSymbol: varchar('coin_symbol', { length: 20 }).notNull(),
    amount: decimal('amount').notNull(),
    entryPrice: decimal('entry_price').notNull(),
    currentPrice: decimal('current_price').notNull(),
    openedAt: instant('opened_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    stopLoss: decimal('stop_loss'),
    takeProfit: decimal('take_profit'),
  },
  (table) => [
    index('idx_positions_account').on(table.accountId),
    timesCheck('positions', 'opened_at', 'updated_at'),
    check(
      'positions_numbers',
      sql`amount <> 'NaN' and entry_price >= 0 and entry_price <> 'NaN' and current_price >= 0 and current_price <> 'NaN' and stop_loss >= 0 and stop_loss <> 'NaN' and take_profit >= 0 and take_profit <> 'NaN'`,
    ),
  ],
)

/** Purchases and sales. `total` is price times amount; a `fee` below zero was paid by the exchange. */
export const trades = pgTable(
  'trades',
  {
    id: uuid().primaryKey().defaultRandom(),
    accountId: uuid('account_id')
      .notNull()
      .references(() => tradingAccounts.id, { onDelete: 'restrict' }),
    coinId: varchar('coin_id', { length: 50 }).notNull(),
    coinSymbol: varchar('coin_symbol', { length: 20 }).notNull(),
    type: varchar({ length: 10, enum: ['buy', 'sell'] }).notNull(),
    price: decimal('price').notNull(),
    amount: decimal('amount').notNull(),
    fee: decimal('fee').notNull(),
    total: decimal('total').notNull(),
    executedAt: instant('executed_at').notNull(),
    strategyId: uuid('strategy_id').references(() => tradingStrategies.id, { onDelete: 'set null' }),
    profitLoss: decimal('profit_loss'),
  },
  (table) => [
    index('idx_trades_account_time').on(table.accountId, table.executedAt),
    index('idx_trades_strategy').on(table.strategyId),
    timesCheck('trades', 'executed_at'),
    check('trades_type_known', sql`type in ('buy', 'sell')`),
    check(
      'trades_numbers',
      sql`price >= 0 and price <> 'NaN' and amount >= 0 and amount <> 'NaN' and fee <> 'NaN' and total <> 'NaN' and profit_loss <> 'NaN'`,
    ),
  ],
)
