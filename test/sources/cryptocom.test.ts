import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownMarket } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { candleAround } from '../../src/market/range.ts'
import { type Timeframe, timeframes } from '../../src/market/timeframe.ts'
import { cryptocom } from '../../src/sources/cryptocom.ts'
import type { CandleQuery, Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = cryptocom

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'BTC_USD',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

const aRow = (over: Readonly<Record<string, unknown>> = {}, openTime: number = from) => ({
  o: '62000',
  h: '62100',
  l: '61900',
  c: '62050',
  v: '1.234',
  t: openTime,
  ...over,
})

const aResult = (data: readonly unknown[], over: Readonly<Record<string, unknown>> = {}) => ({
  id: -1,
  method: 'public/get-candlestick',
  code: 0,
  result: { interval: '1m', data, instrument_name: 'BTC_USD', ...over },
})

const parse = (
  rows: readonly unknown[],
  over: Readonly<Record<string, unknown>> = {},
  asked: Partial<CandleQuery> = {},
): CandleRow[] => cryptocom.candles.parse(JSON.stringify(aResult(rows, over)), { ...query, ...asked })

const flawOf = (row: unknown): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for candles', () => {
  test('counts back from the end, which is not included, and names the start although it is not heard', () => {
    expect(cryptocom.candles.request(query)).toEqual({
      path: '/exchange/v1/public/get-candlestick',
      query: {
        instrument_name: 'BTC_USD',
        timeframe: '1m',
        count: '10',
        start_ts: String(from - 1),
        end_ts: String(from + 10 * minute - 1),
      },
      weight: 1,
    })
  })

  test('a page is as long as there can be one', () => {
    const range = { from, to: plus(from, 300 * minute) }
    expect(cryptocom.candles.request({ ...query, range }).query.count).toBe('300')
    expect(cryptocom.candles.pageSize).toBe(300)
  })

  test('days are written large, all else small', () => {
    const named = timeframes.map((timeframe) => {
      const range = candleAround(timeframe, query.range.from)
      return cryptocom.candles.request({ ...query, timeframe, range }).query.timeframe
    })
    expect(named).toEqual(['1m', '5m', '15m', '30m', '1h', '4h', '1D'])
  })

  test('a range from the beginning of time has a start', () => {
    const range = { from: at('1970-01-01'), to: from }
    expect(cryptocom.candles.request({ ...query, range }).query.start_ts).toBe('0')
  })
})

describe('reading candles', () => {
  test('a recorded page, oldest first, has a candle for each quarter without a trade, and one that is open', () => {
    const { body, query: asked } = recordings.cryptocom?.candles ?? expect.fail('not recorded')
    const rows = cryptocom.candles.parse(body, asked)
    const { candles, rejected, ignored } = checkCandles(rows, {
      timeframe: '15m',
      range: asked.range,
      now: asked.asOf,
    })
    expect([candles.length, rejected, ignored]).toEqual([299, [], 1])
    expect(candles.filter(({ volume }) => volume === '0')).toHaveLength(298)
    expect(candles.at(-1)?.openTime).toBe(at('2026-08-16T21:30Z'))
  })

  test('a recorded page that ends the history begins with the listing', () => {
    const rows = cryptocom.candles.parse(
      recorded('cryptocom/candlestick_cloudusd_1d_first_page_of_history'),
      {
        symbol: 'CLOUD_USD',
        timeframe: '1d',
        range: { from: at('2024-02-29'), to: at('2024-12-25') },
        asOf: at('2025-01-01'),
      },
    )
    const days = rows.flatMap((row) => ('candle' in row ? [row.candle] : []))
    expect(days).toHaveLength(114)
    expect(days[0]).toEqual({
      openTime: at('2024-09-02'),
      open: '0.30214',
      high: '0.33279',
      low: '0.24213',
      close: '0.26634',
      volume: '7408',
    })
    // Asked for the days before 2024-12-25T00:00Z, it leaves that one out.
    expect(days.at(-1)?.openTime).toBe(at('2024-12-24'))
  })

  test('the example of the documentation, which names neither market nor length', () => {
    const [row] = cryptocom.candles.parse(recorded('cryptocom/candlestick_docs_numbers'), {
      ...query,
      timeframe: '5m',
    })
    expect(row).toMatchObject({
      candle: {
        openTime: at('2021-02-17T06:40Z'),
        open: '50508.500000',
        high: '50548.500000',
        low: '50172.500000',
        close: '50202.000000',
        volume: '17.203200',
      },
    })
  })

  test('fields are known by their names, in whatever order', () => {
    const { t, v, c, l, h, o } = aRow()
    expect(parse([{ v, t, l, o, c, h }])[0]).toMatchObject({
      candle: { openTime: from, open: '62000', high: '62100', low: '61900', close: '62050', volume: '1.234' },
    })
  })

  test('code and time may be strings', () => {
    const body = JSON.stringify({ ...aResult([aRow({ t: String(from) })]), id: '-1', code: '0' })
    expect(cryptocom.candles.parse(body, query)[0]).toMatchObject({ candle: { openTime: from } })
  })

  test('rows of before the start are handed on for the walk to leave out', () => {
    expect(parse([aRow({}, from - minute), aRow()])).toHaveLength(2)
    expect(cryptocom.candles.bounds).toBe('to')
  })

  test.each([
    ['seconds', from / second],
    ['microseconds', `${from}000`],
    ['a fraction', from + 0.5],
    ['nothing', null],
    ['no field at all', undefined],
  ])('an open time in %s is a flaw of its row alone', (_, t) => {
    const rows = parse([aRow(), aRow({ t })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ t })])).toThrow('none of them with a time that can be read')
  })

  test.each([[[from, '62000', '62100', '61900', '62050', '1.234']], ['row'], [null]])(
    '%j instead of an object spoils the page',
    (row) => {
      expect(() => parse([row])).toThrow(Malformed)
    },
  )

  test('another market or another length than asked for spoils the page', () => {
    expect(() => parse([aRow()], { instrument_name: 'ETH_USD' })).toThrow('ETH_USD instead of BTC_USD')
    expect(() => parse([aRow()], { interval: '1M' })).toThrow('1M instead of 1m')
    expect(() => parse([aRow()], { interval: '5m' })).toThrow(Malformed)
  })

  test('a length may go by its older name', () => {
    expect(parse([aRow()], { interval: 'M1' })).toHaveLength(1)
    const days = [aRow({}, at('2024-03-01'))]
    expect(parse(days, { interval: 'D1' }, { timeframe: '1d' })).toHaveLength(1)
  })

  test('more rows than a page holds spoil it', () => {
    const rows = Array.from({ length: 301 }, (_, index) => aRow({}, from + index * minute))
    expect(() => parse(rows)).toThrow('more than a page holds')
    expect(parse(rows.slice(1))).toHaveLength(300)
  })

  test.each([
    ['o', 'open'],
    ['h', 'high'],
    ['l', 'low'],
    ['c', 'close'],
    ['v', 'volume'],
  ])('without a string of digits as %s the %s is a flaw', (field, name) => {
    for (const value of [62_000.5, null, undefined, 'NaN', 'nan', '', '0x10', '1,5'])
      expect(flawOf(aRow({ [field]: value }))).toBe(`${name} is not a decimal string`)
  })

  test('every digit is kept, and exponents are written out', () => {
    const v = '1.23400000000000000001'
    expect(parse([aRow({ v })])[0]).toMatchObject({ candle: { volume: v } })
    const tiny = aRow({ o: '2.9E-6', h: '2.9E-6', l: '2.9E-6', c: '2.9E-6', v: '1e3' })
    expect(parse([tiny])[0]).toMatchObject({ candle: { open: '0.0000029', volume: '1000' } })
  })

  test.each<[Timeframe, string, number]>([
    ['1h', '1h', minute],
    ['1d', '1D', hour],
  ])('candles shorter than %s spoil the page, whatever it says', (timeframe, interval, apartMs) => {
    const rows = Array.from({ length: 4 }, (_, index) => aRow({}, at('2024-03-01') + index * apartMs))
    expect(() => parse(rows, { interval }, { timeframe })).toThrow(`shorter than ${timeframe}`)
  })

  test('the same row twice is one candle', () => {
    const { candles, rejected } = checkCandles(parse([aRow(), aRow()]), {
      timeframe: '1m',
      range: query.range,
      now: query.asOf,
    })
    expect([candles.length, rejected]).toEqual([1, []])
  })
})

describe('an error of Crypto.com', () => {
  const said = (code: number | string, message = 'BAD_REQUEST', status = 400) =>
    cryptocom.classify(
      anAnswer(status, JSON.stringify({ id: -1, method: 'public/get-candlestick', code, message })),
    )

  test('in the recorded words means that there is no such market', () => {
    const fault = cryptocom.classify(anAnswer(400, recorded('cryptocom/error_bad_request')))
    expect(fault).toBeInstanceOf(UnknownMarket)
    expect(fault?.message).toBe('cryptocom has no such market (BAD_REQUEST (40004))')
    expect(said('40004')).toBeInstanceOf(UnknownMarket)
    expect(said(30003, 'Symbol not found')).toBeInstanceOf(UnknownMarket)
    expect(said(40001, 'Invalid instrument_name')).toBeInstanceOf(UnknownMarket)
  })

  test('about another argument is not asked again', () => {
    expect(said(40004, 'Invalid timeframe')).toBeInstanceOf(Refused)
    expect(said(40001)).toBeInstanceOf(Refused)
    expect(said(40001)?.message).toBe('cryptocom rejected the request: BAD_REQUEST (40001)')
  })

  test.each([42901, '42901', 10006])('%j waits for the second of its limit, with any status', (code) => {
    for (const status of [429, 400, 200])
      expect(said(code, 'TOO_MANY_REQUESTS', status)).toMatchObject({ waitMs: second })
    expect(said(code)).toBeInstanceOf(RateLimited)
  })

  test('that says when to come again is waits until then', () => {
    const body = JSON.stringify({ code: 42901, message: 'TOO_MANY_REQUESTS' })
    expect(cryptocom.classify(anAnswer(429, body, { 'retry-after': '7' }))).toMatchObject({
      waitMs: 7 * second,
    })
  })

  test.each([40801, 50001, '9010001'])('%j about the server is asked again', (code) => {
    for (const status of [200, 400, 408, 500]) expect(said(code, 'X', status)).toBeInstanceOf(Unavailable)
  })

  test('comes with HTTP 200 too', () => {
    expect(said(40003, 'Invalid request', 200)).toBeInstanceOf(Refused)
    expect(said('0', '', 200)).toBeUndefined()
  })

  test('in a page of the firewall is told by its status', () => {
    for (const status of [403, 502])
      expect(cryptocom.classify(anAnswer(status, '<!DOCTYPE html>'))).toBeUndefined()
    expect(said(40101, 'UNAUTHORIZED', 403)).toBeUndefined()
  })

  test('without words and with too many of them is a message', () => {
    expect(cryptocom.classify(anAnswer(400, '{"code":40004}'))?.message).toContain('(40004)')
    expect(said(40001, 'x'.repeat(10_000))?.message.length).toBeLessThan(300)
  })
})

describe('tickers', () => {
  const priceOf = (over: Readonly<Record<string, unknown>> = {}) => {
    const row = { i: 'BTC_USD', a: '62000.1', k: '62001', c: '-0.0185', v: '100', vv: '6100000.5', t: from }
    return prices.parse(JSON.stringify(aResult([{ ...row, ...over }])), from)[0]
  }

  test('are asked for all at once', () => {
    expect(prices.request(['BTC_USD', 'ETH_USD'])).toEqual({
      path: '/exchange/v1/public/get-tickers',
      query: {},
      weight: 1,
    })
  })

  test('tell the last price and not the ask, the change of a fraction, and the volume in dollars', () => {
    expect(priceOf()).toMatchObject({
      price: {
        market: 'BTC_USD',
        timestamp: from,
        price: '62000.1',
        change24h: '-1.85',
        volume24h: '6100000.5',
      },
    })
  })

  test('of a recorded pair against the euro have their volume in dollars', () => {
    const rows = prices.parse(recorded('cryptocom/tickers_2026_even'), from)
    const row = rows.find((each) => 'price' in each && each.price.market === 'BTC_EUR')
    // 1.8788 coins at 54272.72 euros are 102 thousand euros.
    expect(row).toMatchObject({ price: { price: '54272.72', volume24h: '118877.93' } })
  })

  test.each(['c', 'vv'])('leave out what is null: %s', (field) => {
    const row = priceOf({ [field]: null })
    expect(row).toHaveProperty('price.price', '62000.1')
    expect(row).not.toHaveProperty(`price.${field === 'c' ? 'change24h' : 'volume24h'}`)
  })

  test('without a market are flaws', () => {
    expect(priceOf({ i: 5 })).toMatchObject({ flaw: 'i is missing or of another type' })
  })
})

describe('the listing', () => {
  const listed = (over: Readonly<Record<string, unknown>> = {}) => {
    const row = {
      symbol: 'BTC_USD',
      inst_type: 'CCY_PAIR',
      base_ccy: 'BTC',
      quote_ccy: 'USD',
      tradable: true,
      ...over,
    }
    return listing.parse(JSON.stringify(aResult([row])))
  }

  test('holds spot pairs alone', () => {
    expect(listed()).toEqual([{ symbol: 'BTC_USD', base: 'BTC', quote: 'USD', trading: true }])
    expect(listed({ inst_type: 'PERPETUAL_SWAP', symbol: 'BTCUSD-PERP' })).toEqual([])
    expect(listed({ inst_type: 'INDEX', base_ccy: undefined })).toEqual([])
    const symbols = listing.parse(recorded('cryptocom/instruments_2026_sample')).map(({ symbol }) => symbol)
    expect(symbols.filter((symbol) => symbol.includes('-'))).toEqual([])
  })

  test('says where there is no trade', () => {
    expect(listed({ tradable: false })[0]?.trading).toBe(false)
  })

  test('of another shape spoils it whole', () => {
    expect(() => listed({ base_ccy: undefined })).toThrow(Malformed)
    expect(() => listed({ inst_type: 1 })).toThrow('at 0.inst_type')
  })

  test('is asked for whole', () => {
    expect(listing.request().query).toEqual({})
  })
})

test('days begin in UTC, and one that does not is rejected', () => {
  const rows = parse([aRow({}, at('2024-02-10T16:00Z'))], { interval: '1D' }, { timeframe: '1d' })
  const range = { from: at('2024-02-01'), to: plus(at('2024-02-01'), 29 * day) }
  expect(checkCandles(rows, { timeframe: '1d', range, now: query.asOf }).rejected).toHaveLength(1)
})
