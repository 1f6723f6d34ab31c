import { describe, expect, test } from 'vitest'
import { BeforeHistory, Malformed, RateLimited, Refused, UnknownMarket } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { htxEndpoint } from '../../src/replay/endpoints/htx.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { htx } from '../../src/sources/htx.ts'
import { candlesPerPage } from '../../src/sources/source.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast } from './playing.ts'
import { closedAndFilled, closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

function ask(path: string, now = halfPast) {
  const [name = '', query = ''] = path.split('?')
  const { status, body } = htxEndpoint.route(
    `/${name}`,
    new URLSearchParams(query),
    now,
    htxEndpoint.limit,
  ).answer
  const text = typeof body === 'string' ? body : toJsonText(body)
  return { status, text, body: typeof body === 'string' ? body : JSON.parse(text) }
}

const kline = (rest: string) => ask(`market/history/kline?symbol=btcusdt&${rest}`)
const timesOf = (rest: string): number[] => kline(rest).body.data.map(({ id }: { id: number }) => id * second)

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}, now = halfPast) =>
  walkEndpoint(htxEndpoint, htx, { symbol: symbol.toLowerCase(), timeframe, range, now, twist })

/** Of a day of which the market traded but for seven minutes. */
const evening = at('2024-02-10T00:00:20Z')
const rest: AlignedRange = { from: at('2024-02-09T10:00Z'), to: at('2024-02-10T00:00Z') }

/** The body of klines with only those that are kept. */
const keeping =
  (isKept: (row: Readonly<{ id: number; count: number }>, index: number) => boolean) => (text: string) => {
    const rows = /"data":\[(.*)\]\}$/.exec(text)?.[1]?.match(/\{[^}]*\}/g) ?? []
    const kept = rows.filter((row, index) => isKept(JSON.parse(row), index))
    return text.replace(/"data":\[.*\]\}$/, `"data":[${kept.join()}]}`)
  }

describe('klines', () => {
  test('have the shape of a recorded body, newest first, the one that runs among them', () => {
    const { body } = kline('period=5min&size=2')
    const known = JSON.parse(recorded('htx/kline_btcusdt_5min_2021'))
    expect(Object.keys(body)).toEqual(Object.keys(known))
    expect(Object.keys(body.data[0])).toEqual(Object.keys(known.data[0]))
    expect([body.ch, body.ts]).toEqual(['market.btcusdt.kline.5min', halfPast])
    expect(timesOf('period=5min&size=2')).toEqual(
      [0, 1].map((back) => floorTo('5m', halfPast) - back * 5 * minute),
    )
  })

  test('are a hundred and fifty where nothing is said, and two thousand at the most', () => {
    expect(timesOf('period=1min')).toHaveLength(150)
    const all = timesOf('period=1min&size=2000')
    expect([all.length, all.at(-1)]).toEqual([2_000, running - 1_999 * minute])
  })

  test('write numbers that are none in JavaScript: a tail of zero, and exponents', () => {
    expect(ask('market/history/kline?symbol=shibusdt&period=1min&size=3').text).toMatch(
      /"open":\d\.\d+E-\d,"close":/,
    )
    expect(ask('market/history/kline?symbol=pepeusdt&period=1min&size=3').text).toMatch(/"amount":\d+\.0,/)
  })

  test('of a day begin at 16:00 UTC and are the sums of their minutes', () => {
    const times = timesOf('period=1day&size=3')
    expect(times.map((time) => time % day)).toEqual([16, 16, 16].map((hours) => hours * hour))
    const [, row] = kline('period=1day&size=3').body.data
    const range = { from: at('2024-02-28T16:00Z'), to: at('2024-02-29T16:00Z') }
    const hours = closedPlainly('BTCUSDT', '1h', range, halfPast)
    expect(row).toMatchObject({
      id: range.from / second,
      open: Number(hours[0]?.open),
      close: Number(hours.at(-1)?.close),
      high: Math.max(...hours.map(({ high }) => Number(high))),
      low: Math.min(...hours.map(({ low }) => Number(low))),
    })
    expect(row.amount).toBeCloseTo(
      hours.reduce((sum, { volume }) => sum + Number(volume), 0),
      5,
    )
  })

  test('begin with the listing', () => {
    const now = plus(listedAt, 2 * minute + second)
    const { body } = ask('market/history/kline?symbol=btcusdt&period=1min', now)
    expect(body.data).toHaveLength(3)
    const days = ask('market/history/kline?symbol=btcusdt&period=1day', now)
    expect(days.body.data).toHaveLength(1)
  })
})

describe('a walk through it', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', { from: at('2024-03-01T02:00Z'), to: running }],
    ['ETHUSDT', '5m', { from: at('2024-02-27'), to: at('2024-02-29') }],
    ['XRPUSDT', '15m', { from: at('2024-02-15'), to: floorTo('15m', halfPast) }],
    ['BTCUSDT', '30m', { from: at('2024-02-08'), to: at('2024-02-25') }],
    ['SHIBUSDT', '1h', { from: at('2024-01-01'), to: floorTo('1h', halfPast) }],
    ['PEPEUSDT', '4h', { from: at('2023-06-01'), to: floorTo('4h', halfPast) }],
    ['DOGEUSDT', '1d', { from: at('2023-12-20'), to: floorTo('1d', halfPast) }],
    ['BTCUSDT', '1d', { from: at('2024-02-01'), to: at('2024-02-11') }],
  ])('%s %s has the closed candles, a thousand a request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    expect(candles).toEqual(closedAndFilled(symbol, timeframe, range, halfPast))
    const pages = Math.ceil(candleCount(range, timeframe) / candlesPerPage(htx.candles, timeframe))
    expect([absent, requests]).toEqual([0, pages])
  })

  test('asks for what is older than the newest two thousand by its range', async () => {
    const range = { from: plus(running, -5_000 * minute), to: running }
    const { candles, asked } = await walk('BTCUSDT', '1m', range)
    expect(candles).toEqual(closedAndFilled('BTCUSDT', '1m', range, halfPast))
    expect(asked.map((path) => path.split('?')[0])).toEqual([
      ...Array(4).fill('/market/history/candles'),
      '/market/history/kline',
    ])
  })

  test.each<Timeframe>(['1m', '1h', '4h', '1d'])(
    'of %s from before the listing finds where the market begins',
    async (timeframe) => {
      const range = { from: at('2017-01-01'), to: at('2017-08-19') }
      const { candles, absent, requests } = await walk('BTCUSDT', timeframe, range)
      const since = { ...range, from: floorTo(timeframe, listedAt) }
      const there = closedAndFilled('BTCUSDT', timeframe, since, halfPast)
      expect(there.length).toBeGreaterThan(0)
      expect(candles).toEqual(there)
      expect(absent).toBe(candleCount(range, timeframe) - there.length)
      expect(requests).toBeLessThan(30)
    },
  )

  test('of years of days has all since the listing', async () => {
    const range = { from: floorTo('1d', listedAt), to: floorTo('1d', halfPast) }
    const { candles, requests } = await walk('BTCUSDT', '1d', range)
    expect(candles).toEqual(closedAndFilled('BTCUSDT', '1d', range, halfPast))
    expect(requests).toBeLessThan(Math.ceil(candleCount(range, '1h') / 1_000) + 20)
  })

  test('of a time wholly before the listing is answered in a few requests', async () => {
    const range = { from: at('2016-01-01'), to: at('2016-02-01') }
    const { candles, absent, requests } = await walk('BTCUSDT', '1m', range)
    expect([candles, absent]).toEqual([[], candleCount(range, '1m')])
    expect(requests).toBeLessThan(5)
  })

  test('of before the listing leaves open what the source has not shown to be absent', async () => {
    const range = { from: at('2017-08-01'), to: at('2017-08-18') }
    // Its longer candles begin months before those that it gives.
    const say = (text: string) =>
      /kline\.1(?:day|week|mon)"/.test(text)
        ? text.replace(
            '"data":[',
            '"data":[{"id":1483200000,"open":1,"high":1,"low":1,"close":1,"amount":1,"vol":1},',
          )
        : text
    const { candles, absent } = await walk('BTCUSDT', '1h', range, { say })
    const there = closedAndFilled('BTCUSDT', '1h', { ...range, from: listedAt }, halfPast)
    expect([candles, absent]).toEqual([there, 0])
  })

  test.each([
    ['a from that is not included', { name: 'from', byMs: second }],
    ['a to that is not included', { name: 'to', byMs: -second }],
  ])('survives %s', async (_, { name, byMs }) => {
    const range = { from: at('2023-10-01'), to: at('2023-10-03') }
    const hear = (query: URLSearchParams) => {
      const bound = query.get(name)
      if (bound !== null) query.set(name, String(Number(bound) + byMs / second))
    }
    const { candles, absent, requests } = await walk('BTCUSDT', '1m', range, { hear })
    expect(candles).toEqual(closedAndFilled('BTCUSDT', '1m', range, halfPast))
    expect([absent, requests]).toEqual([0, 3])
  })

  test('does not take the newest candles for those of a range', async () => {
    const range = { from: at('2023-10-01'), to: at('2023-10-02') }
    const say = () => kline('period=1min&size=1000').text
    await expect(walk('BTCUSDT', '1m', range, { say })).rejects.toThrow('outside the range')
  })

  test('is the same if it left out what was not traded', async () => {
    const say = keeping(({ count }) => count > 0)
    const { candles, absent, requests } = await walk('ETHUSDT', '1m', rest, { say }, evening)
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', rest, evening))
    expect([absent, requests]).toEqual([7, 1])
  })

  test('believes what is missing at the end, though older candles come in its place', async () => {
    const range = { from: plus(running, -3 * minute), to: running }
    const say = keeping(({ id }) => id * second < running - minute)
    const { candles, absent } = await walk('ETHUSDT', '1m', range, { say })
    expect([candles.length, absent]).toEqual([2, 1])
  })

  test('does not believe an answer that was cut off before the range', async () => {
    const range = { from: plus(running, -70 * minute), to: plus(running, -60 * minute) }
    const hear = (query: URLSearchParams) => {
      // An hour later the same number of candles no longer reaches back.
      expect(query.get('size')).toBe('121')
    }
    const late = plus(halfPast, hour)
    const say = () => ask('market/history/kline?symbol=ethusdt&period=1min&size=121', late).text
    await expect(walk('ETHUSDT', '1m', range, { hear, say })).rejects.toThrow(Malformed)
  })
})

test('tickers have volumes of 24 hours and an open of the day in Singapore', () => {
  const { body, text } = ask('market/tickers')
  const known = JSON.parse(recorded('htx/tickers_docs'))
  expect(Object.keys(body.data[0])).toEqual(Object.keys(known.data[0]))
  const today = { from: at('2024-02-29T16:00Z'), to: at('2024-02-29T16:01Z') }
  expect(body.data[0].open).toBe(Number(closedPlainly('BTCUSDT', '1m', today, halfPast)[0]?.open))
  const yesterday = { from: plus(running, minute - day), to: plus(running, minute) }
  const traded = closedPlainly('BTCUSDT', '1m', yesterday, yesterday.to)
  // All but the half of the minute that has not passed.
  const coins = traded.reduce((sum, { volume }) => sum + Number(volume), 0)
  expect(body.data[0].amount / coins).toBeCloseTo(1, 3)
  const priced = htx.prices.parse(text, halfPast)[0]
  expect(priced).toMatchObject({ price: { market: 'btcusdt', timestamp: halfPast } })
  const merged = ask('market/detail/merged?symbol=btcusdt')
  expect(Object.keys(merged.body.tick)).toEqual(
    Object.keys(JSON.parse(recorded('htx/detail_merged_longdecimals')).tick),
  )
  expect(merged.text).toContain(`"close":${priced && 'price' in priced ? priced.price.price : ''}`)
  expect(merged.text).toMatch(/"vol":\d+\.\d{18}/)
})

test('symbols have the shape of recorded ones', () => {
  const { body, text } = ask('v2/settings/common/symbols')
  const known = JSON.parse(recorded('htx/symbols_v2_one'))
  expect(Object.keys(body)).toEqual(Object.keys(known))
  expect(Object.keys(body.data[0])).toEqual(Object.keys(known.data[0]))
  expect(htx.listing.parse(text)[0]).toEqual({
    symbol: 'btcusdt',
    base: 'BTC',
    quote: 'USDT',
    trading: true,
    listedAt,
  })
  expect(() => htx.listing.parse(ask('v2/settings/common/symbols?ts=1').text)).toThrow(Malformed)
  expect(ask('v1/common/timestamp').body).toEqual({ status: 'ok', data: halfPast })
})

describe('refuses', () => {
  test.each([
    ['symbol=nope&period=1min', UnknownMarket],
    ['symbol=BTCUSDT&period=1min', UnknownMarket],
    ['period=1min', UnknownMarket],
    ['symbol=btcusdt', Refused],
    ['symbol=btcusdt&period=1h', Refused],
    ['symbol=btcusdt&period=1min&size=2001', Refused],
    ['symbol=btcusdt&period=1min&size=0', Refused],
    ['symbol=btcusdt&period=1min&size=', Refused],
    ['symbol=btcusdt&period=1min&from=1', BeforeHistory],
  ])('%s, with HTTP 200', (query, kind) => {
    const { status, body } = ask(`market/history/kline?${query}`)
    expect([status, body.status]).toEqual([200, 'error'])
    expect(htx.classify(httpAnswer({ status, body }, halfPast))).toBeInstanceOf(kind)
  })

  test('a market in the recorded words', () => {
    const { ts: _, ...known } = JSON.parse(recorded('htx/error_invalid_symbol'))
    expect(ask('market/history/kline?symbol=nope&period=1min').body).toEqual({ ts: halfPast, ...known })
    expect(ask('market/nothing').status).toBe(404)
  })

  test('too many requests until the window ends that its header tells', () => {
    const refused = htxEndpoint.refuse('refused', plus(halfPast, 7 * second), htxEndpoint.limit, halfPast)
    const fault = htx.classify(httpAnswer(refused, halfPast))
    expect(fault).toBeInstanceOf(RateLimited)
    expect(fault).toMatchObject({ waitMs: 7 * second })
    expect(htxEndpoint.headers?.([4], htxEndpoint.limit, halfPast)).toEqual({
      'x-hb-ratelimit-requests-remain': '6',
      'x-hb-ratelimit-requests-expire': String(halfPast + second),
    })
  })
})
