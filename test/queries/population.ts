import type { Pool } from 'pg'
import { plus, toInstant } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { candleTable, type PartitionedTable, partitionsOf } from '../../src/store/partitions.ts'

const dayMs = 86_400_000

/** Where the data ends. */
export const now = toInstant(Date.UTC(2024, 5, 1))
export const daysBack = (days: number, length = days): Range => ({
  from: plus(now, -days * dayMs),
  to: plus(now, (length - days) * dayMs),
})

export const userId = (number: number): string => `00000000-0000-4000-8000-${hex(number)}`
export const accountId = (number: number): string => `00000000-0000-4000-9000-${hex(number)}`
export const strategyId = (number: number): string => `00000000-0000-4000-a000-${hex(number)}`
const hex = (number: number): string => number.toString(16).padStart(12, '0')

const users = 1_000
/** Two to a user: the accounts of user n are n and n + 1000. */
const accounts = 2 * users

const idOf = (kind: string, number: string): string =>
  `('00000000-0000-4000-${kind}000-' || lpad(to_hex(${number}), 12, '0'))::uuid`

const end = `timestamp '2024-06-01'`

/** In proportion to a million trades and a million candles. Account 1 has a share of the trades that is forty times larger. */
const rows = `
  insert into users (id, email, password, created_at, updated_at, status, tier)
  select ${idOf('8', 'n')}, 'user' || n, 'hash', ${end}, ${end}, 'active', 'free' from generate_series(1, ${users}) as n;

  insert into trading_accounts (id, user_id, name, balance, initial_balance, currency, created_at, updated_at)
  select ${idOf('9', 'n')}, ${idOf('8', `1 + (n - 1) % ${users}`)}, 'account ' || n, 1000, 900, 'USD', ${end}, ${end}
  from generate_series(1, ${accounts}) as n;

  insert into trading_strategies (id, user_id, name, type, timeframe, parameters, assets, created_at, updated_at, is_active)
  select ${idOf('a', 'n')}, ${idOf('8', `1 + (n - 1) % ${users}`)}, 'strategy ' || n, 'grid', '1h', '{}', '{coin-1}', ${end}, ${end}, n % 3 = 0
  from generate_series(1, 3 * ${users}) as n;

  insert into trades (id, account_id, coin_id, coin_symbol, type, price, amount, fee, total, executed_at, strategy_id, profit_loss)
  select ${idOf('b', 'n')}, ${idOf('9', `case when n % 50 = 0 then 1 else 1 + n % ${accounts} end`)}, 'coin-' || n % 20, 'COIN',
    case n % 2 when 0 then 'buy' else 'sell' end, 10, 2, 0.01, 20, ${end} - n * interval '63 seconds',
    case when n % 4 = 0 then ${idOf('a', `1 + (n / 4) % (3 * ${users})`)} end, case when n % 2 = 1 then n % 100 - 40 end
  from generate_series(1, 1000000) as n;

  insert into positions (account_id, coin_id, coin_symbol, amount, entry_price, current_price, opened_at, updated_at)
  select ${idOf('9', `1 + n % ${accounts}`)}, 'coin-' || n % 20, 'COIN', 1, 10, 11, ${end} - n * interval '1 minute', ${end}
  from generate_series(1, 20000) as n;

  insert into positions (account_id, coin_id, coin_symbol, amount, entry_price, current_price, opened_at, updated_at)
  values ('${accountId(2)}', 'coin-without-prices', 'COIN', 1, 10, 11, ${end}, ${end});

  insert into alerts (user_id, type, coin_id, coin_symbol, condition, created_at, status)
  select ${idOf('8', `1 + n % ${users}`)}, 'price', 'coin-1', 'COIN', '{}', ${end} - n * interval '1 minute',
    (array['active', 'triggered', 'expired', 'cancelled'])[1 + n / ${users} % 4]
  from generate_series(1, 20000) as n;

  insert into notifications (user_id, type, title, message, created_at, read_at, priority)
  select ${idOf('8', `1 + n % ${users}`)}, 'price', 'title', 'message', ${end} - n * interval '152 seconds',
    case when n / ${users} % 10 > 0 then ${end} end, 'normal'
  from generate_series(1, 50000) as n;

  insert into coins (id, symbol, name, created_at, updated_at)
  select 'coin-' || n, 'COIN', 'A coin', ${end}, ${end} from generate_series(0, 19) as n;

  insert into market_data (coin_id, price, timestamp)
  select 'coin-' || coin, 12, timestamp
  from generate_series(${end} - interval '30 days', ${end} - interval '30 minutes', '30 minutes') as timestamp, generate_series(0, 19) as coin;`

const candlesOf = (timeframe: string, step: string, from: string): string => `
  insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume)
  select 'coin-' || coin, '${timeframe}', timestamp, 10, 12, 9, 11, 100
  from generate_series(0, 19) as coin, generate_series(${end} - interval '${from}', ${end} - interval '${step}', '${step}') as timestamp;`

const candles = [
  candlesOf('1m', '1 minute', '35 days'),
  candlesOf('1h', '1 hour', '60 days'),
  candlesOf('1d', '1 day', '1000 days'),
]

const partitioned: readonly (readonly [PartitionedTable, Range])[] = [
  [candleTable('1m', 'day'), daysBack(35)],
  [candleTable('1h', 'month'), daysBack(60)],
  [candleTable('1d', 'year'), daysBack(1_000)],
  [{ name: 'market_data', length: 'day' }, daysBack(30)],
]

/**
 * A million trades and a million candles, with what belongs to them. Triggers rest meanwhile: they would check and audit
 * row by row what is made here. So do the indexes of trades, which are made again at the end.
 */
export async function populate(pool: Pool): Promise<void> {
  for (const [table, range] of partitioned)
    await ensurePartitions(pool, table, partitionsOf(table, range), 1_000)
  const indexes = await indexesOfTrades(pool)
  const statements = [
    'begin; set local session_replication_role = replica;',
    ...audited.map((table) => `alter table ${table} disable trigger audit_row_write;`),
    ...indexes.map(({ name }) => `drop index ${name};`),
    rows,
    ...candles,
    ...indexes.map(({ definition }) => `${definition};`),
    ...audited.map((table) => `alter table ${table} enable always trigger audit_row_write;`),
    'refresh materialized view daily_price_summary; commit; analyze;',
  ]
  await pool.query(statements.join('\n'))
}

const audited = [
  'users',
  'trading_accounts',
  'trading_strategies',
  'trades',
  'positions',
  'alerts',
  'notifications',
]

async function indexesOfTrades(pool: Pool): Promise<{ name: string; definition: string }[]> {
  const { rows: indexes } = await pool.query<{ name: string; definition: string }>(`
    select indexname as name, indexdef as definition
    from pg_indexes
    where tablename = 'trades' and indexname <> 'trades_pkey'`)
  return indexes
}
