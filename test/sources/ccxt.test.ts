import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import {
  Banned,
  InvalidInput,
  Malformed,
  Misconfigured,
  RateLimited,
  Refused,
  Unavailable,
  UnknownMarket,
} from '../../src/fault.ts'
import { openBudget, unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import type { SendOptions } from '../../src/http/request.ts'
import type { Candle } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { hour, minute } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount } from '../../src/market/range.ts'
import { floorTo, type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import { packageDir } from '../../src/package-dir.ts'
import type { SourceId } from '../../src/settings/source-ids.ts'
import { type AskDeps, askForCandles, askForListing } from '../../src/sources/ask.ts'
import { candlesFrom, sources } from '../../src/sources/catalog.ts'
import { openExchange } from '../../src/sources/ccxt/library.ts'
import { ccxtSource } from '../../src/sources/ccxt.ts'
import type { CandleProvider } from '../../src/sources/source.ts'
import { walkCandles } from '../../src/sources/walk.ts'
import { json, type MisbehavingServer, openMisbehavingServer } from '../http/misbehaving-server.ts'
import { recordingLog } from '../queue/fleet.ts'
import { halfPast, type Playing, play } from '../replay/playing.ts'
import { at, plus } from '../support/at.ts'
import { test } from '../support/database.ts'

/** ccxt's name of an exchange that the replay plays, and ours. */
const played: readonly (readonly [string, SourceId])[] = [
  ['binance', 'binance'],
  ['okx', 'okx'],
  ['coinbaseexchange', 'coinbase'],
  ['bybit', 'bybit'],
  ['kucoin', 'kucoin'],
  ['bitstamp', 'bitstamp'],
  ['cryptocom', 'cryptocom'],
]

const options: SendOptions = { lane: 'backfill', signal: new AbortController().signal }

let exchange: Playing
let server: MisbehavingServer
let deps: AskDeps & { http: ReturnType<typeof openHttpClient> }

beforeAll(async () => {
  exchange = await play({ limits: 'none' })
  server = await openMisbehavingServer()
  const http = openHttpClient({
    clock: exchange.clock,
    budget: unlimitedBudget,
    timeoutMs: 20_000,
    maxBodyBytes: 5_000_000,
  })
  const throughCcxt = played.map(([name, id]) => [`ccxt:${name}`, exchange.urlOf(id)])
  const baseUrls = { ...Object.fromEntries([...exchange.urls, ...throughCcxt]) }
  baseUrls['ccxt:kraken'] = exchange.urlOf('kraken')
  for (const id of ['ccxt:bitopro', 'ccxt:bitvavo', 'ccxt:upbit', 'ccxt:hyperliquid'])
    baseUrls[id] = server.baseUrl
  deps = { http, baseUrls }
})

afterAll(async () => {
  deps.http.close()
  await server.close()
  await exchange.close()
})

type Walked = Readonly<{ candles: readonly Candle[]; spokenFor: number; requests: number }>

type Request = Readonly<{ symbol: string; timeframe: Timeframe; range: AlignedRange }>

async function walk(source: CandleProvider, request: Request, asked: AskDeps = deps): Promise<Walked> {
  const { timeframe } = request
  let walked: Walked = { candles: [], spokenFor: 0, requests: 0 }
  for await (const page of walkCandles(asked, source, { ...request, asOf: halfPast }, options)) {
    const { candles, rejected } = checkCandles(page.rows, {
      timeframe,
      range: page.answered,
      now: page.answeredAt,
    })
    expect(rejected).toEqual([])
    walked = {
      candles: [...walked.candles, ...candles],
      spokenFor: walked.spokenFor + candleCount(page.answered, timeframe),
      requests: walked.requests + page.requests,
    }
  }
  return walked
}

const newest = (timeframe: Timeframe, candles: number): AlignedRange => {
  const to = floorTo(timeframe, halfPast)
  return { from: plus(to, -candles * timeframeMs[timeframe]), to }
}

async function bitcoinOf(id: SourceId): Promise<string> {
  const listing = await askForListing(deps, sources[id], options)
  const market = listing?.find(({ base, quote }) => base === 'BTC' && quote === 'USDT')
  if (!market) throw new Error(`${id} does not list bitcoin`)
  return market.symbol
}

describe('ccxt', () => {
  test('is loaded only when one of its sources is asked for', async () => {
    // In a process of its own: other tests of this one may have loaded it.
    const program = `
      import { createRequire } from 'node:module'
      import { sourceNamed } from './src/sources/catalog.ts'
      const { cache } = createRequire(import.meta.url)
      const isLoaded = () => Object.keys(cache).some((file) => file.includes('/node_modules/ccxt/'))
      const loaded = ['binance', 'ccxt:binance'].map((id) => [sourceNamed(id).id, isLoaded()])
      process.stdout.write(JSON.stringify(loaded))`
    const options = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const { stdout } = await promisify(execFile)(process.execPath, options, {
      cwd: fileURLToPath(packageDir),
    })
    expect(JSON.parse(stdout)).toEqual([
      ['binance', false],
      ['ccxt:binance', true],
    ])
  })

  test('that is not installed is reported with the command that installs it', () => {
    const elsewhere = createRequire(join(mkdtempSync(join(tmpdir(), 'beacon-ccxt-')), 'here.js'))
    const opening = () => openExchange('ccxt:bitvavo', elsewhere)
    expect(opening).toThrow(Misconfigured)
    expect(opening).toThrow(/^ccxt:bitvavo needs ccxt, which is not installed: .*npm install ccxt$/)
  })

  test('that does not know an exchange, or no spot candles of it, says so', () => {
    expect(() => ccxtSource('ccxt:bitvavoo')).toThrow(InvalidInput)
    expect(() => ccxtSource('ccxt:bitvavoo')).toThrow(/has no exchange "bitvavoo"\. Did you mean "bitvavo"\?/)
    for (const id of ['ccxt:krakenfutures', 'ccxt:bitflyer'] as const)
      expect(() => ccxtSource(id)).toThrow(/^ccxt has no candles of spot markets of /)
  })

  test('tells what it knows of an exchange as data, and what it lacks is made of something shorter', () => {
    const { candles, rateLimits } = ccxtSource('ccxt:bitopro')
    expect(rateLimits).toEqual([{ points: 1, perMs: 100 }])
    expect(candles).toMatchObject({ pageSize: 1_000, depth: 'unknown', madeFrom: { '4h': '1h' } })
    expect(candles.timeframes).toEqual(['1m', '5m', '15m', '30m', '1h', '4h', '1d'])
  })

  test('asks for spot markets only, and lists them by the common names', async () => {
    const before = exchange.requests.length
    const listing = await askForListing(deps, ccxtSource('ccxt:binance'), options)
    expect(exchange.requests.slice(before).map(({ path }) => path)).toEqual(['/api/v3/exchangeInfo'])
    expect(listing?.find(({ symbol }) => symbol === 'BTC/USDT')).toEqual({
      symbol: 'BTC/USDT',
      base: 'BTC',
      quote: 'USDT',
      alsoCalled: ['BTCUSDT'],
      trading: true,
    })
  })
})

test.for(played)(
  '%s through ccxt brings what our own adapter brings, digit for digit',
  async ([name, id]) => {
    const request = { timeframe: '1h', range: newest('1h', 350) } as const
    const own = candlesFrom(id)
    if (!own) throw new TypeError(`${id} has no candles`)
    const expected = await walk(own, { ...request, symbol: await bitcoinOf(id) })
    const walked = await walk(ccxtSource(`ccxt:${name}`), { ...request, symbol: 'BTC/USDT' })
    expect(walked.candles).toEqual(expected.candles)
    expect(walked.spokenFor).toBe(350)
    expect(walked.candles.length).toBeGreaterThan(340)
  },
)

describe('a market', () => {
  const request = { timeframe: '1h', range: newest('1h', 24) } as const

  test('that its exchange does not list is unknown, and the listing is not read again for each question', async () => {
    const source = ccxtSource('ccxt:binance')
    await walk(source, { symbol: 'ETH/USDT', ...request })
    const before = exchange.requests.length
    await expect(walk(source, { symbol: 'NO/SUCH', ...request })).rejects.toThrow(UnknownMarket)
    expect(exchange.requests.length).toBe(before)
  })

  test('that forgets its older candles is not said to have none: no page speaks for them', async () => {
    const range = newest('1m', 3_000)
    const { candles, spokenFor, requests } = await walk(ccxtSource('ccxt:kraken'), {
      symbol: 'BTC/USDT',
      timeframe: '1m',
      range,
    })
    expect(candles).toHaveLength(720)
    expect(candles[0]?.openTime).toBe(plus(range.to, -720 * minute))
    expect(spokenFor).toBe(720)
    expect(requests).toBeLessThan(5)
  })

  test('that was listed later has no candles of before, and few questions show it', async () => {
    const range = { from: at('2012-01-01'), to: at('2017-09-01') }
    const own = await walk(sources.binance as CandleProvider, { symbol: 'BTCUSDT', timeframe: '1h', range })
    const walked = await walk(ccxtSource('ccxt:binance'), { symbol: 'BTC/USDT', timeframe: '1h', range })
    expect(walked.candles).toEqual(own.candles)
    expect(walked.candles.length).toBeGreaterThan(300)
    expect(walked.spokenFor).toBe(candleCount(range, '1h'))
    expect(walked.requests).toBeLessThan(20)
  })
})

/** Rows of bitvavo: [open time ms, open, high, low, close, volume], as texts or as numbers. */
const bitvavoMarkets = '[{"market":"BTC-EUR","status":"trading","base":"BTC","quote":"EUR"}]'
const threeHours = newest('1h', 3)
const inBitvavo = { symbol: 'BTC/EUR', timeframe: '1h', range: threeHours } as const

/** Answers the listing of bitvavo, and each question for candles with that body. */
const bitvavoSays = (body: string) =>
  server.answer((response, request) =>
    json(request.url?.startsWith('/v2/markets') ? bitvavoMarkets : body, {
      date: new Date(halfPast).toUTCString(),
    })(response, request),
  )

describe('an answer', () => {
  const bitvavo = () => ccxtSource('ccxt:bitvavo')

  test('keeps every digit of its numbers, whether they are texts or JSON numbers', async () => {
    const [first, second_, third] = [0, 1, 2].map((at) => plus(threeHours.from, at * hour))
    bitvavoSays(`[
      [${third}, "1", "123456789012.12345678901234567890", "0.00000000000000000001", "1.10", "1e-18"],
      [${second_}, 12345678901234567890, 12345678901234567890.5, 0.10000000000000000001, 1.10, 0.00000001],
      [${first}, 1.23456789012345678901e-7, 1.50, 0.000000100000000000001e-1, 1, 100000000000000000001]
    ]`)
    const { rows } = await askForCandles(deps, bitvavo(), { ...inBitvavo, asOf: halfPast }, options)
    const amounts = rows.map((row) => ('candle' in row ? Object.values(row.candle).slice(1) : row))
    expect(amounts).toEqual([
      ['1', '123456789012.12345678901234567890', '0.00000000000000000001', '1.10', '0.000000000000000001'],
      ['12345678901234567890', '12345678901234567890.5', '0.10000000000000000001', '1.10', '0.00000001'],
      ['0.000000123456789012345678901', '1.50', '0.0000000100000000000001', '1', '100000000000000000001'],
    ])
  })

  test('without a list of candles is refused, and an empty list is believed', async () => {
    for (const body of [
      '{}',
      '{"candles":[]}',
      '{"message":"maintenance"}',
      'null',
      '"[]"',
      '{"data":[',
      '[[1,2',
    ]) {
      bitvavoSays(body)
      await expect(walk(bitvavo(), inBitvavo), body).rejects.toThrow(Malformed)
    }
    bitvavoSays('[]')
    expect(await walk(bitvavo(), inBitvavo)).toMatchObject({ candles: [], spokenFor: 3 })
  })

  test('gets no candle added where ccxt would fill a hole', async () => {
    const row = (at: number) =>
      `{"timestamp":${plus(threeHours.from, at * hour)},"open":"1","high":"2","low":"1","close":"2","volume":"3"}`
    server.answer((response, request) => {
      const isListing = request.url?.includes('trading-pairs')
      json(
        isListing
          ? '{"data":[{"pair":"btc_twd","base":"btc","quote":"twd","maintain":false}]}'
          : `{"data":[${row(2)},${row(0)}]}`,
        { date: new Date(halfPast).toUTCString() },
      )(response, request)
    })
    const { candles, spokenFor } = await walk(ccxtSource('ccxt:bitopro'), {
      symbol: 'BTC/TWD',
      timeframe: '1h',
      range: threeHours,
    })
    expect(candles.map(({ openTime }) => (openTime - threeHours.from) / hour)).toEqual([0, 2])
    expect(spokenFor).toBe(3)
  })
})

describe('a refusal', () => {
  const bitvavo = () => ccxtSource('ccxt:bitvavo')
  const refused = (status: number, body: string, headers = {}) => {
    server.answer((response, request) => json(body, headers, status)(response, request))
    return expect(walk(bitvavo(), inBitvavo)).rejects
  }

  test.for([
    [400, '{"errorCode":110,"error":"Invalid endpoint."}', Refused],
    [200, '{"errorCode":107,"error":"The matching engine is overloaded."}', Unavailable],
    [503, '<html>', Unavailable],
    [403, '{"errorCode":105,"error":"Rate limit exceeded."}', Banned],
    [400, '{"errorCode":105,"error":"Rate limit exceeded."}', RateLimited],
  ] as const)('%i %s stands for what it says', async ([status, body, Kind]) => {
    bitvavoSays('[]')
    await walk(bitvavo(), inBitvavo)
    await refused(status, body).toThrow(Kind)
  })

  test.for([
    ['EQuery:Unknown asset', UnknownMarket],
    ['EAPI:Rate limit exceeded', RateLimited],
    ['EService:Unavailable', Unavailable],
  ] as const)('with HTTP 200, %s, stands for what it says', async ([words, Kind]) => {
    const kraken = ccxtSource('ccxt:kraken')
    const request = { symbol: 'BTC/USDT', timeframe: '1h', range: threeHours } as const
    await walk(kraken, request)
    server.answer(json(JSON.stringify({ error: [words] })))
    const baseUrls = { 'ccxt:kraken': server.baseUrl }
    await expect(walk(kraken, request, { ...deps, baseUrls })).rejects.toThrow(Kind)
  })

  test('of an exchange that only speaks POST is told of before anything is sent', async () => {
    bitvavoSays('[]')
    await expect(askForListing(deps, ccxtSource('ccxt:hyperliquid'), options)).rejects.toThrow(
      'ccxt:hyperliquid wants to be asked with POST; only GET is spoken here',
    )
    expect(server.requests).toEqual([])
  })

  test('to be asked so often stops the whole fleet for as long as it says', async ({ pool }) => {
    const surroundings = { share: 0.8, clock: exchange.clock, log: recordingLog() }
    const [budget, neighbour] = [openBudget({ pool }, surroundings), openBudget({ pool }, surroundings)]
    const limited = { timeoutMs: 5_000, maxBodyBytes: 5_000_000, clock: exchange.clock }
    const [asker, other] = [
      openHttpClient({ ...limited, budget }),
      openHttpClient({ ...limited, budget: neighbour }),
    ]
    server.answer(json('{"errorCode":105}', { 'retry-after': '40' }, 429))
    const { baseUrls } = deps
    const asking = walk(bitvavo(), inBitvavo, { http: asker, baseUrls })
    await expect(asking).rejects.toMatchObject({ code: 'RATE_LIMITED', waitMs: 40_000 })
    expect(await neighbour.pauses(['ccxt:bitvavo', 'bitvavo'])).toEqual([
      { source: 'ccxt:bitvavo', kind: 'slow-down', leftMs: expect.closeTo(40_000, -4) },
    ])
    const before = server.requests.length
    await expect(walk(bitvavo(), inBitvavo, { http: other, baseUrls })).rejects.toThrow(RateLimited)
    expect(server.requests.length).toBe(before)
    for (const client of [asker, other]) client.close()
  })
})
