import { describe, expect, test } from 'vitest'
import {
  RangeTooLong,
  RateLimited,
  Refused,
  Unavailable,
  UnknownError,
  UnknownMarket,
} from '../../src/fault.ts'
import { hour, minute, second, toIso } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { coinbaseEndpoint } from '../../src/replay/endpoints/coinbase.ts'
import { listedAt, markets } from '../../src/replay/markets.ts'
import { coinbase } from '../../src/sources/coinbase.ts'
import { candlesPerPage, type Source } from '../../src/sources/source.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast } from './playing.ts'
import { closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /products. */
function ask(path: string, now = halfPast) {
  const [name = '', query = ''] = path.split('?')
  const { answer } = coinbaseEndpoint.route(
    `/products${name}`,
    new URLSearchParams(query),
    now,
    coinbaseEndpoint.limit,
  )
  const text = toJsonText(answer.body)
  return { status: answer.status, text, body: JSON.parse(text) }
}

const timesOf = (rest: string, now = halfPast): number[] =>
  ask(`/BTC-USDT/candles?${rest}`, now).body.map(([openTime]: number[]) => second * Number(openTime))

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(coinbaseEndpoint, coinbase, {
    symbol: `${symbol.slice(0, -4)}-USDT`,
    timeframe,
    range,
    now: halfPast,
    twist,
  })

/** A stretch with seven minutes in which nothing was traded. */
const rest: AlignedRange = { from: at('2024-02-09T10:00Z'), to: at('2024-02-10T00:00Z') }

describe('candles', () => {
  test('are numbers as in a recorded body, newest first, the low before the high', () => {
    const { body } = ask('/BTC-USDT/candles?granularity=60')
    const real = JSON.parse(recorded('coinbase/candles_btcusd_1m_default'))
    expect(body).toHaveLength(real.length)
    const kinds = (rows: number[][]) => new Set(rows.flat().map((value) => typeof value))
    expect(kinds(body)).toEqual(kinds(real))
    const [candle] = closedPlainly('BTCUSDT', '1m', { from: plus(running, -minute), to: running }, halfPast)
    const { low, high, open, close, volume } = candle ?? expect.fail('no candle')
    expect(body[0][0]).toBe(running / second)
    expect(body[1]).toEqual([running / second - 60, ...[low, high, open, close, volume].map(Number)])
  })

  test('include both bounds, and the one before them: 0 to 5 o’clock are seven hours', () => {
    const midnight = floorTo('1d', halfPast)
    const bounds = `start=${toIso(midnight)}&end=${toIso(plus(midnight, 5 * hour))}`
    expect(timesOf(`granularity=3600&${bounds}`)).toEqual(
      [5, 4, 3, 2, 1, 0, -1].map((hours) => midnight + hours * hour),
    )
    expect(timesOf(`granularity=3600&start=${midnight / second}&end=${midnight / second + 1}`)).toEqual([
      midnight,
      midnight - hour,
    ])
  })

  test('with one bound alone are those without any', () => {
    expect(timesOf('granularity=60&start=2024-01-01')).toEqual(timesOf('granularity=60'))
    expect(timesOf('granularity=60&end=2024-01-01')).toEqual(timesOf('granularity=60'))
  })

  test('leave out the one that has only just begun', () => {
    expect(timesOf('granularity=60', plus(running, 2 * second))[0]).toBe(running - minute)
    expect(timesOf('granularity=60', plus(running, 6 * second))[0]).toBe(running)
  })

  test('begin with the listing', () => {
    expect(timesOf(`granularity=60&start=${toIso(plus(listedAt, -hour))}&end=${toIso(listedAt)}`)).toEqual([
      listedAt,
    ])
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', rest],
    ['BTCUSDT', '1m', { from: at('2024-02-28'), to: running }],
    ['ETHUSDT', '5m', { from: at('2024-02-09'), to: at('2024-02-11') }],
    ['BTCUSDT', '15m', { from: at('2024-02-15'), to: floorTo('15m', halfPast) }],
    ['ETHUSDT', '30m', { from: at('2024-02-01'), to: at('2024-02-25') }],
    ['BTCUSDT', '1h', { from: at('2024-01-01'), to: floorTo('1h', halfPast) }],
    ['ETHUSDT', '4h', { from: at('2023-12-01'), to: floorTo('4h', halfPast) }],
    ['BTCUSDT', '1d', { from: at('2023-02-01'), to: floorTo('1d', halfPast) }],
  ])('%s %s has the closed candles, 300 a request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    const closed = closedPlainly(symbol, timeframe, range, halfPast)
    expect(candles).toEqual(closed)
    expect(absent).toBe(candleCount(range, timeframe) - closed.length)
    const perPage = candlesPerPage(coinbase.candles, timeframe)
    expect(requests).toBe(Math.ceil(candleCount(range, timeframe) / perPage))
  })

  test('finds the listing without asking for every hour before it, and asks for all of what came before', async () => {
    const range = { from: at('2010-01-01'), to: at('2017-08-20') }
    const { candles, requests, absent, asked } = await walk('BTCUSDT', '1h', range)
    const closed = closedPlainly('BTCUSDT', '1h', range, halfPast)
    expect(candles).toEqual(closed)
    expect(absent).toBe(candleCount(range, '1h') - closed.length)
    // Of 223 pages.
    expect(requests).toBeLessThan(25)
    expect(asked[0]).toContain('start=2010-01-01')
  })

  test('brings the first days of bitcoin in dollars, and finds what is missing among them', async () => {
    const range = { from: at('2014-11-01'), to: at('2015-02-01') }
    const { candles, absent } = await walkEndpoint(coinbaseEndpoint, coinbase, {
      symbol: 'BTC-USD',
      timeframe: '1d',
      range,
      now: halfPast,
    })
    expect(candles[0]).toEqual({
      openTime: at('2014-12-01'),
      open: '300',
      high: '370',
      low: '300',
      close: '370',
      volume: '0.05655554',
    })
    expect([candles.length, absent]).toEqual([candles.length, 92 - candles.length])
    expect(candles.map(({ openTime }) => toIso(openTime).slice(0, 10)).slice(0, 4)).toEqual([
      '2014-12-01',
      '2014-12-02',
      '2014-12-03',
      '2014-12-04',
    ])
    expect(candles.length).toBe(28)
  })

  test('asks again for what seems to be missing at the end', async () => {
    const range = { from: at('2024-02-08T23:45Z'), to: at('2024-02-09T01:49Z') }
    const { candles, absent, requests } = await walk('BTCUSDT', '1m', range)
    expect(candles).toEqual(closedPlainly('BTCUSDT', '1m', range, halfPast))
    expect([absent > 0, requests > 1]).toEqual([true, true])
  })

  test('is the same if its end were exclusive', async () => {
    const hear = (query: URLSearchParams) => {
      query.set('end', toIso(plus(at(query.get('end') ?? ''), -1)))
    }
    const range = { from: at('2024-02-29'), to: running }
    const { candles, requests } = await walk('BTCUSDT', '1m', range, { hear })
    expect(candles).toEqual(closedPlainly('BTCUSDT', '1m', range, halfPast))
    expect(requests).toBe(Math.ceil(candleCount(range, '1m') / 300))
  })
})

test('the listing and the statistics are what their source reads', () => {
  const { listing, prices }: Required<Source> = coinbase
  const names = listing.parse(ask('').text).map(({ symbol }) => symbol)
  expect(names).toEqual([...markets.map(({ base }) => `${base}-USDT`), 'BTC-USD'])
  const keys = (row: object) => Object.keys(row).toSorted()
  const { body, text } = ask('/BTC-USDT/stats')
  expect(keys(body)).toEqual(keys(JSON.parse(recorded('coinbase/stats_ethusd_docs'))))
  const price = { market: 'BTC-USDT', timestamp: halfPast, price: body.last }
  expect(prices.parse(text, halfPast, ['BTC-USDT'])).toMatchObject([{ price }])
  expect(ask('/BTC-USDT/ticker').body).toMatchObject({ price: body.last, volume: body.volume })
})

describe('refuses', () => {
  const tooLong = `start=2024-01-01&end=${toIso(plus(at('2024-01-01'), 301 * minute))}`

  test.each<
    [
      string,
      number,
      string,
      typeof Refused | typeof RangeTooLong | typeof UnknownError | typeof UnknownMarket,
    ]
  >([
    ['/NOPE-USDT/candles?granularity=60', 404, 'NotFound', UnknownMarket],
    ['/BTCUSDT/candles?granularity=60', 404, 'NotFound', UnknownMarket],
    ['/BTC-USDT/candles?granularity=1800', 400, 'Unsupported granularity', Refused],
    ['/BTC-USDT/candles?granularity=14400', 400, 'Unsupported granularity', Refused],
    ['/BTC-USDT/candles?start=2024-01-02&end=2024-01-01', 400, 'start must be before end', Refused],
    ['/BTC-USDT/candles?start=today&end=2024-01-01', 400, 'Invalid start', Refused],
    ['/BTC-USDT/candles?limit=5', 400, 'Invalid limit', UnknownError],
    [
      `/BTC-USDT/candles?${tooLong}`,
      400,
      'granularity too small for the requested time range. Count of aggregations requested exceeds 300',
      RangeTooLong,
    ],
  ])('%s with HTTP %i', (path, status, message, kind) => {
    const reported = ask(path)
    expect([reported.status, reported.body]).toEqual([status, { message }])
    expect(coinbase.classify(httpAnswer({ status, body: reported.body }, halfPast))).toBeInstanceOf(kind)
  })

  test('an unknown product in the recorded words', () => {
    expect(ask('/NOPE-USD/candles?granularity=60').body).toEqual(
      JSON.parse(recorded('coinbase/error_not_found')),
    )
  })

  test('too many requests, and anything at all in maintenance', () => {
    const { refuse, limit, unavailable } = coinbaseEndpoint
    const refused = refuse('refused', plus(halfPast, second), limit, halfPast)
    expect(coinbase.classify(httpAnswer(refused, halfPast))).toBeInstanceOf(RateLimited)
    const reported = unavailable?.(503) ?? expect.fail('never out of order')
    expect(coinbase.classify(httpAnswer(reported, halfPast))).toBeInstanceOf(Unavailable)
    expect(coinbase.classify(httpAnswer({ ...reported, status: 400 }, halfPast))).toBeInstanceOf(Unavailable)
  })
})
