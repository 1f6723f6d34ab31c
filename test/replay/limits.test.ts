import { describe, expect, test } from 'vitest'
import { minute } from '../../src/market/instant.ts'
import { fixture, halfPast, json, play } from './playing.ts'

const used = 'x-mbx-used-weight-1m'
const priceOfBitcoin = 'ticker/price?symbol=BTCUSDT'

test.each([
  ['ping', 1],
  ['time', 1],
  ['exchangeInfo', 20],
  ['klines?symbol=BTCUSDT&interval=1m&limit=1', 2],
  [priceOfBitcoin, 2],
  ['ticker/price', 4],
  ['ticker/24hr?symbol=BTCUSDT', 2],
  ['ticker/24hr?symbols=["BTCUSDT","ETHUSDT"]', 2],
  ['ticker/24hr', 80],
  ['klines?symbol=NOPEUSDT&interval=1m', 2],
])('%s weighs %i', async (path, weight) => {
  await using exchange = await play()
  expect((await exchange.binance(path)).headers.get(used)).toBe(String(weight))
})

test('adds up the weight of a calendar minute and begins anew with the next', async () => {
  await using exchange = await play()
  await exchange.binance('exchangeInfo')
  expect((await exchange.binance('ping')).headers.get(used)).toBe('21')
  exchange.clock.move(minute / 2)
  expect((await exchange.binance('ping')).headers.get(used)).toBe('1')
})

describe('an address over the limit', () => {
  const limits = { binance: { weightPerMinute: 4, refusalsBeforeBan: 2, banMs: 2 * minute } }

  test('is refused with 429 until the minute ends, in the real words', async () => {
    await using exchange = await play({ limits })
    await exchange.binance('ticker/price')
    const refused = await exchange.binance('ping')
    expect([refused.status, refused.headers.get('retry-after'), refused.headers.get(used)]).toEqual([
      429,
      '30',
      '5',
    ])
    expect(json(refused)).toEqual({
      code: -1003,
      msg: 'Too much request weight used; current limit is 4 request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.',
    })
    exchange.clock.move(minute / 2)
    expect((await exchange.binance('ping')).status).toBe(200)
  })

  test('is banned with 418 when it goes on asking, and served again when the ban is over', async () => {
    await using exchange = await play({ limits })
    const statuses: number[] = []
    for (let asked = 0; asked < 5; asked++) statuses.push((await exchange.binance('ticker/price')).status)
    expect(statuses).toEqual([200, 429, 429, 418, 418])
    exchange.clock.move(minute)
    const banned = await exchange.binance('ping')
    expect([banned.status, banned.headers.get('retry-after')]).toEqual([418, '60'])
    expect(json(banned)).toMatchObject({
      code: -1003,
      msg: expect.stringContaining(`until ${halfPast + 2 * minute}`),
    })
    exchange.clock.move(minute)
    expect((await exchange.binance('ping')).status).toBe(200)
  })

  test('is banned for twice as long the second time', async () => {
    await using exchange = await play({ limits })
    const askTooMuch = async () => {
      for (let asked = 0; asked < 3; asked++) await exchange.binance('ticker/price')
      return (await exchange.binance('ticker/price')).headers.get('retry-after')
    }
    expect(await askTooMuch()).toBe('120')
    exchange.clock.move(2 * minute)
    expect(await askTooMuch()).toBe('240')
  })
})

test('tells its limit in exchangeInfo', async () => {
  await using exchange = await play({ limits: { binance: { weightPerMinute: 1_200 } } })
  expect((await exchange.binance('exchangeInfo')).text).toContain(
    '"interval":"MINUTE","intervalNum":1,"limit":1200',
  )
})

test('CoinGecko serves thirty requests a minute and refuses the next in the recorded words', async () => {
  await using exchange = await play()
  for (let asked = 0; asked < 30; asked++) expect((await exchange.coingecko('ping')).status).toBe(200)
  const refused = await exchange.coingecko('ping')
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30'])
  expect(json(refused)).toEqual(fixture('coingecko_error_429'))
  exchange.clock.move(minute / 2)
  expect((await exchange.coingecko('ping')).status).toBe(200)
})

test('without limits refuses nobody and still counts', async () => {
  await using exchange = await play({ limits: 'none' })
  for (let asked = 0; asked < 80; asked++) await exchange.binance('ticker/24hr?symbol=PEPEUSDT&type=MINI')
  expect((await exchange.binance('ping')).headers.get(used)).toBe('161')
  for (let asked = 0; asked < 31; asked++) expect((await exchange.coingecko('ping')).status).toBe(200)
})

test('remembers every request with its instant and status', async () => {
  await using exchange = await play()
  await exchange.binance('ping')
  await exchange.coingecko('nowhere?at=all')
  expect(exchange.requests).toEqual([
    { method: 'GET', source: 'binance', path: '/api/v3/ping', at: halfPast, status: 200, lie: null },
    {
      method: 'GET',
      source: 'coingecko',
      path: '/api/v3/nowhere?at=all',
      at: halfPast,
      status: 404,
      lie: null,
    },
  ])
})

test('says which port is taken, and leaves nothing open', async () => {
  await using exchange = await play()
  const taken = Number(new URL(exchange.coingeckoUrl).port)
  await expect(play({ port: taken })).rejects.toThrow(
    `cannot listen on 127.0.0.1:${taken}: choose a free port`,
  )
})
