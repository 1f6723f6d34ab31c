import { day, type Instant, minute, plus, second, toInstant } from '../../market/instant.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route, retryAfter } from '../answer.ts'
import { amount, candlesBackFrom, type ReplayCandle } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { findMarket, type Market, markets } from '../markets.ts'

// https://mexcdevelop.github.io/apidocs/spot_v3_en/

type Resource = Readonly<{
  weight: (query: URLSearchParams) => number
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Json
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  ['/api/v3/ping', { weight: () => 1, parameters: [], answer: () => ({}) }],
  ['/api/v3/time', { weight: () => 1, parameters: [], answer: (_, now) => ({ serverTime: now }) }],
  [
    '/api/v3/klines',
    {
      weight: () => 1,
      parameters: ['symbol', 'interval', 'startTime', 'endTime', 'limit'],
      answer: klines,
    },
  ],
  [
    '/api/v3/ticker/24hr',
    { weight: (query) => (query.has('symbol') ? 1 : 40), parameters: ['symbol'], answer: dayTickers },
  ],
  ['/api/v3/exchangeInfo', { weight: () => 10, parameters: ['symbol'], answer: exchangeInfo }],
])

/** One resource's limit, for all together; bans start at two minutes. */
export const mexcEndpoint: Endpoint = {
  source: 'mexc',
  tickers: [{ path: '/api/v3/ticker/24hr', at: [0, 'lastPrice'] }],
  halted: [{ path: '/api/v3/exchangeInfo', at: ['symbols', 0, 'status'], value: '2' }],
  limit: { windows: [{ points: 500, perMs: 10 * second }], ban: { afterRefusals: 10, ms: 2 * minute } },
  route: (path, query, now): Route => ({
    weight: resources.get(path)?.weight(query) ?? 1,
    answer: answered(() => answerPath(path, query, now)),
  }),
  refuse: (decision, retryAt, _, now) => ({
    status: decision === 'banned' ? 418 : 429,
    headers: retryAfter(retryAt, now),
    body: { code: 429, msg: 'Too Many Requests' },
  }),
  candles: {
    openTime: 0,
    timeUnitMs: 1,
    closeTime: 6,
    high: 2,
    low: 3,
    close: 4,
    volume: 5,
    fromParameter: 'startTime',
  },
  unavailable: (status) => ({ status, body: { code: status, msg: 'Service not available' } }),
}

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const resource = resources.get(path)
  if (!resource) throw new RefusedRequest(404, { code: 404, msg: 'Not Found' })
  refuseOtherParameters(query, resource.parameters, wrong)
  return ok(resource.answer(query, now))
}

const refuse = (code: number, msg: string) => new RefusedRequest(400, { code, msg })

const wrong = (name: string) => refuse(33333, `param ${name} error`)

function mandatory(query: URLSearchParams, name: string): string {
  const value = query.get(name)
  if (value === null)
    throw refuse(700004, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`)
  return value
}

function readMarket(symbol: string): Market {
  const market = findMarket(symbol)
  if (!market) throw refuse(-1121, 'Invalid symbol.')
  return market
}

/** Only stored timeframes; an hour is 60m. */
const intervals: ReadonlyMap<string, Timeframe> = new Map([
  ['1m', '1m'],
  ['5m', '5m'],
  ['15m', '15m'],
  ['30m', '30m'],
  ['60m', '1h'],
  ['4h', '4h'],
  ['1d', '1d'],
])

/** Newest of long windows, ascending. End exclusive; without it the start is ignored. Limits are silently cut. */
function klines(query: URLSearchParams, now: Instant): Json {
  const market = readMarket(mandatory(query, 'symbol'))
  const timeframe = intervals.get(mandatory(query, 'interval'))
  if (!timeframe) throw refuse(-1121, 'Invalid interval.')
  const limit = Math.min(readWhole(query, 'limit') ?? 500, 500)
  if (limit < 1) throw wrong('limit')
  const start = readWhole(query, 'startTime') ?? 0
  const end = readWhole(query, 'endTime')
  const from = toInstant(end === undefined ? 0 : start)
  const until = toInstant((end ?? now + 1) - 1)
  return newestFrom(candlesBackFrom({ market, timeframe }, until, now), from, limit)
    .map((candle) => candleRow(candle, timeframe))
    .toReversed()
}

function readWhole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,13}$/.test(text)) throw wrong(name)
  return Number(text)
}

/** Closes at the next open time. */
const candleRow = (candle: ReplayCandle, timeframe: Timeframe): Json => [
  candle.openTime,
  ...[candle.open, candle.high, candle.low, candle.close, candle.volume].map(shortened),
  plus(candle.openTime, timeframeMs[timeframe]),
  shortened(candle.quoteVolume),
]

/** One or all. */
function dayTickers(query: URLSearchParams, now: Instant): Json {
  const symbol = query.get('symbol')
  return symbol === null ? markets.map((market) => tickerOf(market, now)) : tickerOf(readMarket(symbol), now)
}

/** The percentage is a fraction. */
function tickerOf(market: Market, now: Instant): Json {
  const { open, high, low, last, ask, change, changeRate, volume, quoteVolume } = dayTicker(market, now)
  return {
    symbol: market.symbol,
    priceChange: change,
    priceChangePercent: changeRate,
    prevClosePrice: open,
    lastPrice: last,
    bidPrice: last,
    bidQty: '',
    askPrice: ask,
    askQty: '',
    openPrice: open,
    highPrice: high,
    lowPrice: low,
    volume,
    quoteVolume,
    openTime: plus(now, -day),
    closeTime: now,
    count: null,
  }
}

function exchangeInfo(query: URLSearchParams, now: Instant): Json {
  const symbol = query.get('symbol')
  return {
    timezone: 'CST',
    serverTime: now,
    rateLimits: [],
    exchangeFilters: [],
    symbols: (symbol === null ? markets : [readMarket(symbol)]).map(symbolInfo),
  }
}

const symbolInfo = (market: Market): Json => ({
  symbol: market.symbol,
  status: '1',
  baseAsset: market.base,
  baseAssetPrecision: market.volumeDecimals,
  quoteAsset: market.quote,
  quotePrecision: market.priceDecimals,
  quoteAssetPrecision: market.priceDecimals,
  baseCommissionPrecision: market.volumeDecimals,
  quoteCommissionPrecision: market.priceDecimals,
  orderTypes: ['LIMIT', 'MARKET', 'LIMIT_MAKER'],
  isSpotTradingAllowed: true,
  isMarginTradingAllowed: false,
  quoteAmountPrecision: '1',
  baseSizePrecision: shortened(amount(1, market.volumeDecimals)),
  permissions: ['SPOT'],
  filters: [],
  maxQuoteAmount: '2000000',
  makerCommission: '0.0005',
  takerCommission: '0.0005',
  quoteAmountPrecisionMarket: '1',
  maxQuoteAmountMarket: '100000',
  fullName: market.coinName,
  tradeSideType: 1,
})
