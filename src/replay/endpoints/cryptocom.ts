import { type Instant, plus, second, toInstant } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route } from '../answer.ts'
import { amount, type ReplayCandle } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { filledCandlesBackFrom, newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { type Market, markets } from '../markets.ts'

// https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html

type Resource = Readonly<{
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Readonly<Record<string, Json>>
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  [
    'public/get-candlestick',
    { parameters: ['instrument_name', 'timeframe', 'count', 'start_ts', 'end_ts'], answer: candlestick },
  ],
  ['public/get-tickers', { parameters: ['instrument_name'], answer: tickers }],
  ['public/get-instruments', { parameters: [], answer: instruments }],
])

/** One resource's limit, for all together. */
export const cryptocomEndpoint: Endpoint = {
  source: 'cryptocom',
  // The first row is a derivative.
  tickers: [{ path: '/exchange/v1/public/get-tickers', at: ['result', 'data', 1, 'a'] }],
  halted: [
    { path: '/exchange/v1/public/get-instruments', at: ['result', 'data', 1, 'tradable'], value: false },
  ],
  limit: { windows: [{ points: 100, perMs: second }] },
  route: (path, query, now): Route => ({ weight: 1, answer: answered(() => answerPath(path, query, now)) }),
  // No Retry-After.
  refuse: () => ({ status: 429, body: { id: -1, code: 42901, message: 'TOO_MANY_REQUESTS' } }),
  candles: { openTime: 't', timeUnitMs: 1, high: 'h', low: 'l', close: 'c', volume: 'v' },
  unavailable: (status) => ({ status, body: { id: -1, code: 50001, message: 'INTERNAL_SERVER_ERROR' } }),
}

const prefix = '/exchange/v1/'

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const method = path.startsWith(prefix) ? path.slice(prefix.length) : ''
  const resource = resources.get(method)
  if (!resource) throw new RefusedRequest(404, '<html><body>404 Not Found</body></html>')
  try {
    refuseOtherParameters(query, resource.parameters, () => new BadRequest())
    return ok({ id: -1, method, code: 0, result: resource.answer(query, now) })
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    return { status: 400, body: { id: -1, method, code: 40004, message: 'BAD_REQUEST' } }
  }
}

/** One message for all bad arguments. */
class BadRequest extends Error {}

const symbolOf = ({ base, quote }: Market): string => `${base}_${quote}`

function readMarket(query: URLSearchParams): Market {
  const market = markets.find((listed) => symbolOf(listed) === query.get('instrument_name'))
  if (!market) throw new BadRequest()
  return market
}

/** With older names; only stored timeframes. */
const lengths: ReadonlyMap<string, Timeframe> = new Map([
  ['1m', '1m'],
  ['M1', '1m'],
  ['5m', '5m'],
  ['M5', '5m'],
  ['15m', '15m'],
  ['M15', '15m'],
  ['30m', '30m'],
  ['M30', '30m'],
  ['1h', '1h'],
  ['H1', '1h'],
  ['4h', '4h'],
  ['H4', '4h'],
  ['1D', '1d'],
  ['D1', '1d'],
])

/** `count` candles back from the end (exclusive), ascending; the start is ignored. */
function candlestick(query: URLSearchParams, now: Instant) {
  const market = readMarket(query)
  const interval = query.get('timeframe') ?? '1m'
  const timeframe = lengths.get(interval)
  const count = Math.min(readWhole(query, 'count') ?? 25, 300)
  readWhole(query, 'start_ts')
  const until = toInstant((readWhole(query, 'end_ts') ?? now + 1) - 1)
  if (!timeframe || count < 1) throw new BadRequest()
  const rows = newestFrom(filledCandlesBackFrom({ market, timeframe }, until, now), toInstant(0), count)
  return { interval, data: rows.map(candleRow).toReversed(), instrument_name: symbolOf(market) }
}

function readWhole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,13}$/.test(text)) throw new BadRequest()
  return Number(text)
}

const candleRow = ({ openTime, open, high, low, close, volume }: ReplayCandle): Json => ({
  o: shortened(open),
  h: shortened(high),
  l: shortened(low),
  c: shortened(close),
  v: shortened(volume),
  t: openTime,
})

/** Includes a derivative, like the real list. */
function tickers(query: URLSearchParams, now: Instant) {
  if (query.has('instrument_name')) return { data: [tickerOf(readMarket(query), now)] }
  const perpetuals = markets.slice(0, 1).map((market) => ({
    ...tickerOf(market, plus(now, -second)),
    i: perpetualOf(market),
    oi: '56830.1',
    b: null,
  }))
  return { data: [...perpetuals, ...markets.map((market) => tickerOf(market, now))] }
}

function tickerOf(market: Market, now: Instant) {
  const { high, low, last, ask, changeRate, volume, quoteVolume } = dayTicker(market, now)
  return {
    i: symbolOf(market),
    h: high,
    l: low,
    a: last,
    v: volume,
    vv: quoteVolume,
    c: changeRate,
    b: last,
    k: ask,
    oi: null,
    t: now,
  }
}

const perpetualOf = ({ base }: Market): string => `${base}USD-PERP`

function instruments() {
  const perpetuals = markets.slice(0, 1).map((market) => ({
    ...instrumentOf(market),
    symbol: perpetualOf(market),
    inst_type: 'PERPETUAL_SWAP',
    display_name: `${market.base}USD Perpetual`,
    quote_ccy: 'USD',
    underlying_symbol: `${market.base}USD-INDEX`,
    contract_size: '1',
  }))
  return { data: [...perpetuals, ...markets.map(instrumentOf)] }
}

const instrumentOf = (market: Market) => ({
  symbol: symbolOf(market),
  inst_type: 'CCY_PAIR',
  display_name: `${market.base}/${market.quote}`,
  base_ccy: market.base,
  quote_ccy: market.quote,
  quote_decimals: market.priceDecimals,
  quantity_decimals: market.volumeDecimals,
  price_tick_size: shortened(amount(1, market.priceDecimals)),
  qty_tick_size: shortened(amount(1, market.volumeDecimals)),
  max_leverage: '50',
  tradable: true,
  expiry_timestamp_ms: 0,
  beta_product: false,
  product_type: 'DIGITAL_CURRENCIES',
  margin_buy_enabled: false,
  margin_sell_enabled: false,
})
