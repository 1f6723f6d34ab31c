import { describe, expect, test } from 'vitest'
import { Blocked, Malformed, RateLimited, Refused, Unavailable, UnknownMarket } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { hour, minute, second } from '../../src/market/instant.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { bybit } from '../../src/sources/bybit.ts'
import type { CandleQuery, Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = bybit

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'BTCUSDT',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

/** A row as Bybit writes it, with some of its seven columns changed. */
function aRow(over: Readonly<Record<number, unknown>> = {}, openTime: number = from): unknown[] {
  const row = [String(openTime), '62000', '62100', '61900', '62050', '1.234', '76507.4']
  return row.map((column, index) => (index in over ? over[index] : column))
}

const enveloped = (result: unknown, time?: unknown): string =>
  JSON.stringify({ retCode: 0, retMsg: 'OK', result, retExtInfo: {}, time })

const parse = (list: readonly unknown[], over: Partial<CandleQuery> = {}): CandleRow[] =>
  bybit.candles.parse(enveloped({ category: 'spot', symbol: 'BTCUSDT', list }, from), { ...query, ...over })

const flawOf = (row: unknown): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for candles', () => {
  test('is for spot, which is not the default, and for the last millisecond of the range, which is included', () => {
    expect(bybit.candles.request(query)).toEqual({
      path: '/v5/market/kline',
      query: {
        category: 'spot',
        symbol: 'BTCUSDT',
        interval: '1',
        start: String(from),
        end: String(from + 10 * minute - 1),
        limit: '1000',
      },
      weight: 1,
    })
  })

  test('minutes are numbers and a day is a letter', () => {
    const asked = timeframes.map((timeframe) => bybit.candles.request({ ...query, timeframe }).query.interval)
    expect(asked).toEqual(['1', '5', '15', '30', '60', '240', 'D'])
  })
})

describe('reading candles', () => {
  test('a recorded page, newest first, becomes its closed hours', () => {
    const { body, query: asked } = recordings.bybit?.candles ?? expect.fail('not recorded')
    const rows = bybit.candles.parse(body, asked)
    const { candles, rejected } = checkCandles(rows, { timeframe: '1h', range: asked.range, now: asked.asOf })
    expect(rejected).toEqual([])
    expect(candles.map(({ openTime }) => openTime)).toEqual(
      [10, 11, 12, 13, 14].map((hours) => plus(at('2024-05-08'), hours * hour)),
    )
    expect(candles[0]).toMatchObject({
      open: '62308.69',
      high: '62524.28',
      low: '62258.76',
      close: '62439.82',
      volume: '421.80928',
    })
  })

  test('the volume is the one of the base asset', () => {
    expect(parse([aRow()])[0]).toMatchObject({ candle: { volume: '1.234' } })
  })

  test('candles of a perpetual contract spoil the page', () => {
    const body = enveloped({ category: 'linear', symbol: 'BTCUSDT', list: [aRow()] })
    expect(() => bybit.candles.parse(body, query)).toThrow('linear markets instead of spot')
  })

  test('candles of another market spoil the page', () => {
    const body = enveloped({ category: 'spot', symbol: 'ETHUSDT', list: [aRow()] })
    expect(() => bybit.candles.parse(body, query)).toThrow('ETHUSDT instead of BTCUSDT')
  })

  test('the candle that runs has no mark, and is ignored by the clock of the answer', () => {
    const rows = parse([aRow({}, plus(from, minute)), aRow()])
    const now = plus(from, 2 * minute - second)
    const { candles, ignored } = checkCandles(rows, { timeframe: '1m', range: query.range, now })
    expect([candles.map(({ openTime }) => openTime), ignored]).toEqual([[from], 1])
  })

  test('the candle before an unaligned start is outside the range', () => {
    const rows = parse([aRow(), aRow({}, from - minute)])
    const { candles, ignored } = checkCandles(rows, { timeframe: '1m', range: query.range, now: query.asOf })
    expect([candles.map(({ openTime }) => openTime), ignored]).toEqual([[from], 1])
  })

  test.each([0, 1, 2, 3, 4, 5, 6])('a row without its column %i is no candle', (column) => {
    const row = aRow().toSpliced(column, 1)
    if (column === 0) expect(() => parse([row])).toThrow(Malformed)
    else expect(flawOf(row)).toBeDefined()
  })

  test.each([
    ['seconds', String(from / second)],
    ['microseconds', `${from}000`],
    ['a number', from],
    ['nothing', null],
  ])('an open time in %s is a flaw of its row alone', (_, openTime) => {
    const rows = parse([aRow(), aRow({ 0: openTime })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ 0: openTime })])).toThrow('none of them with a time that can be read')
  })

  test('an object instead of a row spoils the page', () => {
    expect(() => parse([{ start: String(from) }])).toThrow(Malformed)
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
    [6, 'turnover'],
  ])('a number instead of a string in column %i is a flaw of the %s', (column, name) => {
    expect(flawOf(aRow({ [column]: 62_000.5 }))).toBe(`${name} is not a decimal string`)
  })

  test.each(['NaN', '', '0x10', null])('a price of %j is a flaw, at its open time', (text) => {
    expect(parse([aRow({ 4: text })])[0]).toMatchObject({
      openTime: from,
      flaw: expect.stringContaining('close'),
    })
  })

  test('turnover in the place of the volume is a flaw', () => {
    expect(flawOf(aRow({ 5: '76507.4', 6: '1.234' }))).toBe(
      'volume and turnover stand in the place of each other',
    )
  })

  test('of a coin at about a dollar the two may be alike', () => {
    expect(flawOf(aRow({ 1: '1', 2: '1.001', 3: '0.999', 4: '1', 5: '500', 6: '500.1' }))).toBeUndefined()
  })

  test('an interval in which nothing was traded is a candle', () => {
    const quiet = aRow({ 1: '62050', 2: '62050', 3: '62050', 5: '0', 6: '0' })
    expect(parse([quiet])[0]).toMatchObject({ candle: { volume: '0' } })
  })

  test('candles shorter than those asked for spoil the page', () => {
    const rows = Array.from({ length: 4 }, (_, index) => aRow({}, from + index * minute))
    expect(() => parse(rows, { timeframe: '1h' })).toThrow('shorter than 1h')
  })
})

describe('an error of Bybit', () => {
  const said = (retCode: number, retMsg = 'Words.', status = 200, headers = {}) =>
    bybit.classify(anAnswer(status, JSON.stringify({ retCode, retMsg, result: {}, time: 1 }), headers))

  test('about the symbol, with HTTP 200, means that there is no such market', () => {
    const fault = bybit.classify(anAnswer(200, recorded('bybit/error_10001_symbol')))
    expect(fault).toBeInstanceOf(UnknownMarket)
    expect(fault?.message).toBe('bybit has no such market (Not supported symbols (10001))')
    expect(said(10001, 'params error: symbol invalid')).toBeInstanceOf(UnknownMarket)
    expect(said(10029, 'not allowed')).toBeInstanceOf(UnknownMarket)
  })

  test('about another parameter is not asked again, though its code is the same', () => {
    expect(said(10001, 'Invalid period!')).toBeInstanceOf(Refused)
    expect(said(10001, 'Invalid period!')?.message).toBe(
      'bybit rejected the request: Invalid period! (10001)',
    )
    expect(said(10017, 'Route not found.')).toBeInstanceOf(Refused)
  })

  test.each([10000, 10016, 10429, 429])('%i about the server is asked again', (code) => {
    expect(said(code)).toBeInstanceOf(Unavailable)
  })

  test('about too many visits waits for the end of the window that its header tells', () => {
    const { answeredAt } = anAnswer(200, '')
    const headers = { 'x-bapi-limit-reset-timestamp': String(answeredAt + 3 * second) }
    expect(said(10006, 'Too many visits!', 200, headers)).toMatchObject({ waitMs: 3 * second })
    expect(said(10006, 'Too many visits!')).toMatchObject({ waitMs: 5 * second })
  })

  test.each([
    ['is over', -hour, second],
    ['is absurdly far', 1_000 * hour, 10 * minute],
  ])('whose window %s waits a sensible time', (_, byMs, waitMs) => {
    const reset = String(anAnswer(200, '').answeredAt + byMs)
    expect(said(10006, 'Too many visits!', 200, { 'x-bapi-limit-reset-timestamp': reset })).toMatchObject({
      waitMs,
    })
  })

  test.each(['{"retCode":10018,"retMsg":"access too frequent"}', 'access too frequent', '<html>no</html>'])(
    'with HTTP 403 is a ban of ten minutes: %s',
    (body) => {
      const fault = bybit.classify(anAnswer(403, body))
      expect(fault).toBeInstanceOf(RateLimited)
      expect(fault).toMatchObject({ waitMs: 10 * minute })
    },
  )

  test('about the address, with HTTP 200, is the same ban', () => {
    expect(said(10018, 'Exceeded the IP Rate Limit.')).toMatchObject({ waitMs: 10 * minute })
  })

  test('with HTTP 403 and Retry-After lasts until then', () => {
    expect(bybit.classify(anAnswer(403, 'no', { 'retry-after': '900' }))).toMatchObject({
      waitMs: 15 * minute,
    })
  })

  test('with HTTP 403 and a page about our country is not a ban: waiting would not help', () => {
    const page = '<html>The distribution is configured to block access from your country.</html>'
    const fault = bybit.classify(anAnswer(403, page))
    expect(fault).toBeInstanceOf(Blocked)
    expect(fault?.message).toBe('bybit does not serve this region (HTTP 403 region)')
  })

  test('with a status of its own and nothing known in the body is reported by it', () => {
    expect(said(1, 'x', 500)).toBeUndefined()
    expect(said(1, 'x', 429)).toBeInstanceOf(RateLimited)
    expect(bybit.classify(anAnswer(503, '<html></html>'))).toBeUndefined()
  })
})

describe('tickers', () => {
  const pricesOf = (list: readonly unknown[], time?: unknown) =>
    prices.parse(enveloped({ category: 'spot', list }, time), at('2024-03-01T13:00Z'))
  const whole = { symbol: 'BTCUSDT', lastPrice: '62000.1', price24hPcnt: '-0.0123', turnover24h: '10.5' }

  test('are asked for all at once', () => {
    expect(prices.request(['BTCUSDT', 'ETHUSDT'])).toEqual({
      path: '/v5/market/tickers',
      query: { category: 'spot' },
      weight: 1,
    })
  })

  test('call a fraction a percentage', () => {
    expect(pricesOf([whole], from)).toEqual([
      {
        raw: whole,
        price: {
          market: 'BTCUSDT',
          timestamp: from,
          price: '62000.1',
          change24h: '-1.23',
          volume24h: '10.5',
        },
      },
    ])
  })

  test.each([undefined, null, 1, 'soon', from / second])(
    'without a time of their own (%j) are of the answer',
    (time) => {
      expect(pricesOf([whole], time)[0]).toHaveProperty('price.timestamp', at('2024-03-01T13:00Z'))
    },
  )

  test('that do not know their change or volume leave it out', () => {
    const [row] = pricesOf([{ ...whole, price24hPcnt: '', turnover24h: undefined }])
    expect(row).toHaveProperty('price.price', '62000.1')
    expect(row).not.toHaveProperty('price.change24h')
    expect(row).not.toHaveProperty('price.volume24h')
  })

  test('without a symbol are flaws', () => {
    expect(pricesOf([null])[0]).toEqual({ raw: null, flaw: 'the row is missing or of another type' })
  })

  test('of perpetual contracts are refused', () => {
    expect(() => prices.parse(enveloped({ category: 'linear', list: [whole] }), from)).toThrow(Malformed)
  })
})

describe('the listing', () => {
  const market = { symbol: 'BTCUSDT', baseCoin: 'BTC', quoteCoin: 'USDT', status: 'Trading' }
  const listed = (result: Readonly<Record<string, unknown>>) => listing.parse(enveloped(result))

  test('is split into base and quote by the source', () => {
    expect(listing.parse(recorded('bybit/instruments_spot_two'))).toEqual([
      { symbol: 'BTCUSDT', base: 'BTC', quote: 'USDT', trading: true },
      { symbol: 'ETHUSDT', base: 'ETH', quote: 'USDT', trading: true },
    ])
  })

  test('tells what does not trade', () => {
    expect(listed({ list: [{ ...market, status: 'PreLaunch' }] })[0]?.trading).toBe(false)
  })

  test('that goes on elsewhere is not taken for all there is', () => {
    expect(() => listed({ list: [market], nextPageCursor: 'page2' })).toThrow('only the first page')
    expect(listed({ list: [market], nextPageCursor: '' })).toHaveLength(1)
  })

  test('is requested whole', () => {
    expect(listing.request().query).toEqual({ category: 'spot' })
  })
})

test('has a second host for those whom the first does not serve', () => {
  expect(bybit.hosts).toEqual(['https://api.bybit.com', 'https://api.bytick.com'])
})
