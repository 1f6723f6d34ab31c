import { describe, expect, test } from 'vitest'
import { RateLimited, Refused, Unavailable, UnknownError, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { gateioEndpoint } from '../../src/replay/endpoints/gateio.ts'
import { gateio } from '../../src/sources/gateio.ts'
import { costOf, reachableFrom } from '../../src/sources/source.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast } from './playing.ts'
import { closedAndFilled, closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /api/v4/spot/. */
function ask(path: string) {
  const [name = '', query = ''] = path.split('?')
  const { answer } = gateioEndpoint.route(
    `/api/v4/spot/${name}`,
    new URLSearchParams(query),
    halfPast,
    gateioEndpoint.limit,
  )
  const text = toJsonText(answer.body)
  return { status: answer.status, text, body: JSON.parse(text) }
}

const candlesticks = (rest: string) => ask(`candlesticks?currency_pair=BTC_USDT&${rest}`)
const timesOf = (rest: string): number[] =>
  candlesticks(rest).body.map(([openTime]: string[]) => 1_000 * Number(openTime))

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(gateioEndpoint, gateio, {
    symbol: `${symbol.slice(0, -4)}_USDT`,
    timeframe,
    range,
    now: halfPast,
    twist,
  })

const planned = (timeframe: Timeframe, range: AlignedRange): number =>
  costOf(gateio.candles, timeframe, range, halfPast).requests

/** A stretch with five minutes in which nothing was traded. */
const rest: AlignedRange = { from: at('2024-02-25T12:00Z'), to: at('2024-02-26T06:00Z') }

describe('candlesticks', () => {
  test('have the shape of a recorded body, the oldest first, the one that runs last', () => {
    const { body } = candlesticks('interval=1h&limit=3')
    const kinds = (rows: string[][]) => new Set(rows.map((row) => row.map((value) => typeof value).join()))
    expect(kinds(body)).toEqual(kinds(JSON.parse(recorded('gateio/candlesticks_8col_one'))))
    expect(timesOf('interval=1h&limit=3')).toEqual(
      [2, 1, 0].map((back) => floorTo('1h', halfPast) - back * hour),
    )
    expect(body.map((row: string[]) => row[7])).toEqual(['true', 'true', 'false'])
  })

  test('have the money first and the open last', () => {
    const range = { from: plus(running, -minute), to: running }
    const [candle] = closedPlainly('BTCUSDT', '1m', range, halfPast)
    const [row] = candlesticks(`interval=1m&from=${range.from / second}&to=${range.from / second}`).body
    expect([row[2], row[3], row[4], row[5], Number(row[6])]).toEqual([
      candle?.close,
      candle?.high,
      candle?.low,
      candle?.open,
      Number(candle?.volume),
    ])
  })

  test('include both bounds, and are half an hour long and a hundred where nothing else is said', () => {
    const end = running - hour
    const bounds = `from=${(end - 2 * minute) / second}&to=${end / second}`
    expect(timesOf(`interval=1m&${bounds}`)).toEqual([end - 2 * minute, end - minute, end])
    const times = timesOf('')
    expect([times.length, times.at(-1), times.at(-2)]).toEqual([
      100,
      floorTo('30m', halfPast),
      floorTo('30m', halfPast) - 30 * minute,
    ])
  })

  test('are a thousand points at the most: a window that begins in a candle has that one too', () => {
    const last = running / second - 60
    const first = last - 999 * 60
    expect(timesOf(`interval=1m&from=${first}&to=${last + 59}`)).toHaveLength(1_000)
    expect(timesOf('interval=1m&limit=1000')).toHaveLength(1_000)
    for (const bounds of [`from=${first - 60}&to=${last}`, `from=${first - 1}&to=${last}`]) {
      expect(candlesticks(`interval=1m&${bounds}`)).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining('too broad') },
      })
    }
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['BTCUSDT', '1m', rest],
    ['ETHUSDT', '1m', { from: at('2024-02-28'), to: running }],
    ['ETHUSDT', '5m', { from: at('2024-02-06'), to: at('2024-02-11') }],
    ['XRPUSDT', '15m', { from: at('2024-02-15'), to: floorTo('15m', halfPast) }],
    ['BTCUSDT', '30m', { from: at('2024-02-20'), to: at('2024-02-25') }],
    ['SHIBUSDT', '1h', { from: at('2024-01-15'), to: floorTo('1h', halfPast) }],
    ['PEPEUSDT', '4h', { from: at('2024-02-01'), to: floorTo('4h', halfPast) }],
    ['DOGEUSDT', '1d', { from: at('2024-01-01'), to: floorTo('1d', halfPast) }],
  ])('%s %s has the closed candles, in as many requests as planned', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    expect(candles).toEqual(closedAndFilled(symbol, timeframe, range, halfPast))
    expect([absent, requests]).toEqual([0, planned(timeframe, range)])
  })

  test('begins where there is something to be had, and is never refused', async () => {
    const range = { from: at('2024-01-01'), to: running }
    const from = reachableFrom(gateio.candles, '1m', halfPast)
    const { candles, absent, requests } = await walk('SHIBUSDT', '1m', range)
    expect(candles).toEqual(closedAndFilled('SHIBUSDT', '1m', { ...range, from }, halfPast))
    expect([absent, requests]).toEqual([0, planned('1m', range)])
  })

  test('is rejected where it begins earlier', () => {
    const from = (running - 10_001 * minute) / second
    expect(candlesticks(`interval=1m&from=${from}&to=${from + 60}`)).toMatchObject({
      status: 400,
      body: {
        label: 'INVALID_PARAM_VALUE',
        message: 'Candlestick too long ago. Maximum 10000 points recently are allowed',
      },
    })
  })

  test('is the same if its end were exclusive', async () => {
    const hear = (query: URLSearchParams) => query.set('to', String(Number(query.get('to')) - 1))
    const { candles, requests } = await walk('BTCUSDT', '1m', rest, { hear })
    expect(candles).toEqual(closedAndFilled('BTCUSDT', '1m', rest, halfPast))
    expect(requests).toBe(planned('1m', rest))
  })

  test('is the same without the eighth column, and if it left out what was not traded', async () => {
    const say = (text: string) => {
      const rows: string[][] = JSON.parse(text)
      return JSON.stringify(rows.filter((row) => Number(row[6]) > 0).map((row) => row.slice(0, 7)))
    }
    const { candles, absent } = await walk('BTCUSDT', '1m', rest, { say })
    expect(candles).toEqual(closedPlainly('BTCUSDT', '1m', rest, halfPast))
    expect(absent).toBe(5)
  })
})

test('tickers and pairs have the fields of recorded bodies', () => {
  const { text, body } = ask('tickers')
  const [real] = JSON.parse(recorded('gateio/tickers_etf'))
  // The others are of leveraged tokens alone.
  expect(Object.keys(body[0])).toEqual(Object.keys(real).filter((name) => !name.startsWith('etf_')))
  expect(gateio.prices.parse(text, halfPast)[0]).toMatchObject({
    price: {
      market: 'BTC_USDT',
      timestamp: halfPast,
      price: body[0].last,
      change24h: body[0].change_percentage,
      volume24h: body[0].quote_volume,
    },
  })
  expect(ask('tickers?currency_pair=ETH_USDT').body).toHaveLength(1)
  const pairs = ask('currency_pairs')
  const [listed] = JSON.parse(recorded('gateio/currency_pairs_few'))
  expect(Object.keys(pairs.body[0])).toEqual(expect.arrayContaining(Object.keys(listed)))
  expect(gateio.listing.parse(pairs.text)[0]).toEqual({
    symbol: 'BTC_USDT',
    base: 'BTC',
    quote: 'USDT',
    baseName: 'Bitcoin',
    trading: true,
  })
  expect(ask('currency_pairs/BTC_USDT').body).toEqual(pairs.body[0])
  expect(ask('time').body).toEqual({ server_time: halfPast })
})

describe('refuses', () => {
  const ago = (running - day) / second

  test.each([
    ['candlesticks?currency_pair=NOPE_USDT&interval=1h', UnknownMarket],
    ['candlesticks?currency_pair=BTC-USDT&interval=1h', UnknownMarket],
    ['tickers?currency_pair=NOPE_USDT', UnknownMarket],
    ['currency_pairs/NOPE_USDT', UnknownMarket],
    ['candlesticks?interval=1h', Refused],
    ['candlesticks?currency_pair=BTC_USDT&interval=60', Refused],
    [`candlesticks?currency_pair=BTC_USDT&interval=1h&limit=5&from=${ago}`, Refused],
    [`candlesticks?currency_pair=BTC_USDT&interval=1h&limit=5&to=${ago}`, Refused],
    ['candlesticks?currency_pair=BTC_USDT&interval=1h&limit=1001', Refused],
    ['candlesticks?currency_pair=BTC_USDT&interval=1h&limit=0', Refused],
    [`candlesticks?currency_pair=BTC_USDT&interval=1h&from=${halfPast}`, Refused],
    ['candlesticks?currency_pair=BTC_USDT&interval=1h&start=1', UnknownError],
  ])('%s, with HTTP 400', (path, kind) => {
    const { status, body } = ask(path)
    expect(status).toBe(400)
    expect(gateio.classify(httpAnswer({ status, body }, halfPast))).toBeInstanceOf(kind)
  })

  test('a pair in the recorded words', () => {
    expect(ask('candlesticks?currency_pair=NOPE_USDT&interval=1h').body).toEqual(
      JSON.parse(recorded('gateio/error_pair')),
    )
  })

  test('too many requests until the window begins anew, and everything when it is out of order', () => {
    const refused = gateioEndpoint.refuse(
      'refused',
      plus(halfPast, 7 * second),
      gateioEndpoint.limit,
      halfPast,
    )
    const fault = gateio.classify(httpAnswer(refused, halfPast))
    expect(fault).toBeInstanceOf(RateLimited)
    expect(fault).toMatchObject({ waitMs: 7 * second })
    const out = gateioEndpoint.unavailable?.(500) ?? expect.fail('nothing said')
    expect(gateio.classify(httpAnswer(out, halfPast))).toBeInstanceOf(Unavailable)
  })
})
