import { z } from 'zod'
import { Malformed } from '../fault.ts'
import { type CandleRow, openTimeOf } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { day, earlier, type Instant, second } from '../market/instant.ts'
import { candleCount, contains } from '../market/range.ts'
import { ceilTo, type Timeframe } from '../market/timeframe.ts'
import { readCandle, readCandleRows, withTurnover } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readMilliseconds, readSeconds } from './decoding/read-time.ts'
import { classifyError } from './errors/classify-error.ts'
import { htxErrors } from './errors/htx-errors.ts'
import { known } from './known.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { readTicker } from './prices/read-price.ts'
import type { BeginningEndpoint, CandleQuery, Source, SourceRequest } from './source.ts'

// https://huobiapi.github.io/docs/spot/v1/en/#get-klines-candles 1day opens at 16:00 UTC (midnight in Singapore): days
// are made of hours.
const periods: Readonly<Record<Timeframe, string>> = {
  '1m': '1min',
  '5m': '5min',
  '15m': '15min',
  '30m': '30min',
  '1h': '60min',
  '4h': '4hour',
  '1d': '1day',
}

/** Newest candles, by count only; the first still runs. */
const mostNewest = 2_000

/** Limit for ranges. */
const pageSize = 1_000

/** Candles that close while the request waits push out the oldest. */
const spareRows = 50

/** Count needed to reach the range's start. */
const newestBackTo = ({ timeframe, range, asOf }: CandleQuery): number =>
  candleCount({ from: range.from, to: ceilTo(timeframe, asOf) }, timeframe) + spareRows

const isAmongNewest = (query: CandleQuery): boolean => newestBackTo(query) <= mostNewest

const candlesRequest = (query: CandleQuery): SourceRequest =>
  isAmongNewest(query)
    ? newestRequest(query.symbol, periods[query.timeframe], newestBackTo(query))
    : rangeRequest(query)

const newestRequest = (symbol: string, period: string, size: number): SourceRequest => ({
  path: '/market/history/kline',
  query: { symbol, period, size: String(size) },
  weight: 1,
})

/**
 * Seconds, one off the grid, inclusive or not. A single candle is requested from its exact start, as a `from` before
 * the market is an error.
 */
function rangeRequest({ symbol, timeframe, range }: CandleQuery): SourceRequest {
  const size = candleCount(range, timeframe)
  return {
    path: '/market/history/candles',
    query: {
      symbol,
      period: periods[timeframe],
      size: String(size),
      from: String(range.from / second - (size > 1 ? 1 : 0)),
      to: String(range.to / second - 1),
    },
    weight: 1,
  }
}

/** One answer holds all days, weeks or months of a market. */
const beginnings: readonly BeginningEndpoint[] = [
  { period: '1day', lengthMs: day },
  { period: '1week', lengthMs: 7 * day },
  { period: '1mon', lengthMs: 31 * day },
].map(({ period, lengthMs }) => ({
  lengthMs,
  request: (symbol) => newestRequest(symbol, period, mostNewest),
  parse: (text) => {
    const openTimes = readEnvelope(text, parseLosslessJson).data.map((raw) => openTimeOf(readRow(raw)))
    const isWhole = openTimes.length < mostNewest
    return isWhole ? openTimes.reduce((a, b) => (a && b ? earlier(a, b) : (a ?? b)), undefined) : undefined
  },
}))

const envelope = z.object({
  status: z.literal('ok'),
  ch: z.string().optional(),
  ts: z.unknown().optional(),
  full: z.unknown().optional(),
  data: z.array(z.unknown()),
})

/** Throws Malformed. */
function readEnvelope(text: string, parse: typeof parseJson): z.infer<typeof envelope> {
  const body = decode('htx', 'an answer', envelope, parse('htx', text))
  return body
}

function parseKlines(text: string, query: CandleQuery): CandleRow[] {
  const { symbol, timeframe } = query
  const { ch: channel, data } = readEnvelope(text, parseLosslessJson)
  if (channel !== undefined && channel !== `market.${symbol}.kline.${periods[timeframe]}`)
    throw new Malformed(`htx answered with ${channel.slice(0, 80)}, not with the ${timeframe} of ${symbol}`)
  if (data.length > mostNewest)
    throw new Malformed(`htx sent ${data.length} candles, more than an answer holds`)
  const rows = readCandleRows('htx', timeframe, data, readRow)
  if (isAmongNewest(query)) refuseCutOff(rows, query)
  else refuseElsewhere(rows, query)
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

/** {"id": open time s, "open", "close", "low", "high", "amount": in coins, "vol": in money, "count"} */
function readRow(raw: unknown): CandleRow {
  const row = kline.safeParse(raw)
  const openTime = row.success ? readSeconds(row.data.id, 'number') : undefined
  if (!row.success || openTime === undefined) return { raw, flaw: 'id is not a time in seconds' }
  const { open, high, low, close, amount: volume, vol: turnover } = row.data
  return withTurnover(readCandle(raw, openTime, { open, high, low, close, volume }), turnover)
}

/** A full answer that does not reach the range's start is incomplete. */
function refuseCutOff(rows: readonly CandleRow[], query: CandleQuery): void {
  const size = newestBackTo(query)
  if (rows.length < size) return
  const isReached = rows.some((row) => (openTimeOf(row) ?? query.range.to) <= query.range.from)
  if (!isReached)
    throw new Malformed(`htx's newest ${size} candles no longer reach back to what was asked for`)
}

/** May be the newest candles instead of the range. */
function refuseElsewhere(rows: readonly CandleRow[], { range }: CandleQuery): void {
  // Rows without a time show nothing about others.
  const openTimes = rows.flatMap((row) => openTimeOf(row) ?? [])
  if (openTimes.length > 0 && !openTimes.some((openTime) => contains(range, openTime)))
    throw new Malformed('htx answered with rows that all fault outside the range asked for')
}

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
  // A partial listing would look like delistings.
  if (full === 0) throw new Malformed('htx sent only what changed of its listing')
  const markets = decode('htx', 'a listing', z.array(market), data)
  return markets.map(({ sc, bc, qc, bcdn, qcdn, state, te, toa, tags }) => ({
    symbol: sc,
    // Renamed coins keep the old code except in the display name.
    ...pairOf('htx', (bcdn || bc).toUpperCase(), (qcdn || qc).toUpperCase()),
    // ETPs are leveraged.
    ...known('kind', tags?.split(',').includes('etp') ? ('leveraged-token' as const) : undefined),
    // Others: offline, suspend, pre-online, transfer-board, fuse.
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
/** Volumes are rolling 24 hours, but the open is of Singapore's day: no 24 h change. */
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

export const htx = {
  id: 'htx',
  // The second is for clients in AWS.
  hosts: ['https://api.huobi.pro', 'https://api-aws.huobi.pro'],
  rateLimits: [{ points: 10, perMs: second }],
  classify: (answer) => classifyError(htxErrors, answer),
  candles: {
    timeframes: Object.keys(periods) as Timeframe[],
    madeFrom: { '1d': '1h' },
    pageSize,
    weight: 1,
    beginnings,
    bounds: 'none',
    longWindow: 'newest',
    request: candlesRequest,
    parse: parseKlines,
  },
  listing: {
    request: () => ({ path: '/v2/settings/common/symbols', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // All markets in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/market/tickers', query: {}, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
