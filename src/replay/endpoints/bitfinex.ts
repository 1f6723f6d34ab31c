import { type Instant, minute, toInstant } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route, WrittenNumber } from '../answer.ts'
import { candlesBackFrom, candlesFrom, type ReplayCandle } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { marketsOf } from '../listings/odd-markets.ts'
import type { Market } from '../markets.ts'

// https://docs.bitfinex.com/reference/rest-public-candles, and the pages beside it

type Resource = Readonly<{
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Json
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  ['/v2/platform/status', { parameters: [], answer: () => [1] }],
  ['/v2/conf/pub:list:pair:exchange', { parameters: [], answer: () => [pairNames()] }],
  [
    '/v2/conf/pub:map:currency:sym',
    {
      parameters: [],
      answer: () => [
        [
          ['UST', 'USDt'],
          ['WBT', 'WBTC'],
        ],
      ],
    },
  ],
  ['/v2/tickers', { parameters: ['symbols'], answer: tickers }],
])

export const bitfinexEndpoint: Endpoint = {
  source: 'bitfinex',
  tickers: [{ path: '/v2/tickers', at: [1, 7] }],
  halted: [{ path: '/v2/conf/pub:list:pair:exchange', at: [0, 1] }],
  limit: { windows: [{ points: 30, perMs: minute }] },
  route: (path, query, now): Route => ({ weight: 1, answer: answered(() => answerPath(path, query, now)) }),
  // No Retry-After.
  refuse: () => ({ status: 429, body: ['error', 11010, 'ratelimit: error'] }),
  candles: { openTime: 0, timeUnitMs: 1, close: 2, high: 3, low: 4, volume: 5, fromParameter: 'start' },
  unavailable: (status) => ({
    status,
    body: {
      code: 503,
      error: 'temporarily_unavailable',
      error_description:
        'Sorry, the service is temporarily unavailable. See https://www.bitfinex.com/ for more info.',
    },
  }),
}

/** Client errors are HTTP 500. */
const wrong = (name: string) => new RefusedRequest(500, ['error', 10020, `${name}: invalid`])

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const [, length, symbol, section] = /^\/v2\/candles\/trade:([^:/]+):([^/]+)\/(hist|last)$/.exec(path) ?? []
  if (length !== undefined && symbol !== undefined) {
    refuseOtherParameters(query, section === 'hist' ? ['start', 'end', 'limit', 'sort'] : [], wrong)
    const rows = candles(query, now, { length, symbol })
    // `last` is no list.
    return ok(section === 'hist' ? rows : (rows[0] ?? []))
  }
  const resource = resources.get(path)
  if (!resource) throw new RefusedRequest(404, ['error', 10020, 'path: invalid'])
  refuseOtherParameters(query, resource.parameters, wrong)
  return ok(resource.answer(query, now))
}

/** Bitfinex's own names. */
const foreignNames: ReadonlyMap<string, string> = new Map([
  ['USDT', 'UST'],
  ['WBT', 'WHBT'],
  ['WBTC', 'WBT'],
])

const markets = marketsOf('bitfinex')

const nameOf = (asset: string): string => foreignNames.get(asset) ?? asset

/** Colon if a side is longer than three letters. */
function pairOf({ base, quote }: Market): string {
  const sides = [nameOf(base), nameOf(quote)]
  return sides.join(sides.every(({ length }) => length === 3) ? '' : ':')
}

/** Includes test pairs. */
const pairNames = (): string[] => ['AAABBB', 'TESTBTC:TESTUSD', ...markets.map(pairOf)].toSorted()

function readMarket(symbol: string): Market {
  const market = markets.find((listed) => `t${pairOf(listed)}` === symbol)
  if (!market) throw wrong('symbol')
  return market
}

/** No 4h. */
const lengths: ReadonlyMap<string, Timeframe> = new Map([
  ['1m', '1m'],
  ['5m', '5m'],
  ['15m', '15m'],
  ['30m', '30m'],
  ['1h', '1h'],
  ['1D', '1d'],
])

/** Newest first unless sorted; only traded intervals. */
function candles(
  query: URLSearchParams,
  now: Instant,
  { length, symbol }: Readonly<{ length: string; symbol: string }>,
): Json[] {
  const timeframe = lengths.get(length)
  if (!timeframe) throw wrong('time_interval')
  const series = { market: readMarket(symbol), timeframe }
  const limit = readWhole(query, 'limit') ?? 100
  if (limit < 1 || limit > 10_000) throw wrong('limit')
  const from = toInstant(readWhole(query, 'start') ?? 0)
  const until = toInstant(readWhole(query, 'end') ?? now)
  const sort = query.get('sort') ?? '-1'
  if (sort !== '1' && sort !== '-1') throw wrong('sort')
  const rows: Json[] = []
  const inOrder =
    sort === '1' ? candlesFrom(series, { from, until }, now) : candlesBackFrom(series, until, now)
  for (const candle of inOrder) {
    if (candle.openTime < from || rows.length === limit) break
    rows.push(candleRow(candle))
  }
  return rows
}

function readWhole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,13}$/.test(text)) throw wrong(name)
  return Number(text)
}

const candleRow = ({ openTime, open, close, high, low, volume }: ReplayCandle): Json => [
  openTime,
  ...[open, close, high, low, volume].map(written),
]

/** Small numbers use exponents. */
function written(amount: string): Json {
  const text = shortened(amount)
  return new WrittenNumber(/^-?0\.000000/.test(text) ? Number(text).toExponential() : text)
}

/** Unknown symbols are left out. */
function tickers(query: URLSearchParams, now: Instant): Json {
  const symbols = query.get('symbols')
  if (symbols === null) throw wrong('symbols')
  if (symbols === 'ALL') return [...lent, ...markets.map((market) => ticker(market, now))]
  const named = symbols.split(',')
  return markets.filter((market) => named.includes(`t${pairOf(market)}`)).map((market) => ticker(market, now))
}

/** Funding tickers, with other columns. */
const lent: readonly Json[] = [
  [
    'fUSD',
    new WrittenNumber('0.0003512054794520548'),
    new WrittenNumber('3e-8'),
    120,
    7012443.5,
    new WrittenNumber('2.1e-7'),
    2,
    151204.25,
    0,
    0,
    new WrittenNumber('1e-8'),
    664.1085,
    new WrittenNumber('3e-8'),
    new WrittenNumber('1e-8'),
    null,
    null,
    2594257.74114297,
  ],
]

function ticker(market: Market, now: Instant): Json {
  const { high, low, last, ask, step, change, changeRate, volume } = dayTicker(market, now)
  const numbers = [last, step, ask, step, change, changeRate, last, volume, high, low]
  return [`t${pairOf(market)}`, ...numbers.map(written)]
}
