import { type Instant, plus, second, toInstant } from '../../market/instant.ts'
import { floorTo, type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route } from '../answer.ts'
import { amount, type ReplayCandle } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { filledCandlesBackFrom, newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { type Market, markets } from '../markets.ts'

// https://www.okx.com/docs-v5/en/

type Resource = Readonly<{
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Json
}>

const candleParameters = ['instId', 'bar', 'after', 'before', 'limit']

const endpointsWith = (mostOfHistory: number): ReadonlyMap<string, Resource> =>
  new Map<string, Resource>([
    ['/api/v5/public/time', { parameters: [], answer: (_, now) => [{ ts: String(now) }] }],
    ['/api/v5/public/instruments', { parameters: ['instType', 'instId'], answer: instruments }],
    ['/api/v5/market/tickers', { parameters: ['instType'], answer: tickers }],
    [
      '/api/v5/market/candles',
      {
        parameters: candleParameters,
        answer: (query, now) => candles(query, now, { mostRows: 300, depth: 1_440 }),
      },
    ],
    [
      '/api/v5/market/history-candles',
      {
        parameters: candleParameters,
        answer: (query, now) => candles(query, now, { mostRows: mostOfHistory }),
      },
    ],
  ])

/** The lowest resource limit, for all together. History answers: 300 documented, 100 measured. */
export function okxEndpointWith(mostOfHistory: number): Endpoint {
  const resources = endpointsWith(mostOfHistory)
  return {
    source: 'okx',
    tickers: [{ path: '/api/v5/market/tickers', at: ['data', 0, 'last'] }],
    halted: [{ path: '/api/v5/public/instruments', at: ['data', 0, 'state'], value: 'suspend' }],
    limit: { windows: [{ points: 20, perMs: 2 * second }] },
    route: (path, query, now): Route => ({
      weight: 1,
      answer: answered(() => answerPath(resources, path, query, now)),
    }),
    // No Retry-After.
    refuse: () => ({ status: 429, body: { msg: 'Too Many Requests', code: '50011' } }),
    candles: { openTime: 0, timeUnitMs: 1, high: 2, low: 3, close: 4, volume: 5, fromParameter: 'before' },
    unavailable: (status) => ({
      status,
      body: { code: '50001', data: [], msg: 'Service temporarily unavailable. Try again later' },
    }),
  }
}

export const okxEndpoint: Endpoint = okxEndpointWith(100)

function answerPath(
  resources: ReadonlyMap<string, Resource>,
  path: string,
  query: URLSearchParams,
  now: Instant,
): Answer {
  const resource = resources.get(path)
  if (!resource) throw new RefusedRequest(404, { code: '404', data: [], msg: 'Not Found' })
  refuseOtherParameters(query, resource.parameters, wrong)
  return ok({ code: '0', msg: '', data: resource.answer(query, now) })
}

/** Errors are HTTP 200. */
const refuse = (code: string, msg: string, status = 200) =>
  new RefusedRequest(status, { code, data: [], msg })

const wrong = (name: string) => refuse('51000', `Parameter ${name} error`)

function mandatory(query: URLSearchParams, name: string): string {
  const value = query.get(name)
  if (value === null) throw refuse('50014', `Parameter ${name} can not be empty.`, 400)
  return value
}

/** OKX redated all markets years after opening; candles are continuous. */
const datedAnewAt = Date.UTC(2024, 0, 15, 8)

const symbolOf = ({ base, quote }: Market): string => `${base}-${quote}`

function readMarket(instId: string): Market {
  const market = markets.find((listed) => symbolOf(listed) === instId)
  if (!market) throw refuse('51001', "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
  return market
}

function checkType(query: URLSearchParams): void {
  if (mandatory(query, 'instType') !== 'SPOT') throw wrong('instType')
}

/** Without 1D (Hong Kong) and timeframes that are not stored. */
const bars: ReadonlyMap<string, Timeframe> = new Map([
  ['1m', '1m'],
  ['5m', '5m'],
  ['15m', '15m'],
  ['30m', '30m'],
  ['1H', '1h'],
  ['4H', '4h'],
  ['1Dutc', '1d'],
])

type Deps = Readonly<{ mostRows: number; depth?: number }>

/** Newest first, `before` < t < `after`; limits are silently cut. */
function candles(query: URLSearchParams, now: Instant, { mostRows, depth }: Deps): Json {
  const market = readMarket(mandatory(query, 'instId'))
  const timeframe = bars.get(query.get('bar') ?? '1m')
  if (!timeframe) throw wrong('bar')
  const limit = Math.min(readWhole(query, 'limit') ?? 100, mostRows)
  if (limit < 1) throw wrong('limit')
  const before = readWhole(query, 'before') ?? 0
  const until = toInstant((readWhole(query, 'after') ?? now + 1) - 1)
  const oldest = depth === undefined ? 0 : plus(floorTo(timeframe, now), (1 - depth) * timeframeMs[timeframe])
  const from = toInstant(Math.max(before + 1, oldest))
  return newestFrom(filledCandlesBackFrom({ market, timeframe }, until, now), from, limit).map((candle) =>
    candleRow(candle, now),
  )
}

function readWhole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,13}$/.test(text)) throw wrong(name)
  return Number(text)
}

const candleRow = (candle: ReplayCandle, now: Instant): Json => [
  String(candle.openTime),
  ...[candle.open, candle.high, candle.low, candle.close, candle.volume].map(shortened),
  // Equal for spot; coins for derivatives.
  shortened(candle.quoteVolume),
  shortened(candle.quoteVolume),
  candle.closeTime < now ? '1' : '0',
]

function tickers(query: URLSearchParams, now: Instant): Json {
  checkType(query)
  return markets.map((market): Json => {
    const { open, high, low, last, ask, step, volume, quoteVolume } = dayTicker(market, now)
    return {
      instType: 'SPOT',
      instId: symbolOf(market),
      last,
      lastSz: step,
      askPx: ask,
      askSz: step,
      bidPx: last,
      bidSz: step,
      open24h: open,
      high24h: high,
      low24h: low,
      volCcy24h: quoteVolume,
      vol24h: volume,
      ts: String(now),
      sodUtc0: open,
      sodUtc8: open,
    }
  })
}

function instruments(query: URLSearchParams): Json {
  checkType(query)
  const instId = query.get('instId')
  return (instId === null ? markets : [readMarket(instId)]).map((market): Json => {
    const step = shortened(amount(1, market.volumeDecimals))
    return {
      alias: '',
      auctionEndTime: '',
      baseCcy: market.base,
      category: '1',
      ctMult: '',
      ctType: '',
      ctVal: '',
      ctValCcy: '',
      expTime: '',
      instFamily: '',
      instId: symbolOf(market),
      instType: 'SPOT',
      lever: '',
      listTime: String(datedAnewAt),
      lotSz: step,
      maxLmtSz: '9999999999',
      maxMktSz: '1000000',
      minSz: step,
      optType: '',
      quoteCcy: market.quote,
      ruleType: 'normal',
      settleCcy: '',
      state: 'live',
      stk: '',
      tickSz: shortened(amount(1, market.priceDecimals)),
      uly: '',
    }
  })
}
