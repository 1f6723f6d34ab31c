import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownMarket } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { hour, minute, second } from '../../src/market/instant.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { mexc } from '../../src/sources/mexc.ts'
import type { CandleQuery, Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = mexc

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'BTCUSDT',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

/** A row as MEXC writes it, with some of its eight columns changed. */
function aRow(over: Readonly<Record<number, unknown>> = {}, openTime: number = from): unknown[] {
  const row = [openTime, '62000', '62100', '61900', '62050', '1.234', openTime + minute, '76507.4']
  return row.map((column, index) => (index in over ? over[index] : column))
}

const parse = (rows: readonly unknown[], over: Partial<CandleQuery> = {}): CandleRow[] =>
  mexc.candles.parse(JSON.stringify(rows), { ...query, ...over })

const flawOf = (row: unknown): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for candles', () => {
  test('names both bounds, since neither is heard alone, and the documented limit, of which half was ever seen', () => {
    expect(mexc.candles.request(query)).toEqual({
      path: '/api/v3/klines',
      query: {
        symbol: 'BTCUSDT',
        interval: '1m',
        startTime: String(from),
        endTime: String(from + 10 * minute - 1),
        limit: '1000',
      },
      weight: 1,
    })
    expect(mexc.candles.pageSize).toBe(500)
  })

  test('an hour is written as sixty minutes', () => {
    const intervals = timeframes.map(
      (timeframe) => mexc.candles.request({ ...query, timeframe }).query.interval,
    )
    expect(intervals).toEqual(['1m', '5m', '15m', '30m', '60m', '4h', '1d'])
  })
})

describe('reading candles', () => {
  test('a recorded page becomes its closed minutes', () => {
    const { body, query: asked } = recordings.mexc?.candles ?? expect.fail('not recorded')
    const { candles, rejected } = checkCandles(mexc.candles.parse(body, asked), {
      timeframe: '1m',
      range: asked.range,
      now: asked.asOf,
    })
    expect(rejected).toEqual([])
    expect(candles.map(({ openTime }) => openTime)).toEqual(
      [0, 1, 2, 3, 4].map((minutes) => plus(at('2026-09-02T06:00Z'), minutes * minute)),
    )
    expect(candles[4]).toEqual({
      openTime: at('2026-09-02T06:04Z'),
      open: '77658.14',
      high: '77711.5',
      low: '77658.14',
      close: '77702.38',
      volume: '2.86250995',
    })
  })

  test('the volume is the one of the base asset', () => {
    expect(parse([aRow()])[0]).toMatchObject({ candle: { volume: '1.234' } })
    expect(flawOf(aRow({ 5: '76507.4', 7: '1.234' }))).toBe(
      'volume and turnover stand in the place of each other',
    )
  })

  test('a candle closes where the next one opens, or a millisecond before', () => {
    for (const closeTime of [from + minute, from + minute - 1])
      expect(parse([aRow({ 6: closeTime })])[0]).toMatchObject({ closesAt: from + minute })
    expect(parse([aRow({ 6: from + 30 * second })])[0]).toMatchObject({ closesAt: from + 30 * second })
  })

  test.each([
    ['written in seconds', (from + minute) / second],
    ['not there', null],
  ])('a close time that is %s is a flaw', (_, closeTime) => {
    expect(flawOf(aRow({ 6: closeTime }))).toBe('the seventh column is not a time in milliseconds')
  })

  test('hours in place of days spoil the page', () => {
    const hours = [0, 1, 2, 3].map((index) => at('2024-03-01') + index * hour)
    const rows = hours.map((openTime) => aRow({ 6: openTime + hour }, openTime))
    expect(() => parse(rows, { timeframe: '1d' })).toThrow('mexc sent candles that are shorter than 1d')
  })

  test('days that do not begin in UTC are rejected', () => {
    const openTime = at('2024-02-10T16:00Z')
    const rows = parse([aRow({ 6: openTime + 24 * hour }, openTime)], { timeframe: '1d' })
    const range = { from: at('2024-02-01'), to: at('2024-03-01') }
    const { candles, rejected } = checkCandles(rows, { timeframe: '1d', range, now: query.asOf })
    expect(candles).toEqual([])
    expect(rejected[0]?.reason).toContain('not on the 1d grid')
  })

  test.each([
    ['seconds', from / second],
    ['a string', String(from)],
    ['nothing', null],
  ])('an open time in %s is a flaw of its row alone', (_, openTime) => {
    const rows = parse([aRow(), aRow({ 0: openTime })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ 0: openTime })])).toThrow('none of them with a time that can be read')
  })

  test('an object instead of a row, or of the rows, spoils the page', () => {
    expect(() => parse([{ openTime: from }])).toThrow(Malformed)
    expect(() => mexc.candles.parse('{"data":[]}', query)).toThrow(Malformed)
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7])('a row without its column %i is no candle', (column) => {
    const row = aRow().toSpliced(column, 1)
    if (column === 0) expect(() => parse([row])).toThrow(Malformed)
    else expect(flawOf(row)).toBeDefined()
  })

  test('more rows than were asked for spoil the page', () => {
    const rows = Array.from({ length: 1_001 }, (_, index) => aRow({}, from + index * minute))
    expect(() => parse(rows)).toThrow('more than a page holds')
    expect(parse(rows.slice(1))).toHaveLength(1_000)
  })

  test.each([
    [1, 'open'],
    [2, 'high'],
    [3, 'low'],
    [4, 'close'],
    [5, 'volume'],
    [7, 'turnover'],
  ])('without a string of digits in column %i the %s is a flaw', (column, name) => {
    for (const value of [62_000.5, null, 'NaN', 'nan', '', '0x10'])
      expect(flawOf(aRow({ [column]: value }))).toBe(`${name} is not a decimal string`)
  })

  test('every digit is kept, and exponents are written out', () => {
    const volume = '1.23400000000000000001'
    expect(parse([aRow({ 5: volume })])[0]).toMatchObject({ candle: { volume } })
    const tiny = aRow({ 1: '1.8E-4', 2: '1.8E-4', 3: '1.8E-4', 4: '1.8E-4', 5: '10', 7: '1.8E-3' })
    expect(parse([tiny])[0]).toMatchObject({ candle: { open: '0.00018' } })
  })

  test('an unknown market may have no candles instead of an error', () => {
    expect(parse([])).toEqual([])
  })
})

describe('an error of MEXC', () => {
  const said = (code: number, msg: string, status = 400) =>
    mexc.classify(anAnswer(status, JSON.stringify({ code, msg })))

  test('in the recorded words means that there is no such market', () => {
    expect(mexc.classify(anAnswer(400, recorded('mexc/error_invalid_symbol')))).toBeInstanceOf(UnknownMarket)
    expect(said(10007, 'bad symbol')).toBeInstanceOf(UnknownMarket)
    expect(said(10007, 'bad symbol', 200)).toBeInstanceOf(UnknownMarket)
  })

  test('about another parameter is not asked again', () => {
    expect(said(-1121, 'Invalid interval.')).toBeInstanceOf(Refused)
    expect(said(700003, 'Timestamp for this request is outside of the recvWindow.')?.message).toBe(
      'mexc rejected the request: Timestamp for this request is outside of the recvWindow. (700003)',
    )
  })

  test.each([429, 510])('%i waits for the window of its limit, with any status', (code) => {
    for (const status of [429, 400, 200])
      expect(said(code, 'Too many requests', status)).toMatchObject({ waitMs: 10 * second })
    expect(said(code, 'Too many requests')).toBeInstanceOf(RateLimited)
  })

  test('that says when to come again is waits until then, and a ban for longer than the window', () => {
    const body = '{"code":429,"msg":"Too many requests"}'
    expect(mexc.classify(anAnswer(429, body, { 'retry-after': '7' }))).toMatchObject({ waitMs: 7 * second })
    for (const status of [418, 403]) expect(mexc.classify(anAnswer(status, body))).toBeUndefined()
  })

  test.each([500, 501, 503, 504, 801])('%i about the server is asked again', (code) => {
    for (const status of [200, 400, 503]) expect(said(code, 'Busy', status)).toBeInstanceOf(Unavailable)
  })

  test('is none where the code is that of success', () => {
    for (const code of [0, 200]) expect(said(code, 'success', 200)).toBeUndefined()
    expect(mexc.classify(anAnswer(502, '<html></html>'))).toBeUndefined()
  })

  test('is not quoted whole when it is long, and may have no words', () => {
    expect(said(700003, 'x'.repeat(10_000))?.message.length).toBeLessThan(300)
    expect(mexc.classify(anAnswer(400, '{"code":700003,"msg":null}'))).toBeInstanceOf(Refused)
  })
})

describe('tickers', () => {
  const priceOf = (over: Readonly<Record<string, unknown>> = {}) => {
    const row = {
      symbol: 'BTCUSDT',
      priceChangePercent: '-0.0034',
      lastPrice: '62000.1',
      volume: '100',
      quoteVolume: '6100000.5',
      closeTime: from,
      count: null,
      ...over,
    }
    return prices.parse(JSON.stringify([row]), from)[0]
  }

  test('are asked for all at once', () => {
    expect(prices.request(['BTCUSDT'])).toEqual({ path: '/api/v3/ticker/24hr', query: {}, weight: 40 })
  })

  test('tell a change that is called a percentage and is a fraction, and the volume in money', () => {
    expect(priceOf()).toMatchObject({
      price: {
        market: 'BTCUSDT',
        timestamp: from,
        price: '62000.1',
        change24h: '-0.34',
        volume24h: '6100000.5',
      },
    })
  })

  test('in the recorded words have no volume: it is null', () => {
    const [row] = prices.parse(recorded('mexc/ticker24hr_two'), from)
    // From 46079.37 to 46263.71.
    expect(row).toHaveProperty('price.change24h', '0.400048')
    expect(row).not.toHaveProperty('price.volume24h')
  })

  test('leave out a change that is not told', () => {
    expect(priceOf({ priceChangePercent: null })).not.toHaveProperty('price.change24h')
  })

  test('without a symbol are flaws', () => {
    expect(priceOf({ symbol: null })).toMatchObject({ flaw: 'symbol is missing or of another type' })
  })
})

describe('the listing', () => {
  const listed = (over: Readonly<Record<string, unknown>> = {}) => {
    const row = {
      symbol: 'BTCUSDT',
      status: '1',
      baseAsset: 'BTC',
      quoteAsset: 'USDT',
      isSpotTradingAllowed: true,
      ...over,
    }
    return listing.parse(JSON.stringify({ symbols: [row] }))
  }

  test('names the recorded market', () => {
    expect(listing.parse(recorded('mexc/exchangeInfo_small'))).toEqual([
      { symbol: 'BROCKUSDT', base: 'BROCK', quote: 'USDT', baseName: 'Bitrock', trading: true },
    ])
  })

  test.each([
    ['1', true],
    [1, true],
    ['ENABLED', true],
    ['2', false],
    ['3', false],
    ['PAUSE', false],
  ])('with the status %j: trading %j', (status, trading) => {
    expect(listed({ status })[0]?.trading).toBe(trading)
  })

  test('holds markets where the API takes no orders: they are traded all the same', () => {
    expect(listed({ isSpotTradingAllowed: false })[0]?.trading).toBe(true)
  })

  test('is requested whole', () => {
    expect(listing.request()).toEqual({ path: '/api/v3/exchangeInfo', query: {}, weight: 10 })
  })
})
