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

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api Case-sensitive: 1m is a minute, 1M a month.
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
      // Both inclusive, on the open time.
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

/** Rolling 24 hours; volume in the quote asset. */
function parseTickers(text: string): CoinPriceRow[] {
  const rows = parseLosslessJson('binance', text)
  if (!Array.isArray(rows)) throw new Malformed('binance sent tickers that are not an array')
  return rows.map((raw) =>
    readTicker(raw, ticker, ({ symbol, lastPrice, priceChangePercent, quoteVolume, count, closeTime }) => ({
      market: symbol,
      // About the last trade; stays without trades.
      timestamp: readMilliseconds(closeTime),
      price: lastPrice,
      traded24h: count,
      change24h: readNumber(priceChangePercent),
      volume24h: quoteVolume,
    })),
  )
}

/** Up to 20 symbols cost 2, up to 100 cost 40. Leaves out markets that do not trade. */
const tickersRequest = (symbols: readonly string[]): SourceRequest => ({
  path: '/api/v3/ticker/24hr',
  query: { symbols: JSON.stringify(symbols), symbolStatus: 'TRADING' },
  weight: symbols.length <= 20 ? 2 : 40,
})

export const binance = {
  id: 'binance',
  // Market data only; same API as api.binance.com.
  hosts: ['https://data-api.binance.vision'],
  // 6,000 points a minute per address; answers report the use.
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
    // Permission sets are most of the 10 MB.
    request: () => ({ path: '/api/v3/exchangeInfo', query: { showPermissionSets: 'false' }, weight: 20 }),
    parse: parseListing,
  },
  prices: { pageSize: 100, request: tickersRequest, parse: parseTickers, onlyTrading: true },
} as const satisfies Source
