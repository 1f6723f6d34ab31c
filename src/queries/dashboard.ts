import { sql } from 'drizzle-orm'
import type { Alert, Notification } from '../../drizzle/schema/alerts.ts'
import { fromTimestamp } from '../../drizzle/schema/instant-column.ts'
import type { TradingStrategy } from '../../drizzle/schema/strategies.ts'
import type { Position, TradingAccount } from '../../drizzle/schema/trading.ts'
import type { Decimal } from '../market/decimal.ts'
import { type Instant, toIso } from '../market/instant.ts'
import type { Database } from '../store/transaction.ts'
import { checkCount } from './input.ts'
import { pricedPositions } from './priced-positions.ts'

export type DashboardQuery = Readonly<{
  /** Alerts expiring by then are inactive. */
  now: Instant
  /** Default 5. */
  notifications?: number
}>

export type DashboardAccount = Readonly<
  Pick<TradingAccount, 'id' | 'name' | 'currency' | 'balance' | 'initialBalance'>
>

/** In the account's currency. */
export type DashboardPosition = Readonly<
  Pick<
    Position,
    | 'id'
    | 'accountId'
    | 'coinId'
    | 'coinSymbol'
    | 'amount'
    | 'entryPrice'
    | 'stopLoss'
    | 'takeProfit'
    | 'openedAt'
  > & {
    currency: string
    price: Decimal
    /** Null if it is the position's own price. */
    pricedAt: Instant | null
    value: Decimal
    unrealisedProfit: Decimal
  }
>

export type DashboardAlert = Readonly<
  Pick<
    Alert,
    'id' | 'type' | 'coinId' | 'coinSymbol' | 'condition' | 'createdAt' | 'expiresAt' | 'recurring' | 'note'
  >
>

export type DashboardNotification = Readonly<Omit<Notification, 'userId'>>

export type DashboardStrategy = Readonly<
  Pick<TradingStrategy, 'id' | 'name' | 'type' | 'timeframe' | 'assets' | 'riskLevel' | 'updatedAt'>
>

/** Accounts and strategies by name, positions by opening, others newest first. */
export type Dashboard = Readonly<{
  accounts: readonly DashboardAccount[]
  positions: readonly DashboardPosition[]
  alerts: readonly DashboardAlert[]
  notifications: Readonly<{ unread: number; newest: readonly DashboardNotification[] }>
  strategies: readonly DashboardStrategy[]
}>

/** As the driver returns it. */
type Row<T> = { [K in keyof T]: Exclude<T[K], null> extends Instant ? string | Extract<T[K], null> : T[K] }

const most = 100

/**
 * In six statements. Positions use the newest price of market_data. Call in `withUser`; empty without a user. Throws
 * InvalidInput for a bad count.
 */
export async function readDashboard(
  db: Database,
  { now, notifications = 5 }: DashboardQuery,
): Promise<Dashboard> {
  const count = checkCount('notifications', notifications, most)
  return {
    accounts: await readAccounts(db),
    positions: await readPositions(db),
    alerts: await readActiveAlerts(db, now),
    notifications: { unread: await countUnread(db), newest: await readNewestNotifications(db, count) },
    strategies: await readActiveStrategies(db),
  }
}

async function readAccounts(db: Database): Promise<DashboardAccount[]> {
  const { rows } = await db.execute<Row<DashboardAccount>>(sql`
    select id, name, currency, balance, initial_balance as "initialBalance"
    from api_v1.trading_accounts
    where user_id = current_user_id()
    order by name, id`)
  return rows
}

async function readPositions(db: Database): Promise<DashboardPosition[]> {
  const { rows } = await db.execute<Row<DashboardPosition>>(sql`
    select id, account_id as "accountId", coin_id as "coinId", coin_symbol as "coinSymbol", amount,
      entry_price as "entryPrice", stop_loss as "stopLoss", take_profit as "takeProfit", opened_at::text as "openedAt",
      currency, price, priced_at::text as "pricedAt", amount * price as value,
      amount * (price - entry_price) as "unrealisedProfit"
    from ${pricedPositions} as position
    order by opened_at, id`)
  return rows.map(({ openedAt, pricedAt, ...row }) => ({
    ...row,
    openedAt: fromTimestamp(openedAt),
    pricedAt: pricedAt === null ? null : fromTimestamp(pricedAt),
  }))
}

async function readActiveAlerts(db: Database, now: Instant): Promise<DashboardAlert[]> {
  const { rows } = await db.execute<Row<DashboardAlert>>(sql`
    select id, type, coin_id as "coinId", coin_symbol as "coinSymbol", condition, created_at::text as "createdAt",
      expires_at::text as "expiresAt", recurring, note
    from api_v1.alerts
    where user_id = current_user_id() and status = 'active' and (expires_at > ${toIso(now)}::timestamp or expires_at is null)
    order by created_at desc, id`)
  return rows.map(({ createdAt, expiresAt, ...row }) => ({
    ...row,
    createdAt: fromTimestamp(createdAt),
    expiresAt: expiresAt === null ? null : fromTimestamp(expiresAt),
  }))
}

async function countUnread(db: Database): Promise<number> {
  const { rows } = await db.execute<{ unread: number }>(sql`
    select count(*)::integer as unread
    from api_v1.notifications
    where user_id = current_user_id() and read_at is null`)
  return rows[0]?.unread ?? 0
}

async function readNewestNotifications(db: Database, count: number): Promise<DashboardNotification[]> {
  const { rows } = await db.execute<Row<DashboardNotification>>(sql`
    select id, type, title, message, created_at::text as "createdAt", read_at::text as "readAt", source_id as "sourceId",
      source_type as "sourceType", priority
    from api_v1.notifications
    where user_id = current_user_id()
    order by created_at desc, id desc
    limit ${count}`)
  return rows.map(({ createdAt, readAt, ...row }) => ({
    ...row,
    createdAt: fromTimestamp(createdAt),
    readAt: readAt === null ? null : fromTimestamp(readAt),
  }))
}

async function readActiveStrategies(db: Database): Promise<DashboardStrategy[]> {
  const { rows } = await db.execute<Row<DashboardStrategy>>(sql`
    select id, name, type, timeframe, assets, risk_level as "riskLevel", updated_at::text as "updatedAt"
    from api_v1.trading_strategies
    where user_id = current_user_id() and is_active
    order by name, id`)
  return rows.map(({ updatedAt, ...row }) => ({ ...row, updatedAt: fromTimestamp(updatedAt) }))
}
