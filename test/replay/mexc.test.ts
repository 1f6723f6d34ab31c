import { describe, expect, test } from 'vitest'
import { Refused, Unavailable, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { mexcEndpoint } from '../../src/replay/endpoints/mexc.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { mexc } from '../../src/sources/mexc.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast } from './playing.ts'
import { closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /api/v3/. */
function ask(path: string) {
  const [name = '', query = ''] = path.split('?')
  const { answer, weight } = mexcEndpoint.route(
    `/api/v3/${name}`,
    new URLSearchParams(query),
    halfPast,
    mexcEndpoint.limit,
  )
  return { status: answer.status, body: JSON.parse(toJsonText(answer.body)), weight }
}

const timesOf = (rest: string): number[] =>
  ask(`klines?symbol=BTCUSDT&${rest}`).body.map(([openTime]: [number]) => openTime)

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(mexcEndpoint, mexc, { symbol, timeframe, range, now: halfPast, twist })

/** A stretch with seven minutes in which nothing was traded. */
const rest: AlignedRange = { from: at('2024-02-09T10:00Z'), to: at('2024-02-10T00:00Z') }

describe('klines', () => {
  test('have the eight columns of a recorded body and close where the next one opens', () => {
    const { body } = ask(`klines?symbol=BTCUSDT&interval=60m&limit=5`)
    const kinds = (row: readonly unknown[]) => row.map((column) => typeof column)
    const known = JSON.parse(recorded('mexc/klines_btcusdt_1m_2026'))
    expect(body.map(kinds)).toEqual(known.map(kinds))
    expect(body[0][6]).toBe(body[1][0])
  })

  test('are the newest five hundred where nothing is said, oldest first, the one that runs last', () => {
    const times = timesOf('interval=1m')
    expect([times.length, times.at(-1), times.at(-2)]).toEqual([500, running, running - minute])
    expect(timesOf('interval=1m&limit=1000')).toEqual(times)
  })

  test('include the start and not the end', () => {
    const end = floorTo('1h', halfPast)
    expect(timesOf(`interval=60m&startTime=${end - 2 * hour}&endTime=${end}`)).toEqual([
      end - 2 * hour,
      end - hour,
    ])
  })

  test('do not heed a start without an end', () => {
    expect(timesOf(`interval=1d&limit=1&startTime=${halfPast - 100 * day}`)).toEqual([
      floorTo('1d', halfPast),
    ])
  })

  test('of a longer window are its newest', () => {
    const times = timesOf(`interval=1m&startTime=${running - day}&endTime=${running}`)
    expect([times.length, times.at(-1)]).toEqual([500, running - minute])
  })

  test('begin with the listing', () => {
    expect(timesOf(`interval=1m&endTime=${listedAt + 2 * minute}`)).toEqual([listedAt, listedAt + minute])
    expect(timesOf(`interval=1m&endTime=${listedAt}`)).toEqual([])
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', rest],
    ['ETHUSDT', '5m', { from: at('2024-02-01'), to: at('2024-02-11') }],
    ['XRPUSDT', '15m', { from: at('2024-02-15'), to: floorTo('15m', halfPast) }],
    ['BTCUSDT', '30m', { from: at('2024-02-10'), to: at('2024-02-25') }],
    ['SHIBUSDT', '1h', { from: at('2024-01-01'), to: floorTo('1h', halfPast) }],
    ['PEPEUSDT', '4h', { from: at('2023-06-01'), to: floorTo('4h', halfPast) }],
    ['DOGEUSDT', '1d', { from: at('2022-06-01'), to: floorTo('1d', halfPast) }],
  ])('%s %s has the closed candles, five hundred a request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    const closed = closedPlainly(symbol, timeframe, range, halfPast)
    expect(candles).toEqual(closed)
    expect(absent).toBe(candleCount(range, timeframe) - closed.length)
    expect(requests).toBe(Math.ceil(candleCount(range, timeframe) / 500))
  })

  test('finds the listing without asking for every hour before it', async () => {
    const range = { from: at('2016-08-17'), to: at('2017-08-20') }
    const { candles, requests } = await walk('BTCUSDT', '1h', range)
    expect(candles).toEqual(closedPlainly('BTCUSDT', '1h', range, halfPast))
    expect(requests).toBeLessThan(8)
  })

  test('is the same if its end were inclusive', async () => {
    const hear = (query: URLSearchParams) => query.set('endTime', String(Number(query.get('endTime')) + 1))
    const { candles, requests } = await walk('ETHUSDT', '1m', rest, { hear })
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', rest, halfPast))
    expect(requests).toBe(2)
  })

  test('is the same if candles closed a millisecond before the next one opens', async () => {
    const say = (text: string) =>
      JSON.stringify(JSON.parse(text).map((row: number[]) => row.with(6, Number(row[6]) - 1)))
    const { candles } = await walk('ETHUSDT', '1m', rest, { say })
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', rest, halfPast))
  })

  test('has the minutes that there are where only the newest thirty days are kept', async () => {
    const kept = at('2024-02-09T12:00Z')
    const say = (text: string) =>
      JSON.stringify(
        JSON.parse(text).filter(
          (row: number[]) => Number(row[6]) - Number(row[0]) > minute || Number(row[0]) >= kept,
        ),
      )
    const range = { from: at('2024-02-08'), to: rest.to }
    const { candles, absent } = await walk('ETHUSDT', '1m', range, { say })
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', { ...range, from: kept }, halfPast))
    expect(absent + candles.length).toBe(candleCount(range, '1m'))
  })
})

test('tickers and the listing have the shape of recorded bodies', () => {
  const { body } = ask('ticker/24hr')
  const keys = (row: object) => Object.keys(row)
  expect(keys(body[0])).toEqual(keys(JSON.parse(recorded('mexc/ticker24hr_two'))[0]))
  const { lastPrice, priceChangePercent, quoteVolume, openPrice } = body[0]
  expect(Number(priceChangePercent)).toBeCloseTo(Number(lastPrice) / Number(openPrice) - 1, 4)
  expect(mexc.prices.parse(JSON.stringify(body))[0]).toMatchObject({
    price: { market: 'BTCUSDT', timestamp: halfPast, price: lastPrice, volume24h: quoteVolume },
  })
  expect(ask('ticker/24hr?symbol=ETHUSDT').body.symbol).toBe('ETHUSDT')
  const info = ask('exchangeInfo').body
  expect(keys(info)).toEqual(keys(JSON.parse(recorded('mexc/exchangeInfo_small'))))
  expect(keys(info.symbols[0])).toEqual(keys(JSON.parse(recorded('mexc/exchangeInfo_small')).symbols[0]))
  expect(mexc.listing.parse(JSON.stringify(info))[0]).toEqual({
    symbol: 'BTCUSDT',
    base: 'BTC',
    quote: 'USDT',
    baseName: 'Bitcoin',
    trading: true,
  })
  expect(ask('exchangeInfo?symbol=ETHUSDT').body.symbols).toHaveLength(1)
  expect(ask('time').body).toEqual({ serverTime: halfPast })
})

test.each([
  ['ping', 1],
  ['klines?symbol=BTCUSDT&interval=1m', 1],
  ['ticker/24hr?symbol=BTCUSDT', 1],
  ['exchangeInfo', 10],
  ['ticker/24hr', 40],
])('%s weighs %i', (path, weight) => {
  expect(ask(path)).toMatchObject({ status: 200, weight })
})

describe('refuses', () => {
  test.each([
    ['klines?symbol=NOPEUSDT&interval=1m', UnknownMarket],
    ['klines?symbol=btcusdt&interval=1m', UnknownMarket],
    ['klines?symbol=BTCUSDT&interval=1h', Refused],
    ['klines?symbol=BTCUSDT', Refused],
    ['klines?interval=1m', Refused],
    ['klines?symbol=BTCUSDT&interval=1m&limit=0', Refused],
    ['klines?symbol=BTCUSDT&interval=1m&endTime=', Refused],
    ['klines?symbol=BTCUSDT&interval=1m&startTime=-1', Refused],
    ['klines?symbol=BTCUSDT&interval=1m&start=1', Refused],
    ['exchangeInfo?symbol=NOPEUSDT', UnknownMarket],
  ])('%s', (path, kind) => {
    const { status, body } = ask(path)
    expect(status).toBe(400)
    expect(mexc.classify(httpAnswer({ status, body }, halfPast))).toBeInstanceOf(kind)
  })

  test('a market in the recorded words', () => {
    expect(ask('klines?symbol=NOPEUSDT&interval=1m').body).toEqual(
      JSON.parse(recorded('mexc/error_invalid_symbol')),
    )
    expect(ask('nothing').status).toBe(404)
  })

  test('too many requests for as long as its header says, and says when it is out of order', () => {
    const { refuse, limit, unavailable } = mexcEndpoint
    expect(refuse('refused', plus(halfPast, 7 * second), limit, halfPast)).toMatchObject({
      status: 429,
      headers: { 'retry-after': '7' },
    })
    expect(refuse('banned', plus(halfPast, 120 * second), limit, halfPast)).toMatchObject({
      status: 418,
      headers: { 'retry-after': '120' },
    })
    const out = unavailable?.(503) ?? expect.fail('nothing said')
    expect(mexc.classify(httpAnswer(out, halfPast))).toBeInstanceOf(Unavailable)
  })
})
