import { day, type Instant, minute, plus } from '../../market/instant.ts'
import { floorTo, isTimeframe } from '../../market/timeframe.ts'
import { type Answer, answered, ok, type Route, retryAfter, WrittenJson } from '../answer.ts'
import {
  amount,
  candlesBackFrom,
  candlesFrom,
  lastClosedMinute,
  type ReplayCandle,
  tradedIn,
} from '../candles.ts'
import type { Endpoint, EndpointLimit } from '../endpoint.ts'
import { type Market, minuteNumber } from '../markets.ts'
import { amountDecimals, recordingOf, tradedBefore } from '../recording.ts'
import { symbolInfo } from './binance-listing.ts'
import {
  each,
  invalid,
  mandatory,
  type Parameters,
  readAsked,
  readMarket,
  readParameters,
  readTime,
  readWhole,
  refuse,
} from './binance-query.ts'

// https://github.com/binance/binance-spot-api-docs: rest-api.md for parameters and weights, errors.md for codes.

type Resource = Readonly<{
  parameters: readonly string[]
  weight: (query: URLSearchParams) => number
  answer: (parameters: Parameters, now: Instant, limit: EndpointLimit) => Answer
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  ['/api/v3/ping', { parameters: [], weight: () => 1, answer: () => ok({}) }],
  ['/api/v3/time', { parameters: [], weight: () => 1, answer: (_, now) => ok({ serverTime: now }) }],
  [
    '/api/v3/exchangeInfo',
    { parameters: ['symbol', 'symbols', 'showPermissionSets'], weight: () => 20, answer: exchangeInfo },
  ],
  [
    '/api/v3/klines',
    {
      parameters: ['symbol', 'interval', 'startTime', 'endTime', 'timeZone', 'limit'],
      weight: () => 2,
      answer: klines,
    },
  ],
  [
    '/api/v3/ticker/24hr',
    { parameters: ['symbol', 'symbols', 'type', 'symbolStatus'], weight: dayTickerWeight, answer: dayTicker },
  ],
  [
    '/api/v3/ticker/price',
    {
      parameters: ['symbol', 'symbols'],
      weight: (query) => (query.has('symbol') ? 2 : 4),
      answer: priceTicker,
    },
  ],
])

/** Rejected requests cost the same. */
function route(path: string, query: URLSearchParams, now: Instant, limit: EndpointLimit): Route {
  const resource = resources.get(path)
  if (!resource)
    return { weight: 1, answer: { status: 404, body: '<html><body><h2>404 Not found</h2></body></html>' } }
  return {
    weight: resource.weight(query),
    answer: answered(() => resource.answer(readParameters(query, resource.parameters), now, limit)),
  }
}

const pointsPerMinute = ({ windows }: EndpointLimit): number => windows[0]?.points ?? 0

/** `retryAt`: end of the minute or the ban. */
function refuseMore(
  decision: 'refused' | 'banned',
  retryAt: Instant,
  limit: EndpointLimit,
  now: Instant,
): Answer {
  const headers = retryAfter(retryAt, now)
  if (decision === 'banned') {
    const msg = `Way too much request weight used; IP banned until ${retryAt}. Please use WebSocket Streams for live updates to avoid bans.`
    return { status: 418, headers, body: { code: -1003, msg } }
  }
  const msg = `Too much request weight used; current limit is ${pointsPerMinute(limit)} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`
  return { status: 429, headers, body: { code: -1003, msg } }
}

function klines(parameters: Parameters, now: Instant): Answer {
  const market = readMarket(mandatory(parameters, 'symbol'))
  const timeframe = mandatory(parameters, 'interval')
  if (!isTimeframe(timeframe)) throw refuse(-1120, 'Invalid interval.')
  // Other day boundaries are not replayed.
  if ((parameters.get('timeZone') ?? '0') !== '0') throw invalid('timeZone')
  const startTime = readTime(parameters, 'startTime')
  const endTime = readTime(parameters, 'endTime') ?? now
  const limit = readWhole(parameters, 'limit') ?? 500
  // Binance silently cuts larger limits; adapters must not rely on that.
  if (limit < 1 || limit > 1_000) throw invalid('limit')
  const series = { market, timeframe }
  const rows =
    startTime === undefined
      ? take(candlesBackFrom(series, endTime, now), limit).toReversed()
      : take(candlesFrom(series, { from: startTime, until: endTime }, now), limit)
  return ok(new WrittenJson(`[${rows.map(klineText).join()}]`))
}

function take<T>(items: Iterable<T>, count: number): T[] {
  const taken: T[] = []
  for (const item of items) {
    taken.push(item)
    if (taken.length === count) break
  }
  return taken
}

const klineText = (candle: ReplayCandle): string =>
  `[${candle.openTime},"${candle.open}","${candle.high}","${candle.low}","${candle.close}","${candle.volume}",${candle.closeTime},"${candle.quoteVolume}",${candle.trades},"${candle.takerVolume}","${candle.takerQuoteVolume}","0"]`

/** Of the running minute or the last with trades. */
function lastPrice(market: Market, now: Instant): number {
  const running = floorTo('1m', now)
  const traded = tradedIn(market, { from: running, to: plus(running, minute) }, now)
  return (traded ?? lastClosedMinute(market, now))?.close ?? 0
}

function priceTicker(parameters: Parameters, now: Instant): Answer {
  const price = (market: Market) => amount(lastPrice(market, now), market.priceDecimals)
  return ok(each(readAsked(parameters), (market) => ({ symbol: market.symbol, price: price(market) })))
}

function dayTickerWeight(query: URLSearchParams): number {
  if (query.has('symbol')) return 2
  const symbols = query.get('symbols')
  if (symbols === null) return 80
  const count = symbols.split(',').length
  return count <= 20 ? 2 : count <= 100 ? 40 : 80
}

function dayTicker(parameters: Parameters, now: Instant): Answer {
  const asked = readAsked(parameters)
  const type = parameters.get('type') ?? 'FULL'
  if (type !== 'FULL' && type !== 'MINI') throw refuse(-1139, 'Invalid ticker type.')
  const status = parameters.get('symbolStatus') ?? 'TRADING'
  if (!['TRADING', 'HALT', 'BREAK'].includes(status)) throw invalid('symbolStatus')
  // All markets trade; others are left out of lists, single ones rejected.
  if (status !== 'TRADING' && 'one' in asked) throw refuse(-1220, 'Symbol does not match the status.')
  if (status !== 'TRADING') return ok([])
  return ok(each(asked, (market) => (type === 'FULL' ? fullTicker(market, now) : miniTicker(market, now))))
}

/** 1440 minutes including the running one. */
function dayOf(market: Market, now: Instant) {
  const from = plus(floorTo('1m', now), minute - day)
  const last = lastPrice(market, now)
  const quiet = { open: last, high: last, low: last, close: last, volume: 0n, quoteVolume: 0n, trades: 0 }
  return { from, traded: tradedIn(market, { from, to: plus(from, day) }, now) ?? quiet }
}

function miniTicker(market: Market, now: Instant) {
  const { from, traded } = dayOf(market, now)
  const price = (ticks: number) => amount(ticks, market.priceDecimals)
  const firstId = tradedBefore(recordingOf(market), Math.max(minuteNumber(from), 0)).trades
  return {
    symbol: market.symbol,
    openPrice: price(traded.open),
    highPrice: price(traded.high),
    lowPrice: price(traded.low),
    lastPrice: price(traded.close),
    volume: amount(traded.volume, market.volumeDecimals),
    quoteVolume: amount(traded.quoteVolume, amountDecimals),
    openTime: plus(now, -day),
    closeTime: now,
    firstId: traded.trades === 0 ? -1 : firstId,
    lastId: traded.trades === 0 ? -1 : firstId + traded.trades - 1,
    count: traded.trades,
  }
}

function fullTicker(market: Market, now: Instant) {
  const { from, traded } = dayOf(market, now)
  const price = (ticks: number) => amount(ticks, market.priceDecimals)
  const change = traded.close - traded.open
  return {
    ...miniTicker(market, now),
    priceChange: price(change),
    priceChangePercent: traded.open === 0 ? '0.000' : ((100 * change) / traded.open).toFixed(3),
    weightedAvgPrice: averagePrice(traded.quoteVolume, traded.volume, market),
    prevClosePrice: price(lastClosedMinute(market, from)?.close ?? traded.open),
    lastQty: amount(1, market.volumeDecimals),
    bidPrice: price(traded.close),
    bidQty: amount(1, market.volumeDecimals),
    askPrice: price(traded.close + 1),
    askQty: amount(1, market.volumeDecimals),
  }
}

function averagePrice(quoteVolume: bigint, volume: bigint, market: Market) {
  const average = volume === 0n ? 0n : (quoteVolume * 10n ** BigInt(market.volumeDecimals)) / volume
  return amount(average, amountDecimals)
}

function exchangeInfo(parameters: Parameters, now: Instant, limit: EndpointLimit): Answer {
  const asked = readAsked(parameters)
  return ok({
    timezone: 'UTC',
    serverTime: now,
    rateLimits: [
      { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: pointsPerMinute(limit) },
      { rateLimitType: 'ORDERS', interval: 'SECOND', intervalNum: 10, limit: 100 },
      { rateLimitType: 'ORDERS', interval: 'DAY', intervalNum: 1, limit: 200_000 },
      { rateLimitType: 'RAW_REQUESTS', interval: 'MINUTE', intervalNum: 5, limit: 61_000 },
    ],
    exchangeFilters: [],
    symbols: ('one' in asked ? [asked.one] : asked.many).map((market) =>
      symbolInfo(market, parameters.get('showPermissionSets') !== 'false'),
    ),
  })
}

/** 6000 a minute per address; bans start at two minutes. */
export const binanceEndpoint: Endpoint = {
  source: 'binance',
  tickers: [{ path: '/api/v3/ticker/24hr', at: [0, 'lastPrice'] }],
  halted: [
    { path: '/api/v3/exchangeInfo', at: ['symbols', 0, 'status'], value: 'BREAK' },
    { path: '/api/v3/ticker/24hr', at: [0], onlyWith: 'symbolStatus' },
  ],
  limit: {
    windows: [{ points: 6_000, perMs: minute, aligned: true }],
    ban: { afterRefusals: 10, ms: 2 * minute },
  },
  route,
  refuse: refuseMore,
  headers: ([used = 0]) => ({ 'x-mbx-used-weight': String(used), 'x-mbx-used-weight-1m': String(used) }),
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
  unavailable: (status) => ({
    status,
    body: { code: -1000, msg: 'An unknown error occurred while processing the request.' },
  }),
  regionRefused: {
    status: 451,
    body: {
      code: 0,
      msg: "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.",
    },
  },
}
