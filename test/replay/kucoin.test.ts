import { describe, expect, test } from 'vitest'
import { Blocked, RateLimited, Refused, UnknownError, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { kucoinEndpoint } from '../../src/replay/endpoints/kucoin.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { kucoin } from '../../src/sources/kucoin.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast } from './playing.ts'
import { closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /api/. */
function ask(path: string) {
  const [name = '', query = ''] = path.split('?')
  const { answer, weight } = kucoinEndpoint.route(
    `/api/${name}`,
    new URLSearchParams(query),
    halfPast,
    kucoinEndpoint.limit,
  )
  return { status: answer.status, body: JSON.parse(toJsonText(answer.body)), weight }
}

const timesOf = (rest: string): number[] =>
  ask(`v1/market/candles?symbol=BTC-USDT&${rest}`).body.data.map(
    ([openTime]: string[]) => 1_000 * Number(openTime),
  )

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(kucoinEndpoint, kucoin, {
    symbol: `${symbol.slice(0, -4)}-USDT`,
    timeframe,
    range,
    now: halfPast,
    twist,
  })

/** A stretch with seven minutes in which nothing was traded. */
const rest: AlignedRange = { from: at('2024-02-09T10:00Z'), to: at('2024-02-10T00:00Z') }

describe('candles', () => {
  test('have the shape of a recorded body, newest first, the one that runs among them', () => {
    const { body } = ask('v1/market/candles?symbol=BTC-USDT&type=1hour')
    const real = JSON.parse(recorded('kucoin/candles_btcusdt_1h_2026_head'))
    expect(Object.keys(body)).toEqual(Object.keys(real))
    const kinds = (rows: string[][]) => rows.slice(0, 8).map((row) => row.map((value) => typeof value))
    expect(kinds(body.data)).toEqual(kinds(real.data))
    expect(timesOf('type=1hour').slice(0, 2)).toEqual([
      floorTo('1h', halfPast),
      floorTo('1h', halfPast) - hour,
    ])
  })

  test('have the close before the high and the low', () => {
    const range = { from: plus(running, -minute), to: running }
    const [candle] = closedPlainly('BTCUSDT', '1m', range, halfPast)
    const [row] = ask(`v1/market/candles?symbol=BTC-USDT&type=1min&endAt=${running / second}`).body.data
    expect(row.slice(0, 6)).toEqual([
      String(range.from / second),
      candle?.open,
      candle?.close,
      candle?.high,
      candle?.low,
      candle?.volume,
    ])
  })

  test('without bounds, or with bounds of 0, are the newest hundred', () => {
    expect(timesOf('type=1min')).toHaveLength(100)
    expect(timesOf('type=1min&startAt=0&endAt=0')).toEqual(timesOf('type=1min'))
  })

  test('include the start and not the end: five hours are five rows', () => {
    const end = floorTo('1h', halfPast) - day
    const times = timesOf(`type=1hour&startAt=${(end - 5 * hour) / second}&endAt=${end / second}`)
    expect(times).toEqual([1, 2, 3, 4, 5].map((back) => end - back * hour))
  })

  test('of a window of more than 1500 are its newest, without a word', () => {
    const times = timesOf(`type=1min&startAt=${(running - 2 * day) / second}&endAt=${running / second}`)
    expect([times.length, times[0]]).toEqual([1_500, running - minute])
  })

  test('begin with the listing', () => {
    expect(timesOf(`type=1min&endAt=${(listedAt + 2 * minute) / second}`)).toEqual([
      listedAt + minute,
      listedAt,
    ])
    expect(timesOf(`type=1min&endAt=${listedAt / second}`)).toEqual([])
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', rest],
    ['SHIBUSDT', '1m', { from: at('2024-02-27'), to: running }],
    ['ETHUSDT', '5m', { from: at('2024-02-01'), to: at('2024-02-11') }],
    ['XRPUSDT', '15m', { from: at('2024-02-15'), to: floorTo('15m', halfPast) }],
    ['BTCUSDT', '30m', { from: at('2024-02-20'), to: at('2024-02-25') }],
    ['SHIBUSDT', '1h', { from: at('2024-01-01'), to: floorTo('1h', halfPast) }],
    ['PEPEUSDT', '4h', { from: at('2023-06-01'), to: floorTo('4h', halfPast) }],
    ['DOGEUSDT', '1d', { from: at('2023-06-01'), to: floorTo('1d', halfPast) }],
  ])('%s %s has the closed candles, 1500 a request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    const closed = closedPlainly(symbol, timeframe, range, halfPast)
    expect(candles).toEqual(closed)
    expect(absent).toBe(candleCount(range, timeframe) - closed.length)
    expect(requests).toBe(Math.ceil(candleCount(range, timeframe) / 1_500))
  })

  test('asks again for what seems to be missing at the end', async () => {
    const range = { from: at('2024-02-08T23:45Z'), to: at('2024-02-09T01:49Z') }
    const { candles, absent, requests } = await walk('BTCUSDT', '1m', range)
    expect(candles).toEqual(closedPlainly('BTCUSDT', '1m', range, halfPast))
    expect([absent > 0, requests > 1]).toEqual([true, true])
  })

  test('finds the listing without asking for every hour before it', async () => {
    const range = { from: at('2015-08-17'), to: at('2017-08-20') }
    const { candles, requests } = await walk('BTCUSDT', '1h', range)
    expect(candles).toEqual(closedPlainly('BTCUSDT', '1h', range, halfPast))
    expect(requests).toBeLessThan(8)
  })

  test.each([
    ['its end were inclusive', 0, 1],
    ['its start were exclusive', 1, 0],
    ['both were', 1, 1],
  ])('is the same if %s', async (_, startBy, endBy) => {
    const hear = (query: URLSearchParams) => {
      query.set('startAt', String(Number(query.get('startAt')) + startBy))
      query.set('endAt', String(Number(query.get('endAt')) + endBy))
    }
    const range = { from: at('2024-02-27'), to: running }
    const { candles, requests } = await walk('SHIBUSDT', '1m', range, { hear })
    expect(candles).toEqual(closedPlainly('SHIBUSDT', '1m', range, halfPast))
    expect(requests).toBe(Math.ceil(candleCount(range, '1m') / 1_500))
  })
})

test('tickers and symbols have the shape of recorded bodies', () => {
  const tickers = ask('v1/market/allTickers').body
  const keys = (row: object) => Object.keys(row).toSorted()
  expect(keys(tickers.data.ticker[0])).toEqual(
    keys(JSON.parse(recorded('kucoin/alltickers_docs')).data.ticker[0]),
  )
  expect(kucoin.prices.parse(JSON.stringify(tickers), halfPast)[0]).toMatchObject({
    price: { market: 'BTC-USDT', timestamp: halfPast, price: tickers.data.ticker[0].last },
  })
  const symbols = ask('v2/symbols').body
  expect(keys(symbols.data[0])).toEqual(keys(JSON.parse(recorded('kucoin/symbols_v2_docs')).data[0]))
  expect(kucoin.listing.parse(JSON.stringify(symbols))[0]).toEqual({
    symbol: 'BTC-USDT',
    base: 'BTC',
    quote: 'USDT',
    trading: true,
  })
  expect(ask('v2/symbols?market=BTC').body.data).toEqual([])
})

test.each([
  ['v1/timestamp', 3],
  ['v1/market/candles?symbol=BTC-USDT&type=1min', 3],
  ['v2/symbols', 4],
  ['v1/market/allTickers', 15],
])('%s weighs %i', (path, weight) => {
  expect(ask(path)).toMatchObject({ status: 200, weight })
})

describe('refuses', () => {
  test.each([
    ['v1/market/candles?symbol=NOPE-USDT&type=1min', UnknownMarket],
    ['v1/market/candles?symbol=BTCUSDT&type=1min', UnknownMarket],
    ['v1/market/candles?symbol=BTC-USDT&type=1h', Refused],
    ['v1/market/candles?symbol=BTC-USDT', Refused],
    ['v1/market/candles?symbol=BTC-USDT&type=1min&startAt=-1', Refused],
    [`v1/market/candles?symbol=BTC-USDT&type=1min&startAt=${halfPast}`, Refused],
    ['v1/market/candles?symbol=BTC-USDT&type=1min&limit=5', UnknownError],
  ])('%s, with HTTP 200', (path, kind) => {
    const { status, body } = ask(path)
    expect([status, body.code]).toEqual([200, '400100'])
    expect(kucoin.classify(httpAnswer({ status, body }, halfPast))).toBeInstanceOf(kind)
  })

  test('an interval in the recorded words', () => {
    expect(ask('v1/market/candles?symbol=BTC-USDT&type=1h').body).toEqual(
      JSON.parse(recorded('kucoin/error_bad_type')),
    )
  })

  test('too many requests for as long as its header says', () => {
    const refused = kucoinEndpoint.refuse(
      'refused',
      plus(halfPast, 7 * second),
      kucoinEndpoint.limit,
      halfPast,
    )
    const fault = kucoin.classify(httpAnswer(refused, halfPast))
    expect(fault).toBeInstanceOf(RateLimited)
    expect(fault).toMatchObject({ waitMs: 7 * second })
  })

  test('a region', () => {
    const { regionRefused } = kucoinEndpoint
    expect(regionRefused && kucoin.classify(httpAnswer(regionRefused, halfPast))).toBeInstanceOf(Blocked)
  })
})

test('tells with every answer what is left of its pool and when it is filled again', () => {
  expect(kucoinEndpoint.headers?.([500], kucoinEndpoint.limit, plus(halfPast, 12 * second))).toEqual({
    'gw-ratelimit-limit': '2000',
    'gw-ratelimit-remaining': '1500',
    'gw-ratelimit-reset': '18000',
  })
})
