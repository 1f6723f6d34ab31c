import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownError, UnknownMarket } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { hour, minute, second } from '../../src/market/instant.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { bitfinex } from '../../src/sources/bitfinex.ts'
import type { CandleQuery, Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = bitfinex

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'tBTCUSD',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

/** Columns of a row as Bitfinex writes it: numbers, the close second. */
const columns = ['62000', '62050', '62100', '61900', '1.234']

/** A row with some of its six columns written in another way. */
const aRow = (over: Readonly<Record<number, string>> = {}, openTime: number = from): string =>
  `[${[String(openTime), ...columns].map((column, index) => over[index] ?? column).join(',')}]`

const parse = (rows: readonly string[], over: Partial<CandleQuery> = {}): CandleRow[] =>
  bitfinex.candles.parse(`[${rows.join(',')}]`, { ...query, ...over })

const flawOf = (row: string): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

const openTimesOf = (rows: readonly CandleRow[]): (number | undefined)[] =>
  rows.map((row) => ('candle' in row ? row.candle.openTime : row.openTime))

describe('asking for candles', () => {
  test('goes forward from the start, and includes both bounds', () => {
    expect(bitfinex.candles.request(query)).toEqual({
      path: '/v2/candles/trade:1m:tBTCUSD/hist',
      query: { start: String(from), end: String(from + 10 * minute - 1), limit: '10000', sort: '1' },
      weight: 1,
    })
  })

  test('only days are written large: 1M is a month', () => {
    const own = timeframes.filter((timeframe) => timeframe !== '4h')
    const paths = own.map((timeframe) => bitfinex.candles.request({ ...query, timeframe }).path)
    expect(paths.map((path) => path.split(':')[1])).toEqual(['1m', '5m', '15m', '30m', '1h', '1D'])
  })

  test('four hours are made of hours', () => {
    expect(bitfinex.candles.madeFrom).toEqual({ '4h': '1h' })
  })

  test('the colon of a long name stays as it is, and nothing else leaves the path', () => {
    const pathOf = (symbol: string) => bitfinex.candles.request({ ...query, symbol }).path
    expect(pathOf('tAVAX:USD')).toBe('/v2/candles/trade:1m:tAVAX:USD/hist')
    expect(pathOf('tBTC/USD?')).toBe('/v2/candles/trade:1m:tBTC%2FUSD%3F/hist')
  })
})

describe('reading candles', () => {
  test('the close comes before the high and the low', () => {
    expect(parse([aRow()])[0]).toMatchObject({
      candle: {
        openTime: from,
        open: '62000',
        high: '62100',
        low: '61900',
        close: '62050',
        volume: '1.234',
      },
    })
  })

  test('a recorded page, newest first, becomes its closed hours; the newest one runs', () => {
    const { body, query: asked } = recordings.bitfinex?.candles ?? expect.fail('not recorded')
    const rows = bitfinex.candles.parse(body, asked)
    const { candles, rejected, ignored } = checkCandles(rows, {
      timeframe: '1h',
      range: asked.range,
      now: asked.asOf,
    })
    expect([candles.map(({ close }) => close), rejected, ignored]).toEqual([
      ['77363', '77605', '77610', '77703'],
      [],
      1,
    ])
  })

  test('two recorded hours leave out the minutes without trades', () => {
    const start = at('2019-04-01')
    const range = { from: start, to: plus(start, 2 * hour) }
    const rows = bitfinex.candles.parse(recorded('bitfinex/candles_btcusd_1m_2019040100'), {
      ...query,
      range,
    })
    const { candles, rejected } = checkCandles(rows, { timeframe: '1m', range, now: query.asOf })
    expect([candles.length, rejected]).toEqual([114, []])
    const open = new Set(openTimesOf(rows))
    expect([5, 6, 7, 8, 9].filter((index) => !open.has(start + index * minute))).toEqual([6, 9])
    expect(candles[1]).toEqual({
      openTime: plus(start, minute),
      open: '4168.09777192',
      high: '4168.09777192',
      low: '4168',
      close: '4168.06023959',
      volume: '0.41113706',
    })
  })

  test('the recorded minutes of a cheap coin keep every digit', () => {
    const start = at('2019-06-27T02:00Z')
    const range = { from: start, to: plus(start, 2 * hour) }
    const rows = bitfinex.candles.parse(recorded('bitfinex/candles_xrpusd_1m_2019062702'), {
      ...query,
      range,
    })
    const { candles, rejected } = checkCandles(rows, { timeframe: '1m', range, now: query.asOf })
    expect([candles.length, rejected.length]).toEqual([120, 0])
    const volumes = rows.map((row) => ('candle' in row ? row.candle.volume : row.flaw))
    expect([volumes[0], volumes[3], volumes[4]]).toEqual([
      '256684.87668815773',
      '2404.080961578038',
      '6384.5379990599995',
    ])
  })

  test('more digits than a double holds are kept, and exponents are written out', () => {
    const row = aRow({ 1: '1.8e-8', 2: '1.80E-08', 3: '1.9e-8', 4: '1e-8', 5: '1234567890.123456789012' })
    expect(parse([row])[0]).toMatchObject({
      candle: {
        open: '0.000000018',
        close: '0.0000000180',
        high: '0.000000019',
        low: '0.00000001',
        volume: '1234567890.123456789012',
      },
    })
  })

  test.each([
    ['seconds', String(from / second)],
    ['microseconds', `${from}000`],
    ['a string', `"${from}"`],
    ['a fraction', `${from}.5`],
    ['nothing', 'null'],
  ])('an open time in %s is a flaw of its row alone', (_, openTime) => {
    const rows = parse([aRow(), aRow({ 0: openTime })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ 0: openTime })])).toThrow('none of them with a time that can be read')
  })

  test.each([
    [1, 'open'],
    [2, 'close'],
    [3, 'high'],
    [4, 'low'],
    [5, 'volume'],
  ])('a null or a word in column %i is a flaw of the %s', (column, name) => {
    for (const value of ['null', '"NaN"', '[]'])
      expect(flawOf(aRow({ [column]: value }))).toBe(`${name} is not a decimal string`)
  })

  test('a row of five columns is no candle', () => {
    expect(flawOf(aRow().replace(/,1\.234\]$/, ']'))).toBe('volume is not a decimal string')
  })

  test('a single row, as the last candle comes, spoils the page', () => {
    expect(() => bitfinex.candles.parse(aRow(), query)).toThrow('not an array')
  })

  test('candles in the order of all others do not pass', () => {
    const rows = parse([aRow({ 2: '62100', 3: '61900', 4: '62050' })])
    const { candles, rejected } = checkCandles(rows, { timeframe: '1m', range: query.range, now: query.asOf })
    expect([candles, rejected.length]).toEqual([[], 1])
  })

  test('candles shorter than those asked for spoil the page', () => {
    const rows = [0, 1, 2, 3].map((index) => aRow({}, from + index * minute))
    expect(() => parse(rows, { timeframe: '1h' })).toThrow('shorter than 1h')
  })

  test('more rows than were asked for spoil the page', () => {
    const rows = Array.from({ length: 10_001 }, (_, index) => aRow({}, from + index * minute))
    expect(() => parse(rows)).toThrow('more than a page holds')
  })
})

describe('an error of Bitfinex', () => {
  const said = (body: unknown, status = 500) => bitfinex.classify(anAnswer(status, JSON.stringify(body)))

  test('about the symbol, with HTTP 500, means that there is no such market', () => {
    const fault = bitfinex.classify(anAnswer(500, recorded('bitfinex/error_symbol')))
    expect(fault).toBeInstanceOf(UnknownMarket)
    expect(fault?.message).toBe('bitfinex has no such market (symbol: invalid (10020))')
  })

  test('about another parameter, with HTTP 500, is not asked again', () => {
    const fault = said(['error', 10020, 'limit: invalid'])
    expect(fault).toBeInstanceOf(Refused)
    expect(fault?.message).toBe('bitfinex rejected the request: limit: invalid (10020)')
  })

  test.each([
    [['error', 11010, 'ratelimit: error'], 429],
    [['error', 11010, 'ratelimit: error'], 500],
    [['error', 11010, 'ratelimit: error'], 200],
    [{ error: 'ERR_RATE_LIMIT' }, 200],
    [{ error: 'ERR_RATE_LIMIT' }, 429],
  ])('%j with HTTP %i waits a minute, which is how long it may block', (body, status) => {
    const fault = said(body, status)
    expect(fault).toBeInstanceOf(RateLimited)
    expect(fault).toMatchObject({ waitMs: minute })
  })

  test('that says when to come again is waits until then', () => {
    expect(bitfinex.classify(anAnswer(429, '', { 'retry-after': '7' }))).toMatchObject({ waitMs: 7_000 })
  })

  test.each([[['error', 20060, 'maintenance']], [{ code: 503, error: 'temporarily_unavailable' }]])(
    '%j is asked again',
    (body) => {
      for (const status of [200, 500, 503]) expect(said(body, status)).toBeInstanceOf(Unavailable)
    },
  )

  test('of the server, or in a page, is told by its status', () => {
    expect(said(['error', 10000, 'ERR_UNKNOWN'], 502)).toBeUndefined()
    expect(said({ error: 'x' }, 403)).toBeUndefined()
    expect(said({ message: 'x' }, 503)).toBeUndefined()
    expect(bitfinex.classify(anAnswer(502, '<html></html>'))).toBeUndefined()
  })

  test('with unknown words is not final, whatever the status', () => {
    for (const status of [200, 400, 500]) {
      expect(said(['error', 10001, 'no'], status)).toBeInstanceOf(UnknownError)
      expect(said(['error', 10020, 'no'], status)).toBeInstanceOf(UnknownError)
    }
    expect(said({ error: 'no' }, 400)?.message).toBe('bitfinex returned an error that is not known here: no')
  })

  test('is not quoted whole when it is long', () => {
    expect(said(['error', 10020, 'x'.repeat(10_000)])?.message.length).toBeLessThan(300)
  })
})

describe('tickers', () => {
  const pricesOf = (...rows: string[]) => prices.parse(`[${rows.join(',')}]`, from)

  test('are asked for all at once', () => {
    expect(prices.request(['tBTCUSD', 'tBTCUST'])).toEqual({
      path: '/v2/tickers',
      query: { symbols: 'ALL' },
      weight: 1,
    })
  })

  test('leave out what is lent, and tell a fraction as a percentage, without a volume of money', () => {
    expect(prices.parse(recorded('bitfinex/tickers_mixed'), from)).toMatchObject([
      { price: { market: 'tBTCUSD', timestamp: from, price: '7381.2', change24h: '1.75' } },
    ])
    const [row] = prices.parse(recorded('bitfinex/tickers_mixed'), from)
    expect(row).not.toHaveProperty('price.volume24h')
  })

  test('keep their digits, and write exponents out', () => {
    expect(pricesOf('["tPEPE:USD",1,1,1,1,0,-1.5e-3,1.230e-06,5,1,1]')).toMatchObject([
      { price: { market: 'tPEPE:USD', price: '0.000001230', change24h: '-0.15' } },
    ])
  })

  test('that do not know their change leave it out', () => {
    const [row] = pricesOf('["tBTCUSD",1,1,1,1,0,null,7,5,1,1]')
    expect(row).toHaveProperty('price.price', '7')
    expect(row).not.toHaveProperty('price.change24h')
  })

  test('without a symbol are flaws', () => {
    const flaw = 'the first column is not the symbol of a market'
    expect(pricesOf('[1,2]', '["BTCUSD"]')).toMatchObject([{ flaw }, { flaw }])
  })

  test('that are an error are refused', () => {
    expect(() => prices.parse(recorded('bitfinex/error_symbol'), from)).toThrow(Malformed)
  })
})

describe('the listing', () => {
  const listed = (...pairs: string[]) => listing.parse(JSON.stringify([pairs]))
  const marketsOf = (...pairs: string[]) => listed(...pairs).map(({ base, quote }) => `${base}/${quote}`)

  test('splits at the colon, and else into three letters and three', () => {
    expect(listed('BTCUSD', 'AVAX:UST')).toEqual([
      { symbol: 'tBTCUSD', base: 'BTC', quote: 'USD', trading: true },
      { symbol: 'tAVAX:UST', base: 'AVAX', quote: 'USDT', trading: true },
    ])
  })

  test('calls coins as everyone does', () => {
    expect(marketsOf('BTCUST', 'IOTUSD', 'DSHBTC', 'UDCUSD', 'TERRAUST:USD', 'BCHN:USD')).toEqual([
      'BTC/USDT',
      'IOTA/USD',
      'DASH/BTC',
      'USDC/USD',
      'USTC/USD',
      'BCH/USD',
    ])
  })

  test('never takes a coin for the one that came after it with its name', () => {
    expect(marketsOf('LUNA:USD', 'LUNA2:USD', 'DOGUSD', 'DOGE:USD')).toEqual([
      'LUNC/USD',
      'LUNA/USD',
      'MDOGE/USD',
      'DOGE/USD',
    ])
  })

  test('leaves out what is there to try things out', () => {
    const markets = listing.parse(recorded('bitfinex/pairs_2021'))
    expect(markets.filter(({ symbol }) => /TEST|AAABBB/.test(symbol))).toEqual([])
    expect(marketsOf('AAABBB', 'TESTBTC:TESTUSD', 'TESTBTC:TESTUSDT')).toEqual([])
  })

  test.each([['["BTCUSD"]'], ['[["BTCUSD"],["ETHUSD"]]'], ['[[["BTCUSD"]]]'], ['[["USD"]]'], ['[[":USD"]]']])(
    'of another shape is refused: %s',
    (body) => {
      expect(() => listing.parse(body)).toThrow(Malformed)
    },
  )
})
