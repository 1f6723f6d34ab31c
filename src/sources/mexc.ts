import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { plus } from '../market/instant.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { readCandle, readCandleRows, withTurnover } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readMilliseconds } from './decoding/read-time.ts'
import { classifyError } from './errors/classify-error.ts'
import { mexcErrors, mexcWindowMs } from './errors/mexc-errors.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { named } from './listing/market-kind.ts'
import { fractionAsPercent, readTicker } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://mexcdevelop.github.io/apidocs/spot_v3_en/#kline-candlestick-data Like Binance, but an hour is 60m; 1h is
// rejected.
const intervals: Readonly<Record<Timeframe, string>> = {
  '1m': '1m',
  '5m': '5m',
  '15m': '15m',
  '30m': '30m',
  '1h': '60m',
  '4h': '4h',
  '1d': '1d',
}

/** The most observed. */
const pageSize = 500

/** Documented; requested in case it holds. */
const mostRows = 1_000

const klinesRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: '/api/v3/klines',
  query: {
    symbol,
    interval: intervals[timeframe],
    // The start (inclusive) is ignored without an end (exclusive); 1 ms off the grid, either way.
    startTime: String(range.from),
    endTime: String(range.to - 1),
    limit: String(mostRows),
  },
  weight: 1,
})

function parseKlines(text: string, { timeframe }: CandleQuery): CandleRow[] {
  const rows = parseJson('mexc', text)
  if (!Array.isArray(rows)) throw new Malformed('mexc sent klines that are not an array')
  if (rows.length > mostRows) throw new Malformed(`mexc sent ${rows.length} klines, more than a page holds`)
  return readCandleRows('mexc', timeframe, rows, (row) => readKline(row, timeframe))
}

/** [open time ms, "open", "high", "low", "close", "base volume", close time ms, "quote volume"] */
function readKline(row: unknown, timeframe: Timeframe): CandleRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readMilliseconds(row[0], 'number')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in milliseconds' }
  const [, open, high, low, close, volume, closeTime, turnover] = row
  const closesAt = readMilliseconds(closeTime, 'number')
  if (closesAt === undefined)
    return { raw: row, openTime, flaw: 'the seventh column is not a time in milliseconds' }
  const candle = withTurnover(readCandle(row, openTime, { open, high, low, close, volume }), turnover)
  // The next open time; on Binance 1 ms earlier.
  const isLastMs = closesAt === openTime + timeframeMs[timeframe] - 1
  return 'candle' in candle ? { ...candle, closesAt: isLastMs ? plus(closesAt, 1) : closesAt } : candle
}

const listing = z.object({
  symbols: z.array(
    z.object({
      symbol: z.string(),
      status: z.union([z.string(), z.number()]).transform(String),
      baseAsset: z.string(),
      quoteAsset: z.string(),
      fullName: z.string().nullish(),
    }),
  ),
})

/** 2 paused, 3 ended; ENABLED is the older 1. */
const tradingStates: readonly string[] = ['1', 'ENABLED']

/** `isSpotTradingAllowed` is about the API only. */
function parseListing(text: string): ListedMarket[] {
  const result = decode('mexc', 'a listing', listing, parseJson('mexc', text))
  return result.symbols.map(({ symbol, status, baseAsset, quoteAsset, fullName }) => ({
    symbol,
    ...pairOf('mexc', baseAsset, quoteAsset),
    ...named(fullName),
    trading: tradingStates.includes(status),
  }))
}

const ticker = z.object({
  symbol: z.string(),
  lastPrice: z.unknown().optional(),
  priceChangePercent: z.unknown().optional(),
  volume: z.unknown().optional(),
  quoteVolume: z.unknown().optional(),
  closeTime: z.unknown().optional(),
})

function parseTickers(text: string): CoinPriceRow[] {
  const rows = parseLosslessJson('mexc', text)
  if (!Array.isArray(rows)) throw new Malformed('mexc sent tickers that are not an array')
  return rows.map((raw) =>
    readTicker(raw, ticker, ({ symbol, lastPrice, priceChangePercent, volume, quoteVolume, closeTime }) => ({
      market: symbol,
      timestamp: readMilliseconds(closeTime),
      price: lastPrice,
      // The trade count is always null.
      traded24h: volume,
      // A fraction: 0.004 is 0.4 %; a percentage on Binance.
      change24h: fractionAsPercent(priceChangePercent),
      // Often null.
      volume24h: quoteVolume,
    })),
  )
}

export const mexc = {
  id: 'mexc',
  hosts: ['https://api.mexc.com'],
  // Per endpoint; the sum stays below one endpoint's limit.
  rateLimits: [{ points: 500, perMs: mexcWindowMs }],
  classify: (answer) => classifyError(mexcErrors, answer),
  candles: {
    timeframes: Object.keys(intervals) as Timeframe[],
    pageSize,
    mostRows,
    weight: 1,
    bounds: 'both',
    longWindow: 'newest',
    request: klinesRequest,
    parse: parseKlines,
  },
  listing: {
    request: () => ({ path: '/api/v3/exchangeInfo', query: {}, weight: 10 }),
    parse: parseListing,
  },
  prices: {
    // All markets in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/api/v3/ticker/24hr', query: {}, weight: 40 }),
    parse: parseTickers,
  },
} as const satisfies Source
