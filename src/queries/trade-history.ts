import { type SQL, sql } from 'drizzle-orm'
import { fromTimestamp } from '../../drizzle/schema/instant-column.ts'
import type { Trade } from '../../drizzle/schema/trading.ts'
import type { Database } from '../store/transaction.ts'
import { checkCount, checkId } from './input.ts'
import { readCursor, writeCursor } from './trade-cursor.ts'

export type TradeHistoryQuery = Readonly<{
  accountId: string
  coinId?: string | undefined
  strategyId?: string | undefined
  /** `nextCursor` of the previous page. */
  cursor?: string | undefined
  /** Up to 1000; default 50. */
  pageSize?: number
}>

/** Absent on the last page. */
export type TradePage = Readonly<{ trades: readonly Trade[]; nextCursor?: string }>

type TradeRow = Omit<Trade, 'executedAt'> & { executedAt: string }

const largestPage = 1_000

/**
 * Newest first, by keyset: trades that arrive later do not shift pages. Call in `withUser`; other users' accounts are
 * empty. Throws InvalidInput for a bad cursor, id or size.
 */
export async function readTradeHistory(db: Database, query: TradeHistoryQuery): Promise<TradePage> {
  const wanted = wantedTrades(query)
  const size = checkCount('pageSize', query.pageSize ?? 50, largestPage)
  const rows = await inOrderOfIndex(db, () => readTrades(db, wanted, size))
  const shown = rows.slice(0, size)
  const trades = shown.map((row) => ({ ...row, executedAt: fromTimestamp(row.executedAt) }))
  const last = shown.at(-1)
  return last && rows.length > size ? { trades, nextCursor: writeCursor(last) } : { trades }
}

/**
 * Reads one more to detect a next page. Its time is found by index (account_id, executed_at), so that only newer rows
 * are sorted by id.
 */
async function readTrades(db: Database, wanted: SQL, pageSize: number): Promise<TradeRow[]> {
  const { rows } = await db.execute<TradeRow>(sql`
    select id, account_id as "accountId", coin_id as "coinId", coin_symbol as "coinSymbol", type, price, amount, fee, total,
      executed_at::text as "executedAt", strategy_id as "strategyId", profit_loss as "profitLoss"
    from api_v1.trades
    where ${wanted} and executed_at >= (
      select coalesce(
        (select executed_at from api_v1.trades where ${wanted} order by executed_at desc limit 1 offset ${pageSize}),
        '-infinity'
      )
    )
    order by executed_at desc, id desc
    limit ${pageSize + 1}`)
  return rows
}

/**
 * The account is tested by query and policy, so the planner expects few rows and would bitmap-scan a whole account per
 * page; without bitmaps it follows the index.
 */
async function inOrderOfIndex<T>(db: Database, work: () => Promise<T>): Promise<T> {
  await db.execute(sql`set local enable_bitmapscan to off`)
  const result = await work()
  await db.execute(sql`set local enable_bitmapscan to default`)
  return result
}

function wantedTrades({ accountId, coinId, strategyId, cursor }: TradeHistoryQuery): SQL {
  const conditions = [isOwnAccount(checkId('accountId', accountId))]
  if (cursor !== undefined) conditions.push(isAfter(cursor, accountId))
  if (coinId !== undefined) conditions.push(sql`coin_id = ${coinId}`)
  if (strategyId !== undefined) conditions.push(sql`strategy_id = ${checkId('strategyId', strategyId)}::uuid`)
  return sql.join(conditions, sql` and `)
}

/** Policies do not bind superusers; evaluated once. */
const isOwnAccount = (accountId: string): SQL => sql`
  account_id = ${accountId}::uuid
  and exists (select from api_v1.trading_accounts where id = ${accountId}::uuid and user_id = current_user_id())`

function isAfter(cursor: string, accountId: string): SQL {
  const { executedAt, id } = readCursor(cursor, accountId)
  return sql`(executed_at, id) < (${executedAt}::timestamp, ${id}::uuid)`
}
