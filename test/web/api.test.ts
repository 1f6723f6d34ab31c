import { expect } from 'vitest'
import { day, hour, minute, plus, toIso } from '../../src/market/instant.ts'
import { aBatch, aCandle, load } from '../store/loading.ts'
import { ask } from './asking.ts'
import { followedTimeframes, settle, storeSeries } from './sample.ts'
import { now, serve, settingsFor, test } from './serving.ts'

const settings = settingsFor()
const midnight = plus(now, -(now % day))

const get = async (url: string, path: string) => {
  const { status, text } = await ask(`${url}${path}`)
  return { status, body: JSON.parse(text) }
}

test('the coverage of each coin is counted day by day: stored, without trades, refused, wanted', async ({
  freshDatabase,
  engine,
}) => {
  const { pool } = freshDatabase
  await settle(pool, settings, now)
  const series = { coinId: 'bitcoin', timeframe: '1h', source: 'binance' } as const
  const range = { from: plus(midnight, -2 * day), to: midnight }
  const candles = Array.from({ length: 30 }, (_, index) => aCandle(plus(range.from, index * hour)))
  await load(pool, aBatch(series, candles, { answered: range, settledBefore: plus(range.from, 40 * hour) }))
  await using web = await serve({ database: freshDatabase, engine })
  const { status, body } = await get(
    web.url,
    `/api/coverage?timeframe=1h&from=${toIso(range.from).slice(0, 10)}`,
  )
  expect(status).toBe(200)
  expect(body).toMatchObject({ timeframe: '1h', from: toIso(range.from), days: 3, candlesOfDay: 24 })
  expect(body.coins).toHaveLength(6)
  expect(body.coins.find(({ coinId }: { coinId: string }) => coinId === 'bitcoin')).toEqual({
    coinId: 'bitcoin',
    symbol: expect.any(String),
    stored: [24, 6, 0],
    absent: [0, 10, 0],
    refused: [0, 0, 0],
    wanted: [24, 24, 12],
  })
})

test('the candles of a range come one by one, or several in one where they are many, exact either way', async ({
  freshDatabase,
  engine,
}) => {
  const { pool } = freshDatabase
  await settle(pool, settings, now)
  const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
  const values = (number: number) => ({
    open: `${number}.00000001`,
    high: `${number + 2}`,
    low: `${number}`,
    close: `${number + 1}.5`,
    volume: '0.00000001',
  })
  const candles = [0, 1, 2, 5].map((number) => aCandle(plus(midnight, number * minute), values(number)))
  await load(pool, aBatch(series, candles))
  await using web = await serve({ database: freshDatabase, engine })
  const asked = `/api/candles?coin=bitcoin&timeframe=1m&from=${toIso(midnight)}`
  const each = await get(web.url, `${asked}&to=${toIso(plus(midnight, 10 * minute))}&points=10`)
  expect(each.body.pointSeconds).toBe(60)
  expect(each.body.candles.map(({ openTime }: { openTime: string }) => openTime.slice(14, 16))).toEqual([
    '00',
    '01',
    '02',
    '05',
  ])
  const fewer = await get(web.url, `${asked}&to=${toIso(plus(midnight, 30 * minute))}&points=10`)
  expect(fewer.body).toEqual({
    pointSeconds: 180,
    candles: [
      {
        openTime: toIso(midnight),
        open: '0.00000001',
        high: '4.00000000',
        low: '0.00000000',
        close: '3.50000000',
        volume: '0.00000003',
        candles: 3,
      },
      expect.objectContaining({
        openTime: toIso(plus(midnight, 3 * minute)),
        candles: 1,
        volume: '0.00000001',
      }),
    ],
  })
})

test('gaps are told with their causes, and alerts and the database’s figures are there', async ({
  freshDatabase,
  engine,
}) => {
  await settle(freshDatabase.pool, settings, now)
  for (const timeframe of followedTimeframes(settings))
    await storeSeries(freshDatabase.pool, settings, { coinId: 'bitcoin', timeframe }, now, 3)
  await using web = await serve({ database: freshDatabase, engine })
  const { body } = await get(web.url, `/api/gaps?coin=bitcoin&timeframe=1h&from=${toIso(midnight)}`)
  expect(body.gaps).toMatchObject([
    { coinId: 'bitcoin', timeframe: '1h', candles: 3, cause: expect.any(String) },
  ])
  expect((await get(web.url, '/api/alerts')).body).toEqual({ alerts: [] })
  expect((await get(web.url, '/api/database')).body).toMatchObject({ samples: [], slowStatements: null })
})

test.for([
  ['/api/coverage', 400, 'timeframe is none of'],
  ['/api/coverage?timeframe=1m&from=yesterday', 400, 'from is not a date'],
  ['/api/coverage?timeframe=1m&from=2000-01-01', 400, 'days apart'],
  ['/api/coverage?timeframe=1m&from=2024-03-02&to=2024-03-01', 400, 'from is not before to'],
  ['/api/candles?coin=bitcoin&timeframe=1m&points=5000', 400, 'points'],
  ['/api/candles?coin=bitcoin&timeframe=1m&evil=1', 400, 'evil'],
  ["/api/candles?coin=';drop table coins&timeframe=1m", 404, 'is followed'],
] as const)(
  '%s is refused with %i and the reason',
  async ([path, status, sentence], { database, engine }) => {
    await using web = await serve({ database, engine })
    const refused = await get(web.url, path)
    expect(refused).toEqual({ status, body: { error: expect.stringContaining(sentence) } })
  },
)
