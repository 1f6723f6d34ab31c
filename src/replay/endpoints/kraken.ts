import { type Instant, minute, second, toInstant, toIso } from '../../market/instant.ts'
import { floorTo, type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route, WrittenNumber } from '../answer.ts'
import { amount, type ReplayCandle } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { filledCandlesBackFrom, newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { type Market, markets } from '../markets.ts'
import { type KrakenTrade, newestTrades, tradesBetween, tradesFrom } from './kraken-trades.ts'

// https://docs.kraken.com/api/docs/rest-api/get-ohlc-data and neighbouring pages

type Resource = Readonly<{
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Json
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  [
    '/0/public/Time',
    { parameters: [], answer: (_, now) => ({ unixtime: Math.floor(now / second), rfc1123: rfc1123(now) }) },
  ],
  [
    '/0/public/SystemStatus',
    { parameters: [], answer: (_, now) => ({ status: 'online', timestamp: `${toIso(now).slice(0, 19)}Z` }) },
  ],
  ['/0/public/AssetPairs', { parameters: ['pair'], answer: assetPairs }],
  ['/0/public/Ticker', { parameters: ['pair'], answer: ticker }],
  ['/0/public/OHLC', { parameters: ['pair', 'interval', 'since'], answer: ohlc }],
  ['/0/public/Trades', { parameters: ['pair', 'since', 'count'], answer: trades }],
])

export const krakenEndpoint: Endpoint = {
  source: 'kraken',
  tickers: [{ path: '/0/public/Ticker', at: ['result', '*', 'c', 0] }],
  halted: [{ path: '/0/public/AssetPairs', at: ['result', '*', 'status'], value: 'cancel_only' }],
  limit: { windows: [{ points: 15, perMs: 15 * second }] },
  route: (path, query, now): Route => ({ weight: 1, answer: answered(() => answerPath(path, query, now)) }),
  // Only a ban reports its end.
  refuse: (decision, retryAt) =>
    ok(
      failure(
        decision === 'banned'
          ? `EService: Throttled: ${Math.ceil(retryAt / second)}`
          : 'EGeneral:Too many requests',
      ),
    ),
  candles: { openTime: 0, timeUnitMs: 1_000, high: 2, low: 3, close: 4, volume: 6, fromParameter: 'since' },
  unavailable: (status) => ({ status, body: failure('EService:Unavailable') }),
}

const failure = (message: string): Json => ({ error: [message] })

/** Errors are HTTP 200. */
const refuse = (message: string) => new RefusedRequest(200, failure(message))

const rfc1123 = (now: Instant): string => new Date(now).toUTCString().replace('GMT', '+0000')

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const resource = resources.get(path)
  if (!resource) throw refuse('EGeneral:Unknown method')
  refuseOtherParameters(query, resource.parameters, wrong)
  return ok({ error: [], result: resource.answer(query, now) })
}

const wrong = (name: string) => refuse(`EGeneral:Invalid arguments:${name}`)

/** Kraken's names. */
const ownNames: Readonly<Record<string, string>> = { BTC: 'XBT', DOGE: 'XDG' }

const baseOf = ({ base }: Market): string => ownNames[base] ?? base

/** Key and socket name. */
const keyOf = (market: Market): string => `${baseOf(market)}${market.quote}`

const socketNameOf = (market: Market): string => `${baseOf(market)}/${market.quote}`

function readMarket(name: string | null): Market {
  if (name === null) throw wrong('pair')
  const market = markets.find((listed) => keyOf(listed) === name || socketNameOf(listed) === name)
  if (!market) throw refuse('EQuery:Unknown asset pair')
  return market
}

/** Default all; an unknown one fails the request. */
function readMarkets(query: URLSearchParams): readonly Market[] {
  const names = query.get('pair')
  return names === null ? markets : names.split(',').map(readMarket)
}

/** Without weeks and fortnights. */
const intervals: ReadonlyMap<string, Timeframe> = new Map([
  ['1', '1m'],
  ['5', '5m'],
  ['15', '15m'],
  ['30', '30m'],
  ['60', '1h'],
  ['240', '4h'],
  ['1440', '1d'],
])

/** Plus the running one. */
const closedRows = 720

/** The newest rows after `since`, ascending; intervals without trades included. */
function ohlc(query: URLSearchParams, now: Instant): Json {
  const market = readMarket(query.get('pair'))
  const timeframe = intervals.get(query.get('interval') ?? '1')
  if (!timeframe) throw wrong('interval')
  const since = readWhole(query, 'since', 10) ?? 0n
  const from = toInstant((Number(since) + 1) * second)
  const filled = filledCandlesBackFrom({ market, timeframe }, now, now)
  const rows = newestFrom(filled, from, closedRows + 1).toReversed()
  const last = floorTo(timeframe, now) - timeframeMs[timeframe]
  return { [keyOf(market)]: rows.map((candle) => ohlcRow(market, candle, now)), last: last / second }
}

/** With the market's decimals. */
const written = (text: string, decimals: number): string => {
  const [whole = '', fraction = ''] = text.split('.')
  return decimals === 0 ? whole : `${whole}.${fraction.slice(0, decimals).padEnd(decimals, '0')}`
}

function ohlcRow(market: Market, candle: ReplayCandle, now: Instant): Json {
  const { openTime, open, high, low, close, volume, quoteVolume, closeTime } = candle
  const price = (text: string) => written(text, market.priceDecimals)
  const average =
    Number(volume) === 0 ? '0' : (Number(quoteVolume) / Number(volume)).toFixed(market.priceDecimals)
  return [
    openTime / second,
    ...[open, high, low, close, average].map(price),
    written(volume, 8),
    tradesBetween(market, { from: openTime, to: toInstant(Math.min(closeTime, now) + 1) }),
  ]
}

/** The oldest after `since` (exclusive), else the newest. */
function trades(query: URLSearchParams, now: Instant): Json {
  const market = readMarket(query.get('pair'))
  const count = Number(readWhole(query, 'count', 4) ?? 1_000n)
  if (count < 1 || count > 1_000) throw wrong('count')
  const since = readWhole(query, 'since', 19)
  const rows =
    since === undefined ? newestTrades(market, now, count) : tradesFrom(market, since + 1n, now, count)
  const last = rows.at(-1)?.time ?? since ?? 0n
  return { [keyOf(market)]: rows.map((trade) => tradeRow(market, trade)), last: String(last) }
}

function tradeRow(market: Market, { id, time, price, volume, isBuy }: KrakenTrade): Json {
  const nanoseconds = String(time % 1_000_000_000n).padStart(9, '0')
  return [
    written(amount(price, market.priceDecimals), market.priceDecimals),
    amount(volume, market.volumeDecimals),
    // Like Kraken, loses two digits.
    new WrittenNumber(shortened(`${time / 1_000_000_000n}.${nanoseconds.slice(0, 7)}`)),
    isBuy ? 'b' : 's',
    'l',
    '',
    id,
  ]
}

function readWhole(query: URLSearchParams, name: string, digits: number): bigint | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d+$/.test(text) || text.length > digits) throw wrong(name)
  return BigInt(text)
}

/** Today and 24 hours; the same here. */
function ticker(query: URLSearchParams, now: Instant): Json {
  const rows = readMarkets(query).map((market): [string, Json] => {
    const { high, low, last, ask, step, open, volume } = dayTicker(market, now)
    const count = tradesBetween(market, { from: toInstant(now - 1_440 * minute), to: now })
    return [
      keyOf(market),
      {
        a: [ask, '1', step],
        b: [last, '1', step],
        c: [last, step],
        v: [volume, volume],
        p: [last, last],
        t: [count, count],
        l: [low, low],
        h: [high, high],
        o: open,
      },
    ]
  })
  return Object.fromEntries(rows)
}

/** Legacy assets with prefix X. */
const oldAssets: ReadonlySet<string> = new Set(['XBT', 'ETH', 'XRP', 'XDG'])

function assetPairs(query: URLSearchParams): Json {
  const pairs = readMarkets(query).map((market): [string, Json] => {
    const base = baseOf(market)
    return [
      keyOf(market),
      {
        altname: keyOf(market),
        wsname: socketNameOf(market),
        aclass_base: 'currency',
        base: oldAssets.has(base) ? `X${base}` : base,
        aclass_quote: 'currency',
        quote: market.quote,
        lot: 'unit',
        cost_decimals: 5,
        pair_decimals: market.priceDecimals,
        lot_decimals: 8,
        lot_multiplier: 1,
        leverage_buy: [],
        leverage_sell: [],
        fees: [[0, 0.4]],
        fees_maker: [[0, 0.25]],
        fee_volume_currency: 'ZUSD',
        margin_call: 80,
        margin_stop: 40,
        ordermin: shortened(amount(1, market.volumeDecimals)),
        costmin: '0.5',
        tick_size: shortened(amount(1, market.priceDecimals)),
        status: 'online',
      },
    ]
  })
  return Object.fromEntries(pairs)
}
