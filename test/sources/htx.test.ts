import { describe, expect, test } from 'vitest'
import {
  BeforeHistory,
  Malformed,
  RateLimited,
  Refused,
  Unavailable,
  UnknownError,
  UnknownMarket,
} from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { candleAround } from '../../src/market/range.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { htx } from '../../src/sources/htx.ts'
import { type CandleQuery, reachableFrom, type Source } from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = htx

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'btcusdt',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 10 * minute + second),
}

/** A row in the words of the wire: its numbers are not strings. */
function aRow(over: Readonly<Record<string, string | undefined>> = {}, openTime: number = from): string {
  const row: Readonly<Record<string, string | undefined>> = {
    id: String(openTime / second),
    open: '62000.0',
    close: '62050.0',
    low: '61900.0',
    high: '62100.0',
    amount: '1.234',
    vol: '76507.4',
    count: '12',
    ...over,
  }
  const fields = Object.entries(row).flatMap(([name, value]) =>
    value === undefined ? [] : [`"${name}":${value}`],
  )
  return `{${fields.join()}}`
}

const aBody = (rows: readonly string[], channel = 'market.btcusdt.kline.1min') =>
  `{"ch":"${channel}","status":"ok","ts":1709294401000,"data":[${rows.join()}]}`

const parse = (rows: readonly string[], over: Partial<CandleQuery> = {}, channel?: string): CandleRow[] =>
  htx.candles.parse(aBody(rows, channel), { ...query, ...over })

const flawOf = (row: string): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

describe('asking for candles', () => {
  test('counts back from now, with some to spare for what closes while the request waits', () => {
    expect(htx.candles.request(query)).toEqual({
      path: '/market/history/kline',
      query: { symbol: 'btcusdt', period: '1min', size: '61' },
      weight: 1,
    })
  })

  test('counts the candles that opened after the range too', () => {
    expect(htx.candles.request({ ...query, asOf: plus(from, 100 * minute) }).query.size).toBe('150')
  })

  test('asks by the range for what may not be among the newest two thousand', () => {
    const asOf = plus(from, 1_951 * minute)
    expect(htx.candles.request({ ...query, asOf: plus(asOf, -minute) }).path).toBe('/market/history/kline')
    expect(htx.candles.request({ ...query, asOf })).toEqual({
      path: '/market/history/candles',
      query: {
        symbol: 'btcusdt',
        period: '1min',
        size: '10',
        from: String(from / second - 1),
        to: String(from / second + 599),
      },
      weight: 1,
    })
  })

  test('asks for a single candle from its very beginning, before which there may be nothing', () => {
    const range = { from, to: plus(from, minute) }
    expect(htx.candles.request({ ...query, range, asOf: plus(from, 5_000 * minute) }).query).toMatchObject({
      size: '1',
      from: String(from / second),
      to: String(from / second + 59),
    })
  })

  test('names each length its own way', () => {
    const periods = timeframes.map((timeframe) => {
      const range = candleAround(timeframe, query.range.from)
      return htx.candles.request({ ...query, timeframe, range }).query.period
    })
    expect(periods).toEqual(['1min', '5min', '15min', '30min', '60min', '4hour', '1day'])
  })

  test('makes days of hours, because its own begin at 16:00 UTC, and has all of both', () => {
    expect(htx.candles.madeFrom).toEqual({ '1d': '1h' })
    for (const timeframe of ['1h', '1d'] as const) expect(reachableFrom(htx.candles, timeframe, from)).toBe(0)
  })
})

describe('reading candles', () => {
  test('a recorded page, newest first, has one that is closed and one that is open', () => {
    const { body, query: asked } = recordings.htx?.candles ?? expect.fail('not recorded')
    const rows = htx.candles.parse(body, asked)
    const { candles, rejected } = checkCandles(rows, {
      timeframe: '5m',
      range: { from: at('2021-08-24T01:30Z'), to: at('2021-08-24T01:45Z') },
      now: asked.asOf,
    })
    expect(rejected).toEqual([])
    expect(candles).toEqual([
      {
        openTime: at('2021-08-24T01:35Z'),
        open: '48994.61',
        high: '49072.46',
        low: '48966.72',
        close: '49056.37',
        volume: '30.72223100',
      },
    ])
  })

  test('amount counts coins and vol money', () => {
    expect(parse([aRow()])[0]).toMatchObject({ candle: { volume: '1.234' } })
    expect(flawOf(aRow({ amount: '76507.4', vol: '1.234' }))).toBe(
      'volume and turnover stand in the place of each other',
    )
  })

  test('fields are known by their names: the close comes before the low and the high', () => {
    expect(parse([aRow()])[0]).toMatchObject({
      candle: { openTime: from, open: '62000.0', high: '62100.0', low: '61900.0', close: '62050.0' },
    })
  })

  test('exponents are written out, and thirty digits are kept', () => {
    const tiny = aRow({
      open: '1.8E-4',
      close: '1.8E-4',
      low: '1.8E-4',
      high: '1.8E-4',
      amount: '1.0E7',
      vol: '1800.0',
    })
    expect(parse([tiny])[0]).toMatchObject({ candle: { open: '0.00018', volume: '10000000' } })
    const amount = '9475.108388385344151058123456789'
    const long = aRow({ amount, vol: '587930475.50000000000000000001' })
    expect(parse([long])[0]).toMatchObject({ candle: { volume: amount } })
  })

  test('an interval in which nothing was traded is a candle', () => {
    const quiet = aRow({
      open: '62050.0',
      low: '62050.0',
      high: '62050.0',
      amount: '0.0',
      vol: '0.0',
      count: '0',
    })
    expect(parse([quiet])[0]).toMatchObject({ candle: { close: '62050.0', volume: '0.0' } })
  })

  test.each([
    ['milliseconds', String(from)],
    ['a string', `"${from / second}"`],
    ['a fraction', `${from / second}.5`],
    ['nothing', 'null'],
    ['no field at all', undefined],
  ])('an open time in %s is a flaw of its row alone', (_, id) => {
    const rows = parse([aRow(), aRow({ id })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ id })])).toThrow('none of them with a time that can be read')
  })

  test.each(['[1709294400,62000.0]', '"row"', 'null'])('%s instead of an object spoils the page', (row) => {
    expect(() => parse([row])).toThrow(Malformed)
  })

  test.each([
    ['open', 'open'],
    ['high', 'high'],
    ['low', 'low'],
    ['close', 'close'],
    ['amount', 'volume'],
    ['vol', 'turnover'],
  ])('without a number as %s the %s is a flaw', (field, name) => {
    for (const value of ['null', '"nan"', '""', '"0x10"', '{}', undefined])
      expect(flawOf(aRow({ [field]: value }))).toBe(`${name} is not a decimal string`)
  })

  test('another market or another length than asked for spoils the page', () => {
    expect(() => parse([aRow()], {}, 'market.ethusdt.kline.1min')).toThrow('not with the 1m of btcusdt')
    expect(() => parse([aRow()], {}, 'market.btcusdt.kline.1mon')).toThrow(Malformed)
    expect(htx.candles.parse(`{"status":"ok","data":[${aRow()}]}`, query)).toHaveLength(1)
  })

  test('shorter candles than asked for spoil it, whatever it says', () => {
    const rows = [0, 1, 2, 3].map((minutes) => aRow({}, from + minutes * minute))
    expect(() => parse(rows, { timeframe: '1h' }, 'market.btcusdt.kline.60min')).toThrow('shorter than 1h')
  })

  test('days of Singapore, if they were asked for, are rejected', () => {
    const openTime = at('2024-02-10T16:00Z')
    const range = { from: at('2024-02-01'), to: at('2024-03-01') }
    const rows = parse([aRow({}, openTime)], { timeframe: '1d', range }, 'market.btcusdt.kline.1day')
    const { candles, rejected } = checkCandles(rows, { timeframe: '1d', range, now: query.asOf })
    expect(candles).toEqual([])
    expect(rejected[0]?.reason).toContain('not on the 1d grid')
  })

  test('more rows than there are spoil it', () => {
    const rows = Array.from({ length: 2_001 }, (_, index) => aRow({}, from - index * minute))
    expect(() => parse(rows)).toThrow('more than an answer holds')
    expect(parse(rows.slice(1))).toHaveLength(2_000)
  })

  test('as many rows as were asked for must reach back to the range: what closed meanwhile counts as well', () => {
    const newest = (late: number) =>
      Array.from({ length: 61 }, (_, index) => aRow({}, from + (10 + late - index) * minute))
    expect(parse(newest(50))).toHaveLength(61)
    expect(() => parse(newest(51))).toThrow('no longer reach back')
    // Fewer rows are all that the market has.
    expect(parse(newest(51).slice(1))).toHaveLength(60)
  })

  test('rows of another time than the range spoil it: they may be the newest', () => {
    const asked = { ...query, asOf: plus(from, 3_000 * minute) }
    const rows = (first: number) => [0, 1, 2].map((index) => aRow({}, first - index * minute))
    expect(() => htx.candles.parse(aBody(rows(asked.asOf)), asked)).toThrow('outside the range')
    expect(htx.candles.parse(aBody(rows(from)), asked)).toHaveLength(3)
    expect(htx.candles.parse(aBody([]), asked)).toEqual([])
  })

  test('the first of its days shows where a market begins, if an answer holds all of them', () => {
    const [days] = htx.candles.beginnings
    expect(days?.request('btcusdt').query).toEqual({ symbol: 'btcusdt', period: '1day', size: '2000' })
    const body = (count: number) =>
      aBody(
        Array.from({ length: count }, (_, index) => aRow({}, from - index * day)),
        'market.btcusdt.kline.1day',
      )
    expect(days?.parse(body(3))).toBe(from - 2 * day)
    expect(days?.parse(body(2_000))).toBeUndefined()
    expect(days?.parse(aBody([], 'market.btcusdt.kline.1day'))).toBeUndefined()
  })
})

describe('an error of HTX', () => {
  const said = (code: string, message: string | null, status = 200, headers: Record<string, string> = {}) => {
    const body = { ts: 1, status: 'error', 'err-code': code, 'err-msg': message }
    return htx.classify(anAnswer(status, JSON.stringify(body), headers))
  }

  test('in the recorded words means that there is no such market, with HTTP 200', () => {
    const fault = htx.classify(anAnswer(200, recorded('htx/error_invalid_symbol')))
    expect(fault).toBeInstanceOf(UnknownMarket)
    expect(fault?.message).toBe('htx has no such market (invalid symbol (invalid-parameter))')
    expect(said('invalid-parameter', 'symbol trade not open now')).toBeInstanceOf(Unavailable)
    expect(said('base-symbol-error', null)).toBeInstanceOf(UnknownMarket)
  })

  test('with the same code about another parameter is not asked again', () => {
    expect(said('invalid-parameter', 'invalid size')).toBeInstanceOf(Refused)
    expect(said('invalid-parameter', 'invalid period')?.message).toBe(
      'htx rejected the request: invalid period (invalid-parameter)',
    )
  })

  test('with the same code about a broken limit waits, and in unknown words may pass', () => {
    expect(said('invalid-parameter', 'request limit')).toMatchObject({ waitMs: second })
    expect(said('invalid-parameter', 'Words.')).toBeInstanceOf(UnknownError)
  })

  test('about a beginning before the listing is an error of its own kind', () => {
    expect(said('invalid-parameter', 'invalid from')).toBeInstanceOf(BeforeHistory)
    expect(said('base-date-limit-error', 'date less than system limit')).toBeInstanceOf(BeforeHistory)
  })

  test.each([
    ['429', 'too many request'],
    ['too-many-requests', null],
    ['base-request-exceed-frequency-limit', 'Frequency of requests has exceeded the limit'],
  ])('%s waits for the second of its limit, with any status', (code, message) => {
    for (const status of [200, 429]) expect(said(code, message, status)).toMatchObject({ waitMs: second })
    expect(said(code, message)).toBeInstanceOf(RateLimited)
  })

  test('that says when its window ends waits until then, but no longer than a minute', () => {
    const expiring = (ms: number) =>
      said('429', 'too many request', 429, {
        'x-hb-ratelimit-requests-expire': String(at('2024-03-01T12:00:00Z') + ms),
      })
    expect(expiring(7 * second)).toMatchObject({ waitMs: 7 * second })
    expect(expiring(-7 * second)).toMatchObject({ waitMs: second })
    expect(expiring(hour)).toMatchObject({ waitMs: minute })
    expect(said('429', '', 429, { 'retry-after': '7' })).toMatchObject({ waitMs: 7 * second })
  })

  test.each([
    ['gateway-internal-error', 'system busy'],
    ['timeout', null],
    ['system-maintenance', 'System is in maintenance!'],
    ['api-not-support-temp', 'the system is being maintained'],
  ])('%s about the server is asked again', (code, message) => {
    for (const status of [200, 500]) expect(said(code, message, status)).toBeInstanceOf(Unavailable)
  })

  test('in a page of the firewall is told by its status', () => {
    for (const status of [403, 502]) expect(htx.classify(anAnswer(status, '<!DOCTYPE html>'))).toBeUndefined()
    expect(said('forbidden', 'no', 403)).toBeUndefined()
  })

  test('is not quoted whole when it is long', () => {
    expect(said('x'.repeat(10_000), 'x'.repeat(10_000))?.message.length).toBeLessThan(400)
  })
})

describe('tickers', () => {
  const parseOne = (row: string) =>
    prices.parse(`{"status":"ok","ts":1709294401234,"data":[${row}]}`, from)[0]

  test('are asked for all at once', () => {
    expect(prices.request(['btcusdt', 'ethusdt'])).toEqual({ path: '/market/tickers', query: {}, weight: 1 })
  })

  test('tell the volume in money, and no change: their open is that of a day in Singapore', () => {
    const [row] = prices.parse(recorded('htx/tickers_docs'), from)
    expect(row && 'price' in row && row.price).toEqual({
      market: 'smtusdt',
      timestamp: 1_629_789_355_531,
      price: '0.00468',
      traded24h: '36551302.17544405',
      volume24h: '170526.0643855023',
    })
  })

  test('keep every digit of recorded numbers that have thirty and more', () => {
    const { tick } =
      /"tick":\{(?<tick>.*)\}\}$/.exec(recorded('htx/detail_merged_longdecimals'))?.groups ?? {}
    expect(parseOne(`{"symbol":"btcusdt",${tick}}`)).toMatchObject({
      price: {
        price: '9468.900000000000000000',
        volume24h: '90090730.707133525077464434840000000000000000',
        timestamp: 1_709_294_401_234,
      },
    })
  })

  test('of a single market, which we never ask for, are another shape', () => {
    expect(() => prices.parse(recorded('htx/detail_merged_longdecimals'), from)).toThrow(Malformed)
  })

  test('are of the time of the answer where they have none', () => {
    const body = '{"status":"ok","data":[{"symbol":"btcusdt","close":62000.1}]}'
    expect(prices.parse(body, from)[0]).toMatchObject({ price: { timestamp: from, price: '62000.1' } })
  })

  test('without a symbol are flaws', () => {
    expect(parseOne('{"symbol":7,"close":1}')).toMatchObject({
      flaw: 'symbol is missing or of another type',
    })
  })
})

describe('the listing', () => {
  const listed = (over: Readonly<Record<string, unknown>> = {}, full: unknown = 1) => {
    const row = { sc: 'btcusdt', bc: 'btc', qc: 'usdt', bcdn: 'BTC', qcdn: 'USDT', state: 'online', te: true }
    return listing.parse(JSON.stringify({ status: 'ok', data: [{ ...row, ...over }], ts: '1', full }))
  }

  test('writes in capitals what the market itself writes small, and says since when it is there', () => {
    expect(listing.parse(recorded('htx/symbols_v2_one'))).toEqual([
      { symbol: 'ethusdt', base: 'ETH', quote: 'USDT', trading: true, listedAt: at('2018-01-01T04:00Z') },
    ])
    expect(listed({ bcdn: null, qcdn: undefined })).toEqual(listed())
  })

  test('calls a coin that was renamed by the name that is shown', () => {
    expect(listed({ sc: 'bchausdt', bc: 'bcha', bcdn: 'XEC' })[0]).toMatchObject({
      symbol: 'bchausdt',
      base: 'XEC',
    })
  })

  test.each(['offline', 'suspend', 'pre-online', 'transfer-board', 'fuse'])(
    'in the state %s there is no trade',
    (state) => {
      expect(listed({ state })[0]?.trading).toBe(false)
    },
  )

  test('says where trading is switched off', () => {
    expect(listed({ te: false })[0]?.trading).toBe(false)
    expect(listed({ te: undefined })[0]?.trading).toBe(true)
  })

  test('that tells only what changed spoils it: the others would seem to be delisted', () => {
    expect(() => listed({}, 0)).toThrow('only what changed')
  })

  test('is asked for whole', () => {
    expect(listing.request()).toEqual({ path: '/v2/settings/common/symbols', query: {}, weight: 1 })
  })
})
