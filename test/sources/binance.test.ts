import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownMarket } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { hour, minute } from '../../src/market/instant.ts'
import { type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import { binance } from '../../src/sources/binance.ts'
import type { CandleQuery } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'BTCUSDT',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

type Column = string | number | null | boolean

/** A row as Binance writes it, with some of its twelve columns changed. */
function aRow(over: Readonly<Record<number, Column>> = {}, openTime: number = from): Column[] {
  const row = [
    openTime,
    '62000.00000000',
    '62100.00000000',
    '61900.00000000',
    '62050.00000000',
    '1.23400000',
    openTime + minute - 1,
    '76507.40000000',
    617,
    '0.60000000',
    '37200.00000000',
    '0',
  ]
  return row.map((column, index) => over[index] ?? column)
}

const parse = (rows: unknown, over: Partial<CandleQuery> = {}): CandleRow[] =>
  binance.candles.parse(JSON.stringify(rows), { ...query, ...over })

const flawOf = (row: unknown): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for klines', () => {
  test('both bounds are inclusive: the end asked for is the last millisecond of the range', () => {
    expect(binance.candles.request(query)).toEqual({
      path: '/api/v3/klines',
      query: {
        symbol: 'BTCUSDT',
        interval: '1m',
        startTime: String(from),
        endTime: String(from + 10 * minute - 1),
        limit: '1000',
      },
      weight: 2,
    })
  })

  test('one candle is asked for by its own minute', () => {
    const { startTime, endTime } = binance.candles.request({
      ...query,
      range: { from, to: plus(from, minute) },
    }).query
    expect([Number(startTime), Number(endTime)]).toEqual([from, from + minute - 1])
  })

  test('no header or parameter asks for microseconds or another zone', () => {
    expect(Object.keys(binance.candles.request(query).query)).not.toContain('timeZone')
  })
})

describe('reading klines', () => {
  test.each<[string, Timeframe, number, string]>([
    ['klines_btcusdt_1m_start_eq_end', '1m', 1, '2020-05-05T00:00Z'],
    ['klines_btcusdt_5m_latest24', '5m', 24, '2020-04-15T21:50Z'],
    ['klines_ethbtc_1d_week', '1d', 6, '2023-01-01T00:00Z'],
  ])('%s is read whole', (name, timeframe, count, first) => {
    const rows = binance.candles.parse(recorded(`binance/${name}`), { ...query, timeframe })
    const openTimes = rows.flatMap((row) => ('candle' in row ? [row.candle.openTime] : []))
    expect(openTimes).toHaveLength(count)
    expect(openTimes).toEqual(openTimes.map((_, index) => plus(at(first), index * timeframeMs[timeframe])))
  })

  test('the volume is the one of the base asset', () => {
    const [row] = parse([aRow()])
    expect(row).toMatchObject({ candle: { volume: '1.23400000' } })
  })

  test('the last recorded row, still open, is ignored by the clock of the answer', () => {
    const body = recorded('binance/klines_btcusdt_5m_latest24')
    const rows = binance.candles.parse(body, { ...query, timeframe: '5m' })
    const range = { from: at('2020-04-15T21:50Z'), to: at('2020-04-16T00:00Z') }
    const now = at('2020-04-15T23:46:10Z')
    const { candles, ignored } = checkCandles(rows, { timeframe: '5m', range, now })
    expect([candles.length, ignored]).toEqual([23, 1])
    expect(candles.at(-1)?.openTime).toBe(at('2020-04-15T23:40Z'))
  })

  test('a row keeps its raw form', () => {
    expect(parse([aRow()])[0]?.raw).toEqual(aRow())
    expect(parse([aRow(), aRow({ 4: null })]).map(({ raw }) => raw)).toEqual([aRow(), aRow({ 4: null })])
  })

  test.each(['klines_btcusdt_1h_page1', 'klines_btcusdt_5m_latest24', 'klines_ethbtc_1d_week'])(
    '%s reads the same when it is laid out otherwise',
    (name) => {
      const text = recorded(`binance/${name}`)
      const asked = {
        ...query,
        timeframe: name.includes('_1h_') ? '1h' : name.includes('_5m_') ? '5m' : '1d',
      } as const
      const reported = (body: string) =>
        binance.candles
          .parse(body, asked)
          .map((row) => ({ raw: row.raw, ...('candle' in row ? row.candle : row) }))
      expect(reported(text)).toEqual(reported(JSON.stringify(JSON.parse(text), undefined, 1)))
    },
  )

  test.each([
    ['rows without a comma between them', (row: string) => `[${row}${row}]`],
    ['a bracket too many in the middle', (row: string) => `[${row}],${row}]`],
    ['a comma at the end', (row: string) => `[${row},]`],
    ['nothing but a bracket', () => '['],
    ['no bracket at the end', (row: string) => `[${row}`],
    ['something behind the end', (row: string) => `[${row}] `.concat('x')],
    ['something before the beginning', (row: string) => `x[${row}]`],
    ['an open time that begins with a zero', (row: string) => `[${row.replace(/\d{13}/, '0709251200000')}]`],
  ])('%s is not JSON, and spoils the page', (_, layOut) => {
    expect(() => binance.candles.parse(layOut(JSON.stringify(aRow())), query)).toThrow(Malformed)
  })

  test.each([
    ['seconds', from / 1_000],
    ['microseconds', from * 1_000],
    ['a text', String(from)],
    ['a fraction', from + 0.5],
    ['nothing', null],
  ])('an open time in %s is a flaw of its row alone', (_, openTime) => {
    const row = [openTime, ...aRow().slice(1)]
    expect(parse([aRow(), row])).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([row, row])).toThrow('none of them with a time that can be read')
  })

  test('an object instead of a row spoils the page', () => {
    expect(() => parse([{ openTime: from }])).toThrow(Malformed)
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
  ])('a number instead of a string in column %i is a flaw of the %s', (column, name) => {
    expect(flawOf(aRow({ [column]: 62_000.5 }))).toBe(`${name} is not a decimal string`)
  })

  test.each(['NaN', 'Infinity', '', '0x10', '1_000', '1,5', 'null', ' 1'])(
    'a price of %j is a flaw, at its open time',
    (text) => {
      expect(parse([aRow({ 4: text }), aRow({}, from + minute)])).toEqual([
        { raw: aRow({ 4: text }), openTime: from, flaw: 'close is not a decimal string' },
        expect.objectContaining({ candle: expect.objectContaining({ openTime: from + minute }) }),
      ])
    },
  )

  test('a row of fewer columns is a flaw', () => {
    expect(flawOf(aRow().slice(0, 6))).toBe('the seventh column is not a time in milliseconds')
    expect(flawOf([from])).toBe('the seventh column is not a time in milliseconds')
  })

  test('a candle has its close, which is the last millisecond that belongs to it', () => {
    expect(parse([aRow({ 6: from + hour - 1 })])[0]).toMatchObject({ closesAt: from + hour })
    expect(parse([aRow({ 6: from + 28_999 })])[0]).toMatchObject({ closesAt: from + 29_000 })
  })

  test('candles of a shorter timeframe spoil the page', () => {
    const rows = [0, 1, 2, 3].map((index) => aRow({}, from + index * minute))
    expect(() => parse(rows, { timeframe: '1h' })).toThrow('binance sent candles that are shorter than 1h')
  })

  test('a NUL in the body is not JSON', () => {
    expect(() => binance.candles.parse('[[\u0000]]', query)).toThrow(Malformed)
  })
})

describe('an error of Binance', () => {
  const said = (code: number, msg = 'Words.', status = 400) =>
    binance.classify(anAnswer(status, JSON.stringify({ code, msg })))

  test('about the symbol means that the market does not exist', () => {
    const fault = binance.classify(anAnswer(400, recorded('binance/error_invalid_symbol')))
    expect(fault).toBeInstanceOf(UnknownMarket)
    expect(fault?.message).toBe('binance has no such market (Invalid symbol. (-1121))')
  })

  test.each([-1100, -1101, -1106, -1120])('%i about the question is not asked again', (code) => {
    expect(said(code)).toBeInstanceOf(Refused)
    expect(said(code)?.message).toBe(`binance rejected the request: Words. (${code})`)
  })

  test.each([-1000, -1001, -1004, -1007, -1008, -1016])('%i about the server is asked again', (code) => {
    expect(said(code)).toBeInstanceOf(Unavailable)
  })

  test('-1003 means wait, whatever the status', () => {
    expect(said(-1003)).toBeInstanceOf(RateLimited)
  })

  test('a 403 is told by its status alone, and so is a 5xx that says something final', () => {
    expect(said(-1003, 'Too many.', 403)).toBeUndefined()
    for (const status of [403, 500, 503]) expect(said(-1121, 'Invalid symbol.', status)).toBeUndefined()
  })

  const until = at('2024-03-01T12:30Z')
  const ban = `Way too much request weight used; IP banned until ${until}. Please use WebSocket Streams.`

  test('a ban without Retry-After lasts until the time in its text', () => {
    expect(said(-1003, ban, 418)).toMatchObject({ code: 'RATE_LIMITED', waitMs: 30 * minute })
  })

  test('a ban with Retry-After lasts as long as that, and one without any time a minute', () => {
    expect(binance.classify(anAnswer(418, ban, { 'retry-after': '120' }))).toMatchObject({
      waitMs: 2 * minute,
    })
    expect(said(-1003, 'Banned.', 418)).toMatchObject({ waitMs: minute })
  })

  test('a ban that is over by now still waits a moment', () => {
    expect(said(-1003, `IP banned until ${until - hour}.`, 418)).toMatchObject({ waitMs: 1_000 })
  })

  test('a long message is not quoted whole', () => {
    expect(said(-1100, 'x'.repeat(10_000))?.message.length).toBeLessThan(300)
  })

  test('a 400 of another shape is left to its status', () => {
    expect(binance.classify(anAnswer(400, '{"message":"no"}'))).toBeUndefined()
  })
})

describe('the listing', () => {
  test('says which markets trade', () => {
    const markets = binance.listing.parse(recorded('binance/exchangeInfo_trimmed'))
    expect(markets).toContainEqual({ symbol: 'BTCUSDT', base: 'BTC', quote: 'USDT', trading: true })
    expect(markets.find(({ symbol }) => symbol === 'BCCBTC')?.trading).toBe(false)
  })

  test('may hold names that are not ASCII', () => {
    const market = { symbol: '币安人生USDT', status: 'TRADING', baseAsset: '币安人生', quoteAsset: 'USDT' }
    expect(binance.listing.parse(JSON.stringify({ symbols: [market] }))[0]?.symbol).toBe('币安人生USDT')
  })

  test('is requested whole, without the permissions that make most of it', () => {
    expect(binance.listing.request()).toEqual({
      path: '/api/v3/exchangeInfo',
      query: { showPermissionSets: 'false' },
      weight: 20,
    })
  })
})

describe('tickers', () => {
  test('are asked for as a JSON list, also when there is only one', () => {
    expect(binance.prices.request(['BTCUSDT'])).toEqual({
      path: '/api/v3/ticker/24hr',
      query: { symbols: '["BTCUSDT"]', symbolStatus: 'TRADING' },
      weight: 2,
    })
  })

  test('leave out a market that is halted, and a single one of another status is an unknown market', () => {
    expect(binance.prices.onlyTrading).toBe(true)
    const body = { code: -1220, msg: 'The symbol does not match the status.' }
    expect(binance.classify(anAnswer(400, JSON.stringify(body)))).toBeInstanceOf(UnknownMarket)
  })

  test('weigh 2 for up to 20 markets and 40 for up to 100, which are a page', () => {
    const weightOf = (count: number) => binance.prices.request(Array(count).fill('X')).weight
    expect([1, 20, 21, 100].map(weightOf)).toEqual([2, 2, 40, 40])
    expect(binance.prices.pageSize).toBe(100)
  })

  test('of one market as an object are another shape', () => {
    expect(() => binance.prices.parse(recorded('binance/ticker24hr_ethbtc'))).toThrow(Malformed)
  })

  test('without a symbol are flaws', () => {
    expect(binance.prices.parse('[[],{"symbol":7}]')).toMatchObject([
      { flaw: 'the row is missing or of another type' },
      { flaw: 'symbol is missing or of another type' },
    ])
  })
})
