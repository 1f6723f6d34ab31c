import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownError, UnknownMarket } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { type Timeframe, timeframes } from '../../src/market/timeframe.ts'
import { okx } from '../../src/sources/okx.ts'
import type { CandleQuery, Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = okx

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'BTC-USDT',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

/** A row as OKX writes it, with some of its nine columns changed. */
function aRow(over: Readonly<Record<number, unknown>> = {}, openTime: number = from): unknown[] {
  const paid = '76507.4'
  const row = [String(openTime), '62000', '62100', '61900', '62050', '1.234', paid, paid, '1']
  return row.map((column, index) => (index in over ? over[index] : column))
}

const parse = (rows: readonly unknown[], over: Partial<CandleQuery> = {}): CandleRow[] =>
  okx.candles.parse(JSON.stringify({ code: '0', msg: '', data: rows }), { ...query, ...over })

const flawOf = (row: unknown): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for candles', () => {
  test('after is the end and before the beginning, and neither is included', () => {
    expect(okx.candles.request(query)).toEqual({
      path: '/api/v5/market/history-candles',
      query: {
        instId: 'BTC-USDT',
        bar: '1m',
        before: String(from - 1),
        after: String(from + 10 * minute - 1),
        limit: '300',
      },
      weight: 1,
    })
  })

  test('hours are written large, minutes small, and days begin in UTC', () => {
    const bars = timeframes.map((timeframe) => okx.candles.request({ ...query, timeframe }).query.bar)
    expect(bars).toEqual(['1m', '5m', '15m', '30m', '1H', '4H', '1Dutc'])
  })

  test('a range from the beginning of time has no bound below it', () => {
    const range = { from: at('1970-01-01'), to: from }
    expect(okx.candles.request({ ...query, range }).query.before).toBe('0')
  })
})

describe('reading candles', () => {
  test('a recorded page, newest first, becomes its closed hours', () => {
    const { body, query: asked } = recordings.okx?.candles ?? expect.fail('not recorded')
    const rows = okx.candles.parse(body, asked)
    const { candles, rejected } = checkCandles(rows, { timeframe: '1h', range: asked.range, now: asked.asOf })
    expect(rejected).toEqual([])
    expect(candles.map(({ openTime }) => openTime)).toEqual(
      [16, 17, 18, 19].map((hours) => plus(at('2024-01-16'), hours * hour)),
    )
    expect(candles[0]).toMatchObject({
      open: '43253.6',
      high: '43440.2',
      low: '43000',
      close: '43250.9',
      volume: '942.87870026',
    })
  })

  test('the volume is the one of the base asset', () => {
    expect(parse([aRow()])[0]).toMatchObject({ candle: { volume: '1.234' } })
  })

  test('a candle that is said to run, though its time was over when it was asked for, is a flaw', () => {
    const rows = parse([aRow({ 8: '0' })], { asOf: plus(from, minute) })
    expect(rows).toEqual([
      {
        raw: aRow({ 8: '0' }),
        openTime: from,
        flaw: 'okx says that the candle is not complete, though its time is over',
      },
    ])
  })

  test('a candle that runs is left to the clock of the answer', () => {
    const asOf = plus(from, minute - second)
    const rows = parse([aRow({ 8: '0' })], { asOf })
    expect(rows[0]).toHaveProperty('candle')
    expect(checkCandles(rows, { timeframe: '1m', range: query.range, now: asOf })).toMatchObject({
      candles: [],
      rejected: [],
      ignored: 1,
    })
  })

  test.each([[undefined], [null], [1], ['true']])('a ninth column of %j is a flaw', (confirm) => {
    expect(flawOf(aRow({ 8: confirm }))).toBe('the ninth column does not say whether the candle is complete')
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('a row without its column %i is no candle', (column) => {
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
    expect(() => parse([{ ts: String(from) }])).toThrow(Malformed)
  })

  test('more rows than were asked for spoil the page', () => {
    const rows = Array.from({ length: 301 }, (_, index) => aRow({}, from + index * minute))
    expect(() => parse(rows)).toThrow('more than a page holds')
    expect(parse(rows.slice(1))).toHaveLength(300)
  })

  test.each([
    [1, 'open'],
    [2, 'high'],
    [3, 'low'],
    [4, 'close'],
    [5, 'volume'],
    [7, 'turnover'],
  ])('a number instead of a string in column %i is a flaw of the %s', (column, name) => {
    expect(flawOf(aRow({ [column]: 62_000.5 }))).toBe(`${name} is not a decimal string`)
  })

  test.each(['NaN', 'nan', '', '0x10', '1,5', null])('a price of %j is a flaw, at its open time', (text) => {
    expect(parse([aRow({ 4: text })])[0]).toMatchObject({
      openTime: from,
      flaw: expect.stringContaining('close'),
    })
  })

  test('every digit is kept, and exponents are written out', () => {
    const volume = '1.23400000000000000001'
    expect(parse([aRow({ 5: volume })])[0]).toMatchObject({ candle: { volume } })
    const tiny = aRow({ 1: '1.8E-4', 2: '1.8E-4', 3: '1.8E-4', 4: '1.8E-4', 5: '10', 7: '1.8E-3' })
    expect(parse([tiny])[0]).toMatchObject({ candle: { open: '0.00018', volume: '10' } })
  })

  test('turnover in the place of the volume is a flaw', () => {
    expect(flawOf(aRow({ 5: '76507.4', 6: '1.234', 7: '1.234' }))).toBe(
      'volume and turnover stand in the place of each other',
    )
  })

  test('a derivative, whose volume counts contracts, is a flaw', () => {
    const row = aRow({ 5: '123.4', 6: '1.234', 7: '76507.4' })
    expect(flawOf(row)).toBe('volume counts contracts: this is not a spot market')
  })

  test('an interval in which nothing was traded is a candle', () => {
    const quiet = aRow({ 1: '62050', 2: '62050', 3: '62050', 5: '0', 6: '0', 7: '0' })
    expect(parse([quiet])[0]).toMatchObject({ candle: { volume: '0' } })
  })

  test('days that begin in Hong Kong are rejected', () => {
    const range = { from: at('2024-02-01'), to: at('2024-03-01') }
    const rows = parse([aRow({}, at('2024-02-10T16:00Z'))], { timeframe: '1d', range })
    const { candles, rejected } = checkCandles(rows, { timeframe: '1d', range, now: query.asOf })
    expect(candles).toEqual([])
    expect(rejected[0]?.reason).toContain('not on the 1d grid')
  })

  test.each<[Timeframe, number]>([
    ['1h', minute],
    ['1d', hour],
  ])('candles shorter than %s spoil the page, though some of them open on its grid', (timeframe, apartMs) => {
    const rows = Array.from({ length: 4 }, (_, index) => aRow({}, at('2024-03-01') + index * apartMs))
    expect(() => parse(rows, { timeframe })).toThrow(`shorter than ${timeframe}`)
  })

  test('one row in a wrong place does not spoil the others', () => {
    const rows = [0, 1, 2, 3].map((index) => aRow({}, from + index * minute))
    expect(parse([...rows, aRow({}, from + 1)])).toHaveLength(5)
  })

  test('the same row twice is one candle', () => {
    const { candles } = checkCandles(parse([aRow(), aRow()]), {
      timeframe: '1m',
      range: query.range,
      now: query.asOf,
    })
    expect(candles).toHaveLength(1)
  })
})

describe('an error of OKX', () => {
  const said = (code: string, msg: string, status = 200) =>
    okx.classify(anAnswer(status, JSON.stringify({ code, msg, data: [] })))

  test('about too many requests waits for the two seconds of its limit, without data and with HTTP 429', () => {
    const body = recorded('okx/error_50011')
    for (const status of [429, 200]) {
      expect(okx.classify(anAnswer(status, body))).toMatchObject({ code: 'RATE_LIMITED', waitMs: 2 * second })
    }
    expect(said('50061', 'Sub-account rate limit exceeded.')).toBeInstanceOf(RateLimited)
  })

  test('that says when to come again is waits until then', () => {
    const answer = anAnswer(429, recorded('okx/error_50011'), { 'retry-after': '7' })
    expect(okx.classify(answer)).toMatchObject({ waitMs: 7 * second })
  })

  test.each([200, 400])('about the instrument means that there is no such market, with HTTP %i', (status) => {
    expect(said('51001', "Instrument ID doesn't exist.", status)).toBeInstanceOf(UnknownMarket)
    expect(said('51000', 'Parameter instId error', status)).toBeInstanceOf(UnknownMarket)
  })

  test('about another parameter is not asked again', () => {
    expect(said('51000', 'Parameter bar error')).toBeInstanceOf(Refused)
    expect(said('51000', 'Parameter bar error')?.message).toBe(
      'okx rejected the request: Parameter bar error (51000)',
    )
    expect(said('50014', 'Parameter instId can not be empty.', 400)).toBeInstanceOf(Refused)
  })

  test('about a parameter that it does not name may pass', () => {
    expect(said('51000', 'Parameter error')).toBeInstanceOf(UnknownError)
  })

  test.each(['50001', '50004', '50005', '50013', '50026', '50040'])(
    '%s about the server is asked again',
    (code) => {
      for (const status of [200, 503]) expect(said(code, 'Busy.', status)).toBeInstanceOf(Unavailable)
    },
  )

  test('in a page of the firewall is told by its status', () => {
    for (const status of [403, 502]) {
      expect(okx.classify(anAnswer(status, '<!DOCTYPE html><html></html>'))).toBeUndefined()
    }
    expect(said('1', 'Forbidden', 403)).toBeUndefined()
    expect(said('50000', 'Body can not be empty.', 500)).toBeUndefined()
  })

  test('is not quoted whole when it is long', () => {
    expect(said('51000', 'x'.repeat(10_000))?.message.length).toBeLessThan(300)
  })
})

describe('tickers', () => {
  const priceOf = (over: Readonly<Record<string, unknown>> = {}) => {
    const row = {
      instType: 'SPOT',
      instId: 'BTC-USDT',
      last: '62000.1',
      open24h: '60000',
      vol24h: '100',
      volCcy24h: '6100000.5',
      ts: String(from),
      ...over,
    }
    return prices.parse(JSON.stringify({ code: '0', msg: '', data: [row] }), from)[0]
  }

  test('are asked for all at once', () => {
    expect(prices.request(['BTC-USDT', 'ETH-USDT'])).toEqual({
      path: '/api/v5/market/tickers',
      query: { instType: 'SPOT' },
      weight: 1,
    })
  })

  test('tell the change by the price of a day ago, and the volume in money', () => {
    expect(priceOf()).toMatchObject({
      price: {
        market: 'BTC-USDT',
        timestamp: from,
        price: '62000.1',
        change24h: '3.3335',
        volume24h: '6100000.5',
      },
    })
  })

  test('of derivatives have no volume in money', () => {
    const rows = prices.parse(recorded('okx/tickers_docshape'), from)
    expect(rows).toHaveLength(2)
    for (const row of rows) expect('price' in row && 'volume24h' in row.price).toBe(false)
  })

  test.each(['', '0', null, undefined])('with %j as the price of a day ago tell no change', (open24h) => {
    const row = priceOf({ open24h })
    expect(row).toHaveProperty('price.price', '62000.1')
    expect(row).not.toHaveProperty('price.change24h')
  })

  test('without a market are flaws', () => {
    expect(priceOf({ instId: null })).toMatchObject({ flaw: 'instId is missing or of another type' })
  })
})

describe('the listing', () => {
  const listed = (over: Readonly<Record<string, unknown>> = {}) => {
    const row = {
      instType: 'SPOT',
      instId: 'BTC-USDT',
      baseCcy: 'BTC',
      quoteCcy: 'USDT',
      state: 'live',
      listTime: '',
      expTime: '',
      ...over,
    }
    return listing.parse(JSON.stringify({ code: '0', msg: '', data: [row] }))
  }

  test('says since when a market is there', () => {
    expect(listing.parse(recorded('okx/instruments_spot_2025'))[0]).toEqual({
      symbol: 'BTC-USD',
      base: 'BTC',
      quote: 'USD',
      trading: true,
      listedAt: at('2024-12-06T03:00Z'),
    })
  })

  test('leaves out a time that is not given, and reports the end of a market where it is known', () => {
    expect(listed({ listTime: undefined, expTime: undefined })).toEqual(listed())
    expect(listed()).toEqual([{ symbol: 'BTC-USDT', base: 'BTC', quote: 'USDT', trading: true }])
    expect(listed({ expTime: String(plus(from, day)) })[0]?.delistedAt).toBe(plus(from, day))
  })

  test.each(['suspend', 'preopen', 'expired', 'test'])('in the state %s there is no trade', (state) => {
    expect(listed({ state })[0]?.trading).toBe(false)
  })

  test('holds spot markets alone', () => {
    expect(listed({ instType: 'SWAP', instId: 'BTC-USDT-SWAP' })).toEqual([])
  })

  test('is requested whole', () => {
    expect(listing.request().query).toEqual({ instType: 'SPOT' })
  })
})
