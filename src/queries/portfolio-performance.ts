import { sql } from 'drizzle-orm'
import { fromTimestamp } from '../../drizzle/schema/instant-column.ts'
import { type Decimal, toDecimal } from '../market/decimal.ts'
import { type Instant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import type { Database } from '../store/transaction.ts'
import { pricedPositions } from './priced-positions.ts'

/** Current values; percentages have two decimals. */
export type PortfolioValue = Readonly<{
  initialBalance: Decimal
  balance: Decimal
  positionsValue: Decimal
  unrealisedProfit: Decimal
  /** Balance plus positions. */
  value: Decimal
  /** Value minus initial balance. */
  change: Decimal
  /** Null if the initial balance is zero. */
  changePercent: Decimal | null
}>

/** A trade with a profit or loss is closed; fees are separate. */
export type RealisedProfit = Readonly<{
  trades: number
  closedTrades: number
  winningTrades: number
  /** In percent; null without closed trades. */
  winRate: Decimal | null
  profit: Decimal
  fees: Decimal
}>

/** A UTC day with trades; `cumulativeProfit` since the range's start. */
export type DailyProfit = RealisedProfit & Readonly<{ day: Instant; cumulativeProfit: Decimal }>

/** All accounts of a currency. */
export type CurrencyPerformance = Readonly<{
  currency: string
  now: PortfolioValue
  realised: RealisedProfit
  daily: readonly DailyProfit[]
}>

export type AccountPerformance = CurrencyPerformance & Readonly<{ accountId: string; name: string }>

/** Totals per currency, since no exchange rates are stored. */
export type PortfolioPerformance = Readonly<{
  accounts: readonly AccountPerformance[]
  totals: readonly CurrencyPerformance[]
}>

/** `accountId` null: all accounts of the currency. */
type Scope = Readonly<{ currency: string; accountId: string | null }>
type ValueRow = Scope & PortfolioValue & Readonly<{ name: string | null }>
/** `day` null: the whole range. */
type RealisedRow = Scope & RealisedProfit & Readonly<{ day: string | null; cumulativeProfit: Decimal }>

/** Current value and realized profit per account and currency, exact. Call in `withUser`; empty without a user. */
export async function readPortfolioPerformance(
  db: Database,
  { range }: Readonly<{ range: Range }>,
): Promise<PortfolioPerformance> {
  const realised = byScope(await readRealised(db, range))
  const accounts: AccountPerformance[] = []
  const totals: CurrencyPerformance[] = []
  for (const { currency, accountId, name, ...now } of await readValues(db)) {
    const performance = { currency, now, ...toRealised(realised.get(keyOf({ currency, accountId })) ?? []) }
    if (accountId === null || name === null) totals.push(performance)
    else accounts.push({ accountId, name, ...performance })
  }
  return { accounts, totals }
}

async function readValues(db: Database): Promise<ValueRow[]> {
  const { rows } = await db.execute<ValueRow>(sql`
    with position_sum as (
      select account_id, sum(amount * price) as value, sum(amount * (price - entry_price)) as profit
      from ${pricedPositions} as position
      group by account_id
    ), portfolio as (
      select account.currency, account.id, account.name, sum(account.initial_balance) as initial_balance,
        sum(account.balance) as balance, sum(coalesce(position_sum.value, 0)) as positions_value,
        sum(coalesce(position_sum.profit, 0)) as unrealised_profit
      from api_v1.trading_accounts as account
      left join position_sum on position_sum.account_id = account.id
      where account.user_id = current_user_id()
      group by grouping sets ((account.currency, account.id, account.name), (account.currency))
    )
    select currency, id as "accountId", name, initial_balance as "initialBalance", balance,
      positions_value as "positionsValue", unrealised_profit as "unrealisedProfit", balance + positions_value as value,
      balance + positions_value - initial_balance as change,
      round(100 * (balance + positions_value - initial_balance) / nullif(initial_balance, 0), 2) as "changePercent"
    from portfolio
    order by currency, name, id`)
  return rows
}

async function readRealised(db: Database, { from, to }: Range): Promise<RealisedRow[]> {
  const { rows } = await db.execute<RealisedRow>(sql`
    with traded as (
      select account.currency, trade.account_id, date_trunc('day', trade.executed_at) as day, trade.profit_loss, trade.fee
      from api_v1.trading_accounts as account
      join api_v1.trades as trade on trade.account_id = account.id
      where account.user_id = current_user_id()
        and trade.executed_at >= ${toIso(from)}::timestamp and trade.executed_at < ${toIso(to)}::timestamp
    ), realised as (
      select currency, account_id, day, count(*) as trades, count(profit_loss) as closed_trades,
        count(*) filter (where profit_loss > 0) as winning_trades, coalesce(sum(profit_loss), 0) as profit, sum(fee) as fees
      from traded
      group by grouping sets ((currency, account_id, day), (currency, day), (currency, account_id), (currency))
    )
    select currency, account_id as "accountId", day::text as day, trades::integer as trades,
      closed_trades::integer as "closedTrades", winning_trades::integer as "winningTrades",
      round(100.0 * winning_trades / nullif(closed_trades, 0), 2) as "winRate", profit, fees,
      sum(profit) over (partition by currency, account_id, day is null order by day) as "cumulativeProfit"
    from realised
    order by currency, account_id, realised.day`)
  return rows
}

const keyOf = ({ currency, accountId }: Scope): string => `${currency} ${accountId}`

function byScope(rows: readonly RealisedRow[]): Map<string, RealisedRow[]> {
  const groups = new Map<string, RealisedRow[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group) group.push(row)
    else groups.set(keyOf(row), [row])
  }
  return groups
}

const zero = toDecimal('0')
const nothingRealised: RealisedProfit = {
  trades: 0,
  closedTrades: 0,
  winningTrades: 0,
  winRate: null,
  profit: zero,
  fees: zero,
}

/** Empty without trades. */
function toRealised(rows: readonly RealisedRow[]): Pick<CurrencyPerformance, 'realised' | 'daily'> {
  let realised = nothingRealised
  const daily: DailyProfit[] = []
  for (const { currency: _, accountId: __, day, cumulativeProfit, ...sums } of rows) {
    if (day === null) realised = sums
    else daily.push({ day: fromTimestamp(day), ...sums, cumulativeProfit })
  }
  return { realised, daily }
}
