import { describe, expect, test } from 'vitest'
import { RateLimited, Refused, Unavailable, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { bitfinexEndpoint } from '../../src/replay/endpoints/bitfinex.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { bitfinex } from '../../src/sources/bitfinex.ts'
import { costOf } from '../../src/sources/source.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast, shapeOf } from './playing.ts'
import { closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /v2/. */
function ask(path: string) {
  const [name = '', query = ''] = path.split('?')
  const { answer } = bitfinexEndpoint.route(
    `/v2/${name}`,
    new URLSearchParams(query),
    halfPast,
    bitfinexEndpoint.limit,
  )
  const text = toJsonText(answer.body)
  return { status: answer.status, text, body: JSON.parse(text) }
}

const rowsOf = (rest: string): number[][] => ask(`candles/trade:1m:tBTCUST/hist?${rest}`).body
const timesOf = (rest: string): (number | undefined)[] => rowsOf(rest).map(([openTime]) => openTime)

/** How it spells the markets of the replay. */
const spelled: Readonly<Record<string, string>> = {
  BTCUSDT: 'tBTCUST',
  ETHUSDT: 'tETHUST',
  XRPUSDT: 'tXRPUST',
  DOGEUSDT: 'tDOGE:UST',
  SHIBUSDT: 'tSHIB:UST',
  PEPEUSDT: 'tPEPE:UST',
}

/** What leads to another coin when only its ticker is read. */
const odd = { WBTCUSD: 'tWBTUSD', WBTUSD: 'tWHBT:USD', WBTUSDT: 'tWHBT:UST' }

const walk = (market: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(bitfinexEndpoint, bitfinex, {
    symbol: spelled[market] ?? expect.fail(`${market} is not spelled`),
    timeframe,
    range,
    now: halfPast,
    twist,
  })

const planned = (timeframe: Timeframe, range: AlignedRange): number =>
  costOf(bitfinex.candles, timeframe, range, halfPast).requests

describe('candles', () => {
  test('have the shape of a recorded body, newest first, the one that runs among them', () => {
    const { body } = ask('candles/trade:1h:tBTCUST/hist?limit=5')
    expect(shapeOf(body)).toEqual(shapeOf(JSON.parse(recorded('bitfinex/candles_btcusd_1h_2026'))))
    const hours = body.map(([openTime]: number[]) => openTime)
    expect(hours).toEqual([0, 1, 2, 3, 4].map((back) => floorTo('1h', halfPast) - back * hour))
  })

  test('have the close before the high and the low', () => {
    const range = { from: plus(running, -minute), to: running }
    const [candle] = closedPlainly('BTCUSDT', '1m', range, halfPast)
    expect(rowsOf(`start=${range.from}&limit=1&sort=1`)[0]?.map(String)).toEqual([
      String(range.from),
      candle?.open,
      candle?.close,
      candle?.high,
      candle?.low,
      candle?.volume,
    ])
  })

  test('include both bounds, and are the oldest of a long window where they are sorted so', () => {
    const bounds = `start=${running - 3 * minute}&end=${running - minute}`
    const newestFirst = [1, 2, 3].map((back) => running - back * minute)
    expect(timesOf(bounds)).toEqual(newestFirst)
    expect(timesOf(`${bounds}&sort=1`)).toEqual(newestFirst.toReversed())
    expect(timesOf(`${bounds}&sort=1&limit=1`)).toEqual([running - 3 * minute])
    expect(timesOf(`${bounds}&limit=1`)).toEqual([running - minute])
  })

  test('are a hundred where no limit is given, and begin with the listing', () => {
    expect(timesOf('')).toHaveLength(100)
    expect(timesOf('sort=1&limit=2')).toEqual([listedAt, listedAt + minute])
    expect(timesOf(`end=${listedAt - 1}`)).toEqual([])
  })

  test('of a cheap coin are written with exponents', () => {
    expect(ask('candles/trade:1m:tPEPE:UST/hist?limit=1').text).toMatch(/,\d(?:\.\d+)?e-7,/)
  })

  test('the last one comes without a list, which its source does not take', () => {
    const { text, body } = ask('candles/trade:1h:tBTCUST/last')
    expect(body[0]).toBe(floorTo('1h', halfPast))
    const range = { from: plus(running, -hour), to: running }
    expect(() =>
      bitfinex.candles.parse(text, { symbol: 'tBTCUST', timeframe: '1h', range, asOf: halfPast }),
    ).toThrow('not an array')
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', { from: at('2024-02-09'), to: at('2024-02-10') }],
    ['SHIBUSDT', '1m', { from: at('2024-02-22'), to: running }],
    ['ETHUSDT', '5m', { from: at('2024-02-01'), to: at('2024-02-11') }],
    ['XRPUSDT', '15m', { from: at('2024-02-15'), to: floorTo('15m', halfPast) }],
    ['BTCUSDT', '30m', { from: at('2024-02-20'), to: at('2024-02-25') }],
    ['SHIBUSDT', '1h', { from: at('2024-01-15'), to: floorTo('1h', halfPast) }],
    ['PEPEUSDT', '4h', { from: at('2024-02-01'), to: floorTo('4h', halfPast) }],
    ['DOGEUSDT', '1d', { from: at('2024-01-01'), to: floorTo('1d', halfPast) }],
  ])('%s %s has the closed candles, in as many requests as planned', async (market, timeframe, range) => {
    const { candles, absent, requests } = await walk(market, timeframe, range)
    const closed = closedPlainly(market, timeframe, range, halfPast)
    expect(candles).toEqual(closed)
    expect(absent).toBe(candleCount(range, timeframe) - closed.length)
    expect(requests).toBe(planned(timeframe, range))
  })

  test('four hours are asked for as hours', async () => {
    const range = { from: at('2024-02-20'), to: at('2024-02-25') }
    const { candles, asked } = await walk('PEPEUSDT', '4h', range)
    expect(candles).toEqual(closedPlainly('PEPEUSDT', '4h', range, halfPast))
    expect(asked).toEqual([expect.stringContaining('/trade:1h:')])
  })

  test('asks again for what seems to be missing at the end', async () => {
    const range = { from: at('2024-02-08T23:45Z'), to: at('2024-02-09T01:49Z') }
    const { candles, absent, requests } = await walk('BTCUSDT', '1m', range)
    expect(candles).toEqual(closedPlainly('BTCUSDT', '1m', range, halfPast))
    expect([absent > 0, requests > 1]).toEqual([true, true])
  })

  test('finds the listing at once', async () => {
    const range = { from: at('2013-04-01'), to: at('2017-08-20') }
    const { candles, requests } = await walk('BTCUSDT', '1h', range)
    expect(candles).toEqual(closedPlainly('BTCUSDT', '1h', range, halfPast))
    expect(requests).toBeLessThan(5)
  })

  test('is the same if it came newest first, and one twice', async () => {
    const say = (text: string) => {
      const rows: string[] = text.slice(2, -2).split('],[')
      return `[${[...rows.toReversed(), ...rows.slice(0, 1)].map((row) => `[${row}]`).join(',')}]`
    }
    const range = { from: at('2024-02-20'), to: at('2024-02-25') }
    const { candles } = await walk('XRPUSDT', '5m', range, { say })
    expect(candles).toEqual(closedPlainly('XRPUSDT', '5m', range, halfPast))
  })

  test('through a market that it does not know is empty, where it says so with an empty list', async () => {
    const range = { from: at('2024-02-20'), to: at('2024-02-25') }
    const { candles, absent } = await walk('BTCUSDT', '1h', range, { say: () => '[]' })
    expect([candles, absent]).toEqual([[], candleCount(range, '1h')])
  })
})

test('tickers are those of the last 24 hours, what is lent among them', () => {
  const { text, body } = ask('tickers?symbols=ALL')
  const lengths = new Map(body.map((row: unknown[]) => [String(row[0]).charAt(0), row.length]))
  expect(lengths).toEqual(
    new Map([
      ['f', 17],
      ['t', 11],
    ]),
  )
  const rows = bitfinex.prices.parse(text, halfPast)
  expect(rows.map((row) => 'price' in row && row.price.market)).toEqual([
    ...Object.values(spelled),
    ...Object.values(odd),
  ])
  const today = { from: plus(running, minute - day), to: plus(running, minute) }
  const minutes = closedPlainly('BTCUSDT', '1m', today, today.to)
  expect(body[1][5]).toBeCloseTo(body[1][7] - Number(minutes[0]?.open), 8)
  expect(ask('tickers?symbols=tETHUST,tNOPEUSD').body).toHaveLength(1)
})

test('the listing is a list in a list, with pairs that are there to try things out', () => {
  const { text, body } = ask('conf/pub:list:pair:exchange')
  expect(body).toEqual([expect.arrayContaining(['AAABBB', 'TESTBTC:TESTUSD', 'BTCUST', 'DOGE:UST'])])
  const listed = bitfinex.listing.parse(text)
  const all = { ...spelled, ...odd }
  expect(Object.fromEntries(listed.map(({ symbol, base, quote }) => [`${base}${quote}`, symbol]))).toEqual(
    all,
  )
  expect([ask('platform/status').body, ask('conf/pub:map:currency:sym').body]).toEqual([
    [1],
    [
      [
        ['UST', 'USDt'],
        ['WBT', 'WBTC'],
      ],
    ],
  ])
})

describe('refuses', () => {
  test.each([
    ['candles/trade:1m:tNOPEUSD/hist', UnknownMarket],
    ['candles/trade:1m:BTCUST/hist', UnknownMarket],
    ['candles/trade:4h:tBTCUST/hist', Refused],
    ['candles/trade:1d:tBTCUST/hist', Refused],
    ['candles/trade:1m:tBTCUST/hist?limit=10001', Refused],
    ['candles/trade:1m:tBTCUST/hist?limit=0', Refused],
    ['candles/trade:1m:tBTCUST/hist?sort=2', Refused],
    ['candles/trade:1m:tBTCUST/hist?start=soon', Refused],
    ['candles/trade:1m:tBTCUST/hist?from=1', Refused],
    ['candles/trade:1m:tBTCUST/last?limit=1', Refused],
    ['tickers', Refused],
  ])('%s, with HTTP 500', (path, kind) => {
    const { status, body } = ask(path)
    expect(status).toBe(500)
    expect(bitfinex.classify(httpAnswer({ status, body }, halfPast))).toBeInstanceOf(kind)
  })

  test('a market in the recorded words', () => {
    expect(ask('candles/trade:1h:tNOPEUSD/hist').body).toEqual(JSON.parse(recorded('bitfinex/error_symbol')))
  })

  test('too many requests without saying for how long, and everything when it is out of order', () => {
    const refused = bitfinexEndpoint.refuse(
      'refused',
      plus(halfPast, second),
      bitfinexEndpoint.limit,
      halfPast,
    )
    expect(refused.headers).toBeUndefined()
    expect(bitfinex.classify(httpAnswer(refused, halfPast))).toBeInstanceOf(RateLimited)
    const out = bitfinexEndpoint.unavailable?.(500) ?? expect.fail('nothing said')
    expect(bitfinex.classify(httpAnswer(out, halfPast))).toBeInstanceOf(Unavailable)
  })
})
