import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { type Instant, second } from '../market/instant.ts'
import { candleCount } from '../market/range.ts'
import { timeframeMs, timeframes } from '../market/timeframe.ts'
import { readCandle, readCandleRows } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readSeconds } from './decoding/read-time.ts'
import { bitstampErrors, bitstampWindowMs } from './errors/bitstamp-errors.ts'
import { classifyError } from './errors/classify-error.ts'
import { known } from './known.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { readNumber, readPrice, readTicker, type WrittenPrice } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://www.bitstamp.net/api/#tag/Market-info/operation/GetOHLCData

/** Larger limits are rejected. */
const mostRows = 1_000

/** Answers are the newest rows up to the end. Duplicates or omissions can push out the oldest: request a few more. */
const spareRows = 10
const pageSize = mostRows - spareRows

const ohlcRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: `/api/v2/ohlc/${encodeURIComponent(symbol)}/`,
  query: {
    step: String(timeframeMs[timeframe] / second),
    limit: String(Math.min(candleCount(range, timeframe) + spareRows, mostRows)),
    // Ignored beside `end`: earlier rows come too.
    start: String(range.from / second),
    // One second off the grid, inclusive or not.
    end: String(range.to / second - 1),
  },
  weight: 1,
})

const ohlc = z.object({ data: z.object({ pair: z.string().optional(), ohlc: z.array(z.unknown()) }) })

function parseOhlc(text: string, { symbol, timeframe }: CandleQuery): CandleRow[] {
  const body = decode('bitstamp', 'an answer', ohlc, parseJson('bitstamp', text))
  const { pair, ohlc: rows } = body.data
  if (pair !== undefined && symbolOf(pair) !== symbol)
    throw new Malformed(`bitstamp answered for ${pair.slice(0, 50)} instead of ${symbol}`)
  if (rows.length > mostRows)
    throw new Malformed(`bitstamp sent ${rows.length} candles, more than an answer holds`)
  return readCandleRows('bitstamp', timeframe, rows, readRow)
}

/** `BTC/USD` → `btcusd`, used in paths. */
const symbolOf = (name: string): string => name.replace('/', '').toLowerCase()

const row = z.object({
  timestamp: z.unknown().optional(),
  open: z.unknown().optional(),
  high: z.unknown().optional(),
  low: z.unknown().optional(),
  close: z.unknown().optional(),
  volume: z.unknown().optional(),
})

function readRow(raw: unknown): CandleRow {
  const read = row.safeParse(raw)
  if (!read.success) return { raw, flaw: 'the row is not an object' }
  const { timestamp, open, high, low, close, volume } = read.data
  const openTime = readSeconds(timestamp, 'text')
  if (openTime === undefined) return { raw, flaw: 'timestamp is not a time in seconds' }
  return readCandle(raw, openTime, { open, high, low, close, volume })
}

// https://www.bitstamp.net/api/#tag/Market-info/operation/GetMarkets

/** The older listing has `url_symbol` and only spot markets. */
const market = z.object({
  name: z.string(),
  market_symbol: z.string().optional(),
  url_symbol: z.string().optional(),
  market_type: z.string().optional(),
  trading: z.string(),
  description: z.string().optional(),
})

function parseListing(text: string): ListedMarket[] {
  const listed = decode('bitstamp', 'a listing', z.array(market), parseJson('bitstamp', text))
  return listed.filter(({ market_type }) => (market_type ?? 'SPOT') === 'SPOT').map(readMarket)
}

function readMarket(listed: z.infer<typeof market>): ListedMarket {
  const { name, market_symbol, url_symbol, trading, description } = listed
  const symbol = market_symbol ?? url_symbol
  const [base, quote, ...rest] = name.split('/')
  if (!symbol || !base || !quote || rest.length > 0)
    throw new Malformed(`bitstamp listed ${name.slice(0, 50)}, which is no pair with a symbol`)
  return {
    symbol,
    ...pairOf('bitstamp', base, quote),
    ...known('baseName', description?.split(' / ')[0]),
    trading: trading === 'Enabled',
  }
}

// https://www.bitstamp.net/api/#tag/Tickers

/** One market by itself, several as part of all. */
const tickersRequest = (markets: readonly string[]): SourceRequest => {
  const [symbol, ...others] = markets
  const isOne = symbol !== undefined && others.length === 0
  return { path: `/api/v2/ticker/${isOne ? `${encodeURIComponent(symbol)}/` : ''}`, query: {}, weight: 1 }
}

/** A single ticker does not name its market. */
const unnamed = z.object({
  timestamp: z.unknown(),
  last: z.unknown(),
  volume: z.unknown().optional(),
  percent_change_24: z.unknown().optional(),
})

const ticker = unnamed.partial().extend({ pair: z.string() })

/** Rolling 24 hours; volume in coins. */
function parseTickers(text: string, _: Instant, markets: readonly string[] = []): CoinPriceRow[] {
  const body = parseLosslessJson('bitstamp', text)
  if (Array.isArray(body))
    return body.map((raw) =>
      readTicker(raw, ticker, ({ pair, ...fields }) => written(symbolOf(pair), fields)),
    )
  const single = unnamed.safeParse(body)
  if (!single.success) throw new Malformed('bitstamp sent tickers with an unexpected shape')
  const named = ticker.safeParse(body)
  const [asked, ...others] = markets
  const market = named.success ? symbolOf(named.data.pair) : others.length === 0 ? asked : undefined
  return [
    market === undefined
      ? { raw: body, flaw: 'pair is missing' }
      : readPrice(body, written(market, single.data)),
  ]
}

const written = (
  market: string,
  { timestamp, last, volume, percent_change_24 }: Partial<z.infer<typeof unnamed>>,
): WrittenPrice => ({
  market,
  timestamp: readSeconds(timestamp),
  price: last,
  traded24h: volume,
  change24h: readNumber(percent_change_24),
})

export const bitstamp = {
  id: 'bitstamp',
  hosts: ['https://www.bitstamp.net'],
  rateLimits: [
    { points: 400, perMs: second },
    { points: 10_000, perMs: bitstampWindowMs },
  ],
  classify: (answer) => classifyError(bitstampErrors, answer),
  candles: {
    timeframes,
    pageSize,
    weight: 1,
    bounds: 'to',
    longWindow: 'newest',
    request: ohlcRequest,
    parse: parseOhlc,
  },
  listing: {
    request: () => ({ path: '/api/v2/markets/', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: { pageSize: Number.MAX_SAFE_INTEGER, request: tickersRequest, parse: parseTickers },
} as const satisfies Source
