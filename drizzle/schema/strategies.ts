import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, jsonb, pgTable, text, uuid, varchar } from 'drizzle-orm/pg-core'
import { decimal, ratio } from './decimal-column.ts'
import { instant, timesCheck } from './instant-column.ts'
import { users } from './users.ts'

export type TradingStrategy = typeof tradingStrategies.$inferSelect
export type NewTradingStrategy = typeof tradingStrategies.$inferInsert
export type BacktestResult = typeof backtestResults.$inferSelect
export type NewBacktestResult = typeof backtestResults.$inferInsert

export const tradingStrategies = pgTable(
  'trading_strategies',
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    name: varchar({ length: 255 }).notNull(),
    description: text(),
    type: varchar({ length: 50 }).notNull(),
    timeframe: varchar({ length: 10 }).notNull(),
    parameters: jsonb().notNull(),
    assets: varchar().array().notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    isActive: boolean('is_active').notNull(),
    riskLevel: varchar('risk_level', { length: 20 }),
  },
  (table) => [
    index('idx_trading_strategies_user').on(table.userId),
    timesCheck('trading_strategies', 'created_at', 'updated_at'),
  ],
)

/** `returns`, `winRate` and `maxDrawdown` are percentages. */
export const backtestResults = pgTable(
  'backtest_results',
  {
    id: uuid().primaryKey().defaultRandom(),
    strategyId: uuid('strategy_id')
      .notNull()
      .references(() => tradingStrategies.id, { onDelete: 'cascade' }),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    startDate: instant('start_date').notNull(),
    endDate: instant('end_date').notNull(),
    initialCapital: decimal('initial_capital').notNull(),
    finalCapital: decimal('final_capital').notNull(),
    returns: ratio('returns').notNull(),
    winRate: ratio('win_rate').notNull(),
    tradesCount: integer('trades_count').notNull(),
    maxDrawdown: ratio('max_drawdown').notNull(),
    sharpeRatio: ratio('sharpe_ratio'),
    profitFactor: ratio('profit_factor'),
    resultsData: jsonb('results_data').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    index('idx_backtest_results_strategy').on(table.strategyId),
    index('idx_backtest_results_user').on(table.userId),
    timesCheck('backtest_results', 'start_date', 'end_date', 'created_at'),
    check('backtest_results_dates', sql`start_date <= end_date`),
    check(
      'backtest_results_numbers',
      sql`initial_capital <> 'NaN' and final_capital <> 'NaN' and returns <> 'NaN' and win_rate <> 'NaN' and max_drawdown <> 'NaN' and sharpe_ratio <> 'NaN' and profit_factor <> 'NaN' and trades_count >= 0`,
    ),
  ],
)
