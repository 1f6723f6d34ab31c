import { describe, expect, test } from 'vitest'
import { RateLimited, Refused, UnknownError, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { bybitEndpoint } from '../../src/replay/endpoints/bybit.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { bybit } from '../../src/sources/bybit.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast, shapeOf } from './playing.ts'
import { closedAndFilled, closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /v5/market/. */
function ask(path: string) {
  const [name = '', query = ''] = path.split('?')
  const { answer } = bybitEndpoint.route(
    `/v5/market/${name}`,
    new URLSearchParams(query),
    halfPast,
    bybitEndpoint.limit,
  )
  return { status: answer.status, body: JSON.parse(toJsonText(answer.body)) }
}

const spot = (rest: string) => ask(`kline?category=spot&symbol=BTCUSDT&${rest}`).body.result
const timesOf = (rest: string): number[] => spot(rest).list.map(([openTime]: string[]) => Number(openTime))

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(bybitEndpoint, bybit, { symbol, timeframe, range, now: halfPast, twist })

/** A stretch with seven minutes in which nothing was traded. */
const rest: AlignedRange = { from: at('2024-02-09T00:00Z'), to: at('2024-02-10T00:00Z') }

describe('kline', () => {
  test('has the shape of a recorded body, newest first, the one that runs among them', () => {
    const { body } = ask('kline?category=spot&symbol=BTCUSDT&interval=60&limit=5')
    const real = JSON.parse(recorded('bybit/kline_btcusdt_1h_2024'))
    expect([Object.keys(body), Object.keys(body.result)]).toEqual([
      Object.keys(real),
      Object.keys(real.result),
    ])
    const kinds = (rows: string[][]) => rows.map((row) => row.map((value) => typeof value))
    expect(kinds(body.result.list)).toEqual(kinds(real.result.list))
    expect(timesOf('interval=60&limit=2')).toEqual([floorTo('1h', halfPast), floorTo('1h', halfPast) - hour])
  })

  test('includes both bounds: two hours are three rows', () => {
    const end = floorTo('1h', halfPast) - day
    expect(timesOf(`interval=60&start=${end - 2 * hour}&end=${end}`)).toEqual([
      end,
      end - hour,
      end - 2 * hour,
    ])
  })

  test('from an unaligned start begins with the candle that holds it', () => {
    const start = running - hour
    expect(timesOf(`interval=1&start=${start + 1}&end=${start + minute}`)).toEqual([start + minute, start])
  })

  test('of a long window is its newest part', () => {
    expect(timesOf(`interval=1&start=${running - day}&end=${running - hour}&limit=2`)).toEqual([
      running - hour,
      running - hour - minute,
    ])
  })

  test('has 200 rows where no limit is given, and never more than a thousand', () => {
    expect([timesOf('interval=1').length, timesOf('interval=1&limit=5000').length]).toEqual([200, 1_000])
  })

  test('without a category is that of the perpetual contract, which the source does not take', () => {
    const { body } = ask('kline?symbol=BTCUSDT&interval=1&limit=1')
    expect(body.result.category).toBe('linear')
    const query = { symbol: 'BTCUSDT', timeframe: '1m', range: rest, asOf: halfPast } as const
    expect(() => bybit.candles.parse(JSON.stringify(body), query)).toThrow('linear')
  })

  test('begins with the listing', () => {
    expect(timesOf(`interval=1&end=${listedAt + minute}`)).toEqual([listedAt + minute, listedAt])
    expect(timesOf(`interval=1&end=${listedAt - 1}`)).toEqual([])
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', rest],
    ['ETHUSDT', '5m', { from: at('2024-02-07'), to: at('2024-02-11') }],
    ['BTCUSDT', '1m', { from: at('2024-02-08T23:44Z'), to: at('2024-02-09T01:48Z') }],
    ['XRPUSDT', '15m', { from: at('2024-02-15'), to: floorTo('15m', halfPast) }],
    ['BTCUSDT', '30m', { from: at('2024-02-20'), to: at('2024-02-25') }],
    ['SHIBUSDT', '1h', { from: at('2024-01-01'), to: floorTo('1h', halfPast) }],
    ['PEPEUSDT', '4h', { from: at('2023-09-01'), to: floorTo('4h', halfPast) }],
    ['DOGEUSDT', '1d', { from: at('2023-06-01'), to: floorTo('1d', halfPast) }],
  ])('%s %s has the closed candles, a thousand a request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    expect(candles).toEqual(closedAndFilled(symbol, timeframe, range, halfPast))
    expect([absent, requests]).toEqual([0, Math.ceil(candleCount(range, timeframe) / 1_000)])
  })

  test('finds the listing without asking for every hour before it', async () => {
    const range = { from: at('2015-08-17'), to: at('2017-08-20') }
    const { candles, requests } = await walk('BTCUSDT', '1h', range)
    expect(candles).toEqual(closedAndFilled('BTCUSDT', '1h', { ...range, from: listedAt }, halfPast))
    expect(requests).toBeLessThan(8)
  })

  test('is the same if its end were exclusive', async () => {
    const hear = (query: URLSearchParams) => query.set('end', String(Number(query.get('end')) - 1))
    const { candles, requests } = await walk('ETHUSDT', '1m', rest, { hear })
    expect(candles).toEqual(closedAndFilled('ETHUSDT', '1m', rest, halfPast))
    expect(requests).toBe(2)
  })

  test('is the same if it left out what was not traded', async () => {
    const say = (text: string) => {
      const { result, ...body } = JSON.parse(text)
      const list = result.list.filter((row: string[]) => row[5] !== '0')
      return JSON.stringify({ ...body, result: { ...result, list } })
    }
    const { candles, absent } = await walk('ETHUSDT', '1m', rest, { say })
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', rest, halfPast))
    expect(absent).toBe(7)
  })
})

test('tickers and instruments have the shape of recorded bodies', () => {
  const tickers = ask('tickers?category=spot&symbol=BTCUSDT').body
  const keys = (body: { result: { list: object[] } }) => Object.keys(body.result.list[0] ?? {}).toSorted()
  expect(keys(tickers)).toEqual(keys(JSON.parse(recorded('bybit/tickers_spot_one'))))
  const [price] = bybit.prices.parse(JSON.stringify(tickers), halfPast)
  expect(price).toMatchObject({
    price: { market: 'BTCUSDT', timestamp: halfPast, price: tickers.result.list[0].lastPrice },
  })
  const instruments = ask('instruments-info?category=spot').body
  expect(keys(instruments)).toEqual(keys(JSON.parse(recorded('bybit/instruments_spot_two'))))
  expect(bybit.listing.parse(JSON.stringify(instruments))[0]).toEqual({
    symbol: 'BTCUSDT',
    base: 'BTC',
    quote: 'USDT',
    trading: true,
  })
  expect(shapeOf(ask('time').body.result)).toEqual({ timeNano: 'string', timeSecond: 'string' })
})

describe('refuses', () => {
  test.each([
    ['kline?category=spot&symbol=NOPEUSDT&interval=60', UnknownMarket],
    ['kline?category=spot&symbol=btcusdt&interval=60', UnknownMarket],
    ['kline?category=spot&interval=60', UnknownMarket],
    ['tickers?category=spot&symbol=NOPEUSDT', UnknownMarket],
    ['kline?category=spot&symbol=BTCUSDT&interval=1h', Refused],
    ['kline?category=spot&symbol=BTCUSDT', Refused],
    ['kline?category=cash&symbol=BTCUSDT&interval=60', Refused],
    ['kline?category=spot&symbol=BTCUSDT&interval=60&limit=0', Refused],
    ['kline?category=spot&symbol=BTCUSDT&interval=60&start=2&end=1', Refused],
    ['kline?category=spot&symbol=BTCUSDT&interval=60&start=soon', Refused],
    ['kline?category=spot&symbol=BTCUSDT&interval=60&startTime=1', UnknownError],
    ['tickers', Refused],
  ])('%s, with HTTP 200', (path, kind) => {
    const { status, body } = ask(path)
    expect([status, body.retCode]).toEqual([200, 10001])
    expect(bybit.classify(httpAnswer({ status, body }, halfPast))).toBeInstanceOf(kind)
  })

  test('an address that asks too much for ten minutes, and an endpoint for as long as its header says', () => {
    const refuse = (decision: 'refused' | 'banned') =>
      bybit.classify(
        httpAnswer(
          bybitEndpoint.refuse(decision, plus(halfPast, 3 * second), bybitEndpoint.limit, halfPast),
          halfPast,
        ),
      )
    expect(refuse('banned')).toMatchObject({ waitMs: 10 * minute })
    expect(refuse('refused')).toBeInstanceOf(RateLimited)
    expect(refuse('refused')).toMatchObject({ waitMs: 3 * second })
  })

  test('a region', () => {
    const { regionRefused } = bybitEndpoint
    expect(regionRefused && bybit.classify(httpAnswer(regionRefused, halfPast))?.message).toBe(
      'bybit does not serve this region (HTTP 403 region)',
    )
  })
})
