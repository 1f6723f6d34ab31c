import type { Candle } from '../../market/candle.ts'
import { day, type Instant, plus, second, toInstant, toIso } from '../../market/instant.ts'
import { floorTo, type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route, WrittenNumber } from '../answer.ts'
import { amount, candlesBackFrom, type Series, tradedIn } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { type Market, markets, minuteNumber } from '../markets.ts'
import { recordingOf, tradedBefore } from '../recording.ts'
import { olderDaysBackFrom } from './coinbase/older-days.ts'

// https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-candles and neighbouring pages

type Resource = Readonly<{
  parameters: readonly string[]
  answer: (market: Market, query: URLSearchParams, now: Instant) => Json
}>

/** Below /products/{id}. */
const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  ['', { parameters: [], answer: product }],
  ['/candles', { parameters: ['granularity', 'start', 'end'], answer: candles }],
  ['/ticker', { parameters: [], answer: ticker }],
  ['/stats', { parameters: [], answer: stats }],
])

/** Ten a second, without Coinbase's bursts of fifteen. */
export const coinbaseEndpoint: Endpoint = {
  source: 'coinbase',
  tickers: [{ path: /^\/products\/[^/]+\/stats$/, at: ['last'] }],
  halted: [{ path: '/products', at: [0, 'post_only'], value: true }],
  limit: { windows: [{ points: 10, perMs: second }] },
  route: (path, query, now): Route => ({ weight: 1, answer: answered(() => answerPath(path, query, now)) }),
  // No Retry-After.
  refuse: () => ({ status: 429, body: { message: 'Public rate limit exceeded' } }),
  candles: { openTime: 0, timeUnitMs: 1_000, low: 1, high: 2, close: 4, volume: 5, fromParameter: 'start' },
  unavailable: (status) => ({
    status,
    body: { message: 'Coinbase Exchange is currently under maintenance' },
  }),
}

const refuse = (status: number, message: string) => new RefusedRequest(status, { message })

const wrongParameter = (name: string) => refuse(400, `Invalid ${name}`)

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const [, id, rest = ''] = /^\/products(?:\/([^/]+)(\/.*)?)?$/.exec(path) ?? []
  if (path === '/time' || path === '/products') refuseOtherParameters(query, [], wrongParameter)
  if (path === '/time') return ok({ iso: toIso(now), epoch: now / second })
  if (path === '/products') return ok(listed.map((market) => product(market)))
  const market = listed.find((one) => symbolOf(one) === id)
  const resource = resources.get(rest)
  if (!market || !resource) throw refuse(404, 'NotFound')
  refuseOtherParameters(query, resource.parameters, wrongParameter)
  return ok(resource.answer(market, query, now))
}

const symbolOf = ({ base, quote }: Market): string => `${base}-${quote}`

/** Also BTC-USD, with older days. */
const listed: readonly Market[] = [
  ...markets,
  ...markets.filter(({ base }) => base === 'BTC').map((market) => ({ ...market, quote: 'USD' })),
]

/** 30m and 4h are rejected like on Coinbase; 6h is not replayed. */
const granularities: ReadonlyMap<string, Timeframe> = new Map([
  ['60', '1m'],
  ['300', '5m'],
  ['900', '15m'],
  ['3600', '1h'],
  ['86400', '1d'],
])

/** Delay before a new candle appears. */
const delayMs = 5 * second

/** Newest first, bounds inclusive plus one before; gaps left out. The newest 350 without bounds. */
function candles(market: Market, query: URLSearchParams, now: Instant): Json {
  const timeframe = granularities.get(query.get('granularity') ?? '60')
  if (!timeframe) throw refuse(400, 'Unsupported granularity')
  const from = readTime(query, 'start')
  const to = readTime(query, 'end')
  const isBounded = from !== undefined && to !== undefined
  const known = reported(candlesUntil({ market, timeframe }, isBounded ? to : now, now), now)
  if (!isBounded) return take(known, 350).map(candleRow)
  if (from > to) throw refuse(400, 'start must be before end')
  if ((to - from) / timeframeMs[timeframe] > 300)
    throw refuse(
      400,
      'granularity too small for the requested time range. Count of aggregations requested exceeds 300',
    )
  const rows: Candle[] = []
  for (const candle of known) {
    rows.push(candle)
    if (candle.openTime < from) break
  }
  return rows.map(candleRow)
}

function* candlesUntil(series: Series, until: Instant, now: Instant): Generator<Candle> {
  yield* candlesBackFrom(series, until, now)
  if (series.market.quote === 'USD' && series.timeframe === '1d') yield* olderDaysBackFrom(until)
}

/** Without the newest candle during the delay. */
function* reported(candles: Iterable<Candle>, now: Instant): Generator<Candle> {
  for (const candle of candles) if (candle.openTime + delayMs <= now) yield candle
}

function take<T>(items: Iterable<T>, count: number): T[] {
  const taken: T[] = []
  for (const item of items) {
    taken.push(item)
    if (taken.length === count) break
  }
  return taken
}

/** ISO 8601 or seconds. */
function readTime(query: URLSearchParams, name: string): Instant | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (/^\d{1,10}$/.test(text)) return toInstant(Number(text) * second)
  const time = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(time)) throw refuse(400, `Invalid ${name}`)
  return toInstant(time)
}

/** Numbers; low first. */
const candleRow = ({ openTime, low, high, open, close, volume }: Candle): Json => [
  openTime / second,
  ...[low, high, open, close, volume].map((value) => new WrittenNumber(shortened(value))),
]

function ticker(market: Market, _: URLSearchParams, now: Instant): Json {
  const { last, ask, step, volume } = dayTicker(market, now)
  return {
    ask,
    bid: last,
    volume,
    trade_id: tradedBefore(recordingOf(market), minuteNumber(now)).trades,
    price: last,
    size: step,
    time: toIso(now).replace('Z', '000Z'),
    rfq_volume: '0',
  }
}

function stats(market: Market, _: URLSearchParams, now: Instant): Json {
  const { open, high, low, last, volume } = dayTicker(market, now)
  const month = tradedIn(market, { from: plus(floorTo('1m', now), -30 * day), to: now }, now)
  const volume_30day = shortened(amount(month?.volume ?? 0n, market.volumeDecimals))
  return { open, high, low, last, volume, volume_30day }
}

function product(market: Market): Json {
  return {
    id: symbolOf(market),
    base_currency: market.base,
    quote_currency: market.quote,
    quote_increment: shortened(amount(1, market.priceDecimals)),
    base_increment: shortened(amount(1, market.volumeDecimals)),
    display_name: `${market.base}-${market.quote}`,
    min_market_funds: '1',
    margin_enabled: false,
    post_only: false,
    limit_only: false,
    cancel_only: false,
    status: 'online',
    status_message: '',
    trading_disabled: false,
    fx_stablecoin: false,
    max_slippage_percentage: '0.02000000',
    auction_mode: false,
    high_bid_limit_percentage: '',
  }
}
