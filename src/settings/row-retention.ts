import { didYouMean } from './did-you-mean.ts'

type Aging = Readonly<{
  /** Allowed time columns. */
  by: readonly string[]
}>

export const agingTables: Readonly<Record<string, Aging>> = {
  backtest_results: { by: ['created_at'] },
  candle_revisions: { by: ['revised_at', 'timestamp'] },
  ingest_runs: { by: ['started_at', 'finished_at'] },
  notifications: { by: ['created_at', 'read_at'] },
  quarantined_rows: { by: ['last_seen_at', 'quarantined_at', 'resolved_at'] },
  view_refreshes: { by: ['refreshed_at'] },
}

const ofUsers = 'belongs to users, and its rows stay until they are removed there'
const ofOurs = 'is what beacon knows its work by, and its rows stay'

const ofMonitoring = 'has its "keep" under monitoring'

/** Why other tables cannot expire. */
export const lastingTables: Readonly<Record<string, string>> = {
  alerts: ofUsers,
  api_connections: ofUsers,
  positions: ofUsers,
  profiles: ofUsers,
  trades: ofUsers,
  trading_accounts: ofUsers,
  trading_strategies: ofUsers,
  users: ofUsers,
  archives: ofOurs,
  candle_coverage: ofOurs,
  coins: ofOurs,
  failing_jobs: 'has one row for each failing job, removed when it succeeds',
  archive_checks: ofOurs,
  archive_digests: ofOurs,
  candle_digests: ofOurs,
  locks: ofOurs,
  partition_holds: ofOurs,
  retention_policies: ofOurs,
  scheduler_presence: ofOurs,
  summary_days: 'is what outlives the hourly candles, and its rows stay',
  web_presence: ofOurs,
  worker_presence: ofOurs,
  fleet_counters: ofOurs,
  instrument_renames: ofOurs,
  instruments: ofOurs,
  listed_markets: ofOurs,
  request_budget: ofOurs,
  view_definitions: ofOurs,
  database_samples: ofMonitoring,
  incidents: ofMonitoring,
  webhook_deliveries: ofMonitoring,
  audit_logs: 'is append-only, and its rows stay',
  market_data_daily: 'is what outlives the prices, and its rows stay',
}

type RowPolicy = Readonly<{ by: string }>

export type Objection = Readonly<{ key?: keyof RowPolicy; message: string }>

/** Undefined if valid. */
export function rowPolicyObjection(table: string, { by }: RowPolicy): Objection | undefined {
  if (/^(ohlcv_data(_.*)?|market_data)$/.test(table))
    return { message: 'has its "keep" where its timeframe, or prices, are set' }
  const lasting = Object.hasOwn(lastingTables, table) ? lastingTables[table] : undefined
  if (lasting !== undefined) return { message: `cannot lose rows by age: it ${lasting}` }
  const aging = Object.hasOwn(agingTables, table) ? agingTables[table] : undefined
  if (aging === undefined) {
    const known = Object.keys(agingTables)
    const message = `is not a table that loses rows by age.${didYouMean(table, known)} There is ${known.join(', ')}`
    return { message }
  }
  if (!aging.by.includes(by)) {
    const hint = didYouMean(by, aging.by)
    return { key: 'by', message: `has no time in a column "${by}".${hint} There is ${aging.by.join(', ')}` }
  }
  return undefined
}
