import { describe, expect, test } from 'vitest'
import {
  Blocked,
  Malformed,
  RateLimited,
  Refused,
  Unavailable,
  UnknownError,
  UnknownMarket,
} from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { hour, minute, second } from '../../src/market/instant.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { kucoin } from '../../src/sources/kucoin.ts'
import type { CandleQuery, Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = kucoin

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'BTC-USDT',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

/** A row as KuCoin writes it, with some of its seven columns changed: the close comes second. */
function aRow(over: Readonly<Record<number, unknown>> = {}, openTime: number = from): unknown[] {
  const row = [String(openTime / second), '62000', '62050', '62100', '61900', '1.234', '76507.4']
  return row.map((column, index) => (index in over ? over[index] : column))
}

const parse = (data: readonly unknown[], over: Partial<CandleQuery> = {}): CandleRow[] =>
  kucoin.candles.parse(JSON.stringify({ code: '200000', data }), { ...query, ...over })

const flawOf = (row: unknown): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for candles', () => {
  test('is in seconds, one off the grid: whether a bound is inclusive does not matter then', () => {
    expect(kucoin.candles.request(query)).toEqual({
      path: '/api/v1/market/candles',
      query: {
        symbol: 'BTC-USDT',
        type: '1min',
        startAt: String(from / second - 1),
        endAt: String((from + 10 * minute) / second - 1),
      },
      weight: 3,
    })
  })

  test('writes the unit out', () => {
    const types = timeframes.map((timeframe) => kucoin.candles.request({ ...query, timeframe }).query.type)
    expect(types).toEqual(['1min', '5min', '15min', '30min', '1hour', '4hour', '1day'])
  })

  test('a range from the beginning of time has no bound below it', () => {
    const range = { from: at('1970-01-01'), to: from }
    expect(kucoin.candles.request({ ...query, range }).query.startAt).toBe('0')
  })
})

describe('reading candles', () => {
  test('the close comes before the high and the low', () => {
    expect(parse([aRow()])).toEqual([
      {
        raw: aRow(),
        candle: {
          openTime: from,
          open: '62000',
          high: '62100',
          low: '61900',
          close: '62050',
          volume: '1.234',
        },
      },
    ])
  })

  test('a recorded page, newest first, becomes its closed hours; the newest one runs', () => {
    const { body, query: asked } = recordings.kucoin?.candles ?? expect.fail('not recorded')
    const rows = kucoin.candles.parse(body, asked)
    const expected = { timeframe: '1h', range: asked.range, now: asked.asOf } as const
    const { candles, rejected, ignored } = checkCandles(rows, expected)
    expect([rejected, ignored]).toEqual([[], 1])
    expect(candles.map(({ openTime }) => openTime)).toEqual(
      [-1, 0, 1, 2, 3, 4, 5].map((hours) => plus(at('2026-09-02'), hours * hour)),
    )
    expect(candles[0]).toMatchObject({
      open: '77278.7',
      high: '77609.7',
      low: '77219.7',
      close: '77431',
      volume: '55.58477384',
    })
  })

  test('the recorded minutes of 2019 are read too', () => {
    const rows = kucoin.candles.parse(recorded('kucoin/candles_btcusdt_1min_2019'), query)
    expect(rows.map((row) => 'candle' in row && [row.candle.openTime, row.candle.close])).toEqual([
      [at('2019-08-26T03:22Z'), '10401.9'],
      [at('2019-08-26T03:21Z'), '10411.5'],
      [at('2019-08-26T03:20Z'), '10416'],
    ])
  })

  test('twenty decimals are kept', () => {
    const volume = '1.23400000000000000001'
    expect(parse([aRow({ 5: volume })])[0]).toMatchObject({ candle: { volume } })
  })

  test.each([0, 1, 2, 3, 4, 5, 6])('a row without its column %i is no candle', (column) => {
    const row = aRow().toSpliced(column, 1)
    if (column === 0) expect(() => parse([row])).toThrow(Malformed)
    else expect(flawOf(row)).toBeDefined()
  })

  test.each([
    ['milliseconds', String(from)],
    ['a number', from / second],
    ['a fraction', `${from / second}.5`],
    ['nothing', null],
  ])('an open time in %s is a flaw of its row alone', (_, openTime) => {
    const rows = parse([aRow(), aRow({ 0: openTime })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ 0: openTime })])).toThrow('none of them with a time that can be read')
  })

  test('an object instead of a row spoils the page', () => {
    expect(() => parse([{ time: String(from / second) }])).toThrow(Malformed)
  })

  test('more rows than there can be spoil the page', () => {
    const rows = Array.from({ length: 1_501 }, (_, index) => aRow({}, from + index * minute))
    expect(() => parse(rows)).toThrow('more than a page holds')
    expect(parse(rows.slice(1))).toHaveLength(1_500)
  })

  test.each([
    [1, 'open'],
    [2, 'close'],
    [3, 'high'],
    [4, 'low'],
    [5, 'volume'],
    [6, 'turnover'],
  ])('a number instead of a string in column %i is a flaw of the %s', (column, name) => {
    expect(flawOf(aRow({ [column]: 62_000.5 }))).toBe(`${name} is not a decimal string`)
  })

  test.each(['NaN', '', '0x10', null])('a close of %j is a flaw, at its open time', (text) => {
    expect(parse([aRow({ 2: text })])[0]).toMatchObject({
      openTime: from,
      flaw: expect.stringContaining('close'),
    })
  })

  test('turnover in the place of the volume is a flaw', () => {
    expect(flawOf(aRow({ 5: '76507.4', 6: '1.234' }))).toBe(
      'volume and turnover stand in the place of each other',
    )
  })

  test('candles in the order of all others do not pass', () => {
    const row = aRow({ 2: '62100', 3: '61900', 4: '62050' })
    const { candles, rejected } = checkCandles(parse([row]), {
      timeframe: '1m',
      range: query.range,
      now: query.asOf,
    })
    expect([candles, rejected.length]).toEqual([[], 1])
  })

  test('candles shorter than those asked for spoil the page', () => {
    const rows = Array.from({ length: 4 }, (_, index) => aRow({}, from + index * minute))
    expect(() => parse(rows, { timeframe: '1h' })).toThrow('shorter than 1h')
  })

  test('candles with rests between them do not', () => {
    const rows = Array.from({ length: 40 }, (_, index) => aRow({}, from + index * hour))
    expect(parse(rows)).toHaveLength(40)
  })
})

describe('an error of KuCoin', () => {
  const said = (code: string, msg = 'Words.', status = 200, headers = {}) =>
    kucoin.classify(anAnswer(status, JSON.stringify({ code, msg }), headers))

  test('about the interval, with HTTP 200, is not asked again', () => {
    const fault = kucoin.classify(anAnswer(200, recorded('kucoin/error_bad_type')))
    expect(fault).toBeInstanceOf(Refused)
    expect(fault?.message).toBe('kucoin rejected the request: Incorrect candlestick type. (400100)')
  })

  test('about the pair, with the same code, means that there is no such market', () => {
    expect(said('400100', 'Unsupported trading pair.')).toBeInstanceOf(UnknownMarket)
    expect(said('400100', 'symbol not exists', 400)).toBeInstanceOf(UnknownMarket)
    expect(said('400600')).toBeInstanceOf(UnknownMarket)
    expect(said('900001')).toBeInstanceOf(UnknownMarket)
  })

  test.each([200, 429])(
    'about too many requests waits as its header says, in milliseconds: HTTP %i',
    (status) => {
      const headers = { 'gw-ratelimit-reset': '12345' }
      expect(said('429000', 'Too Many Requests', status, headers)).toMatchObject({ waitMs: 12_345 })
      expect(said('429000', 'Too Many Requests', status)).toMatchObject({ waitMs: 30 * second })
    },
  )

  test.each(['-5', 'soon', '99999999'])('with %s in that header waits for the whole window', (reset) => {
    expect(said('429000', '', 429, { 'gw-ratelimit-reset': reset })).toMatchObject({ waitMs: 30 * second })
  })

  test('just before the window begins anew still waits a moment', () => {
    expect(said('429000', '', 429, { 'gw-ratelimit-reset': '3' })).toMatchObject({ waitMs: second })
  })

  test.each([403, 429])('in a page of the firewall blocks for thirty seconds: HTTP %i', (status) => {
    const fault = kucoin.classify(anAnswer(status, '<html>error code: 1015</html>'))
    expect(fault).toBeInstanceOf(RateLimited)
    expect(fault).toMatchObject({ waitMs: 30 * second })
  })

  test.each([403, 429])('with Retry-After waits until then: HTTP %i', (status) => {
    expect(kucoin.classify(anAnswer(status, '<html></html>', { 'retry-after': '5' }))).toMatchObject({
      waitMs: 5 * second,
    })
  })

  test('about our region does not wait', () => {
    for (const status of [200, 403]) {
      expect(said('400302', 'Unavailable in the U.S.', status)).toBeInstanceOf(Blocked)
      expect(said('400302', 'Unavailable in the U.S.', status)?.message).toContain(
        'does not serve this region',
      )
    }
  })

  test('about the server is asked again', () => {
    expect(said('500000', 'Internal Server Error')).toBeInstanceOf(Unavailable)
    expect(said('500000', 'Internal Server Error', 500)).toBeInstanceOf(Unavailable)
    expect(said('408000', 'Network timeout, please try again later')).toBeInstanceOf(Unavailable)
  })

  test('without words is a fault all the same', () => {
    expect(kucoin.classify(anAnswer(400, '{"code":"400001"}'))).toBeInstanceOf(UnknownError)
  })

  test('with a status of its own and nothing known in the body is reported by it', () => {
    expect(said('1', '', 500)).toBeUndefined()
    expect(said('1', '', 403)).toBeUndefined()
    expect(kucoin.classify(anAnswer(503, '<html></html>'))).toBeUndefined()
  })
})

describe('tickers', () => {
  const whole = { symbol: 'BTC-USDT', last: '62000.1', changeRate: '0.0123', volValue: '10.5' }
  const pricesOf = (ticker: readonly unknown[], time?: unknown) =>
    prices.parse(JSON.stringify({ code: '200000', data: { time, ticker } }), at('2024-03-01T13:00Z'))

  test('are asked for all at once', () => {
    expect(prices.request(['BTC-USDT'])).toEqual({
      path: '/api/v1/market/allTickers',
      query: {},
      weight: 15,
    })
  })

  test('tell the change as a fraction and the volume in money', () => {
    expect(pricesOf([whole], from)).toEqual([
      {
        raw: whole,
        price: {
          market: 'BTC-USDT',
          timestamp: from,
          price: '62000.1',
          change24h: '1.23',
          volume24h: '10.5',
        },
      },
    ])
  })

  test('of a pair so new that its price is null have none', () => {
    expect(pricesOf([{ ...whole, last: null }])).toMatchObject([
      { price: { market: 'BTC-USDT', price: undefined } },
    ])
  })

  test('that do not know their change or volume leave it out', () => {
    const [row] = pricesOf([{ ...whole, changeRate: null, volValue: undefined }])
    expect(row).toHaveProperty('price.price', '62000.1')
    expect(row).not.toHaveProperty('price.change24h')
    expect(row).not.toHaveProperty('price.volume24h')
  })

  test.each([undefined, null, 'soon', 1, from / second])('with a time of %j are of the answer', (time) => {
    expect(pricesOf([whole], time)[0]).toHaveProperty('price.timestamp', at('2024-03-01T13:00Z'))
  })
})

describe('the listing', () => {
  const market = {
    symbol: 'GALAX-USDT',
    name: 'GALA-USDT',
    baseCurrency: 'GALAX',
    quoteCurrency: 'USDT',
    enableTrading: true,
    tradingStartTime: null,
  }
  const listed = (over: Readonly<Record<string, unknown>> = {}) =>
    listing.parse(JSON.stringify({ code: '200000', data: [{ ...market, ...over }] }))[0]

  test('a recorded one is read', () => {
    expect(listed({ tradingStartTime: undefined })).toEqual(listed())
    expect(listing.parse(recorded('kucoin/symbols_v2_docs'))).toEqual([
      { symbol: 'BTC-USDT', base: 'BTC', quote: 'USDT', trading: true },
    ])
  })

  test('a coin that was renamed is known by its new name, and its market by the old one', () => {
    expect(listed()).toEqual({ symbol: 'GALAX-USDT', base: 'GALA', quote: 'USDT', trading: true })
  })

  test.each(['', 'GALA', 'GALA-', 'A-B-C'])('a name of %j leaves the coins as they are coded', (name) => {
    expect(listed({ name })).toMatchObject({ base: 'GALAX', quote: 'USDT' })
  })

  test('tells what does not trade, and when it will', () => {
    expect(listed({ enableTrading: false, tradingStartTime: from })).toMatchObject({
      trading: false,
      listedAt: from,
    })
  })

  test('is always asked for whole: one market has another shape', () => {
    expect(listing.request()).toEqual({ path: '/api/v2/symbols', query: {}, weight: 4 })
  })
})
