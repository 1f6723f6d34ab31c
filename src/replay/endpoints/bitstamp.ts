import { type Instant, minute, plus, second, toInstant } from '../../market/instant.ts'
import { floorTo, type Timeframe, timeframeMs, timeframes } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route } from '../answer.ts'
import { candleAt, type ReplayCandle } from '../candles.ts'
import { dayTicker } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { filledCandlesBackFrom, newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { type Market, markets } from '../markets.ts'

// https://www.bitstamp.net/api/#tag/Market-info and https://www.bitstamp.net/api/#tag/Tickers

type Resource = Readonly<{
  parameters: readonly string[]
  /** The market from the path. */
  answer: (query: URLSearchParams, now: Instant, market: Market | undefined) => Json
}>

/** `{pair}`: the market. The final slash is required. */
const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  ['/api/v2/markets/', { parameters: [], answer: () => markets.map(listedMarket) }],
  ['/api/v2/trading-pairs-info/', { parameters: [], answer: () => markets.map(listedPair) }],
  [
    '/api/v2/ticker/',
    {
      parameters: [],
      answer: (_, now) => markets.map((market) => ({ ...ticker(market, now), pair: nameOf(market) })),
    },
  ],
  [
    '/api/v2/ticker/{pair}/',
    { parameters: [], answer: (_, now, market) => (market ? ticker(market, now) : null) },
  ],
  [
    '/api/v2/ohlc/{pair}/',
    {
      parameters: ['step', 'limit', 'start', 'end', 'exclude_current_candle'],
      answer: (query, now, market) => (market ? ohlc(query, now, market) : null),
    },
  ],
])

export const bitstampEndpoint: Endpoint = {
  source: 'bitstamp',
  tickers: [
    { path: '/api/v2/ticker/', at: [0, 'last'] },
    { path: /^\/api\/v2\/ticker\/[^/]+\/$/, at: ['last'] },
  ],
  halted: [{ path: '/api/v2/markets/', at: [0, 'trading'], value: 'Disabled' }],
  limit: {
    windows: [
      { points: 400, perMs: second },
      { points: 10_000, perMs: 10 * minute },
    ],
  },
  route: (path, query, now): Route => ({ weight: 1, answer: answered(() => answerPath(path, query, now)) }),
  // No Retry-After.
  refuse: () => ({
    status: 400,
    body: {
      status: 'error',
      reason: 'Request rejected due to exceeded rate limit.',
      response_code: '400.002',
    },
  }),
  candles: {
    openTime: 'timestamp',
    timeUnitMs: 1_000,
    high: 'high',
    low: 'low',
    close: 'close',
    volume: 'volume',
    fromParameter: 'start',
  },
  unavailable: (status) => ({
    status,
    body: { error: "Bitstamp.net is under scheduled maintenance. We'll be back soon." },
  }),
}

const symbolOf = ({ base, quote }: Market): string => `${base}${quote}`.toLowerCase()
const nameOf = ({ base, quote }: Market): string => `${base}/${quote}`

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const [, kind, symbol] = /^\/api\/v2\/(ohlc|ticker)\/([^/]+)\/$/.exec(path) ?? []
  const resource = resources.get(kind === undefined ? path : `/api/v2/${kind}/{pair}/`)
  const market = symbol === undefined ? undefined : markets.find((listed) => symbolOf(listed) === symbol)
  if (!resource || (kind !== undefined && !market))
    throw new RefusedRequest(404, '<html><body><h1>Page not found</h1></body></html>')
  refuseOtherParameters(query, resource.parameters, (name) =>
    refuse(name, 'This is not a parameter of this resource, is empty or stands twice.'),
  )
  return ok(resource.answer(query, now, market))
}

const refuse = (name: string, reason: string) =>
  new RefusedRequest(400, { status: 'error', reason: { [name]: [reason] }, code: '400.001' })

/** Only stored timeframes. */
const steps: ReadonlyMap<string, Timeframe> = new Map(
  timeframes.map((timeframe) => [String(timeframeMs[timeframe] / second), timeframe]),
)

/** The newest `limit` rows up to `end` (inclusive), ascending; `start` is ignored beside it; gaps are filled. */
function ohlc(query: URLSearchParams, now: Instant, market: Market): Json {
  const timeframe = steps.get(query.get('step') ?? '')
  if (!timeframe) throw refuse('step', 'Select a valid choice.')
  const limit = readWhole(query, 'limit')
  if (limit === undefined) throw refuse('limit', 'This field is required.')
  if (limit < 1 || limit > 1_000) throw refuse('limit', 'Ensure this value is between 1 and 1000.')
  const start = readWhole(query, 'start')
  const end = readWhole(query, 'end')
  const from = end === undefined && start !== undefined ? toInstant(start * second) : toInstant(0)
  const until =
    end !== undefined
      ? toInstant(end * second)
      : start === undefined
        ? now
        : plus(from, limit * timeframeMs[timeframe] - 1)
  const rows = newestFrom(filledCandlesBackFrom({ market, timeframe }, until, now), from, limit)
  const closedOnly = readFlag(query, 'exclude_current_candle')
  return {
    data: {
      pair: nameOf(market),
      ohlc: rows
        .toReversed()
        .filter(({ closeTime }) => !closedOnly || closeTime < now)
        .map((candle) => candleRow(candle, market)),
    },
  }
}

function readWhole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,10}$/.test(text)) throw refuse(name, 'Enter a whole number.')
  return Number(text)
}

function readFlag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? 'false'
  if (text !== 'true' && text !== 'false') throw refuse(name, 'Enter true or false.')
  return text === 'true'
}

const candleRow = ({ openTime, open, high, low, close, volume }: ReplayCandle, market: Market): Json => ({
  timestamp: String(openTime / second),
  open: inTicks(open, market),
  high: inTicks(high, market),
  low: inTicks(low, market),
  close: inTicks(close, market),
  // Eight decimals.
  volume,
})

/** With the market's decimals. */
const inTicks = (price: string, { priceDecimals }: Market): string =>
  price.slice(0, price.indexOf('.') + 1 + priceDecimals)

/** Rolling 24 hours, but `open` of the current day. */
function ticker(market: Market, now: Instant): Readonly<Record<string, string>> {
  const today = candleAt({ market, timeframe: '1d' }, floorTo('1d', now), now)
  const { open, high, low, last, ask, changeRate, volume, quoteVolume } = dayTicker(market, now)
  return {
    timestamp: String(Math.floor(now / second)),
    open: today ? inTicks(today.open, market) : last,
    high,
    low,
    last,
    volume,
    vwap: Number(volume) === 0 ? last : (Number(quoteVolume) / Number(volume)).toFixed(market.priceDecimals),
    bid: last,
    ask,
    side: '0',
    open_24: open,
    percent_change_24: (100 * Number(changeRate)).toFixed(2),
  }
}

const listedMarket = (market: Market): Json => ({
  name: nameOf(market),
  market_symbol: symbolOf(market),
  base_currency: market.base,
  base_decimals: market.volumeDecimals,
  counter_currency: market.quote,
  counter_decimals: market.priceDecimals,
  minimum_order_value: '10',
  trading: 'Enabled',
  instant_order_counter_decimals: market.priceDecimals,
  instant_and_market_orders: 'Enabled',
  description: `${market.coinName} / Tether`,
  market_type: 'SPOT',
})

const listedPair = (market: Market): Json => ({
  base_decimals: market.volumeDecimals,
  counter_decimals: market.priceDecimals,
  description: `${market.coinName} / Tether`,
  minimum_order: `10.0 ${market.quote}`,
  name: nameOf(market),
  trading: 'Enabled',
  url_symbol: symbolOf(market),
})
