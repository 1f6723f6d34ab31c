/** `beacon-ingest/queries`: typed reads for applications. Ranges are half-open, times milliseconds since 1970 (UTC), decimals exact text. */
export {
  type Dashboard,
  type DashboardAccount,
  type DashboardAlert,
  type DashboardNotification,
  type DashboardPosition,
  type DashboardQuery,
  type DashboardStrategy,
  readDashboard,
} from '../queries/dashboard.ts'
export {
  type AccountPerformance,
  type CurrencyPerformance,
  type DailyProfit,
  type PortfolioPerformance,
  type PortfolioValue,
  type RealisedProfit,
  readPortfolioPerformance,
} from '../queries/portfolio-performance.ts'
export {
  type Chart,
  type ChartPoint,
  type DailySummary,
  type PriceHistoryQuery,
  readChart,
  readDailySummary,
  readPriceHistory,
} from '../queries/price-history.ts'
export { readTradeHistory, type TradeHistoryQuery, type TradePage } from '../queries/trade-history.ts'
export {
  type Database,
  databaseOf,
  inTransaction,
  type Transaction,
  type WritableDatabase,
} from '../store/transaction.ts'
