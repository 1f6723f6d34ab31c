import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { type Instant, plus, second, toIso } from '../market/instant.ts'
import { timeframeMs } from '../market/timeframe.ts'
import { readCandle, readCandleRows } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readSeconds } from './decoding/read-time.ts'
import { classifyError } from './errors/classify-error.ts'
import { coinbaseErrors } from './errors/coinbase-errors.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { changeSince, readPrice } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-candles

/** Longer windows are rejected. */
const pageSize = 300

const candlesRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: `/products/${encodeURIComponent(symbol)}/candles`,
  query: {
    granularity: String(timeframeMs[timeframe] / second),
    // Both inclusive, and ignored unless both are given. The end is 1 ms off the grid, inclusive or not.
    start: toIso(range.from),
    end: toIso(plus(range.to, -1)),
  },
  weight: 1,
})

function parseCandles(text: string, { timeframe }: CandleQuery): CandleRow[] {
  const rows = parseLosslessJson('coinbase', text)
  if (!Array.isArray(rows)) throw new Malformed('coinbase sent candles that are not an array')
  // A few rows more than a page are accepted.
  return readCandleRows('coinbase', timeframe, rows, readRow)
}

/** [open time s, low, high, open, close, volume] */
function readRow(row: unknown): CandleRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readSeconds(row[0], 'number')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in seconds' }
  const [, low, high, open, close, volume] = row
  return readCandle(row, openTime, { open, high, low, close, volume })
}

const product = z.object({
  id: z.string(),
  base_currency: z.string(),
  quote_currency: z.string(),
  status: z.string(),
  trading_disabled: z.boolean().optional(),
  cancel_only: z.boolean().optional(),
  post_only: z.boolean().optional(),
  auction_mode: z.boolean().optional(),
})

// https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-all-known-trading-pairs
function parseListing(text: string): ListedMarket[] {
  const result = decode('coinbase', 'a listing', z.array(product), parseJson('coinbase', text))
  return result.map((listed) => ({
    symbol: listed.id,
    ...assetsOf(listed),
    trading: isTrading(listed),
  }))
}

/** Other states: offline, internal, delisted. No trades if only posting or cancelling is allowed. */
const isTrading = (listed: z.infer<typeof product>): boolean =>
  listed.status === 'online' &&
  ![listed.trading_disabled, listed.cancel_only, listed.post_only, listed.auction_mode].includes(true)

/** Auctions are separate markets: BTCAUCTION-USD. */
function assetsOf({ id, base_currency, quote_currency }: z.infer<typeof product>) {
  const [base, quote, ...rest] = id.split('-')
  return base && quote && rest.length === 0
    ? pairOf('coinbase', base, quote)
    : pairOf('coinbase', base_currency, quote_currency)
}

const stats = z.object({
  open: z.unknown().optional(),
  last: z.unknown().optional(),
  volume: z.unknown().optional(),
})

/** Rolling 24 hours of one product, unnamed; volume in coins. */
function parseStats(text: string, answeredAt: Instant, markets: readonly string[] = []): CoinPriceRow[] {
  const [market, ...others] = markets
  if (market === undefined || others.length > 0)
    throw new TypeError(`coinbase answers for one market, and was asked for ${markets.length}`)
  const raw = parseLosslessJson('coinbase', text)
  const body = stats.safeParse(raw)
  if (!body.success || Object.keys(body.data).length === 0)
    throw new Malformed('coinbase sent statistics with an unexpected shape')
  const { open, last, volume } = body.data
  const change24h = changeSince(open, last)
  return [readPrice(raw, { market, timestamp: answeredAt, price: last, traded24h: volume, change24h })]
}

export const coinbase = {
  id: 'coinbase',
  hosts: ['https://api.exchange.coinbase.com'],
  // Ten a second; bursts of fifteen are not relied on.
  rateLimits: [{ points: 10, perMs: second }],
  classify: (answer) => classifyError(coinbaseErrors, answer),
  candles: {
    // Only these and 6h are accepted.
    timeframes: ['1m', '5m', '15m', '30m', '1h', '4h', '1d'],
    madeFrom: { '30m': '15m', '4h': '1h' },
    pageSize,
    weight: 1,
    // Earlier rows may come too.
    bounds: 'to',
    longWindow: 'refused',
    request: candlesRequest,
    parse: parseCandles,
  },
  listing: {
    // A single product has another shape.
    request: () => ({ path: '/products', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-stats
    pageSize: 1,
    request: ([market = '']) => ({
      path: `/products/${encodeURIComponent(market)}/stats`,
      query: {},
      weight: 1,
    }),
    parse: parseStats,
  },
} as const satisfies Source
