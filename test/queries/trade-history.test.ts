import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { plus, toIso } from '../../src/market/instant.ts'
import { readCursor, writeCursor } from '../../src/queries/trade-cursor.ts'
import { readTradeHistory, type TradeHistoryQuery } from '../../src/queries/trade-history.ts'
import { withUser } from '../../src/store/acting.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { superuserOf, test } from '../support/database.ts'
import { anAccount, aStrategy, asUser, aTrade, aUser, now } from './owned.ts'

const hour = 3_600_000

/** A user, an account, and trades in it that were executed at these times, in this order. */
async function aHistory(pool: Pool, times: readonly string[]) {
  const userId = await aUser(pool)
  const accountId = await anAccount(pool, userId)
  const ids = []
  for (const time of times) ids.push(await aTrade(pool, accountId, { executed_at: time }))
  return { userId, accountId, ids }
}

const pageOf = (pool: Pool, userId: string, query: TradeHistoryQuery) =>
  asUser(pool, userId, (db) => readTradeHistory(db, query))

/** The ids on every page, page by page. */
async function pagesOf(pool: Pool, userId: string, query: TradeHistoryQuery): Promise<string[][]> {
  const pages: string[][] = []
  let cursor: string | undefined
  do {
    const page = await pageOf(pool, userId, { ...query, cursor })
    pages.push(page.trades.map(({ id }) => id))
    cursor = page.nextCursor
  } while (cursor !== undefined && pages.length < 100)
  return pages
}

/** In the order of the database: newest first, and of the same time by id. */
async function orderOf(pool: Pool, accountId: string): Promise<string[]> {
  const { rows } = await superuserOf(pool).query<{ id: string }>(
    'select id from trades where account_id = $1 order by executed_at desc, id desc',
    [accountId],
  )
  return rows.map(({ id }) => id)
}

describe('trade history', () => {
  test.for([1, 3, 10, 25, 26])(
    'in pages of %d gives each trade once, in order',
    async (pageSize, { pool }) => {
      // Times that are equal, that differ by a microsecond, and that do not come in order.
      const times = Array.from(
        { length: 25 },
        (_, index) => `2024-05-0${1 + (index % 3)} 12:00:00.00000${index % 2 === 0 ? 0 : index % 10}`,
      )
      const { userId, accountId } = await aHistory(pool, times)
      const pages = await pagesOf(pool, userId, { accountId, pageSize })
      expect(pages.flat()).toEqual(await orderOf(pool, accountId))
      expect(pages.map(({ length }) => length)).toEqual(
        Array.from({ length: Math.ceil(25 / pageSize) }, (_, index) =>
          Math.min(pageSize, 25 - index * pageSize),
        ),
      )
    },
  )

  test('shows a trade as it was made', async ({ pool }) => {
    const { userId, accountId } = await aHistory(pool, [])
    const strategyId = await aStrategy(pool, userId)
    const id = await aTrade(pool, accountId, {
      type: 'buy',
      price: '0.00000001',
      amount: '9999999999999999.99999999',
      total: '1.5',
      fee: '-0.1',
      executed_at: '2024-05-01 12:00:00.123456',
      strategy_id: strategyId,
      profit_loss: '-3',
    })
    expect(await pageOf(pool, userId, { accountId })).toEqual({
      trades: [
        {
          id,
          accountId,
          coinId: 'bitcoin',
          coinSymbol: 'BTC',
          type: 'buy',
          price: '0.00000001',
          amount: '9999999999999999.99999999',
          total: '1.50000000',
          fee: '-0.10000000',
          executedAt: Date.UTC(2024, 4, 1, 12, 0, 0, 123),
          strategyId,
          profitLoss: '-3.00000000',
        },
      ],
    })
  })

  test('goes on where it was when trades arrive meanwhile', async ({ pool }) => {
    const hours = Array.from({ length: 6 }, (_, index) => toIso(plus(now, -index * hour)))
    const { userId, accountId, ids } = await aHistory(pool, hours)
    const first = await pageOf(pool, userId, { accountId, pageSize: 3 })
    await aTrade(pool, accountId, { executed_at: toIso(plus(now, hour)) })
    const late = await aTrade(pool, accountId, { executed_at: toIso(plus(now, -3.5 * hour)) })
    const second = await pageOf(pool, userId, { accountId, pageSize: 4, cursor: first.nextCursor })
    expect(first.trades.map(({ id }) => id)).toEqual(ids.slice(0, 3))
    expect(second.trades.map(({ id }) => id)).toEqual([ids[3], late, ids[4], ids[5]])
    expect(second.nextCursor).toBeUndefined()
  })

  test('is of a coin and of a strategy where they are named', async ({ pool }) => {
    const { userId, accountId } = await aHistory(pool, [])
    const strategyId = await aStrategy(pool, userId)
    const made: { id: string; coinId: string; strategyId: string | null }[] = []
    for (let index = 0; index < 24; index += 1) {
      const [coinId, strategy] = [index % 2 ? 'ethereum' : 'bitcoin', index % 3 ? null : strategyId]
      const row = { coin_id: coinId, strategy_id: strategy, executed_at: toIso(plus(now, -index * hour)) }
      made.push({ id: await aTrade(pool, accountId, row), coinId, strategyId: strategy })
    }
    const wanted = (filter: (trade: (typeof made)[number]) => boolean) =>
      made.filter(filter).map(({ id }) => id)
    const all = async (filter: Partial<TradeHistoryQuery>) =>
      (await pagesOf(pool, userId, { accountId, pageSize: 3, ...filter })).flat()
    expect(await all({ coinId: 'ethereum' })).toEqual(wanted(({ coinId }) => coinId === 'ethereum'))
    expect(await all({ strategyId })).toEqual(wanted((trade) => trade.strategyId !== null))
    expect(await all({ coinId: 'bitcoin', strategyId })).toEqual(
      wanted((trade) => trade.coinId === 'bitcoin' && trade.strategyId !== null),
    )
    expect(await all({ coinId: 'dogecoin' })).toEqual([])
  })

  test('of an account of another is empty, with their cursor too', async ({ pool }) => {
    const { userId, accountId } = await aHistory(pool, [toIso(now), toIso(plus(now, -hour))])
    const { nextCursor } = await pageOf(pool, userId, { accountId, pageSize: 1 })
    const stranger = await aUser(pool)
    expect(nextCursor).toBeDefined()
    expect(await pageOf(pool, stranger, { accountId })).toEqual({ trades: [] })
    expect(await pageOf(pool, stranger, { accountId, cursor: nextCursor })).toEqual({ trades: [] })
    // The login of the pool is a superuser, whom no policy binds.
    expect(await readTradeHistory(databaseOf(pool), { accountId })).toEqual({ trades: [] })
  })

  test('leaves the settings of its transaction as they were', async ({ pool }) => {
    const { userId, accountId } = await aHistory(pool, [])
    const setting = await withUser(pool, userId, async ({ client, db }) => {
      await readTradeHistory(db, { accountId })
      return (await client.query('show enable_bitmapscan')).rows
    })
    expect(setting).toEqual([{ enable_bitmapscan: 'on' }])
  })

  test('refuses ids that are none and pages of no size, before it asks the database', async ({ pool }) => {
    const { userId, accountId } = await aHistory(pool, [])
    const refused: TradeHistoryQuery[] = [
      { accountId: '1' },
      { accountId, strategyId: "'; drop table trades; --" },
      { accountId, pageSize: 0 },
      { accountId, pageSize: 1_001 },
      { accountId, pageSize: 1.5 },
    ]
    await asUser(pool, userId, async (db) => {
      for (const query of refused) await expect(readTradeHistory(db, query)).rejects.toThrow(InvalidInput)
      // The transaction is still good.
      expect(await readTradeHistory(db, { accountId })).toEqual({ trades: [] })
    })
  })
})

describe('a cursor', () => {
  const accountId = '11111111-1111-1111-1111-111111111111'
  const place = {
    accountId,
    executedAt: '2024-05-01 12:00:00.123456',
    id: '22222222-2222-2222-2222-222222222222',
  }
  const encoded = (text: string): string => Buffer.from(text).toString('base64url')

  test('comes back as it was', () => {
    expect(readCursor(writeCursor(place), accountId)).toEqual(place)
    expect(readCursor(writeCursor({ ...place, executedAt: '2024-02-29 23:59:59' }), accountId)).toMatchObject(
      {
        executedAt: '2024-02-29 23:59:59',
      },
    )
  })

  test('is plain text for an address', () => {
    expect(writeCursor(place)).toMatch(/^[A-Za-z0-9_-]+$/)
  })

  test('of another account is refused', () => {
    const other = writeCursor({ ...place, accountId: place.id })
    expect(() => readCursor(other, accountId)).toThrow(/of another account: begin again/)
  })

  test.for([
    ['nothing', ''],
    ['no base64', '€'],
    ['something else', encoded('{}')],
    ['too few parts', encoded(`${accountId}|2024-05-01 12:00:00`)],
    ['too many parts', encoded(`${accountId}|2024-05-01 12:00:00|${place.id}|`)],
    ['no id', writeCursor({ ...place, id: '1' })],
    ['a day that does not exist', writeCursor({ ...place, executedAt: '2023-02-29 12:00:00' })],
    ['an hour that does not exist', writeCursor({ ...place, executedAt: '2024-05-01 24:00:00' })],
    ['a year that does not exist', writeCursor({ ...place, executedAt: '0000-05-01 12:00:00' })],
    ['a word for a time', writeCursor({ ...place, executedAt: 'now' })],
    ['something after it', `${writeCursor(place)}==`],
    ['a cut end', writeCursor(place).slice(0, -1)],
  ] as const)('of %s is refused', ([, cursor]) => {
    expect(() => readCursor(cursor, accountId)).toThrow(InvalidInput)
    expect(() => readCursor(cursor, accountId)).toThrow(/pass nextCursor of a page/)
  })
})
