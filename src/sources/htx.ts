import { isLosslessNumber } from 'lossless-json'
import { z } from 'zod'
import { type Fault, Malformed, RateLimited, Refused, Unavailable, UnknownMarket } from '../fault.ts'
import type { HttpAnswer } from '../http/request.ts'
import { type CandleRow, openTimeOf } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { type Instant, minute, second, toInstant } from '../market/instant.ts'
import { candleCount } from '../market/range.ts'
import { ceilTo, type Timeframe } from '../market/timeframe.ts'
import { readCandle, readCandleRows, withTurnover } from './candle-rows.ts'
import { parseJson, parseLosslessJson } from './json.ts'
import { known } from './known.ts'
import { pairOf } from './listing/asset-names.ts'
import { readMilliseconds, readTicker } from './prices/read-price.ts'
import type { CandleQuery, ListedMarket, Source, SourceRequest } from './source.ts'

// https://huobiapi.github.io/docs/spot/v1/en/#get-klines-candles
// Its 1day opens at midnight in Singapore, which is 16:00 UTC: days are made of hours instead.
const periods: Readonly<Record<Timeframe, string>> = {
  '1m': '1min',
  '5m': '5min',
  '15m': '15min',
  '30m': '30min',
  '1h': '60min',
  '4h': '4hour',
  '1d': '1day',
}

/** The rows that there are: the newest of them, and the first one still runs. */
const depth = 2_000

/** Rows beyond the range: while a request waits for its turn, candles close, and the oldest fall out of the answer. */
const spareRows = 50

/** How many of the newest candles reach back to the beginning of the range. There is nothing else to ask by. */
const sizeOf = ({ timeframe, range, asOf }: CandleQuery): number =>
  Math.min(candleCount({ from: range.from, to: ceilTo(timeframe, asOf) }, timeframe) + spareRows, depth)

const klineRequest = (query: CandleQuery): SourceRequest => ({
  path: '/market/history/kline',
  query: { symbol: query.symbol, period: periods[query.timeframe], size: String(sizeOf(query)) },
  weight: 1,
})

const envelope = z.object({
  status: z.literal('ok'),
  ch: z.string().optional(),
  ts: z.unknown().optional(),
  full: z.unknown().optional(),
  data: z.array(z.unknown()),
})

/** Throws Malformed on an error too: what it means, `classify` has said before. */
function readEnvelope(text: string, parse: typeof parseJson): z.infer<typeof envelope> {
  const body = envelope.safeParse(parse('htx', text))
  if (!body.success)
    throw new Malformed(`htx sent an answer of another shape at "${body.error.issues[0]?.path.join('.')}"`)
  return body.data
}

function parseKlines(text: string, query: CandleQuery): CandleRow[] {
  const { symbol, timeframe } = query
  const { ch: channel, data } = readEnvelope(text, parseLosslessJson)
  if (channel !== undefined && channel !== `market.${symbol}.kline.${periods[timeframe]}`)
    throw new Malformed(`htx answered with ${channel.slice(0, 80)}, not with the ${timeframe} of ${symbol}`)
  if (data.length > depth) throw new Malformed(`htx sent ${data.length} candles, more than there are`)
  const rows = readCandleRows('htx', timeframe, data, readRow)
  refuseCutOff(rows, query)
  return rows
}

const kline = z
  .object({
    id: z.unknown(),
    open: z.unknown(),
    high: z.unknown(),
    low: z.unknown(),
    close: z.unknown(),
    amount: z.unknown(),
    vol: z.unknown(),
  })
  .partial()

/** Row: {"id": open time s, "open", "close", "low", "high", "amount": in coins, "vol": in money, "count"} */
function readRow(raw: unknown): CandleRow {
  const row = kline.safeParse(raw)
  const openTime = row.success ? readSeconds(row.data.id) : undefined
  if (!row.success || openTime === undefined) return { raw, flaw: 'id is not a time in seconds' }
  const { open, high, low, close, amount: volume, vol: turnover } = row.data
  return withTurnover(readCandle(raw, openTime, { open, high, low, close, volume }), turnover)
}

/** As many rows as were asked for that do not reach back to the range do not speak for its beginning. */
function refuseCutOff(rows: readonly CandleRow[], query: CandleQuery): void {
  const size = sizeOf(query)
  // Where all that there are were asked for, the walk knows what to make of it.
  if (size === depth || rows.length < size) return
  const isReached = rows.some((row) => (openTimeOf(row) ?? query.range.to) <= query.range.from)
  if (!isReached)
    throw new Malformed(`htx's newest ${size} candles no longer reach back to what was asked for`)
}

/** Ten digits: thirteen would be milliseconds. */
const readSeconds = (value: unknown): Instant | undefined =>
  isLosslessNumber(value) && /^[1-9]\d{9}$/.test(value.value)
    ? toInstant(Number(value.value) * second)
    : undefined

const market = z.object({
  sc: z.string(),
  bc: z.string(),
  qc: z.string(),
  bcdn: z.string().nullish(),
  qcdn: z.string().nullish(),
  state: z.string(),
  tags: z.string().nullish(),
  te: z.boolean().optional(),
  toa: z.unknown().optional(),
})

// https://huobiapi.github.io/docs/spot/v1/en/#get-all-supported-trading-symbol-v2
function parseListing(text: string): ListedMarket[] {
  const { data, full } = readEnvelope(text, parseJson)
  // What is left out of a part of it would seem to be delisted.
  if (full === 0) throw new Malformed('htx sent only what changed of its listing')
  const markets = z.array(market).safeParse(data)
  if (!markets.success)
    throw new Malformed(`htx sent a listing of another shape at ${markets.error.issues[0]?.path.join('.')}`)
  return markets.data.map(({ sc, bc, qc, bcdn, qcdn, state, te, toa, tags }) => ({
    symbol: sc,
    // A coin that was renamed keeps its old code in all but the name that is shown.
    ...pairOf('htx', (bcdn || bc).toUpperCase(), (qcdn || qc).toUpperCase()),
    // Its exchange-traded products multiply a coin.
    ...known('kind', tags?.split(',').includes('etp') ? ('leveraged-token' as const) : undefined),
    // The others are offline, suspend, pre-online, transfer-board and fuse.
    trading: state === 'online' && te !== false,
    ...known('listedAt', readMilliseconds(toa)),
  }))
}

const ticker = z.object({
  symbol: z.string(),
  close: z.unknown().optional(),
  amount: z.unknown().optional(),
  vol: z.unknown().optional(),
})

// https://huobiapi.github.io/docs/spot/v1/en/#get-latest-tickers-for-all-pairs
/** The volumes are those of rolling 24 hours, but the open is that of a day in Singapore: it makes no change of 24 hours. */
function parseTickers(text: string, answeredAt: Instant): CoinPriceRow[] {
  const { data, ts } = readEnvelope(text, parseLosslessJson)
  const timestamp = readMilliseconds(ts) ?? answeredAt
  return data.map((raw) =>
    readTicker(raw, ticker, ({ symbol, close, amount, vol }) => ({
      market: symbol,
      timestamp,
      price: close,
      traded24h: amount,
      volume24h: vol,
    })),
  )
}

// https://huobiapi.github.io/docs/spot/v1/en/#error-code

const errorBody = z.object({
  status: z.literal('error'),
  'err-code': z.union([z.string(), z.number()]).transform(String),
  'err-msg': z.string().nullish(),
})

/** The window of the limit, where an answer does not say when it ends. */
const limitMs = second

const serverCodes: readonly string[] = [
  'gateway-internal-error',
  'timeout',
  'base-request-timeout',
  'base-system-error',
  'system-maintenance',
]

/** Errors are `{"ts":…,"status":"error","err-code":"invalid-parameter","err-msg":"…"}` with HTTP 200. */
function classify(answer: HttpAnswer): Fault | undefined {
  const { status, headers, text } = answer
  if (status === 429 && headers['retry-after'] !== undefined) return undefined
  if (!/^\s*\{/.test(text)) return undefined
  const body = errorBody.safeParse(parseJson('htx', text))
  if (!body.success) return undefined
  const code = body.data['err-code'].slice(0, 60)
  const message = (body.data['err-msg'] ?? '').slice(0, 200)
  if (
    status === 429 ||
    code === '429' ||
    /too.?many.?request|exceed.*(?:limit|frequency)/i.test(`${code} ${message}`)
  )
    return slowDown(answer, message || code)
  if (serverCodes.includes(code) || /\bmaintain|\bmaintenance\b/i.test(message))
    return new Unavailable(`htx cannot answer now: ${message} (${code})`)
  if (status >= 500 || status === 403) return undefined
  // One code stands for any wrong parameter: only the words tell which.
  if (/symbol/i.test(`${code} ${message}`))
    return new UnknownMarket(`htx does not know this market (${message || code})`)
  return new Refused(`htx refused the request: ${message} (${code})`)
}

/** Its own header tells the millisecond in which the window ends. */
function slowDown({ headers, answeredAt }: HttpAnswer, message: string): Fault {
  const end = readMilliseconds(headers['x-hb-ratelimit-requests-expire'])
  const waitMs = end === undefined ? limitMs : Math.min(Math.max(end - answeredAt, limitMs), minute)
  return new RateLimited(`htx asks us to slow down for ${Math.ceil(waitMs / second)} s (${message})`, waitMs)
}

export const htx = {
  id: 'htx',
  // The second is the same for whoever asks from within Amazon's cloud.
  hosts: ['https://api.huobi.pro', 'https://api-aws.huobi.pro'],
  rateLimits: [{ points: 10, perMs: limitMs }],
  classify,
  candles: {
    timeframes: Object.keys(periods) as Timeframe[],
    madeFrom: { '1d': '1h' },
    // The one that runs takes the place of another.
    pageSize: depth - 1,
    weight: 1,
    depth,
    bounds: 'none',
    longWindow: 'newest',
    request: klineRequest,
    parse: parseKlines,
  },
  listing: {
    request: () => ({ path: '/v2/settings/common/symbols', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // No market is named: all of them come in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/market/tickers', query: {}, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
