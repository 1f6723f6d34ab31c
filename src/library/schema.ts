/** `beacon-ingest/schema`: every table for drizzle, with the types of its rows. Times are milliseconds since 1970 (UTC), decimals text. */
export {
  type Alert,
  alerts,
  type NewAlert,
  type NewNotification,
  type Notification,
  notifications,
} from '../../drizzle/schema/alerts.ts'
export {
  type ApiConnection,
  apiConnections,
  type NewApiConnection,
} from '../../drizzle/schema/api-connections.ts'
export { type ArchiveRow, archives } from '../../drizzle/schema/archives.ts'
export { type AuditLog, auditLogs, maintenanceOperations } from '../../drizzle/schema/audit-logs.ts'
export {
  type ArchiveCheck,
  archiveChecks,
  archiveDigests,
  candleDigests,
} from '../../drizzle/schema/digests.ts'
export { type FleetCounter, fleetCounters } from '../../drizzle/schema/fleet-counters.ts'
export {
  type CandleCoverage,
  type CandleRevision,
  candleCoverage,
  candleRevisions,
  type FailingJob,
  failingJobs,
  type IngestRun,
  type Instrument,
  ingestRuns,
  instruments,
  type QuarantinedRow,
  quarantinedRows,
  type RequestBudget,
  requestBudget,
} from '../../drizzle/schema/ingest.ts'
export {
  type InstrumentRename,
  instrumentRenames,
  type ListedMarketRow,
  listedMarkets,
} from '../../drizzle/schema/listings.ts'
export { locks, schedulerPresence, webPresence, workerPresence } from '../../drizzle/schema/locks.ts'
export {
  type Coin,
  coins,
  type MarketData,
  marketData,
  type NewCoin,
  type NewMarketData,
  type NewOhlcvData,
  type OhlcvData,
  ohlcvData,
} from '../../drizzle/schema/market-data.ts'
export {
  type AlertDetails,
  type Counters,
  type DatabaseSample,
  databaseSamples,
  type Incident,
  incidents,
  type WebhookDelivery,
  webhookDeliveries,
} from '../../drizzle/schema/monitoring.ts'
export {
  type MarketDataDaily,
  marketDataDaily,
  type PartitionHold,
  partitionHolds,
  retentionPolicies,
} from '../../drizzle/schema/retention.ts'
export {
  type BacktestResult,
  backtestResults,
  type NewBacktestResult,
  type NewTradingStrategy,
  type TradingStrategy,
  tradingStrategies,
} from '../../drizzle/schema/strategies.ts'
export {
  type SummaryDay,
  summaryDays,
  type ViewDefinition,
  type ViewRefresh,
  viewDefinitions,
  viewRefreshes,
} from '../../drizzle/schema/summaries.ts'
export {
  type NewPosition,
  type NewTrade,
  type NewTradingAccount,
  type Position,
  positions,
  type Trade,
  type TradingAccount,
  trades,
  tradingAccounts,
} from '../../drizzle/schema/trading.ts'
export {
  type NewProfile,
  type NewUser,
  type Profile,
  profiles,
  type User,
  users,
} from '../../drizzle/schema/users.ts'
