import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import type { Timeframe } from '../market/timeframe.ts'
import { pageSize, parseKlines } from './binance-klines.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readMilliseconds } from './decoding/read-time.ts'
import { binanceErrors } from './errors/binance-errors.ts'
import { classifyError } from './errors/classify-error.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { readNumber, readTicker } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api
// Names are case-sensitive: 1m is a minute and 1M a month.
const intervals: Readonly<Record<Timeframe, string>> = {
  '1m': '1m',
  '5m': '5m',
  '15m': '15m',
  '30m': '30m',
  '1h': '1h',
  '4h': '4h',
  '1d': '1d',
}

const klinesWeight = 2

function klinesRequest({ symbol, timeframe, range }: CandleQuery): SourceRequest {
  return {
    path: '/api/v3/klines',
    query: {
      symbol,
      interval: intervals[timeframe],
      // Both bounds filter on the open time, and both are inclusive.
      startTime: String(range.from),
      endTime: String(range.to - 1),
      limit: String(pageSize),
    },
    weight: klinesWeight,
  }
}

const listing = z.object({
  symbols: z.array(
    z.object({ symbol: z.string(), status: z.string(), baseAsset: z.string(), quoteAsset: z.string() }),
  ),
})

function parseListing(text: string): ListedMarket[] {
  const result = decode('binance', 'a listing', listing, parseJson('binance', text))
  return result.symbols.map(({ symbol, status, baseAsset, quoteAsset }) => ({
    symbol,
    ...pairOf('binance', baseAsset, quoteAsset),
    trading: status === 'TRADING',
  }))
}

const ticker = z.object({
  symbol: z.string(),
  lastPrice: z.unknown().optional(),
  priceChangePercent: z.unknown().optional(),
  quoteVolume: z.unknown().optional(),
  count: z.unknown().optional(),
  closeTime: z.unknown().optional(),
})

/** Rolling 24 hours, not a UTC day. The volume is the one in the quote asset: of a dollar market, dollars. */
function parseTickers(text: string): CoinPriceRow[] {
  const rows = parseLosslessJson('binance', text)
  if (!Array.isArray(rows)) throw new Malformed('binance sent tickers that are not an array')
  return rows.map((raw) =>
    readTicker(raw, ticker, ({ symbol, lastPrice, priceChangePercent, quoteVolume, count, closeTime }) => ({
      market: symbol,
      // Of the last trade, more or less: it stands still where there are none.
      timestamp: readMilliseconds(closeTime),
      price: lastPrice,
      traded24h: count,
      change24h: readNumber(priceChangePercent),
      volume24h: quoteVolume,
    })),
  )
}

/** The price list of the API: up to 20 symbols cost 2, up to 100 cost 40. Markets of another status are left out. */
const tickersRequest = (symbols: readonly string[]): SourceRequest => ({
  path: '/api/v3/ticker/24hr',
  query: { symbols: JSON.stringify(symbols), symbolStatus: 'TRADING' },
  weight: symbols.length <= 20 ? 2 : 40,
})

export const binance = {
  id: 'binance',
  // The host for market data alone: the same paths and answers as api.binance.com.
  hosts: ['https://data-api.binance.vision'],
  // 6,000 points a minute and address; every answer tells how many the running minute has used.
  rateLimits: [{ points: 6_000, perMs: 60_000, usedHeader: 'x-mbx-used-weight-1m' }],
  classify: (answer) => classifyError(binanceErrors, answer),
  candles: {
    timeframes: Object.keys(intervals) as Timeframe[],
    pageSize,
    weight: klinesWeight,
    bounds: 'both',
    longWindow: 'oldest',
    request: klinesRequest,
    parse: parseKlines,
  },
  listing: {
    // Without the sets of permissions, which make most of its ten megabytes.
    request: () => ({ path: '/api/v3/exchangeInfo', query: { showPermissionSets: 'false' }, weight: 20 }),
    parse: parseListing,
  },
  prices: { pageSize: 100, request: tickersRequest, parse: parseTickers, onlyTrading: true },
} as const satisfies Source
