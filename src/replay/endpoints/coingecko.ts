import { day, hour, type Instant, minute, plus, toIso } from '../../market/instant.ts'
import { floorTo } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route, retryAfter } from '../answer.ts'
import { amount, lastClosedMinute, tradedIn } from '../candles.ts'
import type { Endpoint } from '../endpoint.ts'
import { listedAt, type Market, markets } from '../markets.ts'
import { amountDecimals, at, recordingOf } from '../recording.ts'
import { coinDetails } from './coingecko-details.ts'

// https://docs.coingecko.com/reference/coins-markets

/** The free plan; no bans. */
export const coingeckoEndpoint: Endpoint = {
  source: 'coingecko',
  tickers: [{ path: '/api/v3/coins/markets', at: [0, 'current_price'] }],
  limit: { windows: [{ points: 30, perMs: minute, aligned: true }] },
  route: (path, query, now): Route => ({
    weight: 1,
    answer: answered(() => answerPath(path, query, now)),
  }),
  refuse: (_, retryAt, __, now) => ({ ...overTheLimit, headers: retryAfter(retryAt, now) }),
}

const overTheLimit: Answer = {
  status: 429,
  body: {
    status: {
      error_code: 429,
      error_message:
        "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to subscribe to our API plans for higher rate limits.",
    },
  },
}

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  if (path === '/api/v3/ping') return ok({ gecko_says: '(V3) To the Moon!' })
  if (path === '/api/v3/coins/markets') return coinsMarkets(query, now)
  const coinId = /^\/api\/v3\/coins\/([^/]+)$/.exec(path)?.[1]
  if (coinId !== undefined) return coinDetails(coinId, query, now)
  throw new RefusedRequest(404, { error: 'Incorrect path. Please check https://www.coingecko.com/api/' })
}

const refuse = (error: string, status = 400) => new RefusedRequest(status, { error })

const known = [
  'vs_currency',
  'ids',
  'order',
  'per_page',
  'page',
  'precision',
  'price_change_percentage',
  'sparkline',
  'x_cg_demo_api_key',
]

type Coin = Readonly<Record<string, Json>>

const orders: Readonly<Record<string, (a: Coin, b: Coin) => number>> = {
  market_cap_desc: (a, b) => Number(b.market_cap) - Number(a.market_cap),
  market_cap_asc: (a, b) => Number(a.market_cap) - Number(b.market_cap),
  volume_desc: (a, b) => Number(b.total_volume) - Number(a.total_volume),
  volume_asc: (a, b) => Number(a.total_volume) - Number(b.total_volume),
  id_asc: (a, b) => (String(a.id) < String(b.id) ? -1 : 1),
  id_desc: (a, b) => (String(a.id) < String(b.id) ? 1 : -1),
}

const changePeriodsMs: Readonly<Record<string, number>> = {
  '1h': hour,
  '24h': day,
  '7d': 7 * day,
  '14d': 14 * day,
  '30d': 30 * day,
  '200d': 200 * day,
  '1y': 365 * day,
}

/** Unknown parameters are rejected, unlike on CoinGecko, to detect misspellings. */
function coinsMarkets(query: URLSearchParams, now: Instant): Answer {
  for (const name of query.keys()) {
    if (!known.includes(name)) throw refuse(`unknown parameter ${name}`)
    if (query.getAll(name).length > 1) throw refuse(`duplicate parameter ${name}`)
  }
  if (!query.has('vs_currency')) throw refuse('Missing parameter vs_currency', 422)
  if (query.get('vs_currency') !== 'usd') throw refuse('invalid vs_currency')
  const compare = own(orders, query.get('order') ?? 'market_cap_desc')
  if (!compare) throw refuse('invalid order')
  const perPage = readWhole(query, 'per_page', { fallback: 100, least: 1, most: 250 })
  const page = readWhole(query, 'page', { fallback: 1, least: 1, most: 1_000_000 })
  const telling: Telling = {
    now,
    round: readPrecision(query.get('precision')),
    periods: readPeriods(query.get('price_change_percentage')),
    sparkline: readFlag(query, 'sparkline'),
  }
  const ids = query.get('ids')?.split(',')
  const coins = ranked(markets.map((market) => coinOf(market, telling)))
    .filter(({ id }) => !ids || ids.includes(String(id)))
    .toSorted(compare)
  return ok(coins.slice((page - 1) * perPage, page * perPage))
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

function readWhole(
  query: URLSearchParams,
  name: string,
  { fallback, least, most }: Readonly<{ fallback: number; least: number; most: number }>,
): number {
  const text = query.get(name)
  if (text === null) return fallback
  const whole = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN
  if (!(whole >= least && whole <= most)) throw refuse(`invalid ${name}`)
  return whole
}

function readFlag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? 'false'
  if (text !== 'true' && text !== 'false') throw refuse(`invalid ${name}`)
  return text === 'true'
}

type Rounding = (price: number) => number

function readPrecision(text: string | null): Rounding {
  if (text === null || text === 'full') return (price) => price
  if (!/^(?:\d|1[0-8])$/.test(text)) throw refuse('invalid precision')
  return (price) => Number(price.toFixed(Number(text)))
}

function readPeriods(text: string | null): string[] {
  const periods = text === null ? [] : text.split(',')
  for (const period of periods)
    if (own(changePeriodsMs, period) === undefined) throw refuse('invalid price_change_percentage')
  return periods
}

type Telling = Readonly<{ now: Instant; round: Rounding; periods: readonly string[]; sparkline: boolean }>

function coinOf(market: Market, { now, round, periods, sparkline }: Telling): Coin {
  const toPrice = (ticks: number) => round(Number(amount(ticks, market.priceDecimals)))
  const last = lastClosedMinute(market, now)
  const price = priceAt(market, now)
  const dayAgo = priceAt(market, plus(now, -day))
  const running = floorTo('1m', now)
  const traded = tradedIn(market, { from: plus(running, -day), to: running }, running)
  const { circulating, total, max } = market.supply
  const change = price === null || dayAgo === null ? null : price - dayAgo
  const changePercent = percentChange(price, dayAgo)
  return {
    id: market.coinId,
    symbol: market.base.toLowerCase(),
    name: market.coinName,
    image: market.image,
    current_price: price === null ? null : round(price),
    market_cap: price === null ? null : Math.round(price * circulating),
    market_cap_rank: null,
    fully_diluted_valuation: price === null ? null : Math.round(price * (max ?? total)),
    total_volume: traded ? Math.round(Number(amount(traded.quoteVolume, amountDecimals))) : 0,
    high_24h: traded ? toPrice(traded.high) : null,
    low_24h: traded ? toPrice(traded.low) : null,
    price_change_24h: change,
    price_change_percentage_24h: roundPercent(changePercent),
    market_cap_change_24h: change === null ? null : change * circulating,
    market_cap_change_percentage_24h: roundPercent(changePercent),
    circulating_supply: circulating,
    total_supply: total,
    max_supply: max,
    ...extremes(market, price, toPrice),
    roi: null,
    last_updated: last ? toIso(plus(last.openTime, minute)) : null,
    market_cap_rank_with_rehypothecated: null,
    ...(sparkline && { sparkline_in_7d: { price: hourlyPrices(market, now) } }),
    ...Object.fromEntries(
      periods.map((period) => [
        `price_change_percentage_${period}_in_currency`,
        percentChange(price, priceAt(market, plus(now, -(own(changePeriodsMs, period) ?? 0)))),
      ]),
    ),
  }
}

/** Close of the last closed minute. */
function priceAt(market: Market, instant: Instant): number | null {
  const last = lastClosedMinute(market, instant)
  return last ? Number(amount(last.close, market.priceDecimals)) : null
}

const percentChange = (price: number | null, before: number | null): number | null =>
  price === null || before === null ? null : (100 * (price - before)) / before

const roundPercent = (percent: number | null): number | null =>
  percent === null ? null : Number(percent.toFixed(5))

/** Extremes of the recording and when they are first played. */
function extremes(market: Market, price: number | null, toPrice: (ticks: number) => number): Coin {
  const { priceDecimals } = market
  const { high, low, present, slots } = recordingOf(market)
  let highest = present.indexOf(1)
  let lowest = highest
  for (let slot = 0; slot < slots; slot++) {
    if (present[slot] === 0) continue
    if (at(high, slot) > at(high, highest)) highest = slot
    if (at(low, slot) < at(low, lowest)) lowest = slot
  }
  const [highTicks, lowTicks] = [at(high, highest), at(low, lowest)]
  const change = (ticks: number) => roundPercent(percentChange(price, Number(amount(ticks, priceDecimals))))
  return {
    ath: toPrice(highTicks),
    ath_change_percentage: change(highTicks),
    ath_date: toIso(plus(listedAt, highest * minute)),
    atl: toPrice(lowTicks),
    atl_change_percentage: change(lowTicks),
    atl_date: toIso(plus(listedAt, lowest * minute)),
  }
}

const hourlyPrices = (market: Market, now: Instant): Json =>
  Array.from({ length: 168 }, (_, index) => priceAt(market, plus(now, (index - 167) * hour)))

/** By market capitalization among all coins. */
function ranked(coins: readonly Coin[]): Coin[] {
  return coins
    .toSorted((a, b) => Number(b.market_cap) - Number(a.market_cap))
    .map((coin, index) => ({
      ...coin,
      market_cap_rank: index + 1,
      market_cap_rank_with_rehypothecated: index + 1,
    }))
}
