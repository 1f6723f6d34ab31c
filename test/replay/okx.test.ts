import { describe, expect, test } from 'vitest'
import { RateLimited, Refused, UnknownError, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { okxEndpoint, okxEndpointWith } from '../../src/replay/endpoints/okx.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { okx } from '../../src/sources/okx.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast, shapeOf } from './playing.ts'
import { closedAndFilled, closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /api/v5/. */
function ask(path: string) {
  const [name = '', query = ''] = path.split('?')
  const { answer } = okxEndpoint.route(
    `/api/v5/${name}`,
    new URLSearchParams(query),
    halfPast,
    okxEndpoint.limit,
  )
  return { status: answer.status, body: JSON.parse(toJsonText(answer.body)) }
}

const history = (rest: string): string[][] => ask(`market/history-candles?instId=BTC-USDT&${rest}`).body.data
const timesOf = (rows: readonly string[][]): number[] => rows.map(([openTime]) => Number(openTime))

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(okxEndpoint, okx, {
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
    const { body } = ask('market/history-candles?instId=BTC-USDT&bar=1H&limit=4')
    expect(Object.keys(body)).toEqual(['code', 'msg', 'data'])
    expect(body.data.map((row: string[]) => row.map((value) => typeof value))).toEqual(
      JSON.parse(recorded('okx/candles_btcusdt_1h_2024')).data.map((row: string[]) =>
        row.map((value) => typeof value),
      ),
    )
    expect(timesOf(body.data)).toEqual([0, 1, 2, 3].map((back) => floorTo('1h', halfPast) - back * hour))
    expect(body.data.map((row: string[]) => row[8])).toEqual(['0', '1', '1', '1'])
    expect(body.data[1][6]).toBe(body.data[1][7])
  })

  test('after is older and before is newer, and neither is included', () => {
    const bounds = `before=${running - 4 * minute}&after=${running - minute}`
    expect(timesOf(history(bounds))).toEqual([running - 2 * minute, running - 3 * minute])
  })

  test('before alone are the newest, not the ones that follow', () => {
    expect(timesOf(history(`before=${running - day}&limit=2`))).toEqual([running, running - minute])
  })

  test('are a hundred at the most, whatever the limit; the other endpoint has 300 but only the newest 1440', () => {
    expect(history('limit=300')).toHaveLength(100)
    expect(ask('market/candles?instId=BTC-USDT&limit=500').body.data).toHaveLength(300)
    const old = `after=${running - 1_440 * minute}`
    expect(ask(`market/candles?instId=BTC-USDT&${old}`).body.data).toEqual([])
    expect(history(old)).toHaveLength(100)
  })

  test('begin with the listing', () => {
    expect(timesOf(history(`after=${listedAt + 2 * minute}`))).toEqual([listedAt + minute, listedAt])
    expect(history(`after=${listedAt}`)).toEqual([])
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', rest],
    ['ETHUSDT', '5m', { from: at('2024-02-09'), to: at('2024-02-11') }],
    ['BTCUSDT', '1m', { from: at('2024-02-08T23:44Z'), to: at('2024-02-09T01:48Z') }],
    ['XRPUSDT', '15m', { from: at('2024-02-27'), to: floorTo('15m', halfPast) }],
    ['BTCUSDT', '30m', { from: at('2024-02-20'), to: at('2024-02-25') }],
    ['SHIBUSDT', '1h', { from: at('2024-02-01'), to: floorTo('1h', halfPast) }],
    ['PEPEUSDT', '4h', { from: at('2024-01-01'), to: floorTo('4h', halfPast) }],
    ['DOGEUSDT', '1d', { from: at('2023-06-01'), to: floorTo('1d', halfPast) }],
  ])('%s %s has the closed candles, a hundred a request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    expect(candles).toEqual(closedAndFilled(symbol, timeframe, range, halfPast))
    expect([absent, requests]).toEqual([0, Math.ceil(candleCount(range, timeframe) / 100)])
  })

  test('finds the listing without asking for every hour before it', async () => {
    const range = { from: at('2016-08-17'), to: at('2017-08-20') }
    const { candles, requests } = await walk('BTCUSDT', '1h', range)
    expect(candles).toEqual(closedAndFilled('BTCUSDT', '1h', { ...range, from: listedAt }, halfPast))
    expect(requests).toBeLessThan(15)
  })

  test('is the same if its bounds were inclusive', async () => {
    const hear = (query: URLSearchParams) => {
      query.set('before', String(Number(query.get('before')) - 1))
      query.set('after', String(Number(query.get('after')) + 1))
    }
    const { candles, requests } = await walk('ETHUSDT', '1m', rest, { hear })
    expect(candles).toEqual(closedAndFilled('ETHUSDT', '1m', rest, halfPast))
    expect(requests).toBe(9)
  })

  test.each([100, 300, 70])(
    'is the same where an answer holds %i, however many are asked for',
    async (most) => {
      const now = halfPast
      const range = { from: plus(running, -900 * minute), to: running }
      const { candles, absent, requests } = await walkEndpoint(okxEndpointWith(most), okx, {
        symbol: 'BTC-USDT',
        timeframe: '1m',
        range,
        now,
      })
      expect(candles).toEqual(closedAndFilled('BTCUSDT', '1m', range, now))
      expect([absent, requests]).toEqual([0, Math.ceil(900 / most) + (900 % most === 0 ? 0 : 1)])
    },
  )

  test('is the same if it left out what was not traded', async () => {
    const say = (text: string) => {
      const { data, ...body } = JSON.parse(text)
      return JSON.stringify({ ...body, data: data.filter((row: string[]) => row[5] !== '0') })
    }
    const { candles, absent } = await walk('ETHUSDT', '1m', rest, { say })
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', rest, halfPast))
    expect(absent).toBe(7)
  })
})

test('tickers are those of the last 24 hours', () => {
  const { body } = ask('market/tickers?instType=SPOT')
  expect(Object.keys(body.data[0]).toSorted()).toEqual(
    Object.keys(JSON.parse(recorded('okx/tickers_docshape')).data[0]).toSorted(),
  )
  const [price] = okx.prices.parse(JSON.stringify(body))
  const today = { from: plus(running, minute - day), to: plus(running, minute) }
  const minutes = closedPlainly('BTCUSDT', '1m', today, plus(today.to, 0))
  expect(body.data[0].open24h).toBe(minutes[0]?.open)
  expect(price).toMatchObject({
    price: { market: 'BTC-USDT', timestamp: halfPast, price: body.data[0].last },
  })
})

test('instruments name the markets in its spelling', () => {
  const listed = okx.listing.parse(JSON.stringify(ask('public/instruments?instType=SPOT').body))
  expect(listed[0]).toEqual({
    symbol: 'BTC-USDT',
    base: 'BTC',
    quote: 'USDT',
    trading: true,
    listedAt: at('2024-01-15T08:00Z'),
  })
  expect(ask('public/instruments?instType=SPOT&instId=ETH-USDT').body.data).toHaveLength(1)
  expect(shapeOf(ask('public/time').body)).toMatchObject({ code: 'string' })
})

describe('refuses', () => {
  const faultOf = (path: string) => {
    const { status, body } = ask(path)
    return okx.classify(httpAnswer({ status, body }, halfPast))
  }

  test.each([
    ['market/history-candles?instId=NOPE-USDT', UnknownMarket],
    ['market/history-candles?instId=BTCUSDT', UnknownMarket],
    ['public/instruments?instType=SPOT&instId=NOPE-USDT', UnknownMarket],
    ['market/history-candles?bar=1H', Refused],
    ['market/history-candles?instId=BTC-USDT&bar=1h', Refused],
    ['market/history-candles?instId=BTC-USDT&bar=1D', Refused],
    ['market/history-candles?instId=BTC-USDT&limit=0', Refused],
    ['market/history-candles?instId=BTC-USDT&after=-1', Refused],
    ['market/history-candles?instId=BTC-USDT&after=', Refused],
    ['market/history-candles?instId=BTC-USDT&startTime=1', UnknownError],
    ['market/tickers', Refused],
    ['market/tickers?instType=SWAP', Refused],
    ['market/nothing', Refused],
  ])('%s', (path, kind) => {
    expect(faultOf(path)).toBeInstanceOf(kind)
  })

  test('with HTTP 200', () => {
    expect(ask('market/history-candles?instId=BTC-USDT&bar=1h')).toEqual({
      status: 200,
      body: { code: '51000', data: [], msg: 'Parameter bar error' },
    })
  })

  test('too many requests without saying for how long', () => {
    const refused = okxEndpoint.refuse('refused', plus(halfPast, second), okxEndpoint.limit, halfPast)
    expect([refused.status, refused.headers]).toEqual([429, undefined])
    expect(okx.classify(httpAnswer(refused, halfPast))).toBeInstanceOf(RateLimited)
    const out = okxEndpoint.unavailable?.(503) ?? expect.fail('nothing said')
    expect(okx.classify(httpAnswer(out, halfPast))).toMatchObject({ code: 'UNAVAILABLE' })
  })
})
