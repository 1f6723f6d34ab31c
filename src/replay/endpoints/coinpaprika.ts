import { day, hour, type Instant, minute, plus, second, toIso } from '../../market/instant.ts'
import { floorTo } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route, retryAfter } from '../answer.ts'
import { amount, lastClosedMinute, tradedIn } from '../candles.ts'
import type { Endpoint } from '../endpoint.ts'
import { listedAt, type Market, markets } from '../markets.ts'
import { amountDecimals, at, recordingOf } from '../recording.ts'

// https://docs.coinpaprika.com/api-reference/tickers/get-tickers-for-all-active-coins

const overTheLimit = { error: 'you have reached maximum request limit' }

export const coinpaprikaEndpoint: Endpoint = {
  source: 'coinpaprika',
  tickers: [{ path: '/v1/tickers', at: [0, 'quotes', 'USD', 'price'] }],
  limit: {
    windows: [
      { points: 10, perMs: second },
      { points: 20_000, perMs: 30 * day },
    ],
  },
  route: (path, query, now): Route => ({
    weight: 1,
    answer: answered(() => answerPath(path, query, now)),
  }),
  refuse: (_, retryAt, __, now) => ({ status: 429, body: overTheLimit, headers: retryAfter(retryAt, now) }),
  unavailable: (status) => ({ status, body: { error: 'internal server error' } }),
}

const refuse = (status: number, error: string) => new RefusedRequest(status, { error })

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  if (path === '/v1/coins') return ok(ranked(now).map(coinRow))
  if (path === '/v1/tickers') {
    const quotes = readQuotes(query)
    return ok(ranked(now).map((coin) => tickerRow(coin, quotes, now)))
  }
  const id = /^\/v1\/tickers\/([^/]+)$/.exec(path)?.[1]
  if (id === undefined) throw refuse(404, 'page not found')
  const quotes = readQuotes(query)
  const found = ranked(now).find(({ market }) => coinIdOf(market) === id)
  if (!found) throw refuse(404, 'id not found')
  return ok(tickerRow(found, quotes, now))
}

/** Unknown parameters are rejected, unlike on Coinpaprika, to detect misspellings. */
function readQuotes(query: URLSearchParams): readonly string[] {
  for (const name of query.keys()) {
    if (name !== 'quotes') throw refuse(400, `unknown parameter ${name}`)
    if (query.getAll(name).length > 1) throw refuse(400, `duplicate parameter ${name}`)
  }
  const quotes = (query.get('quotes') ?? 'USD').split(',')
  if (quotes.length > 3) throw refuse(400, 'too many quotes, the maximum is 3')
  // Other currencies are not recorded.
  for (const quote of quotes) if (quote !== 'USD') throw refuse(400, `invalid quote ${quote}`)
  return quotes
}

/** `shib-shiba-inu`: the ticker and the name in one. */
export const coinIdOf = ({ base, coinName }: Market): string =>
  `${base}-${coinName}`.toLowerCase().replaceAll(' ', '-')

type Ranked = Readonly<{ market: Market; rank: number }>

const ranked = (now: Instant): Ranked[] =>
  markets
    .map((market) => ({ market, cap: (priceAt(market, now) ?? 0) * market.supply.circulating }))
    .toSorted((a, b) => b.cap - a.cap)
    .map(({ market }, index) => ({ market, rank: index + 1 }))

const coinRow = ({ market, rank }: Ranked): Json => ({
  id: coinIdOf(market),
  name: market.coinName,
  symbol: market.base,
  rank,
  is_new: false,
  is_active: true,
  type: 'coin',
})

const isoSeconds = (instant: Instant): string => toIso(instant).replace(/\.\d+Z$/, 'Z')

/** The free plan omits the circulating supply. */
function tickerRow({ market, rank }: Ranked, quotes: readonly string[], now: Instant): Json {
  const asOf = refreshedAt(now)
  const { total, max } = market.supply
  return {
    id: coinIdOf(market),
    name: market.coinName,
    symbol: market.base,
    rank,
    total_supply: total,
    // 0 means no maximum.
    max_supply: max ?? 0,
    beta_value: 1,
    first_data_at: isoSeconds(listedAt),
    last_updated: isoSeconds(asOf),
    quotes: Object.fromEntries(quotes.map((quote) => [quote, dollarQuote(market, asOf)])),
  }
}

/** Refreshed every five minutes. */
const refreshedAt = (now: Instant): Instant => floorTo('5m', now)

const changesMs: Readonly<Record<string, number>> = {
  '15m': 15 * minute,
  '30m': 30 * minute,
  '1h': hour,
  '6h': 6 * hour,
  '12h': 12 * hour,
  '24h': day,
  '7d': 7 * day,
  '30d': 30 * day,
  '1y': 365 * day,
}

function dollarQuote(market: Market, asOf: Instant): Json {
  const price = priceAt(market, asOf)
  const dayAgo = plus(asOf, -day)
  const volume = volumeOfDay(market, asOf)
  const change = (before: number | null) => percentChange(price, before)
  return {
    price,
    volume_24h: volume,
    volume_24h_change_24h: percentChange(volume, volumeOfDay(market, dayAgo)),
    market_cap: price === null ? 0 : Math.round(price * market.supply.circulating),
    market_cap_change_24h: change(priceAt(market, dayAgo)),
    ...Object.fromEntries(
      Object.entries(changesMs).map(([name, ms]) => [
        `percent_change_${name}`,
        change(priceAt(market, plus(asOf, -ms))),
      ]),
    ),
    ...highest(market, price),
  }
}

/** Close of the last closed minute. */
function priceAt(market: Market, instant: Instant): number | null {
  const last = lastClosedMinute(market, instant)
  return last ? Number(amount(last.close, market.priceDecimals)) : null
}

function volumeOfDay(market: Market, to: Instant): number {
  const traded = tradedIn(market, { from: plus(to, -day), to }, to)
  return traded ? Number(amount(traded.quoteVolume, amountDecimals)) : 0
}

const percentChange = (after: number | null, before: number | null): number | null =>
  after === null || !before ? null : Number(((100 * (after - before)) / before).toFixed(2))

/** Maximum of the recording and when it is first played. */
function highest(market: Market, price: number | null): Readonly<Record<string, Json>> {
  const { high, present, slots } = recordingOf(market)
  let top = present.indexOf(1)
  for (let slot = 0; slot < slots; slot++)
    if (present[slot] === 1 && at(high, slot) > at(high, top)) top = slot
  const highestPrice = Number(amount(at(high, top), market.priceDecimals))
  return {
    ath_price: highestPrice,
    ath_date: isoSeconds(plus(listedAt, top * minute)),
    percent_from_price_ath: percentChange(price, highestPrice),
  }
}
