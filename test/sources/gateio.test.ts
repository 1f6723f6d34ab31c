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
import { hour, minute, second } from '../../src/market/instant.ts'
import { candleCount } from '../../src/market/range.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { gateio } from '../../src/sources/gateio.ts'
import { type CandleQuery, reachableFrom, type Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = gateio

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'BTC_USDT',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

/** A row as Gate.io writes it, with some of its eight columns changed: money first, then close, high, low, open, coins. */
function aRow(over: Readonly<Record<number, unknown>> = {}, openTime: number = from): unknown[] {
  const row = [String(openTime / second), '76507.4', '62050', '62100', '61900', '62000', '1.234', 'true']
  return row.map((column, index) => (index in over ? over[index] : column))
}

const parse = (rows: readonly unknown[], over: Partial<CandleQuery> = {}): CandleRow[] =>
  gateio.candles.parse(JSON.stringify(rows), { ...query, ...over })

const flawOf = (row: unknown): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for candles', () => {
  test('is in seconds, with both bounds inclusive, and never has a limit beside them', () => {
    expect(gateio.candles.request(query)).toEqual({
      path: '/api/v4/spot/candlesticks',
      query: {
        currency_pair: 'BTC_USDT',
        interval: '1m',
        from: String(from / second),
        to: String((from + 10 * minute) / second - 1),
      },
      weight: 1,
    })
  })

  test('knows every timeframe by our own name', () => {
    const asked = timeframes.map(
      (timeframe) => gateio.candles.request({ ...query, timeframe }).query.interval,
    )
    expect(asked).toEqual(timeframes)
  })

  test('a page has no more than a thousand points, however they are counted', () => {
    const range = { from, to: plus(from, gateio.candles.pageSize * minute) }
    const { query: asked } = gateio.candles.request({ ...query, range })
    expect(Math.ceil((Number(asked.to) - Number(asked.from)) / 60) + 1).toBe(1_000)
  })

  test('begins less than ten thousand candles ago, with an hour to spare', () => {
    const deps = reachableFrom(gateio.candles, '1m', query.asOf)
    expect(candleCount({ from: deps, to: plus(query.asOf, hour) }, '1m')).toBeLessThan(10_000)
    expect(gateio.candles.depth).toBeGreaterThan(9_800)
  })
})

describe('reading candles', () => {
  test('money comes first and the open last, before the coins', () => {
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

  test('the recorded hours of seven columns are all there', () => {
    const { body, query: asked } = recordings.gateio?.candles ?? expect.fail('not recorded')
    const rows = gateio.candles.parse(body, asked)
    const { candles, rejected } = checkCandles(rows, { timeframe: '1h', range: asked.range, now: asked.asOf })
    expect([candles.map(({ close }) => close), rejected]).toEqual([
      ['26718.4', '26746.2', '26723.1', '26723.1'],
      [],
    ])
  })

  test('so is the recorded hour of eight', () => {
    const rows = gateio.candles.parse(recorded('gateio/candlesticks_8col_one'), query)
    expect(rows).toMatchObject([
      {
        candle: {
          openTime: at('2024-06-01T13:00Z'),
          open: '67715.1',
          high: '67839.9',
          low: '67715',
          close: '67772.5',
          volume: '17.07790000',
        },
      },
    ])
  })

  test('a candle that is said to run, though its time was over when it was asked for, is a flaw', () => {
    expect(parse([aRow({ 7: 'false' })], { asOf: plus(from, minute) })).toEqual([
      {
        raw: aRow({ 7: 'false' }),
        openTime: from,
        flaw: 'gateio says that the candle is not complete, though its time is over',
      },
    ])
  })

  test('a candle that runs is left to the clock of the answer', () => {
    const asOf = plus(from, minute - second)
    const rows = parse([aRow({ 7: 'false' })], { asOf })
    const { candles, rejected, ignored } = checkCandles(rows, {
      timeframe: '1m',
      range: query.range,
      now: asOf,
    })
    expect([candles, rejected, ignored]).toEqual([[], [], 1])
  })

  test.each([[null], [true], ['1'], ['']])('an eighth column of %j is a flaw', (complete) => {
    expect(flawOf(aRow({ 7: complete }))).toBe(
      'the eighth column does not say whether the candle is complete',
    )
  })

  test.each([0, 1, 2, 3, 4, 5, 6])(
    'a row without its column %i is no candle, with or without the last',
    (column) => {
      for (const row of [aRow(), aRow().slice(0, 7)]) {
        const cut = row.toSpliced(column, 1)
        if (column === 0) expect(() => parse([cut])).toThrow(Malformed)
        else expect(flawOf(cut)).toBeDefined()
      }
    },
  )

  test.each([
    ['milliseconds', String(from)],
    ['a number', from / second],
    ['nothing', null],
  ])('an open time in %s is a flaw of its row alone', (_, openTime) => {
    const rows = parse([aRow(), aRow({ 0: openTime })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ 0: openTime })])).toThrow('none of them with a time that can be read')
  })

  test.each([
    [1, 'turnover'],
    [2, 'close'],
    [3, 'high'],
    [4, 'low'],
    [5, 'open'],
    [6, 'volume'],
  ])('a number or a word instead of an amount in column %i is a flaw of the %s', (column, name) => {
    for (const value of [62_000.5, 'nan', '', null, '0x10'])
      expect(flawOf(aRow({ [column]: value }))).toBe(`${name} is not a decimal string`)
  })

  test('coins in the place of money are a flaw', () => {
    expect(flawOf(aRow({ 1: '1.234', 6: '76507.4' }))).toBe(
      'volume and turnover stand in the place of each other',
    )
  })

  test('candles in the order of all others do not pass', () => {
    const row = [String(from / second), '62000', '62100', '61900', '62050', '1.234', '76507.4']
    const { candles } = checkCandles(parse([row]), {
      timeframe: '1m',
      range: query.range,
      now: query.asOf,
    })
    expect(candles).toEqual([])
  })

  test('twenty decimals are kept, and exponents are written out', () => {
    const row = aRow({ 2: '6.2E4', 6: '1.23400000000000000001' })
    expect(parse([row])[0]).toMatchObject({ candle: { close: '62000', volume: '1.23400000000000000001' } })
  })

  test('an interval in which nothing was traded is a candle', () => {
    const quiet = aRow({ 1: '0', 2: '62000', 3: '62000', 4: '62000', 6: '0' })
    expect(parse([quiet])[0]).toMatchObject({ candle: { volume: '0' } })
  })

  test('candles of another length, as come for a name it does not know, spoil the page where they are shorter', () => {
    const rows = [0, 1, 2, 3].map((index) => aRow({}, from + index * minute))
    expect(() => parse(rows, { timeframe: '1h' })).toThrow('shorter than 1h')
  })

  test('more rows than an answer holds spoil the page', () => {
    const rows = Array.from({ length: 1_001 }, (_, index) => aRow({}, from + index * minute))
    expect(() => parse(rows)).toThrow('more than an answer holds')
  })
})

describe('an error of Gate.io', () => {
  const said = (label: string, status = 400, headers = {}) =>
    gateio.classify(anAnswer(status, JSON.stringify({ label, message: 'Words.' }), headers))

  test('about the pair means that there is no such market, and so does a coin that was delisted', () => {
    const fault = gateio.classify(anAnswer(400, recorded('gateio/error_pair')))
    expect(fault).toBeInstanceOf(UnknownMarket)
    expect(fault?.message).toBe(
      'gateio has no such market (Invalid currency pair NOPE_USDT (INVALID_CURRENCY_PAIR))',
    )
    expect(said('INVALID_CURRENCY')).toBeInstanceOf(UnknownMarket)
  })

  test('about a window that is too broad or too long ago is an error of its own kind', () => {
    const about = (message: string) =>
      gateio.classify(anAnswer(400, JSON.stringify({ label: 'INVALID_PARAM_VALUE', message })))
    expect(
      about('Candlestick range too broad. Maximum 1000 data points are allowed per request'),
    ).toBeInstanceOf(RangeTooLong)
    expect(about('Candlestick too long ago. Maximum 10000 points recently are allowed')).toBeInstanceOf(
      BeforeHistory,
    )
    expect(about('invalid interval')).toBeInstanceOf(Refused)
    expect(about('Words.')).toBeInstanceOf(UnknownError)
  })

  test('about keys, which are not sent, is unknown here', () => {
    expect(gateio.classify(anAnswer(400, '{"label":"FORBIDDEN"}'))?.message).toBe(
      'gateio returned an error that is not known here: FORBIDDEN',
    )
  })

  test.each(['TOO_MANY_REQUESTS', 'TOO_FAST'])('%s waits for the window of the limit', (label) => {
    for (const status of [429, 200]) {
      expect(said(label, status)).toBeInstanceOf(RateLimited)
      expect(said(label, status)).toMatchObject({ waitMs: 10 * second })
    }
  })

  test.each([
    ['3 s ahead', 3 * second, 3 * second],
    ['over', -hour, second],
    ['absurdly far', 1_000 * hour, minute],
  ])('whose header says that the window ends, %s, waits a sensible time', (_, byMs, waitMs) => {
    const reset = String((anAnswer(429, '').answeredAt + byMs) / second)
    expect(said('TOO_FAST', 429, { 'x-gate-ratelimit-reset-timestamp': reset })).toMatchObject({ waitMs })
  })

  test('that says when to come again is waits until then', () => {
    expect(said('TOO_FAST', 429, { 'retry-after': '7' })).toMatchObject({ waitMs: 7 * second })
  })

  test.each(['SERVER_ERROR', 'INTERNAL', 'TOO_BUSY'])('%s is asked again', (label) => {
    for (const status of [200, 400, 500]) expect(said(label, status)).toBeInstanceOf(Unavailable)
  })

  test('with a status of its own and nothing known in the body is reported by it', () => {
    for (const status of [500, 403]) expect(said('OTHER', status)).toBeUndefined()
    expect(gateio.classify(anAnswer(502, '<html></html>'))).toBeUndefined()
    expect(gateio.classify(anAnswer(400, '{"message":"x"}'))).toBeUndefined()
  })

  test('is not quoted whole when it is long', () => {
    const body = JSON.stringify({ label: 'x'.repeat(10_000), message: 'y'.repeat(10_000) })
    expect(gateio.classify(anAnswer(400, body))?.message.length).toBeLessThan(400)
  })
})

describe('tickers', () => {
  const whole = {
    currency_pair: 'BTC_USDT',
    last: '62000.1',
    change_percentage: '-1.23',
    quote_volume: '10.5',
  }
  const pricesOf = (...rows: unknown[]) => prices.parse(JSON.stringify(rows), from)

  test('are asked for all at once, are of the time of the answer, and tell percent and money', () => {
    expect(prices.request(['BTC_USDT'])).toEqual({ path: '/api/v4/spot/tickers', query: {}, weight: 1 })
    expect(pricesOf(whole)).toEqual([
      {
        raw: whole,
        price: {
          market: 'BTC_USDT',
          timestamp: from,
          price: '62000.1',
          change24h: '-1.23',
          volume24h: '10.5',
        },
      },
    ])
  })

  test.each(['', null, undefined])('that say %j do not know', (value) => {
    const [row] = pricesOf({ ...whole, change_percentage: value, quote_volume: value })
    expect(row).toHaveProperty('price.price', '62000.1')
    expect(row).not.toHaveProperty('price.change24h')
    expect(row).not.toHaveProperty('price.volume24h')
    expect(pricesOf({ ...whole, last: value })).toMatchObject([
      { price: { market: 'BTC_USDT', price: undefined } },
    ])
  })

  test('without a market are flaws', () => {
    expect(pricesOf({ ...whole, currency_pair: undefined }, null)).toMatchObject([
      { flaw: 'currency_pair is missing or of another type' },
      { flaw: 'the row is missing or of another type' },
    ])
  })
})

describe('the listing', () => {
  const market = { id: 'BTC_USDT', base: 'BTC', quote: 'USDT', trade_status: 'tradable' }
  const listed = (over: Readonly<Record<string, unknown>> = {}) =>
    listing.parse(JSON.stringify([{ ...market, ...over }]))[0]

  test('dates a market by the start of trading, and never by the start of offline orders', () => {
    expect(listing.parse(recorded('gateio/currency_pairs_few'))).toEqual([
      { symbol: 'BTC_USDT', base: 'BTC', quote: 'USDT', trading: true },
      {
        symbol: 'CHZ_USDT',
        base: 'CHZ',
        quote: 'USDT',
        trading: true,
        listedAt: at('2020-12-24T06:00Z'),
      },
      { symbol: 'ETH_USDT', base: 'ETH', quote: 'USDT', trading: true },
    ])
    expect(listed({ buy_start: from / second, sell_start: 1_516_378_650 })?.listedAt).toBe(from)
    for (const buy_start of [0, undefined, null, '', -1, 1_516_378_650_000, 'soon'])
      expect(listed({ buy_start, sell_start: 1_516_378_650 })).not.toHaveProperty('listedAt')
  })

  test.each([
    ['Apple xStock', 'tokenized-stock'],
    ['Apple Ondo Tokenized', 'tokenized-stock'],
    ['Ondo', undefined],
    ['Ondo US Dollar Yield', undefined],
    ['Stacks', undefined],
  ])('knows by its full name whether %s is a coin', (base_name, kind) => {
    expect(listed({ base_name })).toEqual({ ...listed(), baseName: base_name, ...(kind && { kind }) })
  })

  test('a pre-market is no coin yet', () => {
    expect(listed({ type: 'premarket' })?.kind).toBe('pre-market')
    expect(listed({ type: 'normal' })).not.toHaveProperty('kind')
  })

  test('tells when a market will be gone', () => {
    expect(listed({ delisting_time: from / second })?.delistedAt).toBe(from)
    expect(listed({ delisting_time: 0 })).toEqual(listed())
  })

  test.each(['untradable', 'buyable', 'sellable'])('what is %s does not trade', (trade_status) => {
    expect(listed({ trade_status })?.trading).toBe(false)
  })
})
