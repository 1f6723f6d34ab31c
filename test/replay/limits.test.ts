import { describe, expect, test } from 'vitest'
import { minute, plus, second } from '../../src/market/instant.ts'
import type { EndpointLimit } from '../../src/replay/endpoint.ts'
import { RequestMeter } from '../../src/replay/limits.ts'
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
  const limits = {
    binance: {
      windows: [{ points: 4, perMs: minute, aligned: true }],
      ban: { afterRefusals: 2, ms: 2 * minute },
    },
  } as const

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
  await using exchange = await play({ limits: { binance: { windows: [{ points: 1_200, perMs: minute }] } } })
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
    { method: 'GET', source: 'binance', path: '/api/v3/ping', at: halfPast, status: 200, fault: null },
    {
      method: 'GET',
      source: 'coingecko',
      path: '/api/v3/nowhere?at=all',
      at: halfPast,
      status: 404,
      fault: null,
    },
  ])
})

test('says which port is taken, and leaves nothing open', async () => {
  await using exchange = await play()
  const taken = Number(new URL(exchange.urlOf('coingecko')).port)
  await expect(play({ port: taken })).rejects.toThrow(
    `cannot listen on 127.0.0.1:${taken}: choose a free port`,
  )
})

describe('a meter', () => {
  const metered = (limit: EndpointLimit) => {
    const meter = new RequestMeter(limit, { refuses: true })
    return (afterMs: number, weight = 1, address = 'here') => {
      const { decision, used, ...more } = meter.charge(address, weight, plus(halfPast, afterMs))
      return { decision, used, ...('retryAt' in more && { retryAfterMs: more.retryAt - halfPast }) }
    }
  }

  test('counts any stretch of a sliding window, and says when enough of it has passed', () => {
    const charge = metered({ windows: [{ points: 3, perMs: second }] })
    expect([charge(0), charge(400, 2)].map(({ used }) => used)).toEqual([[1], [3]])
    expect(charge(999)).toEqual({ decision: 'refused', used: [3], retryAfterMs: 1_000 })
    expect(charge(999, 2)).toEqual({ decision: 'refused', used: [3], retryAfterMs: 1_400 })
    expect(charge(1_000)).toEqual({ decision: 'served', used: [3] })
    expect(charge(1_399)).toMatchObject({ decision: 'refused' })
    expect(charge(1_400, 2)).toEqual({ decision: 'served', used: [3] })
  })

  test('begins an aligned window anew on the clock, and counts what it refused', () => {
    const charge = metered({ windows: [{ points: 3, perMs: minute, aligned: true }] })
    expect(charge(29_998, 3)).toEqual({ decision: 'served', used: [3] })
    expect(charge(29_999)).toEqual({ decision: 'refused', used: [4], retryAfterMs: 30_000 })
    expect(charge(30_000, 3)).toEqual({ decision: 'served', used: [3] })
  })

  test('holds all windows at once, and lets in when the last of them does', () => {
    const windows = [
      { points: 2, perMs: second },
      { points: 3, perMs: minute },
    ]
    const charge = metered({ windows })
    expect([charge(0, 2), charge(0), charge(1_000)]).toEqual([
      { decision: 'served', used: [2, 2] },
      { decision: 'refused', used: [2, 2], retryAfterMs: second },
      { decision: 'served', used: [1, 3] },
    ])
    expect(charge(1_500, 2)).toEqual({ decision: 'refused', used: [1, 3], retryAfterMs: minute })
  })

  test('bans at the first refusal where the source does, for twice as long the next time', () => {
    const charge = metered({ windows: [{ points: 1, perMs: second }], ban: { afterRefusals: 0, ms: minute } })
    charge(0)
    expect(charge(1)).toMatchObject({ decision: 'banned', retryAfterMs: minute + 1 })
    expect(charge(minute)).toMatchObject({ decision: 'banned', retryAfterMs: minute + 1 })
    expect(charge(minute + 1)).toMatchObject({ decision: 'served' })
    expect(charge(minute + 2)).toMatchObject({ decision: 'banned', retryAfterMs: 3 * minute + 2 })
  })

  test('forgets a refusal with its window', () => {
    const charge = metered({ windows: [{ points: 1, perMs: second }], ban: { afterRefusals: 1, ms: minute } })
    const decisions = [0, 1, 1_001, 1_002, 1_003].map((afterMs) => charge(afterMs).decision)
    expect(decisions).toEqual(['served', 'refused', 'served', 'refused', 'banned'])
  })

  test('knows addresses apart', () => {
    const charge = metered({ windows: [{ points: 1, perMs: second }] })
    charge(0)
    expect(charge(0, 1, 'there')).toMatchObject({ decision: 'served' })
  })
})
