import { describe, expect, test } from 'vitest'
import { RateLimited, Refused, Unavailable, UnknownError, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { bitstampEndpoint } from '../../src/replay/endpoints/bitstamp.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { bitstamp } from '../../src/sources/bitstamp.ts'
import { costOf } from '../../src/sources/source.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast, shapeOf } from './playing.ts'
import { closedAndFilled, closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /api/v2/. */
function ask(path: string) {
  const [name = '', query = ''] = path.split('?')
  const { answer } = bitstampEndpoint.route(
    `/api/v2/${name}`,
    new URLSearchParams(query),
    halfPast,
    bitstampEndpoint.limit,
  )
  const text = typeof answer.body === 'string' ? answer.body : toJsonText(answer.body)
  return { status: answer.status, text, body: answer.status === 200 ? JSON.parse(text) : undefined }
}

const candlesOf = (rest: string): Record<string, string>[] => ask(`ohlc/btcusdt/?${rest}`).body.data.ohlc
const timesOf = (rest: string): number[] => candlesOf(rest).map(({ timestamp }) => 1_000 * Number(timestamp))

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(bitstampEndpoint, bitstamp, {
    symbol: symbol.toLowerCase(),
    timeframe,
    range,
    now: halfPast,
    twist,
  })

const planned = (timeframe: Timeframe, range: AlignedRange): number =>
  costOf(bitstamp.candles, timeframe, range, halfPast).requests

/** A stretch with seven minutes in which nothing was traded. */
const rest: AlignedRange = { from: at('2024-02-09T00:00Z'), to: at('2024-02-10T00:00Z') }

describe('ohlc', () => {
  test('has the shape of a recorded body, the oldest first, the one that runs last', () => {
    const { body } = ask('ohlc/btcusdt/?step=3600&limit=5')
    const real = JSON.parse(recorded('bitstamp/ohlc_btcusd_1h_2026'))
    expect(Object.keys(body.data)).toEqual(Object.keys(real.data))
    expect(shapeOf(body)).toEqual(shapeOf(real))
    expect(timesOf('step=3600&limit=2')).toEqual([floorTo('1h', halfPast) - hour, floorTo('1h', halfPast)])
    expect(timesOf('step=3600&limit=2&exclude_current_candle=true')).toEqual([floorTo('1h', halfPast) - hour])
  })

  test('is anchored at its end, which is inclusive, and does not hear a start beside it', () => {
    const end = running - hour
    const bounds = `start=${(end - minute) / second}&end=${end / second}`
    expect(timesOf(`step=60&limit=3&${bounds}`)).toEqual([end - 2 * minute, end - minute, end])
    expect(timesOf(`step=60&limit=1&end=${end / second - 1}`)).toEqual([end - minute])
  })

  test('from a start alone goes forward', () => {
    const start = running - day
    expect(timesOf(`step=60&limit=2&start=${start / second}`)).toEqual([start, start + minute])
  })

  test('begins with the listing', () => {
    expect(timesOf(`step=60&limit=9&end=${(listedAt + minute) / second}`)).toEqual([
      listedAt,
      listedAt + minute,
    ])
    expect(timesOf(`step=60&limit=9&end=${listedAt / second - 1}`)).toEqual([])
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', rest],
    ['ETHUSDT', '5m', { from: at('2024-02-06'), to: at('2024-02-11') }],
    ['BTCUSDT', '1m', { from: at('2024-02-08T23:44Z'), to: at('2024-02-09T01:48Z') }],
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

  test('finds the listing without asking for every hour before it', async () => {
    const range = { from: at('2012-08-17'), to: at('2017-08-20') }
    const { candles, requests } = await walk('BTCUSDT', '1h', range)
    expect(candles).toEqual(closedAndFilled('BTCUSDT', '1h', { ...range, from: listedAt }, halfPast))
    expect(requests).toBeLessThan(10)
  })

  test.each([
    ['its end were exclusive', (query) => query.set('end', String(Number(query.get('end')) - 1))],
    ['it heard no start at all', (query) => query.delete('start')],
  ] satisfies [string, Twist['hear']][])('is the same if %s', async (_, hear) => {
    const { candles, requests } = await walk('ETHUSDT', '1m', rest, { hear })
    expect(candles).toEqual(closedAndFilled('ETHUSDT', '1m', rest, halfPast))
    expect(requests).toBe(planned('1m', rest))
  })

  test('is the same if it heard its start', async () => {
    const say = (text: string) => {
      const body = JSON.parse(text)
      const ohlc = body.data.ohlc.filter(
        ({ timestamp }: { timestamp: string }) => Number(timestamp) * second >= rest.from,
      )
      return JSON.stringify({ data: { ...body.data, ohlc } })
    }
    const { candles, absent } = await walk('ETHUSDT', '1m', rest, { say })
    expect(candles).toEqual(closedAndFilled('ETHUSDT', '1m', rest, halfPast))
    expect(absent).toBe(0)
  })

  test('misses nothing where an answer holds a candle twice, in the place of its oldest', async () => {
    const say = (text: string) => {
      const body = JSON.parse(text)
      const [, second, ...others] = body.data.ohlc
      return JSON.stringify({ data: { ...body.data, ohlc: [second, second, ...others] } })
    }
    const { candles, absent } = await walk('ETHUSDT', '1m', rest, { say })
    expect(candles).toEqual(closedAndFilled('ETHUSDT', '1m', rest, halfPast))
    expect(absent).toBe(0)
  })

  test('is the same if it left out what was not traded', async () => {
    const say = (text: string) => {
      const body = JSON.parse(text)
      const ohlc = body.data.ohlc.filter(({ volume }: { volume: string }) => Number(volume) > 0)
      return JSON.stringify({ data: { ...body.data, ohlc } })
    }
    const { candles, absent } = await walk('ETHUSDT', '1m', rest, { say })
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', rest, halfPast))
    expect(absent).toBe(7)
  })
})

test('tickers are those of the last 24 hours, and only among all do they name their pair', () => {
  const { text, body } = ask('ticker/btcusdt/')
  const real = JSON.parse(recorded('bitstamp/ticker_btcusd_2017'))
  expect(Object.keys(body).toSorted()).toEqual(Object.keys(real).toSorted())
  expect(bitstamp.prices.parse(text, halfPast, ['btcusdt'])).toMatchObject([
    { price: { market: 'btcusdt', timestamp: halfPast, price: body.last } },
  ])
  const minutes = closedPlainly(
    'BTCUSDT',
    '1m',
    { from: plus(running, minute - day), to: plus(running, minute) },
    halfPast,
  )
  expect(body.open_24).toBe(minutes[0]?.open)
  const [today] = candlesOf('step=86400&limit=1')
  expect(body.open).toBe(today?.open)
  const all = bitstamp.prices.parse(ask('ticker/').text, halfPast)
  expect(all.map((row) => 'price' in row && row.price.market)).toEqual([
    'btcusdt',
    'ethusdt',
    'xrpusdt',
    'dogeusdt',
    'shibusdt',
    'pepeusdt',
  ])
})

test('both listings name the markets in its spelling', () => {
  const newer = bitstamp.listing.parse(ask('markets/').text)
  expect(newer[0]).toEqual({
    symbol: 'btcusdt',
    base: 'BTC',
    quote: 'USDT',
    baseName: 'Bitcoin',
    trading: true,
  })
  expect(bitstamp.listing.parse(ask('trading-pairs-info/').text)).toEqual(newer)
  const [real] = JSON.parse(recorded('bitstamp/trading_pairs_info_gct'))
  expect(Object.keys(ask('trading-pairs-info/').body[0])).toEqual(Object.keys(real))
})

describe('refuses', () => {
  const faultOf = (path: string) => {
    const { status, text } = ask(path)
    return bitstamp.classify(httpAnswer({ status, body: text }, halfPast))
  }

  test.each([
    ['ohlc/nopeusd/?step=60&limit=1', UnknownMarket],
    ['ohlc/BTCUSDT/?step=60&limit=1', UnknownMarket],
    ['ohlc/btcusdt?step=60&limit=1', UnknownMarket],
    ['ticker/nopeusd/', UnknownMarket],
    ['ohlc/btcusdt/?step=60', Refused],
    ['ohlc/btcusdt/?limit=1', Refused],
    ['ohlc/btcusdt/?step=61&limit=1', Refused],
    ['ohlc/btcusdt/?step=60&limit=0', Refused],
    ['ohlc/btcusdt/?step=60&limit=1001', Refused],
    [`ohlc/btcusdt/?step=60&limit=1&end=${halfPast}`, Refused],
    ['ohlc/btcusdt/?step=60&limit=1&exclude_current_candle=1', Refused],
    ['ohlc/btcusdt/?step=60&limit=1&from=1', UnknownError],
    ['ticker/?pair=btcusdt', UnknownMarket],
  ])('%s', (path, kind) => {
    expect(faultOf(path)).toBeInstanceOf(kind)
  })

  test('too many requests without saying for how long, and everything in maintenance', () => {
    const refused = bitstampEndpoint.refuse(
      'refused',
      plus(halfPast, second),
      bitstampEndpoint.limit,
      halfPast,
    )
    expect([refused.status, refused.headers]).toEqual([400, undefined])
    expect(bitstamp.classify(httpAnswer(refused, halfPast))).toBeInstanceOf(RateLimited)
    const out = bitstampEndpoint.unavailable?.(503) ?? expect.fail('nothing said')
    expect(out.body).toEqual(JSON.parse(recorded('bitstamp/error_maintenance')))
    expect(bitstamp.classify(httpAnswer(out, halfPast))).toBeInstanceOf(Unavailable)
  })
})
