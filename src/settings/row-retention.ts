import { didYouMean } from './did-you-mean.ts'

/** The tables that lose single rows by age, each with the columns whose time may count. */
export const agingTables: Readonly<Record<string, readonly string[]>> = {
  backtest_results: ['created_at'],
  candle_revisions: ['revised_at', 'timestamp'],
  ingest_runs: ['started_at', 'finished_at'],
  notifications: ['created_at', 'read_at'],
  quarantined_rows: ['quarantined_at', 'settled_at'],
  view_refreshes: ['refreshed_at'],
}

const ofUsers = 'belongs to users: its rows stay until they are removed there'
const ofOurs = 'is what beacon knows its work by: its rows stay'

const ofMonitoring = 'has its "keep" under monitoring'

/** Why the other tables keep their rows. */
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
  expiring_partitions: ofOurs,
  fleet_counters: ofOurs,
  instrument_renames: ofOurs,
  instruments: ofOurs,
  listed_markets: ofOurs,
  request_budget: ofOurs,
  view_definitions: ofOurs,
  database_samples: ofMonitoring,
  incidents: ofMonitoring,
  webhook_deliveries: ofMonitoring,
  audit_logs: 'is append-only: its rows stay',
  market_data_daily: 'is what outlives the prices: its rows stay',
}

/** Why a table can have no policy of its own by that column; undefined where it can. */
export function rowPolicyObjection(table: string, by: string | undefined): string | undefined {
  if (/^(ohlcv_data(_.*)?|market_data)$/.test(table))
    return 'has its "keep" where its timeframe, or prices, are set'
  const lasting = Object.hasOwn(lastingTables, table) ? lastingTables[table] : undefined
  if (lasting !== undefined) return `cannot lose rows by age: it ${lasting}`
  const columns = Object.hasOwn(agingTables, table) ? agingTables[table] : undefined
  if (columns === undefined) {
    const known = Object.keys(agingTables)
    return `is not a table that loses rows by age.${didYouMean(table, known)} There is ${known.join(', ')}`
  }
  if (by === undefined || columns.includes(by)) return undefined
  return `has no time in a column "${by}".${didYouMean(by, columns)} There is ${columns.join(', ')}`
}
