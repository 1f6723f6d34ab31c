import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readDashboard } from '../../src/queries/dashboard.ts'
import { readPortfolioPerformance } from '../../src/queries/portfolio-performance.ts'
import { readChart, readDailySummary, readPriceHistory } from '../../src/queries/price-history.ts'
import { writeCursor } from '../../src/queries/trade-cursor.ts'
import { readTradeHistory } from '../../src/queries/trade-history.ts'
import { withUser } from '../../src/store/acting.ts'
import type { Database } from '../../src/store/transaction.ts'
import { createTestDatabase, servers, type TestDatabase } from '../support/database.ts'
import { accountId, daysBack, now, populate, strategyId, userId } from './population.ts'
import { genericPlanOf, type Plan, plansOf } from './recording.ts'

const distinct = (names: readonly (string | undefined)[]): string[] =>
  [...new Set(names.filter((name) => name !== undefined))].toSorted()

const scansOf = (plans: readonly Plan[]) => plans.flatMap(({ scans }) => scans)
const indexesOf = (plans: readonly Plan[]) => distinct(scansOf(plans).map(({ index }) => index))
const plannedOf = (plans: readonly Plan[], table: string) =>
  distinct(scansOf(plans).map(({ relation }) => (relation?.startsWith(table) ? relation : undefined)))
const touchedOf = (plans: readonly Plan[], table: string) =>
  plannedOf(
    plans.map((plan) => ({ ...plan, scans: plan.scans.filter(({ loops }) => loops > 0) })),
    table,
  )
const rowsReadOf = (plans: readonly Plan[], table: string) =>
  scansOf(plans).reduce((sum, { relation, rows }) => (relation?.startsWith(table) ? sum + rows : sum), 0)
const wholeScansOf = (plans: readonly Plan[]) => scansOf(plans).filter(({ type }) => type === 'Seq Scan')

// The oldest supported version where it is installed: what its planner finds, the later ones find too.
describe.each(servers.slice(-1))(
  'on $server with a million trades and a million candles',
  ({ clusterUrl }) => {
    let database: TestDatabase

    beforeAll(async () => {
      database = await createTestDatabase(clusterUrl)
      await populate(database.superuser)
    }, 240_000)

    afterAll(() => database.drop())

    /** User 1 has an account of 20,000 trades, of which every other user has some five hundred. */
    const plans = (work: (db: Database) => Promise<unknown>) => plansOf(database.pool, userId(1), work)

    test('the tables are as large as that', async () => {
      const { rows } = await database.superuser.query(`
      select (select count(*)::integer from trades) as trades, (select count(*)::integer from ohlcv_data_1m) as candles,
        (select count(*)::integer from trades where account_id = '${accountId(1)}') as of_account_1`)
      expect(rows).toEqual([{ trades: 1_000_000, candles: 1_008_000, of_account_1: 20_000 }])
    })

    test('the dashboard finds everything by index, and prices in the newest partition alone', async () => {
      const dashboard = await plans((db) => readDashboard(db, { now }))
      expect(dashboard).toHaveLength(6)
      expect(indexesOf(dashboard)).toEqual([
        'idx_alerts_user_status',
        'idx_notifications_user_time',
        'idx_positions_account',
        'idx_trading_accounts_user',
        'idx_trading_strategies_user',
        'market_data_coin_id_timestamp_key',
      ])
      expect(touchedOf(dashboard, 'market_data')).toEqual(['market_data_y2024m05d31'])
      expect(wholeScansOf(dashboard)).toEqual([])
    })

    test('a coin without prices is looked for by its index, and the prices of others are not read', async () => {
      const dashboard = await plansOf(database.pool, userId(2), (db) => readDashboard(db, { now }))
      const { positions } = await withUser(database.pool, userId(2), ({ db }) => readDashboard(db, { now }))
      const priced = positions.filter(({ pricedAt }) => pricedAt !== null)
      expect(priced).toHaveLength(positions.length - 1)
      expect(indexesOf(dashboard)).toContain('market_data_coin_id_timestamp_key')
      // Of those of another coin, thousands would be read. Versions before 18 round the rows of a loop.
      expect(rowsReadOf(dashboard, 'market_data')).toBeLessThanOrEqual(positions.length)
    })

    test('portfolio performance reads the trades of the range alone, by account and time', async () => {
      const range = daysBack(30)
      const performance = await plans((db) => readPortfolioPerformance(db, { range }))
      const { totals } = await withUser(database.pool, userId(1), ({ db }) =>
        readPortfolioPerformance(db, { range }),
      )
      expect(indexesOf(performance)).toEqual([
        'idx_positions_account',
        'idx_trades_account_time',
        'idx_trading_accounts_user',
        'market_data_coin_id_timestamp_key',
      ])
      expect(rowsReadOf(performance, 'trades')).toBe(totals[0]?.realised.trades)
      expect(touchedOf(performance, 'market_data')).toEqual(['market_data_y2024m05d31'])
      expect(wholeScansOf(performance)).toEqual([])
    })

    describe('trade history', () => {
      const account = accountId(1)
      const amidst = writeCursor({ accountId: account, executedAt: '2023-06-01 00:00:00', id: account })

      test('reads a page and no more of the account, wherever it begins', async () => {
        for (const cursor of [undefined, amidst]) {
          const page = await plans((db) => readTradeHistory(db, { accountId: account, cursor }))
          expect(indexesOf(page)).toContain('idx_trades_account_time')
          expect(wholeScansOf(page)).toEqual([])
          // Once for the time of the trade after the page, and once for the page.
          expect(rowsReadOf(page, 'trades')).toBe(2 * 51)
        }
      })

      test('of a coin goes along the account until the page is full', async () => {
        const filter = { accountId: account, coinId: 'coin-10', cursor: amidst }
        const page = await plans((db) => readTradeHistory(db, filter))
        expect(indexesOf(page)).toContain('idx_trades_account_time')
        expect(wholeScansOf(page)).toEqual([])
        // Every second trade of the account is of this coin.
        expect(rowsReadOf(page, 'trades')).toBeLessThan(4 * 60)
      })

      test('of a strategy finds its trades by the strategy, or along the account where it has most of them', async () => {
        const page = await plans((db) =>
          readTradeHistory(db, { accountId: account, strategyId: strategyId(1) }),
        )
        // Which of the two is cheaper, the planner guesses from a sample of the table.
        const found = indexesOf(page).filter((index) => index.startsWith('idx_trades_'))
        expect(['idx_trades_account_time', 'idx_trades_strategy']).toEqual(expect.arrayContaining(found))
        expect(found).not.toEqual([])
        expect(wholeScansOf(page)).toEqual([])
      })

      test('of an account of another reads no trade at all', async () => {
        const page = await plans((db) => readTradeHistory(db, { accountId: accountId(2) }))
        expect(plannedOf(page, 'trades')).toEqual(['trades'])
        expect(touchedOf(page, 'trades')).toEqual([])
      })
    })

    describe('price history', () => {
      const query = { coinId: 'coin-1', timeframe: '1m', range: daysBack(10, 2) } as const
      const partitions = ['ohlcv_data_1m_y2024m05d22', 'ohlcv_data_1m_y2024m05d23']

      test.each([
        ['of a range', (db: Database) => readPriceHistory(db, query)],
        ['of the newest in a range', (db: Database) => readPriceHistory(db, { ...query, newest: 100 })],
        ['of a chart', (db: Database) => readChart(db, { ...query, points: 300 })],
      ])('%s is planned for its partitions alone, and found by their key', async (_, work) => {
        const history = await plans(work)
        expect(history).toHaveLength(1)
        expect(plannedOf(history, 'ohlcv_data')).toEqual(partitions)
        expect(indexesOf(history)).toEqual(['idx_ohlcv_timeframe_time'])
        expect(wholeScansOf(history)).toEqual([])
      })

      test('of a range, planned before the range is known, leaves the others out when it begins', async () => {
        const history = [await genericPlanOf(database.pool, userId(1), (db) => readPriceHistory(db, query))]
        expect(plannedOf(history, 'ohlcv_data')).toEqual(partitions)
        expect(history[0]?.removed).toBeGreaterThan(30)
        expect(wholeScansOf(history)).toEqual([])
      })

      test('of the newest reads back through the partitions only until it has enough', async () => {
        const history = await plans((db) =>
          readPriceHistory(db, { ...query, range: daysBack(30), newest: 100 }),
        )
        expect(touchedOf(history, 'ohlcv_data')).toEqual(['ohlcv_data_1m_y2024m05d31'])
        expect(rowsReadOf(history, 'ohlcv_data_1m_y2024m05d31')).toBe(100)
      })

      test('by day is found in the summary by its key', async () => {
        const history = await plans((db) => readDailySummary(db, { coinId: 'coin-1', range: daysBack(365) }))
        expect(indexesOf(history)).toEqual(['daily_price_summary_coin_id_day_key'])
        expect(wholeScansOf(history)).toEqual([])
      })
    })
  },
)
