import { day, type Instant, plus, second, toInstant } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type Answer, answered, type Json, ok, RefusedRequest, type Route, WrittenNumber } from '../answer.ts'
import { amount, tradedIn } from '../candles.ts'
import { dayTicker, shortened } from '../day-ticker.ts'
import type { Endpoint } from '../endpoint.ts'
import { filledCandlesBackFrom, newestFrom } from '../filled-candles.ts'
import { refuseOtherParameters } from '../known-parameters.ts'
import { listedAt, type Market, markets } from '../markets.ts'
import { amountDecimals } from '../recording.ts'
import { dayBegan, monthBegan, weekBegan } from './htx/singapore-time.ts'

// https://huobiapi.github.io/docs/spot/v1/en/

type Fields = Readonly<Record<string, Json>>

type Resource = Readonly<{
  parameters: readonly string[]
  answer: (query: URLSearchParams, now: Instant) => Fields
}>

const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  ['/v1/common/timestamp', { parameters: [], answer: (_, now) => ({ status: 'ok', data: now }) }],
  ['/v2/settings/common/symbols', { parameters: ['ts'], answer: symbols }],
  ['/market/history/kline', { parameters: ['symbol', 'period', 'size'], answer: kline }],
  [
    '/market/history/candles',
    { parameters: ['symbol', 'period', 'size', 'from', 'to'], answer: candlesOfRange },
  ],
  ['/market/tickers', { parameters: [], answer: tickers }],
  ['/market/detail/merged', { parameters: ['symbol'], answer: merged }],
])

const limitMs = second

export const htxEndpoint: Endpoint = {
  source: 'htx',
  tickers: [{ path: '/market/tickers', at: ['data', 0, 'close'] }],
  halted: [{ path: '/v2/settings/common/symbols', at: ['data', 0, 'state'], value: 'suspend' }],
  limit: { windows: [{ points: 10, perMs: limitMs }] },
  route: (path, query, now): Route => ({ weight: 1, answer: answered(() => answerPath(path, query, now)) }),
  refuse: (_, retryAt, __, now) => ({
    status: 429,
    headers: { 'x-hb-ratelimit-requests-remain': '0', 'x-hb-ratelimit-requests-expire': String(retryAt) },
    body: errorBody('429', 'too many request', now),
  }),
  headers: ([used = 0], { windows: [window] }, now) => ({
    'x-hb-ratelimit-requests-remain': String(Math.max((window?.points ?? 0) - used, 0)),
    'x-hb-ratelimit-requests-expire': String(now + (window?.perMs ?? limitMs)),
  }),
  candles: { openTime: 'id', timeUnitMs: 1_000, high: 'high', low: 'low', close: 'close', volume: 'amount' },
}

function answerPath(path: string, query: URLSearchParams, now: Instant): Answer {
  const resource = resources.get(path)
  if (!resource) throw new RefusedRequest(404, '<html><body>404 Not Found</body></html>')
  try {
    refuseOtherParameters(query, resource.parameters, (name) => new InvalidParameter(name))
    return ok(resource.answer(query, now))
  } catch (error) {
    if (!(error instanceof InvalidParameter)) throw error
    return ok(errorBody('invalid-parameter', `invalid ${error.message}`, now))
  }
}

/** HTTP 200 with the parameter's name. */
class InvalidParameter extends Error {}

const errorBody = (code: string, message: string, now: Instant): Json => ({
  ts: now,
  status: 'error',
  'err-code': code,
  'err-msg': message,
})

const symbolOf = ({ base, quote }: Market): string => `${base}${quote}`.toLowerCase()

function readMarket(query: URLSearchParams): Market {
  const market = markets.find((listed) => symbolOf(listed) === query.get('symbol'))
  if (!market) throw new InvalidParameter('symbol')
  return market
}

const periods: ReadonlyMap<string, Timeframe> = new Map([
  ['1min', '1m'],
  ['5min', '5m'],
  ['15min', '15m'],
  ['30min', '30m'],
  ['60min', '1h'],
  ['4hour', '4h'],
])

/** Starts of its own days, weeks and months. */
const longPeriods: ReadonlyMap<string, (instant: Instant) => Instant> = new Map([
  ['1day', dayBegan],
  ['1week', weekBegan],
  ['1mon', monthBegan],
])

/** Newest first, without bounds, at most 2,000. */
function kline(query: URLSearchParams, now: Instant): Fields {
  const market = readMarket(query)
  const period = query.get('period') ?? ''
  const size = readSize(query)
  const began = longPeriods.get(period)
  const rows = began
    ? longCandles(market, began, now, size)
    : newestFrom(
        filledCandlesBackFrom({ market, timeframe: readTimeframe(period) }, now, now),
        toInstant(0),
        size,
      )
  const data = rows.map(candleRow)
  return { ch: `market.${symbolOf(market)}.kline.${period}`, status: 'ok', ts: now, data }
}

/** Newest first, bounds inclusive; a `from` before the listing is an error. */
function candlesOfRange(query: URLSearchParams, now: Instant): Fields {
  const market = readMarket(query)
  const period = query.get('period') ?? ''
  const timeframe = readTimeframe(period)
  const size = readSize(query, 1_000)
  const from = readSeconds(query, 'from') ?? listedAt
  const to = readSeconds(query, 'to') ?? now
  if (from < listedAt) throw new InvalidParameter('from')
  const rows = newestFrom(filledCandlesBackFrom({ market, timeframe }, to, now), from, size)
  const data = rows.map(candleRow)
  return { ch: `market.${symbolOf(market)}.kline.${period}`, status: 'ok', ts: now, data }
}

function readTimeframe(period: string): Timeframe {
  const timeframe = periods.get(period)
  if (!timeframe) throw new InvalidParameter('period')
  return timeframe
}

function readSeconds(query: URLSearchParams, name: string): Instant | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,10}$/.test(text)) throw new InvalidParameter(name)
  return toInstant(Number(text) * second)
}

function readSize(query: URLSearchParams, most = 2_000): number {
  const text = query.get('size') ?? '150'
  const size = Number(text)
  if (!/^\d{1,4}$/.test(text) || size < 1 || size > most) throw new InvalidParameter('size')
  return size
}

function longCandles(
  market: Market,
  began: (instant: Instant) => Instant,
  now: Instant,
  count: number,
): readonly Written[] {
  const price = (ticks: number) => amount(ticks, market.priceDecimals)
  const rows: Written[] = []
  for (let to = plus(now, 1); to > listedAt && rows.length < count; to = began(plus(to, -1))) {
    const openTime = began(plus(to, -1))
    const traded = tradedIn(market, { from: openTime, to }, now)
    if (!traded) continue
    rows.push({
      openTime,
      open: price(traded.open),
      high: price(traded.high),
      low: price(traded.low),
      close: price(traded.close),
      volume: amount(traded.volume, market.volumeDecimals),
      quoteVolume: amount(traded.quoteVolume, amountDecimals),
      trades: traded.trades,
    })
  }
  return rows
}

type Written = Readonly<
  Record<'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume', string> & {
    openTime: Instant
    trades: number
  }
>

const candleRow = ({ openTime, open, high, low, close, volume, quoteVolume, trades }: Written): Json => ({
  id: openTime / second,
  open: asDouble(open),
  close: asDouble(close),
  low: asDouble(low),
  high: asDouble(high),
  amount: asDouble(volume),
  vol: asDouble(quoteVolume),
  count: trades,
})

/** Java's format: `49056.0`, `1.8E-4`. */
function asDouble(amount: string): WrittenNumber {
  const text = shortened(amount)
  const small = /^0\.(000+)([1-9])(\d*)$/.exec(text)
  if (small) {
    const [, zeros = '', first = '', rest = ''] = small
    return new WrittenNumber(`${first}.${rest || '0'}E-${zeros.length + 1}`)
  }
  return new WrittenNumber(text.includes('.') ? text : `${text}.0`)
}

/** Volumes of 24 hours, prices of Singapore's day. */
function tickers(_: URLSearchParams, now: Instant): Fields {
  const data = markets.map((market): Json => {
    const { last, ask, step, volume, quoteVolume } = dayTicker(market, now)
    const today = tradedIn(market, { from: dayBegan(now), to: now }, now)
    const price = (ticks: number | undefined) =>
      asDouble(ticks === undefined ? last : amount(ticks, market.priceDecimals))
    return {
      symbol: symbolOf(market),
      open: price(today?.open),
      high: price(today?.high),
      low: price(today?.low),
      close: asDouble(last),
      amount: asDouble(volume),
      vol: asDouble(quoteVolume),
      count: today?.trades ?? 0,
      bid: asDouble(last),
      bidSize: asDouble(step),
      ask: asDouble(ask),
      askSize: asDouble(step),
    }
  })
  return { data, status: 'ok', ts: now }
}

/** Rolling 24 hours, 18 decimals. */
function merged(query: URLSearchParams, now: Instant): Fields {
  const market = readMarket(query)
  const { open, high, low, last, ask, step, volume, quoteVolume } = dayTicker(market, now)
  const long = (text: string) => {
    const [whole = '0', fraction = ''] = text.split('.')
    return new WrittenNumber(`${whole}.${fraction.padEnd(18, '0')}`)
  }
  const tick = {
    amount: long(volume),
    open: long(open),
    close: long(last),
    high: long(high),
    id: now,
    count: tradedIn(market, { from: plus(now, -day), to: now }, now)?.trades ?? 0,
    low: long(low),
    version: now,
    ask: [long(ask), long(step)],
    vol: long(quoteVolume),
    bid: [long(last), long(step)],
  }
  return { status: 'ok', ch: `market.${symbolOf(market)}.detail.merged`, ts: now, tick }
}

/** Complete, or empty as unchanged since `ts`. */
function symbols(query: URLSearchParams, now: Instant): Fields {
  const isWhole = !query.has('ts')
  return {
    status: 'ok',
    data: isWhole ? markets.map(symbolInfo) : [],
    ts: String(now),
    full: isWhole ? 1 : 0,
  }
}

const symbolInfo = (market: Market): Json => ({
  tags: '',
  state: 'online',
  wr: '1.5',
  sc: symbolOf(market),
  p: [],
  bcdn: market.base,
  qcdn: market.quote,
  elr: null,
  tpp: market.priceDecimals,
  tap: market.volumeDecimals,
  fp: 8,
  smlr: null,
  flr: null,
  whe: false,
  cd: false,
  te: true,
  sp: 'main',
  d: null,
  bc: market.base.toLowerCase(),
  qc: market.quote.toLowerCase(),
  toa: listedAt,
  ttp: 8,
  w: 999_400_000,
  lr: 5,
  dn: `${market.base}/${market.quote}`,
})
