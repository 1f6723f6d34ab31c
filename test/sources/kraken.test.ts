import { stringify } from 'lossless-json'
import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownError, UnknownMarket } from '../../src/fault.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { hour, minute, second } from '../../src/market/instant.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { kraken } from '../../src/sources/kraken.ts'
import {
  type AnswerRow,
  type CandleQuery,
  costOf,
  reachableFrom,
  type Source,
} from '../../src/sources/source.ts'
import { plus } from '../support/at.ts'
import { anAnswer, at, recorded, undated } from './recorded.ts'
import { recordings } from './recordings.ts'

const { listing, prices }: Required<Source> = kraken
const { trades } = kraken.candles

const from = at('2024-03-01T12:00Z')
const query: CandleQuery = {
  symbol: 'XXBTZUSD',
  timeframe: '1m',
  range: { from, to: plus(from, 10 * minute) },
  asOf: plus(from, 60 * minute),
}

/** A row as Kraken writes it, with some of its eight columns changed. */
function aRow(over: Readonly<Record<number, unknown>> = {}, openTime: number = from): unknown[] {
  const row = [openTime / second, '62000.0', '62100.0', '61900.0', '62050.5', '62010.3', '1.23400000', 7]
  return row.map((column, index) => (index in over ? over[index] : column))
}

/** A minute in which nothing was traded. */
const aQuietRow = (openTime: number) =>
  aRow({ 1: '62050.5', 2: '62050.5', 3: '62050.5', 5: '0.0', 6: '0.00000000', 7: 0 }, openTime)

const lastClosed = plus(from, 58 * minute) / second

const envelope = (result: object): string => JSON.stringify({ error: [], result })

const parse = (
  rows: readonly unknown[],
  over: Partial<CandleQuery> = {},
  last: unknown = lastClosed,
): AnswerRow[] => kraken.candles.parse(envelope({ XXBTZUSD: rows, last }), { ...query, ...over })

const flawOf = (row: unknown): string | undefined => {
  const [read] = parse([row])
  return read && 'flaw' in read ? read.flaw : undefined
}

const withoutQuiet = (rows: readonly AnswerRow[]): CandleRow[] =>
  rows.flatMap((row) => ('quiet' in row ? [] : [row]))

describe('asking for candles', () => {
  test('since is a second before the first one, whether it is included or not', () => {
    expect(kraken.candles.request(query)).toEqual({
      path: '/0/public/OHLC',
      query: { pair: 'XXBTZUSD', interval: '1', since: String(from / second - 1) },
      weight: 1,
    })
  })

  test('lengths are minutes', () => {
    const intervals = timeframes.map(
      (timeframe) => kraken.candles.request({ ...query, timeframe }).query.interval,
    )
    expect(intervals).toEqual(['1', '5', '15', '30', '60', '240', '1440'])
  })

  test('720 rows reach back twelve hours in minutes, the one that runs among them', () => {
    const asOf = plus(from, 30 * second)
    expect(reachableFrom(kraken.candles, '1m', asOf)).toBe(from - 719 * minute)
    expect(kraken.candles.pageSize).toBe(719)
  })

  test('what is older costs requests for trades, as many as can be guessed', () => {
    const range = { from: plus(from, -10 * 24 * hour), to: from }
    expect(costOf(kraken.candles, '1m', range, from)).toEqual({
      requests: 48 + 2,
      weight: 50,
      isEstimate: true,
    })
    const deep = { from: plus(from, -20 * hour), to: plus(from, -19 * hour) }
    expect(costOf(kraken.candles, '1m', deep, from)).toEqual({ requests: 1, weight: 1, isEstimate: true })
    expect(costOf(kraken.candles, '1h', deep, from)).toEqual({ requests: 1, weight: 1, isEstimate: false })
  })
})

describe('reading candles', () => {
  const recording = recordings.kraken?.candles ?? expect.fail('not recorded')

  test('the recorded page is called by another key than was asked for, and holds 702 closed candles', () => {
    const rows = kraken.candles.parse(recording.body, { ...recording.query, symbol: 'XBTUSD' })
    const { candles, rejected, ignored } = checkCandles(withoutQuiet(rows), {
      timeframe: '1m',
      range: recording.query.range,
      now: recording.query.asOf,
    })
    expect([candles.length, rejected, ignored]).toEqual([702, [], 1])
    expect(candles.at(-1)).toMatchObject({
      openTime: at('2017-08-11T10:00Z'),
      open: '3530.636',
      high: '3534.100',
      low: '3530.301',
      close: '3531.999',
      volume: '4.55205801',
    })
  })

  test('a minute without trades is no candle, though it has a row with a price', () => {
    const rows = kraken.candles.parse(recording.body, recording.query)
    const quiet = rows.filter((row) => 'quiet' in row)
    expect(quiet).toHaveLength(17)
    expect(quiet[0]).toEqual({
      raw: [1502403840, '3435.594', '3435.594', '3435.594', '3435.594', '0.000', '0.00000000', 0],
      openTime: at('2017-08-10T22:24Z'),
      quiet: true,
    })
  })

  test('the volume is the seventh column', () => {
    expect(parse([aRow()])[0]).toMatchObject({ candle: { volume: '1.23400000', close: '62050.5' } })
  })

  test('volume and average price in the place of each other are a flaw', () => {
    expect(flawOf(aRow({ 5: '1.23400000', 6: '62010.3' }))).toBe(
      'average price and volume stand in the place of each other',
    )
  })

  test('an average that dust has pushed out of the candle is none', () => {
    expect(parse([aRow({ 5: '61000.0', 6: '0.00000001' })])[0]).toHaveProperty('candle')
  })

  test('a volume without trades is a flaw', () => {
    expect(flawOf(aRow({ 7: 0 }))).toBe('there is a volume, but no trade')
  })

  test.each([[undefined], [null], ['7'], [-1], [1.5]])('%j trades are a flaw', (count) => {
    expect(flawOf(aRow({ 7: count }))).toBe('the eighth column does not say how many trades there were')
  })

  test('a candle that is said to run, though its time was over when it was asked for, is a flaw', () => {
    const [closed, open] = parse(
      [aRow(), aRow({}, from + minute)],
      { asOf: plus(from, 2 * minute) },
      from / second,
    )
    expect(closed).toHaveProperty('candle')
    expect(open).toMatchObject({
      openTime: from + minute,
      flaw: 'kraken says that the candle still runs, though its time is over',
    })
  })

  test('of a quiet market it may be late to say that one is over', () => {
    const rows = parse([aQuietRow(from)], { asOf: plus(from, 2 * minute) }, from / second - 60)
    expect(rows).toEqual([{ raw: aQuietRow(from), openTime: from, quiet: true }])
  })

  test('the one that runs is always there, and is left to the clock of the answer', () => {
    const asOf = plus(from, minute + second)
    const rows = withoutQuiet(parse([aRow(), aRow({}, from + minute)], { asOf }, from / second))
    expect(checkCandles(rows, { timeframe: '1m', range: query.range, now: asOf })).toMatchObject({
      candles: [{ openTime: from }],
      rejected: [],
      ignored: 1,
    })
  })

  test.each([
    [1, 'open'],
    [2, 'high'],
    [3, 'low'],
    [4, 'close'],
    [6, 'volume'],
  ])('anything but a decimal in column %i is a flaw of the %s', (column, name) => {
    for (const value of [62_000.5, null, 'nan', 'NaN', ''])
      expect(flawOf(aRow({ [column]: value }))).toBe(`${name} is not a decimal string`)
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7])('a row without its column %i is no candle', (column) => {
    const row = aRow().toSpliced(column, 1)
    if (column === 0) expect(() => parse([row])).toThrow(Malformed)
    else expect(flawOf(row)).toBeDefined()
  })

  test.each([
    ['milliseconds', from],
    ['text', String(from / second)],
    ['a fraction of a second', from / second + 0.5],
    ['nothing', null],
  ])('an open time in %s is a flaw of its row alone', (_, openTime) => {
    const rows = parse([aRow(), aRow({ 0: openTime })])
    expect(rows).toEqual([expect.objectContaining({ candle: expect.anything() }), undated])
    expect(() => parse([aRow({ 0: openTime })])).toThrow('none of them with a time that can be read')
  })

  test.each([
    ['no market', { last: lastClosed }],
    ['two markets', { XXBTZUSD: [], XETHZUSD: [], last: lastClosed }],
    ['an object for rows', { XXBTZUSD: {}, last: lastClosed }],
    ['no word of what has closed', { XXBTZUSD: [aRow()] }],
    ['a word in milliseconds', { XXBTZUSD: [aRow()], last: from }],
  ])('%s spoils the page', (_, result) => {
    expect(() => kraken.candles.parse(envelope(result), query)).toThrow(Malformed)
  })

  test('candles of a shorter timeframe spoil the page', () => {
    const rows = [0, 1, 2, 3, 4].map((index) => aRow({}, from + index * minute))
    expect(() => parse(rows, { timeframe: '1h' })).toThrow('kraken sent candles that are shorter than 1h')
  })

  test('a warning beside the result is no error', () => {
    const text = JSON.stringify({ error: ['WGeneral:Something'], result: { X: [aRow()], last: lastClosed } })
    expect(kraken.candles.parse(text, query)).toHaveLength(1)
  })
})

describe('asking for trades', () => {
  test('since is a nanosecond, in full', () => {
    expect(trades.request('XBTUSDT', 1_762_820_035_982_277_754n)).toEqual({
      path: '/0/public/Trades',
      query: { pair: 'XBTUSDT', since: '1762820035982277754', count: '1000' },
      weight: 1,
    })
  })
})

describe('reading trades', () => {
  const read = (rows: readonly string[], last = '"1709294400000000000"') =>
    trades.parse(`{"error":[],"result":{"XBTUSDT":[${rows.join()}],"last":${last}}}`)
  const aTrade = (over: Readonly<Record<number, string>> = {}): string =>
    `[${['"62000.1"', '"0.00000001"', '1709294400.1234567', '"b"', '"m"', '""', '42'].map((column, index) => over[index] ?? column).join()}]`

  test('the recorded thousand are all read, and the cursor is the nanosecond of the last of them', () => {
    const { rows, cursor } = trades.parse(recorded('kraken/trades_recent'))
    expect(rows).toHaveLength(1_000)
    expect(rows.every((row) => 'price' in row)).toBe(true)
    expect(rows[0]).toMatchObject({
      id: '10218208',
      time: 1_762_795_433_971_744_500n,
      price: '105433.60000',
      amount: '0.00027625',
    })
    expect(cursor).toBe(1_762_820_035_982_277_754n)
    const apart = cursor - (rows.at(-1)?.time ?? 0n)
    expect(apart > -1_000n && apart < 1_000n).toBe(true)
  })

  test.each([
    ['1709294400', 1_709_294_400_000_000_000n],
    ['1709294400.5', 1_709_294_400_500_000_000n],
    ['1709294459.9999999', 1_709_294_459_999_999_900n],
    ['1709294400.123456789123', 1_709_294_400_123_456_789n],
    ['1.7092944001E9', 1_709_294_400_100_000_000n],
  ])('a time of %s keeps its digits', (text, time) => {
    expect(read([aTrade({ 2: text })]).rows[0]?.time).toBe(time)
  })

  test.each([
    ['a price that is no number', { 0: '"nan"' }, 'its price is not a decimal string'],
    ['a price below zero', { 0: '"-1"' }, 'its price is not a decimal string'],
    ['no volume', { 1: 'null' }, 'its volume is not a decimal string'],
  ])('%s is a flaw', (_, over, flaw) => {
    const [row] = read([aTrade(over)]).rows
    expect(row).toMatchObject({ id: '42', flaw })
    expect(stringify(row?.raw)).toBe(aTrade(over))
  })

  test.each([
    ['a time in milliseconds', { 2: '1709294400123' }],
    ['a time in text', { 2: '"1709294400.1"' }],
    ['no number', { 6: 'null' }],
  ])('%s makes a flaw of the trades beside it, whose candles it may belong to', (_, over) => {
    const ids = ['40', '41', '42', '43', '44']
    const rows = ids.map((id) => aTrade(id === '42' ? over : { 6: id }))
    expect(read(rows).rows.map((row) => [row.id, 'flaw' in row])).toEqual([
      ['40', false],
      ['41', true],
      ['43', true],
      ['44', false],
    ])
    expect(() => read([aTrade(over), aTrade(over)])).toThrow('none of them with a time and a number')
  })

  test.each(['1709294400', '"later"', 'null'])('a cursor of %s spoils the page', (last) => {
    expect(() => read([aTrade()], last)).toThrow(Malformed)
  })

  test('an error spoils the page', () => {
    expect(() => trades.parse(recorded('kraken/error_unknown_pair'))).toThrow(Malformed)
  })
})

describe('reading the listing', () => {
  const markets = listing.parse(recorded('kraken/assetpairs_2021'))
  const find = (wanted: string) => markets.find(({ symbol }) => symbol === wanted)

  test.each([
    ['XXBTZUSD', 'BTC', 'USD'],
    ['XBTUSDT', 'BTC', 'USDT'],
    ['XETHXXBT', 'ETH', 'BTC'],
    ['XDGUSD', 'DOGE', 'USD'],
    ['XTZUSD', 'XTZ', 'USD'],
    ['ZECXBT', undefined, undefined],
    ['XZECXXBT', 'ZEC', 'BTC'],
  ])('%s is %s against %s', (symbol, base, quote) => {
    const found = find(symbol)
    if (base) expect(found).toMatchObject({ symbol, base, quote, trading: true })
    else expect(found).toBeUndefined()
  })

  test('a market is also called by the names that people write', () => {
    expect(find('XXBTZUSD')?.alsoCalled).toEqual(['XBTUSD', 'XBT/USD'])
    expect(find('XBTUSDT')?.alsoCalled).toEqual(['XBT/USDT'])
  })

  test('dark pools are none of ours', () => {
    expect(recorded('kraken/assetpairs_2021')).toContain('XXBTZUSD.d')
    expect(markets.filter(({ symbol }) => symbol.endsWith('.d'))).toEqual([])
  })

  test('a recorded pair of today has a status', () => {
    expect(listing.parse(recorded('kraken/assetpairs_2025_status'))).toEqual([
      {
        symbol: 'XBTUSDT',
        base: 'BTC',
        ownBase: 'XBT',
        quote: 'USDT',
        alsoCalled: ['XBT/USDT'],
        trading: true,
      },
    ])
  })

  test.each(['cancel_only', 'post_only', 'reduce_only'])('%s is not trading', (status) => {
    const text = recorded('kraken/assetpairs_2025_status').replace('"online"', JSON.stringify(status))
    expect(listing.parse(text)).toMatchObject([{ trading: false }])
  })

  test('limit orders alone make trades', () => {
    const text = recorded('kraken/assetpairs_2025_status').replace('"online"', '"limit_only"')
    expect(listing.parse(text)).toMatchObject([{ trading: true }])
  })

  test('the token of a share is no coin', () => {
    const text = recorded('kraken/assetpairs_2025_status').replace('"currency"', '"tokenized_asset"')
    expect(listing.parse(text)).toMatchObject([{ symbol: 'XBTUSDT', kind: 'tokenized-stock' }])
  })

  test('is requested whole', () => {
    expect(listing.request().query).toEqual({})
  })
})

describe('reading prices', () => {
  const answeredAt = at('2024-03-01T12:00Z')

  test('no change is made of the open, which is the one of this day, and no money of the volume in coins', () => {
    const [row] = prices.parse(recorded('kraken/ticker_xbteur_old'), answeredAt)
    expect(row && 'price' in row && row.price).toEqual({
      market: 'XXBTZEUR',
      timestamp: answeredAt,
      price: '560.87711',
      traded24h: '2783',
    })
  })

  test.each([[{}], [{ c: 7 }], [null]])('%j is a flaw of its market alone', (raw) => {
    const text = envelope({ XXBTZUSD: raw, XETHZUSD: { c: ['1', '1'] } })
    expect(prices.parse(text, answeredAt)).toMatchObject([
      { market: 'XXBTZUSD', flaw: 'its last price is missing' },
      { price: { market: 'XETHZUSD' } },
    ])
  })

  test('all of them are asked for at once, since an unknown one would spoil the answer', () => {
    expect(prices.request(['XXBTZUSD', 'NOPE']).query).toEqual({})
  })
})

describe('errors, all with HTTP 200', () => {
  const answeredAt = at('2024-03-01T12:00Z')
  const classify = (message: string, status = 200) =>
    kraken.classify(anAnswer(status, JSON.stringify({ error: [message] })))

  test('the recorded one is an unknown market', () => {
    expect(kraken.classify(anAnswer(200, recorded('kraken/error_unknown_pair')))).toBeInstanceOf(
      UnknownMarket,
    )
  })

  test.each([
    ['EQuery:Unknown asset pair', UnknownMarket],
    ['EQuery:Invalid asset pair', UnknownMarket],
    ['EGeneral:Invalid arguments', Refused],
    ['EGeneral:Permission denied', UnknownError],
    ['EGeneral:Something new', UnknownError],
    ['EService:Unavailable', Unavailable],
    ['EService:Busy', Unavailable],
    ['EService:Market in cancel_only mode', Unavailable],
    ['EService:Market in post_only mode', Unavailable],
    ['EGeneral:Internal error', Unavailable],
    ['EGeneral:Too many requests', RateLimited],
    ['EAPI:Rate limit exceeded', RateLimited],
    ['EGeneral:Temporary lockout', RateLimited],
  ])('%s', (message, kind) => {
    const fault = classify(message)
    expect(fault).toBeInstanceOf(kind)
    expect(fault?.message).toContain(message)
  })

  test.each([
    ['EGeneral:Too many requests', 15 * second],
    ['EGeneral:Temporary lockout', 15 * minute],
    [`EService: Throttled: ${answeredAt / second + 33}`, 33 * second],
    [`EService:Throttled: ${answeredAt / second - 5}`, second],
    ['EService: Throttled: soon', 15 * second],
    ['EService: Throttled: 9999999999', 15 * minute],
  ])('%s waits as long as that takes', (message, waitMs) => {
    expect(classify(message)).toMatchObject({ waitMs })
  })

  test('a warning is none', () => {
    expect(classify('WDatabase:Something')).toBeUndefined()
    expect(kraken.classify(anAnswer(200, '{"error":[],"result":{}}'))).toBeUndefined()
  })

  test('a page of the network before it is told by its status', () => {
    expect(kraken.classify(anAnswer(520, '<html></html>'))).toBeUndefined()
    expect(classify('EGeneral:Who knows', 520)).toBeUndefined()
    expect(classify('EService:Busy', 520)).toBeInstanceOf(Unavailable)
  })

  test('the time in the header is waited for', () => {
    const text = JSON.stringify({ error: ['EAPI:Rate limit exceeded'] })
    expect(kraken.classify(anAnswer(429, text, { 'retry-after': '7' }))).toMatchObject({ waitMs: 7 * second })
    expect(kraken.classify(anAnswer(429, text))).toBeInstanceOf(RateLimited)
  })
})
