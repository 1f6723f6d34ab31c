import { DatabaseError, escapeIdentifier, type PoolClient } from 'pg'

export type Value = string | number | boolean | null | readonly string[]
export type Row = Readonly<Record<string, Value>>

export const userId = '00000000-0000-4000-8000-000000000001'
const accountId = '00000000-0000-4000-8000-000000000002'
const strategyId = '00000000-0000-4000-8000-000000000003'

const moment = '2024-03-01 12:00:00'
/** The midnight of this day is on the grid of every timeframe; a test makes the partitions that hold it. */
export const day = '2024-03-01'

const written = { created_at: moment, updated_at: moment }
const bitcoin = { coin_id: 'bitcoin', coin_symbol: 'BTC' }
const prices = { open: '10', high: '12', low: '9', close: '11', volume: '100' }
const prefixed = (prefix: string) =>
  Object.fromEntries(Object.entries(prices).map(([name, value]) => [`${prefix}_${name}`, value]))

/**
 * For each table one row that has every column and breaks no rule, after the rows that it refers to. Numbers are text,
 * because a number of JavaScript would lose digits.
 */
export const validRows: Readonly<Record<string, Row>> = {
  users: {
    id: userId,
    email: 'the encrypted address',
    password: 'the hash',
    ...written,
    last_login: moment,
    status: 'active',
    tier: 'free',
  },
  profiles: {
    id: userId,
    display_name: 'the encrypted name',
    avatar_url: 'the encrypted picture',
    ...written,
    preferences: '{"theme": "dark"}',
  },
  trading_accounts: {
    id: accountId,
    user_id: userId,
    name: 'Main',
    balance: '1000.5',
    initial_balance: '1000',
    currency: 'USD',
    ...written,
  },
  trading_strategies: {
    id: strategyId,
    user_id: userId,
    name: 'Crossing averages',
    description: 'Buys when the short one rises above the long one.',
    type: 'trend',
    timeframe: '1h',
    parameters: '{"short": 12, "long": 26}',
    assets: ['bitcoin', 'ethereum'],
    ...written,
    is_active: true,
    risk_level: 'medium',
  },
  positions: {
    id: '00000000-0000-4000-8000-000000000004',
    account_id: accountId,
    ...bitcoin,
    amount: '-0.5',
    entry_price: '60000',
    current_price: '61000',
    opened_at: moment,
    updated_at: moment,
    stop_loss: '65000',
    take_profit: '50000',
  },
  trades: {
    id: '00000000-0000-4000-8000-000000000005',
    account_id: accountId,
    ...bitcoin,
    type: 'buy',
    price: '60000',
    amount: '0.5',
    fee: '-0.1',
    total: '30000',
    executed_at: moment,
    strategy_id: strategyId,
    profit_loss: '-12.5',
  },
  backtest_results: {
    id: '00000000-0000-4000-8000-000000000006',
    strategy_id: strategyId,
    user_id: userId,
    start_date: '2023-01-01',
    end_date: '2024-01-01',
    initial_capital: '1000',
    final_capital: '1500',
    returns: '50.25',
    win_rate: '55.5',
    trades_count: 42,
    max_drawdown: '12.75',
    sharpe_ratio: '1.5',
    profit_factor: '1.8',
    results_data: '{"equity": [1000, 1500]}',
    created_at: moment,
  },
  alerts: {
    id: '00000000-0000-4000-8000-000000000007',
    user_id: userId,
    type: 'price',
    ...bitcoin,
    condition: '{"above": 70000}',
    created_at: moment,
    expires_at: moment,
    triggered_at: moment,
    status: 'active',
    notification_channels: ['email'],
    recurring: false,
    note: 'Sell half.',
  },
  notifications: {
    id: '00000000-0000-4000-8000-000000000008',
    user_id: userId,
    type: 'alert',
    title: 'Bitcoin',
    message: 'Above 70000.',
    created_at: moment,
    read_at: moment,
    source_id: '00000000-0000-4000-8000-000000000007',
    source_type: 'alert',
    priority: 'high',
  },
  api_connections: {
    id: '00000000-0000-4000-8000-000000000009',
    user_id: userId,
    provider: 'binance',
    name: 'Reading',
    api_key: 'the encrypted key',
    api_secret: 'the encrypted secret',
    passphrase: 'the encrypted passphrase',
    ...written,
    permissions: ['read'],
    status: 'active',
  },
  audit_logs: {
    id: '00000000-0000-4000-8000-00000000000a',
    table_name: 'users',
    operation: 'UPDATE',
    user_id: userId,
    record_id: userId,
    old_data: '{"tier": "free"}',
    new_data: '{"tier": "pro"}',
    timestamp: moment,
  },
  coins: {
    id: 'bitcoin',
    symbol: 'BTC',
    name: 'Bitcoin',
    image_url: 'https://example.org/bitcoin.png',
    description: 'The first one.',
    website: 'https://bitcoin.org',
    whitepaper: 'https://bitcoin.org/bitcoin.pdf',
    blockchain_type: 'bitcoin',
    ...written,
  },
  market_data: {
    id: '00000000-0000-4000-8000-00000000000b',
    coin_id: 'bitcoin',
    price: '61000.12345678',
    market_cap: '1200000000000.25',
    volume_24h: '30000000000.5',
    change_24h: '-1.25',
    timestamp: moment,
    rank: 1,
    circulating_supply: '19600000.5',
    max_supply: '21000000',
  },
  market_data_daily: {
    coin_id: 'bitcoin',
    day,
    open: '10',
    high: '12',
    low: '9',
    close: '11',
    average_price: '10.5',
    market_cap: '1200000000000.25',
    volume_24h: '30000000000.5',
    rank: 1,
    circulating_supply: '19600000.5',
    max_supply: '21000000',
    samples: 2,
    first_at: '2024-03-01 00:00:00',
    last_at: '2024-03-01 23:59:59.999999',
    finalized_at: moment,
  },
  candle_digests: {
    coin_id: 'bitcoin',
    timeframe: '1h',
    bucket: day,
    rows: 24,
    sum_high: 1,
    sum_low: 2,
  },
  archive_checks: {
    id: '00000000-0000-4000-8000-00000000000f',
    coin_id: 'bitcoin',
    checked_at: moment,
    duration_ms: 1_000,
    series: 4,
    live_rows: 100,
    archived_rows: 100,
    files: 1,
    counted: 0,
    problems: '[]',
  },
  retention_policies: { table_name: 'ohlcv_data_1h', keep_ms: 7_776_000_000, accepted_at: moment },
  partition_holds: {
    schema_name: 'public',
    name: 'market_data_y2024m03d01',
    parent: 'market_data',
    holds_from: day,
    holds_to: '2024-03-02',
    kind: 'object',
    reason: 'the view public.mine of somebody else depends on it',
    remedy: 'drop view public.mine',
    held_since: moment,
    checked_at: moment,
  },
  summary_days: {
    coin_id: 'bitcoin',
    day: '2024-03-01',
    ...prices,
    candles: 24,
    composed_at: moment,
  },
  ohlcv_data: { coin_id: 'bitcoin', timestamp: day, timeframe: '1d', ...prices },
  instruments: {
    coin_id: 'bitcoin',
    source: 'binance',
    symbol: 'BTCUSDT',
    preference: 0,
    tracked_from: moment,
    tracked_to: moment,
    listed_from: '2023-01-01',
    listed_to: moment,
    last_listed_at: moment,
    missing_since: moment,
    halted_since: moment,
    relisted_at: moment,
    shares_market: true,
  },
  candle_coverage: {
    coin_id: 'bitcoin',
    timeframe: '1d',
    source: 'binance',
    state: 'stored',
    ranges: '{[2024-03-01,2024-03-02)}',
    updated_at: moment,
  },
  candle_revisions: {
    id: 7,
    coin_id: 'bitcoin',
    timeframe: '1d',
    timestamp: day,
    revised_at: moment,
    source: 'binance',
    run_id: '00000000-0000-4000-8000-00000000000d',
    ...prefixed('old'),
    ...prefixed('new'),
  },
  quarantined_rows: {
    id: '00000000-0000-4000-8000-00000000000c',
    source: 'binance',
    market: 'BTCUSDT',
    coin_id: 'bitcoin',
    timeframe: '1d',
    timestamp: day,
    reason: 'high is below low',
    raw: '["NaN"]',
    candle: '{"open": "10", "high": "12", "low": "9", "close": "11", "volume": "100"}',
    run_id: '00000000-0000-4000-8000-00000000000d',
    quarantined_at: moment,
    kind: 'high N below low N',
    times_seen: 2,
    last_seen_at: moment,
    resolution: 'discarded',
    resolved_at: moment,
    resolved_by: 'ada',
    resolved_reason: 'a test of the exchange',
  },
  ingest_runs: {
    id: '00000000-0000-4000-8000-00000000000d',
    job: 'ingest-candles',
    queue: 'binance',
    job_id: 'ingest-candles_1',
    attempt: 1,
    payload: '{}',
    status: 'done',
    will_retry: false,
    started_at: moment,
    finished_at: moment,
    outcome: '{"received": 1}',
    error: 'none',
  },
  archives: {
    id: '00000000-0000-4000-8000-00000000000e',
    sequence: 1,
    counted: true,
    restored_ranges: '{[2024-03-01,2024-03-02)}',
    superseded_ranges: '{[2024-03-02,2024-03-03)}',
    table_name: 'ohlcv_data_1h',
    partition_name: 'ohlcv_data_1h_y2024m03',
    range_from: day,
    range_to: moment,
    state: 'restored',
    place: 'file:///archive/',
    file_name: 'ohlcv_data_1h/ohlcv_data_1h_y2024m03.00000000-0000-4000-8000-00000000000e.parquet',
    row_count: 1,
    bytes: 1_000,
    sha256: '0'.repeat(64),
    columns: '[]',
    checksums: '{}',
    coverage: '[]',
    created_at: moment,
    verified_at: moment,
    dropped_at: moment,
    restored_at: moment,
    restored_until: moment,
  },
  locks: { name: 'archive notifications' },
  worker_presence: { queue_engine: 'redis' },
  scheduler_presence: { queue_engine: 'redis' },
  web_presence: { queue_engine: 'redis' },
  archive_digests: {
    archive_id: '00000000-0000-4000-8000-00000000000e',
    coin_id: 'bitcoin',
    bucket: day,
    rows: 24,
    sum_high: 1,
    sum_low: 2,
  },
  request_budget: { key: 'binance', points: 1, expire: 1_709_294_400, written_at: 1_709_294_000 },
  view_refreshes: {
    id: '00000000-0000-4000-8000-0000000000a1',
    view: 'daily_price_summary',
    refreshed_at: '2024-03-02 00:05:00',
    duration_ms: 120,
    rows: 2,
    covers_to: '2024-03-02 00:00:00',
    fingerprint: 'd41d8cd98f00b204e9800998ecf8427e 0',
    incomplete: '{"bitcoin": 1}',
    run_id: '00000000-0000-4000-8000-0000000000a2',
  },
  database_samples: {
    sampled_at: '2024-03-01 12:00:00',
    average_query_ms: 1.5,
    ping_ms: 0.4,
    cache_hit_ratio: 0.99,
    index_scan_ratio: 0.9,
    connections_active: 1,
    connections_idle: 5,
    connections_waiting: 0,
    connections_max: 100,
    database_bytes: 1_000_000,
    disk_free_bytes: 5_000_000,
    counters:
      '{"activeMs": 1, "transactions": 2, "blocksHit": 3, "blocksRead": 4, "indexScans": 5, "tableScans": 6}',
  },
  failing_jobs: {
    job: 'ingest-candles',
    subject_hash: 'a'.repeat(32),
    subject: '{"source": "binance", "timeframe": "1m"}',
    queue: 'binance',
    status: 'failed',
    fault: 'Unavailable',
    will_retry: false,
    first_error: 'binance cannot be reached',
    last_error: 'binance cannot be reached',
    first_failed_at: '2024-03-01 12:00:00',
    last_failed_at: '2024-03-01 12:05:00',
    last_started_at: '2024-03-01 12:04:00',
    failures: 3,
    run_id: '00000000-0000-4000-8000-0000000000a3',
  },
  incidents: {
    id: '00000000-0000-4000-8000-0000000000b1',
    key: 'series.stale',
    message: 'One series is stale.',
    opened_at: '2024-03-01 12:00:00',
    seen_at: '2024-03-01 12:04:00',
    resolved_at: '2024-03-01 12:05:00',
    details: '{"cause": "no", "jobs": [], "failures": 1}',
  },
  webhook_deliveries: {
    id: '00000000-0000-4000-8000-0000000000b2',
    incident_id: '00000000-0000-4000-8000-0000000000b1',
    event: 'opened',
    attempts: 1,
    due_at: '2024-03-01 12:01:00',
    delivered_at: '2024-03-01 12:01:01',
    error: 'it answered 500',
  },
  view_definitions: { view: 'monthly_volume', sha256: 'a'.repeat(64), made_at: '2024-03-02 00:05:00' },
  listed_markets: {
    source: 'binance',
    symbol: 'BTCUSDT',
    base: 'BTC',
    quote: 'USDT',
    also_called: '{BTC/USDT}',
    own_base: 'XBT',
    base_name: 'Bitcoin',
    kind: 'tokenized-stock',
    listed_at: moment,
    appeared_at: moment,
    last_seen_at: moment,
  },
  instrument_renames: {
    coin_id: 'bitcoin',
    source: 'binance',
    old_symbol: 'XBTUSDT',
    new_symbol: 'BTCUSDT',
    old_base: 'XBT',
    new_base: 'BTC',
    renamed_at: moment,
  },
  fleet_counters: {
    name: 'beacon_source_requests_total',
    labels: '{"source": "binance", "outcome": "ok"}',
    value: 1,
    updated_at: moment,
  },
}

/** The valid row of the table with some columns changed. */
export function aRow(table: string, changes: Row = {}): Row {
  const row = validRows[table]
  if (!row) throw new Error(`there is no valid row of ${table}: write one`)
  return { ...row, ...changes }
}

/** Inserts a row into a table, by default its own; `ending` is what stands behind the values. */
export async function insertRow(client: PoolClient, table: string, full: Row, ending = ''): Promise<void> {
  const row = withoutDefaults(table, full)
  const columns = Object.keys(row)
  const names = columns.map((name) => escapeIdentifier(name)).join(', ')
  const places = columns.map((_, index) => `$${index + 1}`).join(', ')
  await client.query(
    `insert into ${escapeIdentifier(table)} (${names}) values (${places}) ${ending}`,
    Object.values(row),
  )
}

/** The row without what is the column's default: of these columns, the application may write none. */
export function withoutDefaults(table: string, row: Row): Row {
  const defaults: Row = table === 'users' ? { status: 'active', tier: 'free' } : {}
  return Object.fromEntries(Object.entries(row).filter(([column, value]) => defaults[column] !== value))
}

/** Inserts the valid rows of the tables, in their order. */
export async function insertValid(client: PoolClient, tables: readonly string[]): Promise<void> {
  for (const table of tables) await insertRow(client, table, aRow(table))
}

/** Tries it and takes it back; undefined when it was accepted, otherwise the error's code and what the error names. */
export async function refusal(
  client: PoolClient,
  attempt: () => Promise<unknown>,
): Promise<string | undefined> {
  await client.query('savepoint attempt')
  try {
    await attempt()
    return undefined
  } catch (error) {
    return describeRefusal(error)
  } finally {
    await client.query('rollback to savepoint attempt; release savepoint attempt')
  }
}

function describeRefusal(error: unknown): string {
  if (!(error instanceof DatabaseError)) throw error
  const { code, constraint, column } = error
  return [code, constraint ?? column].filter((part) => part !== undefined).join(' ')
}
