import { type Instant, minute, second, toInstant } from '../../market/instant.ts'
import { floorTo, type Timeframe } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route } from '../answer.ts'
import { amount, type ReplayCandle } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { filledCandlesBackFrom, newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { marketsOf, type OddMarket } from '../listings/odd-markets.ts'

// https://bybit-exchange.github.io/docs/v5/market/kline and neighbouring pages

type Resource = Readonly<{
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Json
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  [
    '/v5/market/time',
    {
      parameters: [],
      answer: (_, now) => ({ timeSecond: String(Math.floor(now / second)), timeNano: `${now}000000` }),
    },
  ],
  [
    '/v5/market/kline',
    { parameters: ['category', 'symbol', 'interval', 'start', 'end', 'limit'], answer: kline },
  ],
  ['/v5/market/tickers', { parameters: ['category', 'symbol'], answer: tickers }],
  ['/v5/market/instruments-info', { parameters: ['category', 'symbol'], answer: instruments }],
])

/** 600 requests per five seconds, then a ban of ten minutes. */
export const bybitEndpoint: Endpoint = {
  source: 'bybit',
  tickers: [{ path: '/v5/market/tickers', at: ['result', 'list', 0, 'lastPrice'] }],
  halted: [{ path: '/v5/market/instruments-info', at: ['result', 'list', 0, 'status'], value: 'PreLaunch' }],
  limit: { windows: [{ points: 600, perMs: 5 * second }], ban: { afterRefusals: 0, ms: 10 * minute } },
  route: (path, query, now): Route => ({ weight: 1, answer: answered(() => answerPath(path, query, now)) }),
  // A ban has no end header; others are a resource's limit.
  refuse: (decision, retryAt, _, now) =>
    decision === 'banned'
      ? { status: 403, body: '<html><body>403 Forbidden: access too frequent</body></html>' }
      : {
          status: 200,
          headers: { 'x-bapi-limit-status': '0', 'x-bapi-limit-reset-timestamp': String(retryAt) },
          body: enveloped(10006, 'Too many visits!', {}, now),
        },
  candles: { openTime: 0, timeUnitMs: 1, high: 2, low: 3, close: 4, volume: 5, fromParameter: 'start' },
  regionRefused: {
    status: 403,
    body: '<html><head><title>ERROR: The request could not be satisfied</title></head><body>The Amazon CloudFront distribution is configured to block access from your country.</body></html>',
  },
}

const enveloped = (retCode: number, retMsg: string, result: Json, now: Instant): Json => ({
  retCode,
  retMsg,
  result,
  retExtInfo: {},
  time: now,
})

/** Errors are HTTP 200. */
class Refusal extends Error {}

const wrong = (name: string) => new Refusal(`params error: ${name} invalid`)

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const resource = resources.get(path)
  if (!resource) throw new RefusedRequest(404, '<html><body>404 Not Found</body></html>')
  try {
    refuseOtherParameters(query, resource.parameters, wrong)
    return ok(enveloped(0, 'OK', resource.answer(query, now), now))
  } catch (error) {
    if (error instanceof Refusal) return ok(enveloped(10001, error.message, {}, now))
    throw error
  }
}

const markets = marketsOf('bybit')

function readMarket(symbol: string | null): OddMarket {
  if (symbol === null || !/^[A-Z0-9]+$/.test(symbol)) throw wrong('symbol')
  const market = markets.find((listed) => listed.symbol === symbol)
  if (!market) throw new Refusal('Not supported symbols')
  return market
}

/** Defaults to perpetuals, replayed from the same recordings. */
function readCategory(query: URLSearchParams): string {
  const category = query.get('category') ?? 'linear'
  if (category !== 'spot' && category !== 'linear') throw wrong('category')
  return category
}

/** Only stored timeframes. */
const intervals: ReadonlyMap<string, Timeframe> = new Map([
  ['1', '1m'],
  ['5', '5m'],
  ['15', '15m'],
  ['30', '30m'],
  ['60', '1h'],
  ['240', '4h'],
  ['D', '1d'],
])

/** Newest first; long windows and limits are silently cut. */
function kline(query: URLSearchParams, now: Instant): Json {
  const category = readCategory(query)
  const market = readMarket(query.get('symbol'))
  const timeframe = intervals.get(query.get('interval') ?? '')
  if (!timeframe) throw new Refusal('Invalid period!')
  const limit = Math.min(readWhole(query, 'limit') ?? 200, 1_000)
  if (limit < 1) throw wrong('limit')
  const start = toInstant(readWhole(query, 'start') ?? 0)
  const end = toInstant(readWhole(query, 'end') ?? now)
  if (start > end) throw new Refusal('params error: start is greater than end')
  // Includes the candle at the start.
  const from = floorTo(timeframe, start)
  const rows = newestFrom(filledCandlesBackFrom({ market, timeframe }, end, now), from, limit)
  return { category, symbol: market.symbol, list: rows.map(candleRow) }
}

function readWhole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,13}$/.test(text)) throw wrong(name)
  return Number(text)
}

const candleRow = ({ openTime, open, high, low, close, volume, quoteVolume }: ReplayCandle): Json => [
  String(openTime),
  ...[open, high, low, close, volume, quoteVolume].map(shortened),
]

/** One or all. */
function asked(query: URLSearchParams): readonly OddMarket[] {
  // Other categories have only candles.
  if (readCategory(query) !== 'spot') throw wrong('category')
  const symbol = query.get('symbol')
  return symbol === null ? markets : [readMarket(symbol)]
}

function tickers(query: URLSearchParams, now: Instant): Json {
  const list = asked(query).map((market): Json => {
    const { open, high, low, last, ask, step, changeRate, volume, quoteVolume } = dayTicker(market, now)
    return {
      symbol: market.symbol,
      bid1Price: last,
      bid1Size: step,
      ask1Price: ask,
      ask1Size: step,
      lastPrice: last,
      prevPrice24h: open,
      price24hPcnt: changeRate,
      highPrice24h: high,
      lowPrice24h: low,
      turnover24h: quoteVolume,
      volume24h: volume,
      usdIndexPrice: last,
    }
  })
  return { category: 'spot', list }
}

function instruments(query: URLSearchParams): Json {
  const list = asked(query).map((market): Json => {
    const step = shortened(amount(1, market.volumeDecimals))
    const tick = shortened(amount(1, market.priceDecimals))
    return {
      symbol: market.symbol,
      baseCoin: market.base,
      quoteCoin: market.quote,
      innovation: '0',
      status: 'Trading',
      marginTrading: 'utaOnly',
      lotSizeFilter: {
        basePrecision: step,
        quotePrecision: tick,
        minOrderQty: step,
        maxOrderQty: '90000000000',
        minOrderAmt: '5',
        maxOrderAmt: '1000000',
      },
      priceFilter: { tickSize: tick },
      ...market.fields,
    }
  })
  return { nextPageCursor: '', category: 'spot', list }
}
