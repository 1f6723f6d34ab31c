import { type Instant, plus, second, toInstant } from '../../market/instant.ts'
import { floorTo, isTimeframe, timeframeMs } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route } from '../answer.ts'
import { amount, type ReplayCandle } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { filledCandlesBackFrom, newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { marketsOf, type OddMarket } from '../listings/odd-markets.ts'

// https://www.gate.com/docs/developers/apiv4/#spot

type Resource = Readonly<{
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Json
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  ['/api/v4/spot/time', { parameters: [], answer: (_, now) => ({ server_time: now }) }],
  ['/api/v4/spot/currency_pairs', { parameters: [], answer: () => markets.map(listedPair) }],
  ['/api/v4/spot/tickers', { parameters: ['currency_pair'], answer: tickers }],
  [
    '/api/v4/spot/candlesticks',
    { parameters: ['currency_pair', 'interval', 'from', 'to', 'limit'], answer: candlesticks },
  ],
])

/** One resource's limit, for all together. */
export const gateioEndpoint: Endpoint = {
  source: 'gateio',
  tickers: [{ path: '/api/v4/spot/tickers', at: [0, 'last'] }],
  halted: [{ path: '/api/v4/spot/currency_pairs', at: [0, 'trade_status'], value: 'untradable' }],
  limit: { windows: [{ points: 200, perMs: 10 * second }] },
  route: (path, query, now): Route => ({ weight: 1, answer: answered(() => answerPath(path, query, now)) }),
  refuse: (_, retryAt) => ({
    status: 429,
    headers: { 'x-gate-ratelimit-reset-timestamp': String(Math.ceil(retryAt / second)) },
    body: { label: 'TOO_MANY_REQUESTS', message: 'Request Rate limit Exceeded (411)' },
  }),
  candles: { openTime: 0, timeUnitMs: 1_000, close: 2, high: 3, low: 4, volume: 6, fromParameter: 'from' },
  unavailable: (status) => ({ status, body: { label: 'SERVER_ERROR', message: 'Internal server error' } }),
}

const refuse = (label: string, message: string) => new RefusedRequest(400, { label, message })
const wrong = (message: string) => refuse('INVALID_PARAM_VALUE', message)
const wrongValue = (name: string, value: string) =>
  wrong(`Invalid request parameter \`${name}\` value: ${value}`)

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const [, named] = /^\/api\/v4\/spot\/currency_pairs\/([^/]+)$/.exec(path) ?? []
  if (named !== undefined) return ok(listedPair(readMarket(named)))
  const resource = resources.get(path)
  if (!resource) throw new RefusedRequest(404, { label: 'NOT_FOUND', message: 'Not Found' })
  refuseOtherParameters(query, resource.parameters, wrongValue)
  return ok(resource.answer(query, now))
}

const markets = marketsOf('gateio')

const idOf = ({ base, quote }: OddMarket): string => `${base}_${quote}`

function readMarket(id: string): OddMarket {
  const market = markets.find((listed) => idOf(listed) === id)
  if (!market) throw refuse('INVALID_CURRENCY_PAIR', `Invalid currency pair ${id}`)
  return market
}

const mostPoints = 1_000
const depth = 10_000

/** Ascending, gaps filled. Limit or inclusive bounds; too long or too old windows are rejected. */
function candlesticks(query: URLSearchParams, now: Instant): Json {
  const id = query.get('currency_pair')
  if (id === null) throw refuse('MISSING_REQUIRED_PARAM', 'Missing required parameter: currency_pair')
  const market = readMarket(id)
  const timeframe = query.get('interval') ?? '30m'
  if (!isTimeframe(timeframe)) throw wrongValue('interval', timeframe)
  const length = timeframeMs[timeframe]
  const asked = readWhole(query, 'limit')
  const from = readWhole(query, 'from')
  const to = readWhole(query, 'to')
  if (asked !== undefined && (asked < 1 || asked > mostPoints || from !== undefined || to !== undefined))
    throw wrongValue('limit', String(asked))
  const last = floorTo(timeframe, to === undefined ? now : toInstant(to * second))
  const first =
    from === undefined
      ? plus(last, (1 - (asked ?? 100)) * length)
      : floorTo(timeframe, toInstant(from * second))
  if ((last - first) / length + 1 > mostPoints)
    throw wrong(`Candlestick range too broad. Maximum ${mostPoints} data points are allowed per request`)
  if (from !== undefined && from * second < now - depth * length)
    throw wrong(`Candlestick too long ago. Maximum ${depth} points recently are allowed`)
  return newestFrom(filledCandlesBackFrom({ market, timeframe }, last, now), first, mostPoints)
    .toReversed()
    .map((candle) => candleRow(candle, now))
}

function readWhole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,10}$/.test(text)) throw wrongValue(name, text)
  return Number(text)
}

/** Eight decimals. */
const candleRow = (candle: ReplayCandle, now: Instant): Json => [
  String(candle.openTime / second),
  candle.quoteVolume,
  ...[candle.close, candle.high, candle.low, candle.open].map(shortened),
  candle.volume,
  String(candle.closeTime < now),
]

function tickers(query: URLSearchParams, now: Instant): Json {
  const id = query.get('currency_pair')
  return (id === null ? markets : [readMarket(id)]).map((market): Json => {
    const { high, low, last, ask, changeRate, volume, quoteVolume } = dayTicker(market, now)
    const percentage = shortened((100 * Number(changeRate)).toFixed(2))
    return {
      currency_pair: idOf(market),
      last,
      lowest_ask: ask,
      highest_bid: last,
      change_percentage: percentage,
      change_utc0: percentage,
      change_utc8: percentage,
      base_volume: volume,
      quote_volume: quoteVolume,
      high_24h: high,
      low_24h: low,
    }
  })
}

const listedPair = (market: OddMarket): Json => ({
  id: idOf(market),
  base: market.base,
  base_name: market.coinName,
  quote: market.quote,
  quote_name: 'Tether',
  fee: '0.2',
  min_base_amount: shortened(amount(1, market.volumeDecimals)),
  min_quote_amount: '3',
  amount_precision: market.volumeDecimals,
  precision: market.priceDecimals,
  trade_status: 'tradable',
  // A placeholder in most rows.
  sell_start: 1_516_378_650,
  buy_start: 0,
  delisting_time: 0,
  type: 'normal',
  ...market.fields,
})
