import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { addDecimals, type Decimal, toDecimal } from '../../src/market/decimal.ts'
import { plus, toInstant, toIso } from '../../src/market/instant.ts'
import { readPortfolioPerformance } from '../../src/queries/portfolio-performance.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'
import { anAccount, aPosition, asUser, aTrade, at, aUser } from './owned.ts'

const dayMs = 86_400_000
const range = { from: at('2024-05-01T00:00:00Z'), to: at('2024-05-11T00:00:00Z') }

const performanceOf = (pool: Pool, userId: string) =>
  asUser(pool, userId, (db) => readPortfolioPerformance(db, { range }))

const sum = (values: readonly string[]): Decimal => values.map(toDecimal).reduce(addDecimals, toDecimal('0'))

/** `1.50` and `1.5` are the same number. */
const trimmed = (value: string): string => (value.includes('.') ? value.replace(/\.?0+$/, '') : value)

describe('portfolio performance', () => {
  test('is what is there now against what was there first, exactly', async ({ pool }) => {
    const userId = await aUser(pool)
    const accountId = await anAccount(pool, userId, { balance: '400.00000001', initial_balance: 600 })
    await aPosition(pool, accountId, {
      coin_id: 'unpriced-a',
      amount: '0.33333333',
      entry_price: 300,
      current_price: 310,
    })
    await aPosition(pool, accountId, {
      coin_id: 'unpriced-b',
      amount: -1,
      entry_price: 20,
      current_price: 25,
    })
    const { accounts } = await performanceOf(pool, userId)
    expect(accounts).toMatchObject([
      {
        accountId,
        currency: 'USD',
        now: {
          initialBalance: '600.00000000',
          balance: '400.00000001',
          positionsValue: '78.3333323000000000',
          unrealisedProfit: '-1.6666667000000000',
          value: '478.3333323100000000',
          change: '-121.6666676900000000',
          changePercent: '-20.28',
        },
      },
    ])
  })

  test('of a range agrees with a count by hand, account by account and day by day', async ({ pool }) => {
    const userId = await aUser(pool)
    const accountIds = [
      await anAccount(pool, userId, { name: 'a' }),
      await anAccount(pool, userId, { name: 'b' }),
    ]
    const made: { accountId: string; day: number; profit: string | null; fee: string }[] = []
    for (let index = 0; index < 60; index += 1) {
      const accountId = accountIds[index % 2]
      if (accountId === undefined) throw new Error('there are two accounts')
      // From two days before the range to two days after it.
      const executedAt = toInstant(range.from - 2 * dayMs + ((index * 7_919) % (14 * 24)) * 3_600_000)
      const profit =
        index % 3 === 0
          ? null
          : `${((index * 37) % 41) - 20}.${String((index * 7_919) % 99_999_989).padStart(8, '0')}`
      const fee = `0.0000000${index % 10}`
      await aTrade(pool, accountId, { executed_at: toIso(executedAt), profit_loss: profit, fee })
      if (executedAt < range.from || executedAt >= range.to) continue
      made.push({ accountId, day: executedAt - (executedAt % dayMs), profit, fee })
    }
    const { accounts, totals } = await performanceOf(pool, userId)
    const scopes = [
      ...accounts.map((account) => ({ ...account, ids: [account.accountId] })),
      ...totals.map((total) => ({ ...total, ids: accountIds })),
    ]
    expect(scopes).toHaveLength(3)
    for (const { ids, realised, daily } of scopes) {
      const own = made.filter(({ accountId }) => ids.includes(accountId))
      const days = [...new Set(own.map(({ day }) => day))].toSorted((a, b) => a - b)
      expect(readable(realised)).toEqual(byHand(own))
      expect(
        daily.map(({ day, cumulativeProfit, ...sums }) => ({
          day,
          cumulative: trimmed(cumulativeProfit),
          ...readable(sums),
        })),
      ).toEqual(
        days.map((day) => ({
          day,
          cumulative: trimmed(
            sum(own.flatMap((trade) => (trade.day <= day && trade.profit !== null ? [trade.profit] : []))),
          ),
          ...byHand(own.filter((trade) => trade.day === day)),
        })),
      )
    }
  })

  test('has totals for each currency', async ({ pool }) => {
    const userId = await aUser(pool)
    for (const [name, currency, balance] of [
      ['a', 'EUR', 900],
      ['b', 'USD', 1_100],
      ['c', 'USD', 1_200],
    ] as const) {
      await aTrade(pool, await anAccount(pool, userId, { name, currency, balance }), {
        executed_at: toIso(range.from),
        profit_loss: balance,
      })
    }
    const { accounts, totals } = await performanceOf(pool, userId)
    expect(accounts.map(({ name, currency, now: { change } }) => [name, currency, change])).toEqual([
      ['a', 'EUR', '-100.00000000'],
      ['b', 'USD', '100.00000000'],
      ['c', 'USD', '200.00000000'],
    ])
    expect(
      totals.map(({ currency, now: { value }, realised: { profit } }) => [currency, value, profit]),
    ).toEqual([
      ['EUR', '900.00000000', '900.00000000'],
      ['USD', '2300.00000000', '2300.00000000'],
    ])
  })

  test('knows no percentage of nothing', async ({ pool }) => {
    const userId = await aUser(pool)
    await anAccount(pool, userId, { initial_balance: 0 })
    const { accounts } = await performanceOf(pool, userId)
    expect(accounts).toMatchObject([
      {
        now: { change: '1000.00000000', changePercent: null },
        realised: { trades: 0, closedTrades: 0, winningTrades: 0, winRate: null, profit: '0', fees: '0' },
        daily: [],
      },
    ])
  })

  test('is of nothing that belongs to another, and of nobody nothing', async ({ pool }) => {
    const rich = await aUser(pool)
    const accountId = await anAccount(pool, rich)
    await aTrade(pool, accountId, { executed_at: toIso(plus(range.to, -1)), profit_loss: 5 })
    await aTrade(pool, accountId, { executed_at: toIso(range.to), profit_loss: 7 })
    expect((await performanceOf(pool, rich)).totals).toMatchObject([
      { realised: { trades: 1, profit: '5.00000000' } },
    ])
    expect(await performanceOf(pool, await aUser(pool))).toEqual({ accounts: [], totals: [] })
    // The login of the pool is a superuser, whom no policy binds.
    expect(await readPortfolioPerformance(databaseOf(pool), { range })).toEqual({ accounts: [], totals: [] })
  })
})

type Sums = Readonly<{
  trades: number
  closedTrades: number
  winningTrades: number
  winRate: string | null
  profit: string
  fees: string
}>

const readable = ({ trades, closedTrades, winningTrades, winRate, profit, fees }: Sums): Sums => ({
  trades,
  closedTrades,
  winningTrades,
  winRate,
  profit: trimmed(profit),
  fees: trimmed(fees),
})

function byHand(trades: readonly Readonly<{ profit: string | null; fee: string }>[]): Sums {
  const profits = trades.flatMap(({ profit }) => (profit === null ? [] : [profit]))
  const winning = profits.filter((profit) => Number(profit) > 0).length
  return {
    trades: trades.length,
    closedTrades: profits.length,
    winningTrades: winning,
    winRate: profits.length === 0 ? null : ((100 * winning) / profits.length).toFixed(2),
    profit: trimmed(sum(profits)),
    fees: trimmed(sum(trades.map(({ fee }) => fee))),
  }
}
