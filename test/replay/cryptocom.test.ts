import { describe, expect, test } from 'vitest'
import { RateLimited, Refused, Unavailable, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { cryptocomEndpoint } from '../../src/replay/endpoints/cryptocom.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { cryptocom } from '../../src/sources/cryptocom.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast, shapeOf } from './playing.ts'
import { closedAndFilled, closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /exchange/v1/public/. */
function ask(path: string) {
  const [name = '', query = ''] = path.split('?')
  const route = cryptocomEndpoint.route(
    `/exchange/v1/public/${name}`,
    new URLSearchParams(query),
    halfPast,
    cryptocomEndpoint.limit,
  )
  const { status, body } = route.answer
  return { status, body: typeof body === 'string' ? body : JSON.parse(toJsonText(body)) }
}

type Row = Readonly<{ t: number; v: string }>

const rowsOf = (rest: string): Row[] =>
  ask(`get-candlestick?instrument_name=BTC_USDT&${rest}`).body.result.data
const timesOf = (rest: string): number[] => rowsOf(rest).map(({ t }) => t)

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(cryptocomEndpoint, cryptocom, {
    symbol: `${symbol.slice(0, -4)}_USDT`,
    timeframe,
    range,
    now: halfPast,
    twist,
  })

/** A stretch with seven minutes in which nothing was traded. */
const rest: AlignedRange = { from: at('2024-02-09T10:00Z'), to: at('2024-02-10T00:00Z') }

describe('candles', () => {
  test('have the shape of a recorded body', () => {
    const { body } = ask('get-candlestick?instrument_name=BTC_USDT&timeframe=15m&count=300')
    const known = JSON.parse(recorded('cryptocom/candlestick_cloudusd_15m_latest'))
    expect(Object.keys(body)).toEqual(Object.keys(known))
    expect(Object.keys(body.result)).toEqual(Object.keys(known.result))
    expect(Object.keys(body.result.data[0])).toEqual(Object.keys(known.result.data[0]))
    expect(body.result.data).toHaveLength(300)
  })

  test('are the newest twenty-five minutes where nothing is said, oldest first, the one that runs last', () => {
    expect(timesOf('')).toEqual(Array.from({ length: 25 }, (_, index) => running - (24 - index) * minute))
  })

  test('count back from the end, which is exclusive, and are three hundred at the most', () => {
    const end = floorTo('1h', halfPast)
    expect(timesOf(`timeframe=1h&count=2&end_ts=${end}`)).toEqual([end - 2 * hour, end - hour])
    expect(timesOf(`timeframe=1h&count=1&end_ts=${end + 1}`)).toEqual([end])
    expect(rowsOf('count=1000')).toHaveLength(300)
  })

  test('do not heed the start', () => {
    const end = `end_ts=${running}&count=3`
    expect(rowsOf(`${end}&start_ts=${running - minute}`)).toEqual(rowsOf(end))
  })

  test('go by two names of each length', () => {
    expect(rowsOf('timeframe=D1')).toEqual(rowsOf('timeframe=1D'))
  })

  test('begin with the listing', () => {
    expect(timesOf(`end_ts=${listedAt + 2 * minute}`)).toEqual([listedAt, listedAt + minute])
    expect(timesOf(`end_ts=${listedAt}`)).toEqual([])
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', rest],
    ['BTCUSDT', '1m', { from: at('2024-02-08T23:44Z'), to: at('2024-02-09T01:48Z') }],
    ['ETHUSDT', '5m', { from: at('2024-02-09'), to: at('2024-02-11') }],
    ['XRPUSDT', '15m', { from: at('2024-02-20'), to: floorTo('15m', halfPast) }],
    ['BTCUSDT', '30m', { from: at('2024-02-10'), to: at('2024-02-25') }],
    ['SHIBUSDT', '1h', { from: at('2024-02-01'), to: floorTo('1h', halfPast) }],
    ['PEPEUSDT', '4h', { from: at('2024-01-01'), to: floorTo('4h', halfPast) }],
    ['DOGEUSDT', '1d', { from: at('2022-06-01'), to: floorTo('1d', halfPast) }],
  ])('%s %s has the closed candles, three hundred a request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    expect(candles).toEqual(closedAndFilled(symbol, timeframe, range, halfPast))
    expect([absent, requests]).toEqual([0, Math.ceil(candleCount(range, timeframe) / 300)])
  })

  test('finds the listing without asking for every hour before it', async () => {
    const range = { from: at('2016-08-17'), to: at('2017-08-20') }
    const { candles, requests } = await walk('BTCUSDT', '1h', range)
    expect(candles).toEqual(closedAndFilled('BTCUSDT', '1h', { ...range, from: listedAt }, halfPast))
    expect(requests).toBeLessThan(8)
  })

  test('is the same if its end were inclusive', async () => {
    const hear = (query: URLSearchParams) => query.set('end_ts', String(Number(query.get('end_ts')) + 1))
    const { candles, requests } = await walk('ETHUSDT', '1m', rest, { hear })
    expect(candles).toEqual(closedAndFilled('ETHUSDT', '1m', rest, halfPast))
    expect(requests).toBe(3)
  })

  test.each([
    ['inclusive', 0],
    ['exclusive', 1],
  ])('is the same if its start were heard, and were %s', async (_, byMs) => {
    let start = 0
    const hear = (query: URLSearchParams) => {
      start = Number(query.get('start_ts')) + byMs
    }
    const say = (text: string) => {
      const { result, ...body } = JSON.parse(text)
      const data = result.data.filter(({ t }: Row) => t >= start)
      return JSON.stringify({ ...body, result: { ...result, data } })
    }
    const { candles, requests } = await walk('ETHUSDT', '1m', rest, { hear, say })
    expect(candles).toEqual(closedAndFilled('ETHUSDT', '1m', rest, halfPast))
    expect(requests).toBe(3)
  })

  test('is the same if it left out what was not traded', async () => {
    const say = (text: string) => {
      const { result, ...body } = JSON.parse(text)
      const data = result.data.filter(({ v }: Row) => v !== '0')
      return JSON.stringify({ ...body, result: { ...result, data } })
    }
    const { candles, absent } = await walk('ETHUSDT', '1m', rest, { say })
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', rest, halfPast))
    expect(absent).toBe(7)
  })

  test('believes an outage in which there is nothing, though older candles come in its place', async () => {
    const outage = { from: at('2024-02-09T12:00Z'), to: at('2024-02-09T20:00Z') }
    // Where rows are missing, as many older ones come.
    let end = 0
    const hear = (query: URLSearchParams) => {
      end = Number(query.get('end_ts'))
      if (end > outage.from && end <= outage.to) query.set('end_ts', String(outage.from))
    }
    const say = (text: string) => {
      const { result, ...body } = JSON.parse(text)
      const data = result.data.filter(({ t }: Row) => t < outage.from || t >= outage.to)
      return JSON.stringify({ ...body, result: { ...result, data } })
    }
    const { candles, absent } = await walk('ETHUSDT', '1m', rest, { hear, say })
    const traded = closedAndFilled('ETHUSDT', '1m', rest, halfPast)
    expect(candles).toEqual(traded.filter(({ openTime }) => openTime < outage.from || openTime >= outage.to))
    expect(absent).toBe(candleCount(outage, '1m'))
  })
})

test('tickers are those of the last 24 hours, a derivative among them', () => {
  const { body } = ask('get-tickers')
  const known = JSON.parse(recorded('cryptocom/tickers_2026_even'))
  expect(Object.keys(body.result.data[0]).toSorted()).toEqual(Object.keys(known.result.data[0]).toSorted())
  expect(body.result.data[0].i).toBe('BTCUSD-PERP')
  const priced = cryptocom.prices.parse(JSON.stringify(body))
  expect(priced[1]).toMatchObject({
    price: { market: 'BTC_USDT', timestamp: halfPast, price: body.result.data[1].a },
  })
  expect(ask('get-tickers?instrument_name=ETH_USDT').body.result.data).toHaveLength(1)
})

test('instruments have the shape of recorded ones, a derivative among them', () => {
  const { body } = ask('get-instruments')
  const known = JSON.parse(recorded('cryptocom/instruments_2026_sample'))
  expect(shapeOf(body.result.data[1])).toEqual({
    ...(shapeOf(known.result.data[0]) as object),
    price_tick_size: '2 decimals',
    qty_tick_size: '6 decimals',
  })
  expect(body.result.data[0].inst_type).toBe('PERPETUAL_SWAP')
  expect(cryptocom.listing.parse(JSON.stringify(body))[0]).toEqual({
    symbol: 'BTC_USDT',
    base: 'BTC',
    quote: 'USDT',
    trading: true,
  })
})

describe('refuses', () => {
  test.each([
    'instrument_name=NOPE_USDT',
    'instrument_name=BTCUSDT',
    'timeframe=1m',
    'instrument_name=BTC_USDT&timeframe=1d',
    'instrument_name=BTC_USDT&timeframe=60m',
    'instrument_name=BTC_USDT&count=0',
    'instrument_name=BTC_USDT&end_ts=-1',
    'instrument_name=BTC_USDT&start_ts=yesterday',
    'instrument_name=BTC_USDT&end_ts=',
    'instrument_name=BTC_USDT&limit=5',
  ])('%s, in the recorded words', (query) => {
    const { status, body } = ask(`get-candlestick?${query}`)
    expect([status, body]).toEqual([400, JSON.parse(recorded('cryptocom/error_bad_request'))])
    expect(cryptocom.classify(httpAnswer({ status, body }, halfPast))).toBeInstanceOf(UnknownMarket)
  })

  test('another path', () => {
    expect(ask('get-nothing').status).toBe(404)
  })

  test('too many requests without saying for how long, and says when it is out of order', () => {
    const refused = cryptocomEndpoint.refuse(
      'refused',
      plus(halfPast, day),
      cryptocomEndpoint.limit,
      halfPast,
    )
    expect([refused.status, refused.headers]).toEqual([429, undefined])
    const fault = cryptocom.classify(httpAnswer(refused, halfPast))
    expect(fault).toBeInstanceOf(RateLimited)
    expect(fault).toMatchObject({ waitMs: second })
    const out = cryptocomEndpoint.unavailable?.(500) ?? expect.fail('nothing said')
    expect(cryptocom.classify(httpAnswer(out, halfPast))).toBeInstanceOf(Unavailable)
    expect(cryptocom.classify(httpAnswer(out, halfPast))).not.toBeInstanceOf(Refused)
  })
})
