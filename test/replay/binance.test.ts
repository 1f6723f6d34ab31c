import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { day, hour, minute, plus, toInstant } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { amount, closedCandles } from '../../src/replay/candles.ts'
import { binanceMarkets, listedAt, markets } from '../../src/replay/markets.ts'
import { fixture, halfPast, json, openTimes, type Playing, play, rowsOf, shapeOf } from './playing.ts'

let exchange: Playing
beforeAll(async () => {
  exchange = await play({ limits: 'none' })
})
afterAll(() => exchange.close())

const running = floorTo('1m', halfPast)
const btc = (rest: string) => exchange.binance(`klines?symbol=BTCUSDT&${rest}`)

test('pings, and tells the time of its own clock in body and Date header', async () => {
  expect(json(await exchange.binance('ping'))).toEqual({})
  const time = await exchange.binance('time')
  expect(json(time)).toEqual({ serverTime: halfPast })
  expect(time.headers.get('date')).toBe('Fri, 01 Mar 2024 12:34:30 GMT')
})

describe('klines', () => {
  test('have the shape of a recorded body', async () => {
    const reported = await btc('interval=5m&limit=24')
    expect(shapeOf(json(reported))).toEqual(shapeOf(fixture('binance_klines_btcusdt_5m_latest24')))
    expect(reported.headers.get('content-type')).toBe('application/json;charset=UTF-8')
  })

  test('without bounds are the newest 500, ascending, the open one last', async () => {
    const times = openTimes(await btc('interval=1m'))
    expect(times).toHaveLength(500)
    expect(times).toEqual(times.toSorted())
    expect(times.at(-1)).toBe(running)
  })

  test('include both bounds by open time: one instant twice is one row, as recorded', async () => {
    expect(openTimes(await btc(`interval=1m&startTime=${running - hour}&endTime=${running - hour}`))).toEqual(
      [running - hour],
    )
    expect(fixture('binance_klines_btcusdt_1m_start_eq_end')).toHaveLength(1)
  })

  test('from an unaligned start begin at the next open', async () => {
    expect(openTimes(await btc(`interval=1m&startTime=${running - hour + 1}&limit=1`))).toEqual([
      running - hour + minute,
    ])
  })

  test('from a start alone are the oldest from there', async () => {
    expect(openTimes(await btc(`interval=1h&startTime=${running - 30 * day}&limit=2`))).toEqual([
      floorTo('1h', plus(running, hour - 30 * day)),
      floorTo('1h', plus(running, 2 * hour - 30 * day)),
    ])
  })

  test('to an end alone are the newest up to it', async () => {
    expect(openTimes(await btc(`interval=1m&endTime=${running - hour}&limit=3`))).toEqual([
      running - hour - 2 * minute,
      running - hour - minute,
      running - hour,
    ])
  })

  test('between both bounds begin at the start and are cut at the limit', async () => {
    const bounds = `startTime=${running - hour}&endTime=${running}`
    expect(openTimes(await btc(`interval=1m&${bounds}`))).toHaveLength(61)
    expect(openTimes(await btc(`interval=1m&${bounds}&limit=2`))).toEqual([
      running - hour,
      running - hour + minute,
    ])
  })

  test('of a backward range or of the future are none', async () => {
    expect(openTimes(await btc(`interval=1m&startTime=${running}&endTime=${running - hour}`))).toEqual([])
    expect(openTimes(await btc(`interval=1m&startTime=${running + hour}`))).toEqual([])
  })

  test('from the beginning of time start at the listing', async () => {
    expect(openTimes(await btc('interval=1m&startTime=0&limit=1'))).toEqual([listedAt])
    expect(openTimes(await btc(`interval=1m&endTime=${listedAt - 1}`))).toEqual([])
  })

  test('read sixteen digits as microseconds', async () => {
    expect(openTimes(await btc(`interval=1m&startTime=${running}000&limit=1`))).toEqual([running])
  })

  test('are walked forward page by page without a gap or a repetition', async () => {
    const to = running
    const walked: unknown[] = []
    for (let from: number = running - 1_500 * minute; from < to; ) {
      const page = openTimes(await btc(`interval=1m&startTime=${from}&endTime=${to - 1}&limit=1000`))
      walked.push(...page)
      from = Number(page.at(-1)) + minute
    }
    const range = { from: plus(running, -1_500 * minute), to }
    expect(walked).toEqual(closedCandles('BTCUSDT', '1m', range, halfPast).map(({ openTime }) => openTime))
  })

  test('hold column for column what closedCandles says', async () => {
    const range = { from: toInstant(running - 3 * hour), to: running }
    const rows = rowsOf(await btc(`interval=5m&startTime=${range.from}&endTime=${range.to - 5 * minute}`))
    expect(rows).toEqual(
      closedCandles('BTCUSDT', '5m', range, halfPast).map((candle) => [
        candle.openTime,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.closeTime,
        candle.quoteVolume,
        candle.trades,
        candle.takerVolume,
        candle.takerQuoteVolume,
        '0',
      ]),
    )
  })

  test('answer a thousand days', async () => {
    const times = openTimes(await btc('interval=1d&limit=1000'))
    expect(times).toHaveLength(1_000)
    expect(times[0]).toBe(floorTo('1d', halfPast) - 999 * day)
  })

  test('close one millisecond before the next opens', async () => {
    expect(rowsOf(await btc('interval=4h&limit=1'))[0]?.[6]).toBe(floorTo('4h', halfPast) + 4 * hour - 1)
  })
})

describe('refuses', () => {
  const unread = (read: number, sent: number) =>
    `Not all sent parameters were read; read '${read}' parameter(s) but was sent '${sent}'.`
  const illegal = (name: string, legal: string) =>
    `Illegal characters found in parameter '${name}'; legal range is '${legal}'.`
  const missing = (name: string) =>
    `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`

  test.each([
    ['an unknown symbol', 'klines?symbol=NOPEUSDT&interval=1h', -1121, 'Invalid symbol.'],
    ['an unknown interval', 'klines?symbol=BTCUSDT&interval=7m', -1120, 'Invalid interval.'],
    ['an interval in capitals', 'klines?symbol=BTCUSDT&interval=1H', -1120, 'Invalid interval.'],
    [
      'a symbol in small letters',
      'klines?symbol=btcusdt&interval=1h',
      -1100,
      illegal('symbol', '^[\\w\\-._&&[^a-z]]{1,50}$'),
    ],
    ['no symbol', 'klines?interval=1h', -1102, missing('symbol')],
    ['no interval', 'klines?symbol=BTCUSDT', -1102, missing('interval')],
    ['an empty parameter', 'klines?symbol=BTCUSDT&interval=', -1105, "Parameter 'interval' was empty."],
    ['a misspelled parameter', 'klines?symbol=BTCUSDT&interval=1h&start=1', -1104, unread(2, 3)],
    [
      'a parameter twice',
      'klines?symbol=BTCUSDT&symbol=BTCUSDT&interval=1h',
      -1101,
      'Duplicate values for a parameter detected.',
    ],
    [
      'a start that is no number',
      'klines?symbol=BTCUSDT&interval=1h&startTime=now',
      -1100,
      illegal('startTime', '^[0-9]{1,20}$'),
    ],
    [
      'a negative end',
      'klines?symbol=BTCUSDT&interval=1h&endTime=-1',
      -1100,
      illegal('endTime', '^[0-9]{1,20}$'),
    ],
    [
      'a limit of nothing',
      'klines?symbol=BTCUSDT&interval=1h&limit=0',
      -1130,
      "Data sent for parameter 'limit' is not valid.",
    ],
    [
      'a limit above a thousand',
      'klines?symbol=BTCUSDT&interval=1h&limit=1001',
      -1130,
      "Data sent for parameter 'limit' is not valid.",
    ],
    [
      'another time zone',
      'klines?symbol=BTCUSDT&interval=1d&timeZone=8',
      -1130,
      "Data sent for parameter 'timeZone' is not valid.",
    ],
    ['a parameter to a ping', 'ping?a=1', -1101, "Too many parameters; expected '0' and received '1'."],
    [
      'symbol and symbols at once',
      'ticker/price?symbol=BTCUSDT&symbols=["ETHUSDT"]',
      -1128,
      'Combination of optional parameters invalid.',
    ],
    [
      'one unknown symbol among known ones',
      'exchangeInfo?symbols=["BTCUSDT","NOPEUSDT"]',
      -1121,
      'Invalid symbol.',
    ],
    [
      'a symbol twice in a list',
      'ticker/24hr?symbols=["BTCUSDT","BTCUSDT"]',
      -1151,
      'Symbol is present multiple times in the list.',
    ],
    ['an unknown ticker type', 'ticker/24hr?symbol=BTCUSDT&type=SMALL', -1139, 'Invalid ticker type.'],
  ])('%s', async (_, path, code, msg) => {
    const reported = await exchange.binance(path)
    expect([reported.status, json(reported)]).toEqual([400, { code, msg }])
  })

  test('a list of symbols that is not one', async () => {
    const reported = await exchange.binance('ticker/price?symbols=BTCUSDT,ETHUSDT')
    expect([reported.status, json(reported)]).toMatchObject([400, { code: -1100 }])
  })

  test('an unknown symbol in the recorded words', async () => {
    const reported = await exchange.binance('klines?symbol=NOPEUSDT&interval=1h')
    expect(json(reported)).toEqual(fixture('binance_error_invalid_symbol'))
  })

  test('another path, and another method than GET', async () => {
    expect((await exchange.binance('depth?symbol=BTCUSDT')).status).toBe(404)
    const posted = await exchange.binance('ping', { method: 'POST' })
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET'])
  })
})

describe('exchangeInfo', () => {
  test('has the shape of a recorded body', async () => {
    const body = json(await exchange.binance('exchangeInfo?symbol=BTCUSDT'))
    expect(shapeOf(body)).toEqual(shapeOf(fixture('binance_exchangeInfo_btcusdt')))
  })

  test('lists every market, those asked for, or the one', async () => {
    const symbols = (text: string) => [...text.matchAll(/"symbol":"(\w+)"/g)].map(([, symbol]) => symbol)
    const all = markets.map(({ symbol }) => symbol)
    expect(symbols((await exchange.binance('exchangeInfo')).text)).toEqual(all)
    expect(symbols((await exchange.binance('exchangeInfo?symbols=["PEPEUSDT","BTCUSDT"]')).text)).toEqual([
      'PEPEUSDT',
      'BTCUSDT',
    ])
    expect(symbols((await exchange.binance('exchangeInfo?symbol=ETHUSDT')).text)).toEqual(['ETHUSDT'])
  })
})

describe('ticker', () => {
  test('leaves out markets of another status, and rejects a request for one alone', async () => {
    await using exchange = await play()
    const asked = (query: string) => exchange.binance(`ticker/24hr?${query}`)
    expect(json(await asked('symbols=["BTCUSDT"]&symbolStatus=TRADING'))).toHaveLength(1)
    expect(json(await asked('symbols=["BTCUSDT"]&symbolStatus=BREAK'))).toEqual([])
    expect(json(await asked('symbol=BTCUSDT&symbolStatus=HALT'))).toMatchObject({ code: -1220 })
    expect(json(await asked('symbolStatus=OPEN'))).toMatchObject({ code: -1130 })
  })

  test('of one symbol is an object of the recorded shape, of several an array', async () => {
    const one = json(await exchange.binance('ticker/24hr?symbol=BTCUSDT'))
    const recorded = shapeOf(fixture('binance_ticker24hr_ethbtc'))
    expect(shapeOf(one)).toEqual(recorded)
    const all = json(await exchange.binance('ticker/24hr'))
    expect(all).toHaveLength(binanceMarkets.length)
    expect(json(await exchange.binance('ticker/24hr?symbols=["BTCUSDT"]'))).toEqual([one])
  })

  test('sums up the last 1440 minutes, the running one included', async () => {
    const range = { from: plus(running, minute - day), to: running }
    const closed = closedCandles('BTCUSDT', '1m', range, halfPast)
    const [newest = []] = rowsOf(await btc('interval=1m&limit=1'))
    const volumes = [...closed.map(({ volume }) => volume), String(newest[5])]
    const highs = [...closed.map(({ high }) => Number(high)), Number(newest[2])]
    expect(json(await exchange.binance('ticker/24hr?symbol=BTCUSDT'))).toMatchObject({
      openPrice: closed[0]?.open,
      highPrice: Math.max(...highs).toFixed(8),
      lastPrice: newest[4],
      volume: amount(
        volumes.reduce((sum, volume) => sum + BigInt(volume.replace('.', '')), 0n),
        8,
      ),
      openTime: halfPast - day,
      closeTime: halfPast,
    })
    expect(json(await exchange.binance('ticker/price?symbol=BTCUSDT'))).toEqual({
      symbol: 'BTCUSDT',
      price: newest[4],
    })
  })

  test('in its small form goes without the change', async () => {
    const small = json(await exchange.binance('ticker/24hr?symbol=BTCUSDT&type=MINI'))
    const full = json(await exchange.binance('ticker/24hr?symbol=BTCUSDT'))
    expect(full).toMatchObject(small ?? {})
    expect(small).not.toHaveProperty('priceChangePercent')
  })
})

test('two exchanges at the same instant answer the same', async () => {
  await using other = await play({ limits: 'none' })
  for (const path of ['klines?symbol=SHIBUSDT&interval=1h', 'ticker/24hr', 'exchangeInfo'])
    expect((await other.binance(path)).text).toBe((await exchange.binance(path)).text)
})
