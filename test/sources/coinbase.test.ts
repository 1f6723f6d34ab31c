import { stringify } from 'lossless-json'
import { describe, expect, test } from 'vitest'
import {
  BeforeHistory,
  Malformed,
  RangeTooLong,
  RateLimited,
  Refused,
  Unavailable,
  UnknownError,
  UnknownMarket,
} from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { timeframeMs } from '../../src/market/timeframe.ts'
import { coinbase } from '../../src/sources/coinbase.ts'
import type { CandleQuery, Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = coinbase

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'BTC-USD',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

/** A row as Coinbase writes it, low first, with some of its six columns written in another way. */
function aRow(over: Readonly<Record<number, string>> = {}, openTime: number = from): string {
  const row = [String(openTime / second), '61900', '62100', '62000', '62050.5', '4.727521520000001']
  return `[${row.map((column, index) => over[index] ?? column).join()}]`
}

const parse = (rows: readonly string[], over: Partial<CandleQuery> = {}): CandleRow[] =>
  coinbase.candles.parse(`[${rows.join()}]`, { ...query, ...over })

const flawOf = (row: string): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for candles', () => {
  test('both bounds are told, and the end lies before the next candle', () => {
    expect(coinbase.candles.request(query)).toEqual({
      path: '/products/BTC-USD/candles',
      query: {
        granularity: '60',
        start: '2024-03-01T12:00:00.000Z',
        end: '2024-03-01T12:09:59.999Z',
      },
      weight: 1,
    })
  })

  test('of a single candle too the start lies before the end', () => {
    const { start = '', end = '' } = coinbase.candles.request({
      ...query,
      range: { from, to: plus(from, minute) },
    }).query
    expect(Date.parse(start)).toBeLessThan(Date.parse(end))
  })

  test('a page asks for less than 300 lengths, since 301 are refused', () => {
    for (const timeframe of ['1m', '5m', '15m', '1h', '1d'] as const) {
      const length = timeframeMs[timeframe]
      const range = { from: at('2024-01-01'), to: plus(at('2024-01-01'), coinbase.candles.pageSize * length) }
      const { start = '', end = '' } = coinbase.candles.request({ ...query, timeframe, range }).query
      expect((Date.parse(end) - Date.parse(start)) / length).toBeLessThan(300)
    }
  })

  test('only lengths that there are are asked for: half hours and four hours are made of shorter ones', () => {
    const { timeframes, madeFrom, request } = coinbase.candles
    const asked = timeframes
      .filter((timeframe) => !(timeframe in madeFrom))
      .map((timeframe) => request({ ...query, timeframe }).query.granularity)
    expect(asked).toEqual(['60', '300', '900', '3600', '86400'])
    expect(madeFrom).toEqual({ '30m': '15m', '4h': '1h' })
  })

  test('a market cannot lead to another path', () => {
    expect(coinbase.candles.request({ ...query, symbol: '../orders?x' }).path).toBe(
      '/products/..%2Forders%3Fx/candles',
    )
  })
})

describe('reading candles', () => {
  test('a recorded week, both bounds included, becomes its days', () => {
    const { body, query: asked } = recordings.coinbase?.candles ?? expect.fail('not recorded')
    const rows = coinbase.candles.parse(body, asked)
    const { candles, rejected } = checkCandles(rows, { timeframe: '1d', range: asked.range, now: asked.asOf })
    expect(rejected).toEqual([])
    expect(candles.map(({ openTime }) => openTime)).toEqual(
      [0, 1, 2, 3, 4, 5, 6].map((days) => plus(at('2021-01-01'), days * day)),
    )
    expect(candles[0]).toMatchObject({ open: '23706.73', high: '24250', low: '23512.7', close: '24070.97' })
  })

  test('the low comes first, then the high, the open and the close', () => {
    const [row] = coinbase.candles.parse(recorded('coinbase/candles_btcusdt_1h_one'), {
      ...query,
      timeframe: '1h',
    })
    expect(row).toMatchObject({
      candle: {
        openTime: at('2024-03-13T11:00Z'),
        open: '73243.33',
        high: '73402.47',
        low: '73241.5',
        close: '73370.65',
        volume: '1.56794406',
      },
    })
  })

  test('columns in the usual order are not believed', () => {
    // Open, high, low and close where low, high, open and close belong.
    const { rejected } = checkCandles(parse([aRow({ 1: '62000', 3: '61900' })]), {
      timeframe: '1m',
      range: query.range,
      now: query.asOf,
    })
    expect(rejected).toMatchObject([{ reason: 'open 61900 is below low 62000' }])
  })

  test('without bounds 350 came where 300 are promised, and all of them are read', () => {
    const rows = coinbase.candles.parse(recorded('coinbase/candles_btcusd_1m_default'), query)
    expect(rows.filter((row) => 'candle' in row)).toHaveLength(350)
  })

  test('numbers keep every digit, and exponents are written out', () => {
    const row = aRow({ 1: '1.8E-4', 2: '0.000123456789012345678901', 3: '0.00018', 5: '4.727521520000001' })
    expect(parse([row])[0]).toMatchObject({
      candle: { low: '0.00018', high: '0.000123456789012345678901', volume: '4.727521520000001' },
    })
  })

  test('a row that is kept aside keeps its digits', () => {
    const [row] = parse([aRow({ 4: 'null' })])
    expect(stringify(row?.raw)).toBe(aRow({ 4: 'null' }))
  })

  test.each([
    [1, 'low'],
    [2, 'high'],
    [3, 'open'],
    [4, 'close'],
    [5, 'volume'],
  ])('null, text or nothing in column %i is a flaw of the %s', (column, name) => {
    for (const value of ['null', '"NaN"', '"nan"', '""', 'true', '{}'])
      expect(flawOf(aRow({ [column]: value }))).toBe(`${name} is not a decimal string`)
  })

  test('a row of fewer columns is a flaw', () => {
    expect(flawOf(`[${from / second},1,2,1,2]`)).toBe('volume is not a decimal string')
  })

  test.each([
    ['milliseconds', String(from)],
    ['text', `"${from / second}"`],
    ['a fraction of a second', `${from / second}.5`],
    ['nothing', 'null'],
  ])('an open time in %s is a flaw of its row alone', (_, openTime) => {
    const rows = parse([aRow(), aRow({ 0: openTime })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ 0: openTime })])).toThrow('none of them with a time that can be read')
  })

  test('an object instead of a row spoils the page, as it comes from another interface of Coinbase', () => {
    expect(() => parse([`{"start":"${from / second}","low":"1"}`])).toThrow(Malformed)
    expect(() => coinbase.candles.parse('{"candles":[]}', query)).toThrow(Malformed)
  })

  test('candles of a shorter timeframe spoil the page', () => {
    const rows = [0, 1, 2, 3, 4].map((index) => aRow({}, from + index * minute))
    expect(() => parse(rows, { timeframe: '1h' })).toThrow('coinbase sent candles that are shorter than 1h')
  })

  test('rows of before the start, twice the same and the one that runs are left to whoever checks them', () => {
    const rows = parse([aRow({}, from + 3 * minute), aRow({}, from), aRow({}, from), aRow({}, from - hour)])
    expect(rows.every((row) => 'candle' in row)).toBe(true)
    const checked = checkCandles(rows, {
      timeframe: '1m',
      range: query.range,
      now: plus(from, 3 * minute + second),
    })
    expect(checked).toMatchObject({ candles: [{ openTime: from }], rejected: [], ignored: 3 })
    expect(coinbase.candles.bounds).toBe('to')
  })
})

describe('reading the listing', () => {
  const aProduct = (over: object) => ({
    id: 'BTC-USD',
    base_currency: 'BTC',
    quote_currency: 'USD',
    status: 'online',
    trading_disabled: false,
    ...over,
  })
  const read = (over: object) => listing.parse(JSON.stringify([aProduct(over)]))[0]

  test('a recorded product is a market', () => {
    const markets = listing.parse(recorded('coinbase/products_2021'))
    expect(markets.find(({ symbol }) => symbol === 'ETH-BTC')).toEqual({
      symbol: 'ETH-BTC',
      base: 'ETH',
      quote: 'BTC',
      trading: true,
    })
  })

  test.each([
    [{ status: 'delisted' }],
    [{ status: 'offline' }],
    [{ status: 'internal' }],
    [{ trading_disabled: true }],
    [{ post_only: true }],
    [{ cancel_only: true }],
    [{ auction_mode: true }],
  ])('%j is not trading', (over) => {
    expect(read(over)).toMatchObject({ trading: false })
  })

  test('an auction is no market of its coin', () => {
    expect(read({ id: 'BTCAUCTION-USD' })).toMatchObject({ base: 'BTCAUCTION', quote: 'USD' })
  })

  test('a name that is no pair leaves it to the fields', () => {
    expect(read({ id: 'BTC-PERP-INTX' })).toMatchObject({ base: 'BTC', quote: 'USD' })
  })
})

describe('reading prices', () => {
  const answeredAt = at('2024-03-01T12:00Z')

  test('the market is the one that was asked for, the change is one of percent', () => {
    const [row] = prices.parse(recorded('coinbase/stats_ethusd_docs'), answeredAt, ['ETH-USD'])
    expect(row && 'price' in row && row.price).toEqual({
      market: 'ETH-USD',
      timestamp: answeredAt,
      price: '201.68000000',
      traded24h: '143965.79255890',
      change24h: '1.8740',
    })
  })

  test('the recorded statistics of before there was a last price have none', () => {
    expect(prices.parse(recorded('coinbase/stats_old'), answeredAt, ['BTC-USD'])).toMatchObject([
      { price: { market: 'BTC-USD', price: undefined } },
    ])
  })

  test.each([['null'], ['"0"']])('an open of %s makes no change', (open) => {
    const [row] = prices.parse(`{"open":${open},"last":"5"}`, answeredAt, ['X-USD'])
    expect(row && 'price' in row && row.price).toEqual({ market: 'X-USD', timestamp: answeredAt, price: '5' })
  })

  test('an answer for no market or for two is a mistake of ours', () => {
    const text = recorded('coinbase/stats_ethusd_docs')
    for (const markets of [undefined, [], ['ETH-USD', 'BTC-USD']])
      expect(() => prices.parse(text, answeredAt, markets)).toThrow(TypeError)
    expect(prices.pageSize).toBe(1)
  })
})

describe('errors', () => {
  const classify = (status: number, body: string, headers = {}) =>
    coinbase.classify(anAnswer(status, body, headers))

  test('an unknown product is HTTP 404', () => {
    expect(classify(404, recorded('coinbase/error_not_found'))).toBeInstanceOf(UnknownMarket)
    expect(classify(404, '<html></html>')).toBeUndefined()
  })

  test.each([
    [
      'granularity too small for the requested time range. Count of aggregations requested exceeds 300',
      RangeTooLong,
    ],
    ['Unsupported granularity', Refused],
    ['start must be before end', Refused],
    ['End is too old', BeforeHistory],
    ['Route not found', UnknownError],
  ])('%s', (message, Kind) => {
    const fault = classify(400, JSON.stringify({ message }))
    expect(fault).toBeInstanceOf(Kind)
    expect(fault?.message).toContain(message)
  })

  test.each(['{"message":"Public rate limit exceeded"}', 'Too many requests'])(
    'HTTP 429 with %s is waited out',
    (body) => {
      const fault = classify(429, body)
      expect(fault).toBeInstanceOf(RateLimited)
      expect(fault).toMatchObject({ waitMs: 5 * second })
    },
  )

  test('the time in its header is waited for', () => {
    expect(classify(429, '{"message":"x"}', { 'retry-after': '7' })).toMatchObject({ waitMs: 7 * second })
  })

  test('maintenance is no refusal', () => {
    expect(classify(400, '{"message":"Coinbase is under maintenance"}')).toBeInstanceOf(Unavailable)
    expect(classify(503, '{"message":"under maintenance"}')).toBeInstanceOf(Unavailable)
  })
})
