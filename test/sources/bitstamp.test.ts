import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownError, UnknownMarket } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { hour, minute, second } from '../../src/market/instant.ts'
import { candleAround } from '../../src/market/range.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { bitstamp } from '../../src/sources/bitstamp.ts'
import type { CandleQuery, Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = bitstamp

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'btcusd',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

type Fields = Readonly<Record<string, unknown>>

/** A candle as Bitstamp writes it, with some of its fields changed. */
const aCandle = (over: Fields = {}, openTime: number = from): Fields => ({
  timestamp: String(openTime / second),
  open: '62000.00',
  high: '62100.00',
  low: '61900.00',
  close: '62050.00',
  volume: '1.23400000',
  ...over,
})

const parse = (rows: readonly unknown[], over: Partial<CandleQuery> = {}, pair?: string): CandleRow[] =>
  bitstamp.candles.parse(JSON.stringify({ data: { pair, ohlc: rows } }), { ...query, ...over })

const checked = (rows: readonly CandleRow[], { timeframe, range, asOf }: CandleQuery) =>
  checkCandles(rows, { timeframe, range, now: asOf })

describe('asking for candles', () => {
  test('names the pair in a path that ends with a slash, and counts seconds', () => {
    expect(bitstamp.candles.request(query)).toEqual({
      path: '/api/v2/ohlc/btcusd/',
      query: {
        step: '60',
        limit: '20',
        start: String(from / second),
        end: String((from + 10 * minute) / second - 1),
      },
      weight: 1,
    })
  })

  test('a step is the length in seconds', () => {
    const steps = timeframes.map((timeframe) => {
      const range = candleAround(timeframe, query.range.from)
      return bitstamp.candles.request({ ...query, timeframe, range }).query.step
    })
    expect(steps).toEqual(['60', '300', '900', '1800', '3600', '14400', '86400'])
  })

  test('a full page asks for no more than is allowed, and for some more than it needs', () => {
    const { pageSize } = bitstamp.candles
    const range = { from, to: plus(from, pageSize * minute) }
    expect(bitstamp.candles.request({ ...query, range }).query.limit).toBe('1000')
    expect(pageSize).toBeLessThan(1_000)
  })
})

describe('reading candles', () => {
  test('the recorded hours, the last of which runs', () => {
    const { body, query: asked } = recordings.bitstamp?.candles ?? expect.fail('not recorded')
    const { candles, rejected, ignored } = checked(bitstamp.candles.parse(body, asked), asked)
    expect([candles.map(({ close }) => close), rejected, ignored]).toEqual([
      ['77275.58', '77488.56', '77522.37', '77585.67'],
      [],
      1,
    ])
  })

  test('the recorded answer to a year holds three, and is 999 long though a thousand were asked for', () => {
    const asked: CandleQuery = {
      symbol: 'btcusd',
      timeframe: '1d',
      range: { from: at('2019-01-01'), to: at('2020-01-01') },
      asOf: at('2020-06-01'),
    }
    const rows = bitstamp.candles.parse(recorded('bitstamp/ohlc_btcusd_1d_999'), asked)
    const { candles, rejected, ignored } = checked(rows, asked)
    expect([rows.length, candles.length, rejected, ignored]).toEqual([999, 365, [], 634])
    // The end is inclusive.
    expect(rows.at(-1)).toMatchObject({ candle: { openTime: at('2020-01-01') } })
  })

  test('the recorded minutes are the newest ten up to the end, although the start was a year before', () => {
    const rows = bitstamp.candles.parse(recorded('bitstamp/ohlc_btcusd_1m_limit10'), query)
    expect(rows.map((row) => 'candle' in row && row.candle.openTime)).toEqual(
      Array.from({ length: 10 }, (_, index) => plus(at('2019-12-31T23:50Z'), index * minute)),
    )
  })

  test('rows of before the start are outside the range, and one twice is one candle', () => {
    const rows = parse([aCandle({}, from - minute), aCandle(), aCandle(), aCandle({}, from + minute)])
    const { candles, rejected, ignored } = checked(rows, query)
    expect([candles.map(({ openTime }) => openTime), rejected, ignored]).toEqual([
      [from, from + minute],
      [],
      2,
    ])
  })

  test('a day that is there twice as it grew is one candle, the later one', () => {
    const day = at('2019-01-09')
    const range = { from: day, to: at('2019-01-11') }
    const asked = { timeframe: '1d', range } as const
    const earlier = aCandle({ volume: '7389.66772280' }, day)
    const rows = parse(
      [earlier, aCandle({ close: '62060.00', volume: '7390.13399203' }, day), aCandle({}, at('2019-01-10'))],
      asked,
    )
    const { candles, rejected } = checked(rows, { ...query, ...asked })
    expect(candles.map(({ openTime, volume }) => [openTime, volume])).toEqual([
      [day, '7390.13399203'],
      [at('2019-01-10'), '1.23400000'],
    ])
    expect(rejected).toMatchObject([{ raw: earlier, openTime: day, isSuperseded: true }])
  })

  test('an interval in which nothing was traded is a candle', () => {
    const quiet = aCandle({ open: '1', high: '1', low: '1', close: '1', volume: '0.00000000' })
    expect(parse([quiet])[0]).toMatchObject({ candle: { volume: '0.00000000' } })
  })

  test.each(['open', 'high', 'low', 'close', 'volume'])('without its %s a row is a flaw', (name) => {
    for (const value of [undefined, null, 'NaN', '', 62_000.5]) {
      expect(parse([aCandle({ [name]: value })])).toMatchObject([
        { openTime: from, flaw: `${name} is not a decimal string` },
      ])
    }
  })

  test.each([
    ['milliseconds', String(from)],
    ['a number', from / second],
    ['nothing', undefined],
  ])('a time in %s is a flaw of its row alone', (_, timestamp) => {
    const rows = parse([aCandle(), aCandle({ timestamp })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aCandle({ timestamp })])).toThrow('none of them with a time that can be read')
  })

  test('every digit is kept, and exponents are written out', () => {
    const row = aCandle({ open: '1.8E-4', low: '0.00000000000000000001' })
    expect(parse([row])[0]).toMatchObject({
      candle: { open: '0.00018', low: '0.00000000000000000001' },
    })
  })

  test('candles of another pair spoil the page', () => {
    expect(() => parse([aCandle()], {}, 'ETH/USD')).toThrow('bitstamp answered for ETH/USD instead of btcusd')
    expect(parse([aCandle()], {}, 'BTC/USD')).toHaveLength(1)
  })

  test('more rows than an answer holds spoil the page', () => {
    const rows = Array.from({ length: 1_001 }, (_, index) => aCandle({}, from + index * minute))
    expect(() => parse(rows)).toThrow('more than an answer holds')
    expect(parse(rows.slice(1))).toHaveLength(1_000)
  })

  test('candles shorter than those asked for spoil the page', () => {
    const rows = [0, 1, 2, 3].map((index) => aCandle({}, from + index * minute))
    expect(() => parse(rows, { timeframe: '1h' })).toThrow('shorter than 1h')
  })

  test('days of another time zone are rejected', () => {
    const days: CandleQuery = {
      ...query,
      timeframe: '1d',
      range: { from: at('2024-02-01'), to: at('2024-03-01') },
    }
    const { candles, rejected } = checked(parse([aCandle({}, at('2024-02-10T16:00Z'))], days), days)
    expect([candles, rejected.length]).toEqual([[], 1])
  })
})

describe('an error of Bitstamp', () => {
  const said = (body: Fields, status = 400) => bitstamp.classify(anAnswer(status, JSON.stringify(body)))

  test.each(['{"error":"Not found"}', '<html><body>Page not found</body></html>'])(
    'with HTTP 404 means that there is no such market: %s',
    (body) => {
      expect(bitstamp.classify(anAnswer(404, body))).toBeInstanceOf(UnknownMarket)
    },
  )

  test.each(['{"error":"x"}', '<html><body>We will be back</body></html>', ''])(
    'with HTTP 404 and other words may pass: %s',
    (body) => {
      expect(bitstamp.classify(anAnswer(404, body))?.remedy).toBe('retry')
    },
  )

  test.each([{ response_code: '400.002' }, { code: '400.002' }, { code: '400.067' }, { code: '400.068' }])(
    'about its limits waits for the longer of their windows: %j',
    (over) => {
      const fault = said({ status: 'error', reason: 'Request rejected due to exceeded rate limit.', ...over })
      expect(fault).toBeInstanceOf(RateLimited)
      expect(fault).toMatchObject({ waitMs: 10 * minute })
    },
  )

  test('with HTTP 429 waits too, and its header is heard first', () => {
    expect(bitstamp.classify(anAnswer(429, ''))).toMatchObject({ waitMs: 10 * minute })
    expect(bitstamp.classify(anAnswer(429, '', { 'retry-after': '7' }))).toMatchObject({ waitMs: 7_000 })
  })

  test.each([200, 503])('about maintenance is asked again, with HTTP %i too', (status) => {
    const fault = bitstamp.classify(anAnswer(status, recorded('bitstamp/error_maintenance')))
    expect(fault).toBeInstanceOf(Unavailable)
  })

  test('tells its reason as a text or field by field', () => {
    const unknown = 'bitstamp returned an error that is not known here'
    expect(said({ status: 'error', reason: 'No.', code: 'API0001' })?.message).toBe(
      `${unknown}: No. (API0001)`,
    )
    const fault = said({ status: 'error', reason: { limit: ['Too large.'] }, code: '400.001' }, 200)
    expect(fault).toBeInstanceOf(Refused)
    expect(fault?.message).toBe('bitstamp rejected the request: {"limit":["Too large."]} (400.001)')
    expect(said({ status: 'error', reason: { __all__: ['Wrong.'] }, code: 400 })).toBeInstanceOf(UnknownError)
    expect(said({ error: 'Wrong.' })?.message).toBe(`${unknown}: Wrong.`)
    expect(said({ status: 'error' })?.message).toBe(`${unknown}: without a reason`)
  })

  test('of the server, or in a page, is told by its status', () => {
    expect(said({ error: 'x' }, 500)).toBeUndefined()
    expect(said({ error: 'x' }, 403)).toBeUndefined()
    expect(bitstamp.classify(anAnswer(503, '<html></html>'))).toBeUndefined()
    expect(said({ detail: 'x' })).toBeUndefined()
  })

  test('is not quoted whole when it is long', () => {
    expect(said({ error: 'x'.repeat(10_000) })?.message.length).toBeLessThan(300)
  })
})

describe('tickers', () => {
  const answeredAt = plus(from, hour)
  const whole = {
    pair: 'BTC/USD',
    timestamp: String(from / second),
    last: '62000.10',
    percent_change_24: '-1.23',
    volume: '100',
    vwap: '61000',
  }
  const pricesOf = (rows: readonly unknown[]) => prices.parse(JSON.stringify(rows), answeredAt)

  test('of one market are asked for by themselves, those of several all at once', () => {
    expect(prices.request(['btcusd']).path).toBe('/api/v2/ticker/btcusd/')
    expect(prices.request(['btcusd', 'ethusd']).path).toBe('/api/v2/ticker/')
  })

  test('have a time and a change in percent, but no volume of money', () => {
    expect(pricesOf([whole])).toEqual([
      {
        raw: whole,
        price: {
          market: 'btcusd',
          timestamp: from,
          price: '62000.10',
          traded24h: '100',
          change24h: '-1.23',
        },
      },
    ])
  })

  test('of one market do not name it', () => {
    const body = recorded('bitstamp/ticker_btcusd_2017')
    expect(prices.parse(body, answeredAt, ['btcusd'])).toMatchObject([{ price: { market: 'btcusd' } }])
    for (const markets of [undefined, [], ['btcusd', 'ethusd']])
      expect(prices.parse(body, answeredAt, markets)).toMatchObject([{ flaw: 'pair is missing' }])
    expect(prices.parse(JSON.stringify(whole), answeredAt, ['ethusd'])).toMatchObject([
      { price: { market: 'btcusd' } },
    ])
  })

  test.each([undefined, null])('without a change (%j) leave it out', (percent_change_24) => {
    const [row] = pricesOf([{ ...whole, percent_change_24 }])
    expect(row).toHaveProperty('price.price', '62000.10')
    expect(row).not.toHaveProperty('price.change24h')
  })

  test('without a pair are flaws', () => {
    expect(pricesOf([{ ...whole, pair: undefined }, null])).toMatchObject([
      { flaw: 'pair is missing or of another type' },
      { flaw: 'the row is missing or of another type' },
    ])
  })
})

describe('the listing', () => {
  const market = {
    name: 'BTC/USD',
    market_symbol: 'btcusd',
    base_currency: 'BTC',
    counter_currency: 'USD',
    market_type: 'SPOT',
    trading: 'Enabled',
  }
  const listed = (over: Fields = {}) => listing.parse(JSON.stringify([{ ...market, ...over }]))

  test('is read in its newer and in its older shape', () => {
    expect(listed()).toEqual([{ symbol: 'btcusd', base: 'BTC', quote: 'USD', trading: true }])
    const markets = listing.parse(recorded('bitstamp/trading_pairs_info_gct'))
    expect(markets[0]).toEqual({ ...listed()[0], baseName: 'Bitcoin' })
    expect(markets.filter(({ trading }) => !trading).length).toBeGreaterThan(0)
  })

  test('holds spot markets alone', () => {
    expect(listed({ name: 'BTC/USD-PERP', market_symbol: 'btcusd-perp', market_type: 'PERPETUAL' })).toEqual(
      [],
    )
  })

  test('tells what does not trade', () => {
    expect(listed({ trading: 'Disabled' })[0]?.trading).toBe(false)
  })

  test.each([{ market_symbol: undefined }, { name: 'BTCUSD' }, { name: 'BTC/' }, { name: 'A/B/C' }])(
    'with a market that is no pair with a symbol is refused: %j',
    (over) => {
      expect(() => listed(over)).toThrow(Malformed)
    },
  )
})
