import { type Instant, second, toInstant } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route } from '../answer.ts'
import { amount, candlesBackFrom, type ReplayCandle } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint, EndpointLimit } from '../endpoint.ts'
import { newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { type Market, markets } from '../markets.ts'

// https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-klines and neighbouring pages

type Resource = Readonly<{
  weight: number
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Json
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  ['/api/v1/timestamp', { weight: 3, parameters: [], answer: (_, now) => now }],
  ['/api/v1/status', { weight: 3, parameters: [], answer: () => ({ status: 'open', msg: '' }) }],
  [
    '/api/v1/market/candles',
    { weight: 3, parameters: ['symbol', 'type', 'startAt', 'endAt'], answer: candles },
  ],
  ['/api/v1/market/allTickers', { weight: 15, parameters: [], answer: allTickers }],
  ['/api/v2/symbols', { weight: 4, parameters: ['market'], answer: symbols }],
])

/** One pool, refilled every 30 s. */
export const kucoinEndpoint: Endpoint = {
  source: 'kucoin',
  tickers: [{ path: '/api/v1/market/allTickers', at: ['data', 'ticker', 0, 'last'] }],
  halted: [{ path: '/api/v2/symbols', at: ['data', 0, 'enableTrading'], value: false }],
  limit: { windows: [{ points: 2_000, perMs: 30 * second, aligned: true }] },
  route: (path, query, now): Route => ({
    weight: resources.get(path)?.weight ?? 1,
    answer: answered(() => answerPath(path, query, now)),
  }),
  refuse: (_, retryAt, __, now) => ({
    status: 429,
    headers: { 'gw-ratelimit-remaining': '0', 'gw-ratelimit-reset': String(retryAt - now) },
    body: { code: '429000', msg: 'Too Many Requests' },
  }),
  headers: ([used = 0], limit, now) => {
    const { points, perMs } = poolOf(limit)
    return {
      'gw-ratelimit-limit': String(points),
      'gw-ratelimit-remaining': String(Math.max(points - used, 0)),
      'gw-ratelimit-reset': String(perMs - (now % perMs)),
    }
  },
  candles: { openTime: 0, timeUnitMs: 1_000, close: 2, high: 3, low: 4, volume: 5, fromParameter: 'startAt' },
  unavailable: (status) => ({ status, body: { code: '500000', msg: 'Internal Server Error' } }),
  regionRefused: {
    status: 200,
    body: { code: '400302', msg: 'Our services are currently unavailable in your region.' },
  },
}

const poolOf = ({ windows }: EndpointLimit): Readonly<{ points: number; perMs: number }> =>
  windows[0] ?? { points: 0, perMs: 30 * second }

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const resource = resources.get(path)
  if (!resource) throw new RefusedRequest(404, { code: '404000', msg: 'Url Not Found' })
  refuseOtherParameters(query, resource.parameters, (name) =>
    refuse(`${name} is not a parameter of this resource, is empty or stands twice.`),
  )
  return ok({ code: '200000', data: resource.answer(query, now) })
}

/** One code, HTTP 200. */
const refuse = (msg: string) => new RefusedRequest(200, { msg, code: '400100' })

const symbolOf = ({ base, quote }: Market): string => `${base}-${quote}`

/** Only stored timeframes. */
const types: ReadonlyMap<string, Timeframe> = new Map([
  ['1min', '1m'],
  ['5min', '5m'],
  ['15min', '15m'],
  ['30min', '30m'],
  ['1hour', '1h'],
  ['4hour', '4h'],
  ['1day', '1d'],
])

/** Newest first, silently cut; 100 without bounds; gaps left out. Start inclusive, end exclusive. */
function candles(query: URLSearchParams, now: Instant): Json {
  const market = markets.find((listed) => symbolOf(listed) === query.get('symbol'))
  if (!market) throw refuse('Unsupported trading pair.')
  const timeframe = types.get(query.get('type') ?? '')
  if (!timeframe) throw refuse('Incorrect candlestick type.')
  const startAt = readSeconds(query, 'startAt')
  const endAt = readSeconds(query, 'endAt')
  const mostRows = startAt === 0 && endAt === 0 ? 100 : 1_500
  const until = toInstant(endAt === 0 ? now : endAt * second - 1)
  const rows = candlesBackFrom({ market, timeframe }, until, now)
  return newestFrom(rows, toInstant(startAt * second), mostRows).map(candleRow)
}

/** 0 means unbounded. */
function readSeconds(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '0'
  if (!/^\d{1,10}$/.test(text)) throw refuse(`${name} is not a time in seconds.`)
  return Number(text)
}

const candleRow = ({ openTime, open, close, high, low, volume, quoteVolume }: ReplayCandle): Json => [
  String(openTime / second),
  ...[open, close, high, low, volume, quoteVolume].map(shortened),
]

/** Every other second. */
function allTickers(_: URLSearchParams, now: Instant): Json {
  const time = toInstant(now - (now % (2 * second)))
  return {
    time,
    ticker: markets.map((market): Json => {
      const { high, low, last, ask, step, change, changeRate, volume, quoteVolume } = dayTicker(market, time)
      return {
        symbol: symbolOf(market),
        symbolName: symbolOf(market),
        buy: last,
        bestBidSize: step,
        sell: ask,
        bestAskSize: step,
        changeRate,
        changePrice: change,
        high,
        low,
        vol: volume,
        volValue: quoteVolume,
        last,
        averagePrice: last,
        takerFeeRate: '0.001',
        makerFeeRate: '0.001',
        takerCoefficient: '1',
        makerCoefficient: '1',
      }
    }),
  }
}

/** All are in market USDS. */
function symbols(query: URLSearchParams): Json {
  if ((query.get('market') ?? 'USDS') !== 'USDS') return []
  return markets.map((market): Json => {
    const step = shortened(amount(1, market.volumeDecimals))
    const tick = shortened(amount(1, market.priceDecimals))
    return {
      symbol: symbolOf(market),
      name: symbolOf(market),
      baseCurrency: market.base,
      quoteCurrency: market.quote,
      feeCurrency: market.quote,
      market: 'USDS',
      baseMinSize: step,
      quoteMinSize: '0.1',
      baseMaxSize: '90000000000',
      quoteMaxSize: '99999999',
      baseIncrement: step,
      quoteIncrement: '0.000001',
      priceIncrement: tick,
      priceLimitRate: '0.1',
      minFunds: '0.1',
      isMarginEnabled: true,
      enableTrading: true,
      feeCategory: 1,
      makerFeeCoefficient: '1.00',
      takerFeeCoefficient: '1.00',
      st: false,
      callauctionIsEnabled: false,
      callauctionPriceFloor: null,
      callauctionPriceCeiling: null,
      callauctionFirstStageStartTime: null,
      callauctionSecondStageStartTime: null,
      callauctionThirdStageStartTime: null,
      tradingStartTime: null,
    }
  })
}
