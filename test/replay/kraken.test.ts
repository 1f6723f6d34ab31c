import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownError, UnknownMarket } from '../../src/fault.ts'
import type { HttpClient } from '../../src/http/request.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { day, hour, type Instant, minute, second } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount, union } from '../../src/market/range.ts'
import { floorTo, type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { krakenEndpoint } from '../../src/replay/endpoints/kraken.ts'
import { listedAt, markets } from '../../src/replay/markets.ts'
import { kraken } from '../../src/sources/kraken.ts'
import { type CandleQuery, costOf, type Source } from '../../src/sources/source.ts'
import { walkCandles } from '../../src/sources/walk.ts'
import { at, recorded } from '../sources/recorded.ts'
import { plus } from '../support/at.ts'
import { halfPast } from './playing.ts'
import { closedPlainly, httpAnswer, type Twist, walkEndpoint } from './walking.ts'

const running = floorTo('1m', halfPast)

/** GETs a path under /0/public/. */
function ask(path: string, now = halfPast) {
  const [name = '', query = ''] = path.split('?')
  const { answer } = krakenEndpoint.route(
    `/0/public/${name}`,
    new URLSearchParams(query),
    now,
    krakenEndpoint.limit,
  )
  const text = toJsonText(answer.body)
  return { status: answer.status, text, body: JSON.parse(text) }
}

type Row = readonly (string | number)[]

const ohlc = (rest: string, now = halfPast): Row[] =>
  ask(`OHLC?pair=XBTUSDT&${rest}`, now).body.result.XBTUSDT
const trades = (rest: string): { rows: Row[]; last: string } => {
  const { XBTUSDT: rows, last } = ask(`Trades?pair=XBTUSDT&${rest}`).body.result
  return { rows, last }
}
const timesOf = (rows: readonly Row[]): number[] => rows.map(([openTime]) => second * Number(openTime))

const ownNames: Readonly<Record<string, string>> = { BTCUSDT: 'XBTUSDT', DOGEUSDT: 'XDGUSDT' }

const walk = (symbol: string, timeframe: Timeframe, range: AlignedRange, twist: Twist = {}) =>
  walkEndpoint(krakenEndpoint, kraken, {
    symbol: ownNames[symbol] ?? symbol,
    timeframe,
    range,
    now: halfPast,
    twist,
  })

/** The newest closed candles, so many of them. */
const newest = (timeframe: Timeframe, count: number): AlignedRange => {
  const to = floorTo(timeframe, halfPast)
  return { from: plus(to, -count * timeframeMs[timeframe]), to }
}

const nanoseconds = (instant: Instant): string => `${instant}000000`

describe('candles', () => {
  test('have the shape of a recorded body, and the same digits', () => {
    const { body } = ask('OHLC?pair=XBT/USDT&interval=1')
    const real = JSON.parse(recorded('kraken/ohlc_xbtusd_1m_2017'))
    const kinds = (row: Row) => row.map((value) => typeof value)
    expect(Object.keys(body.result)).toEqual(['XBTUSDT', 'last'])
    expect(kinds(body.result.XBTUSDT[0])).toEqual(kinds(real.result.XXBTZUSD[0]))
    expect(body.result.XBTUSDT[0][6]).toMatch(/^\d+\.\d{8}$/)
  })

  test('are the newest 720 and the one that runs, ascending, however far back is asked', () => {
    for (const rest of ['interval=1', 'interval=1&since=1420070400']) {
      const times = timesOf(ohlc(rest))
      expect([times.length, times[0], times.at(-1)]).toEqual([721, running - 720 * minute, running])
    }
    expect(ask('OHLC?pair=XBTUSDT&interval=1').body.result.last).toBe((running - minute) / second)
  })

  test('come from after a second, which is not included', () => {
    const since = (running - 3 * minute) / second
    expect(timesOf(ohlc(`interval=1&since=${since}`))).toEqual([
      running - 2 * minute,
      running - minute,
      running,
    ])
    expect(timesOf(ohlc(`interval=1&since=${since - 1}`))).toHaveLength(4)
  })

  test('are written for minutes without trades as well, with nothing in them', () => {
    const now = at('2024-02-09T22:00Z')
    const rows: Row[] = ask('OHLC?pair=ETHUSDT&interval=1', now).body.result.ETHUSDT
    const quiet = rows.filter((row) => row[7] === 0)
    const { length } = closedPlainly('ETHUSDT', '1m', { from: plus(now, -12 * hour), to: now }, now)
    expect([rows.length, quiet.length]).toEqual([721, 720 - length])
    expect(quiet.length).toBeGreaterThan(0)
    for (const [, open, high, low, close, average, volume] of quiet) {
      expect([high, low, close]).toEqual([open, open, open])
      expect([Number(average), volume]).toEqual([0, '0.00000000'])
    }
  })
})

describe('trades', () => {
  const from = plus(running, -2 * day)

  test('have the shape of recorded ones, numbered without a gap', () => {
    const { rows } = trades(`since=${nanoseconds(from)}`)
    const [real = []] = JSON.parse(recorded('kraken/trades_recent')).result.XBTUSDT
    const kinds = (row: Row) => row.map((value) => typeof value)
    expect(rows).toHaveLength(1_000)
    expect(new Set(rows.map((row) => kinds(row).join()))).toEqual(new Set([kinds(real).join()]))
    const ids = rows.map((row) => Number(row[6]))
    expect(ids).toEqual(ids.map((_, index) => Number(ids[0]) + index))
  })

  test('are the oldest thousand after a nanosecond, which is where the answer before says to go on', () => {
    const first = trades(`since=${nanoseconds(from)}&count=4`)
    expect(first.rows.map((row) => Number(row[2]) >= from / second)).toEqual([true, true, true, true])
    const next = trades(`since=${first.last}&count=4`)
    expect(Number(next.rows[0]?.[6])).toBe(Number(first.rows.at(-1)?.[6]) + 1)
  })

  test('of the same moment are lost to whoever goes on at a page that ends between them', () => {
    const since = BigInt(nanoseconds(from)) - 1n
    const [, high, low] = trades(`since=${since}&count=4`).rows
    expect(high?.[2]).toBe(low?.[2])
    const { last } = trades(`since=${since}&count=2`)
    expect(Number(trades(`since=${last}&count=1`).rows[0]?.[6])).toBeGreaterThan(Number(low?.[6]))
  })

  test('begin with the listing, and end with the newest', () => {
    expect(trades('since=0&count=1').rows[0]?.slice(2)).toEqual([listedAt / second, 'b', 'l', '', 1])
    const { rows, last } = trades('count=1000')
    expect(trades(`since=${last}`)).toEqual({ rows: [], last })
    expect(Number(rows.at(-1)?.[2])).toBeLessThanOrEqual(halfPast / second)
  })
})

describe('a walk through its newest candles', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['BTCUSDT', '1m', newest('1m', 719)],
    ['BTCUSDT', '5m', newest('5m', 500)],
    ['ETHUSDT', '15m', newest('15m', 719)],
    ['ETHUSDT', '30m', newest('30m', 719)],
    ['ETHUSDT', '1h', newest('1h', 719)],
    ['ETHUSDT', '4h', newest('4h', 719)],
    ['DOGEUSDT', '1d', newest('1d', 365)],
  ])('%s %s has the closed ones that hold trades, in one request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    const closed = closedPlainly(symbol, timeframe, range, halfPast)
    expect(candles).toEqual(closed)
    expect(absent).toBe(candleCount(range, timeframe) - closed.length)
    expect(requests).toBe(1)
    expect(costOf(kraken.candles, timeframe, range, halfPast)).toEqual({
      requests: 1,
      weight: 1,
      isEstimate: false,
    })
  })
})

/** A stretch with seven minutes in which nothing was traded. */
const rest: AlignedRange = { from: at('2024-02-09T10:00Z'), to: at('2024-02-10T00:00Z') }

describe('a walk through its trades', () => {
  test.each<[string, Timeframe, AlignedRange]>([
    ['ETHUSDT', '1m', rest],
    ['BTCUSDT', '5m', { from: at('2022-06-03T00:05Z'), to: at('2022-06-04T07:10Z') }],
    ['BTCUSDT', '1h', { from: at('2022-06-01'), to: at('2022-06-03') }],
    ['ETHUSDT', '4h', { from: at('2021-01-01'), to: at('2021-01-03') }],
    ['DOGEUSDT', '1d', { from: at('2021-12-30'), to: at('2022-01-02') }],
  ])('%s %s has the closed candles, a thousand trades a request', async (symbol, timeframe, range) => {
    const { candles, absent, requests } = await walk(symbol, timeframe, range)
    const closed = closedPlainly(symbol, timeframe, range, halfPast)
    expect(candles).toEqual(closed)
    expect(absent).toBe(candleCount(range, timeframe) - closed.length)
    // Four trades a minute, of which one or two of every answer come once more.
    const count = 4 * closedPlainly(symbol, '1m', range, halfPast).length
    expect([Math.ceil(count / 998), Math.ceil(count / 998) + 1]).toContain(requests)
  })

  test('goes over to the candles where they begin', async () => {
    const range = newest('1m', 1_500)
    const { candles, asked } = await walk('ETHUSDT', '1m', range)
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', range, halfPast))
    expect(asked.map((path) => path.split('?')[0]?.split('/').at(-1))).toEqual([
      ...Array(4).fill('Trades'),
      'OHLC',
    ])
  })

  test('finds the listing at once, and what is older than the source without asking', async () => {
    const range = { from: at('2010-01-01'), to: plus(listedAt, 2 * hour) }
    const { candles, absent, requests } = await walk('BTCUSDT', '1h', {
      ...range,
      to: floorTo('1h', range.to),
    })
    const closed = closedPlainly('BTCUSDT', '1h', range, halfPast)
    expect(candles).toEqual(closed)
    expect(absent).toBe(candleCount(range, '1h') - closed.length)
    expect(requests).toBe(2)
  })

  test('is the same if the nanosecond were included', async () => {
    const hear = (query: URLSearchParams) => {
      query.set('since', String(BigInt(query.get('since') ?? '0') - 1n))
    }
    const { candles } = await walk('ETHUSDT', '1m', rest, { hear })
    expect(candles).toEqual(closedPlainly('ETHUSDT', '1m', rest, halfPast))
  })

  test('is found out if its beginning were not heard', async () => {
    const hear = (query: URLSearchParams) => query.delete('since')
    await expect(walk('ETHUSDT', '1m', rest, { hear })).rejects.toThrow(Malformed)
  })
})

test('a walk that takes its time goes back to the trades for what it has lost meanwhile', async () => {
  const range = newest('1m', 719)
  let now = halfPast
  const asked: string[] = []
  const http: HttpClient = {
    get: async ({ path, query }) => {
      // Half an hour passes with every request.
      now = plus(now, 30 * minute)
      asked.push(path.slice('/0/public/'.length))
      return httpAnswer(
        krakenEndpoint.route(path, new URLSearchParams(query), now, krakenEndpoint.limit).answer,
        now,
      )
    },
  }
  const query: CandleQuery = { symbol: 'ETHUSDT', timeframe: '1m', range, asOf: halfPast }
  const options = { lane: 'backfill', signal: new AbortController().signal } as const
  const answered: AlignedRange[] = []
  const openTimes: Instant[] = []
  for await (const page of walkCandles({ http, baseUrls: {} }, kraken, query, options)) {
    answered.push(page.answered)
    const expectation = { timeframe: '1m', range: page.answered, now: page.answeredAt } as const
    openTimes.push(...checkCandles(page.rows, expectation).candles.map(({ openTime }) => openTime))
  }
  const closed = closedPlainly('ETHUSDT', '1m', range, halfPast)
  expect(openTimes).toEqual(closed.map(({ openTime }) => openTime))
  expect(union(answered)).toEqual([range])
  expect(asked).toEqual(['OHLC', 'Trades'])
})

test('the candles are the same whichever way they are had', async () => {
  const range = { from: at('2024-02-09T10:00Z'), to: at('2024-02-09T20:00Z') }
  const walkAt = (now: Instant) =>
    walkEndpoint(krakenEndpoint, kraken, { symbol: 'ETHUSDT', timeframe: '1m', range, now })
  const [listed, traded] = [await walkAt(at('2024-02-09T20:00:30Z')), await walkAt(halfPast)]
  expect([listed.requests, traded.requests]).toEqual([1, 3])
  expect(listed.candles).toEqual(traded.candles)
  expect(listed.absent).toBe(traded.absent)
  expect(listed.absent).toBeGreaterThan(0)
})

test('the listing and the tickers are what their source reads', () => {
  const { listing, prices }: Required<Source> = kraken
  expect(listing.parse(ask('AssetPairs').text).map(({ base, quote }) => `${base}${quote}`)).toEqual(
    markets.map(({ symbol }) => symbol),
  )
  const keys = (row: object) => Object.keys(row).toSorted()
  const real = JSON.parse(recorded('kraken/assetpairs_2025_status')).result.XBTUSDT
  expect(keys(ask('AssetPairs?pair=XBTUSDT').body.result.XBTUSDT)).toEqual(
    keys(real).filter((name) => !name.endsWith('_position_limit')),
  )
  const { result } = ask('Ticker').body
  expect(keys(result.XBTUSDT)).toEqual(keys(JSON.parse(recorded('kraken/ticker_xbteur_old')).result.XXBTZEUR))
  expect(prices.parse(ask('Ticker').text, halfPast)[0]).toMatchObject({
    price: { market: 'XBTUSDT', timestamp: halfPast, price: result.XBTUSDT.c[0] },
  })
})

describe('refuses', () => {
  test.each([
    ['OHLC?pair=NOPEUSD', 'EQuery:Unknown asset pair', UnknownMarket],
    ['OHLC?pair=BTCUSDT', 'EQuery:Unknown asset pair', UnknownMarket],
    ['Ticker?pair=XBTUSDT,NOPEUSD', 'EQuery:Unknown asset pair', UnknownMarket],
    ['OHLC', 'EGeneral:Invalid arguments:pair', Refused],
    ['OHLC?pair=XBTUSDT&interval=2', 'EGeneral:Invalid arguments:interval', Refused],
    ['OHLC?pair=XBTUSDT&since=now', 'EGeneral:Invalid arguments:since', Refused],
    [`OHLC?pair=XBTUSDT&since=${halfPast}`, 'EGeneral:Invalid arguments:since', Refused],
    ['Trades?pair=XBTUSDT&count=1001', 'EGeneral:Invalid arguments:count', Refused],
    ['Trades?pair=XBTUSDT&limit=10', 'EGeneral:Invalid arguments:limit', UnknownError],
    ['Depth?pair=XBTUSDT', 'EGeneral:Unknown method', Refused],
  ])('%s with HTTP 200', (path, message, kind) => {
    const reported = ask(path)
    expect([reported.status, reported.body]).toEqual([200, { error: [message] }])
    expect(kraken.classify(httpAnswer({ status: 200, body: reported.body }, halfPast))).toBeInstanceOf(kind)
  })

  test('an unknown market in the recorded words', () => {
    expect(ask('OHLC?pair=NOPEUSD&interval=60').body).toEqual(
      JSON.parse(recorded('kraken/error_unknown_pair')),
    )
  })

  test('too many requests, some until a moment that it tells', () => {
    const { refuse, limit, unavailable } = krakenEndpoint
    const said = (decision: 'refused' | 'banned') =>
      kraken.classify(httpAnswer(refuse(decision, plus(halfPast, 40 * second), limit, halfPast), halfPast))
    expect(said('refused')).toBeInstanceOf(RateLimited)
    expect(said('banned')).toMatchObject({ waitMs: 40 * second })
    expect(kraken.classify(httpAnswer(unavailable?.(503) ?? expect.fail(), halfPast))).toBeInstanceOf(
      Unavailable,
    )
  })
})

test('tells its time and that it is open', () => {
  expect(ask('Time').body.result).toEqual({
    unixtime: Math.floor(halfPast / second),
    rfc1123: 'Fri, 01 Mar 2024 12:34:30 +0000',
  })
  expect(ask('SystemStatus').body.result).toEqual({ status: 'online', timestamp: '2024-03-01T12:34:30Z' })
})
