import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { type Instant, plus, second } from '../market/instant.ts'
import { timeframeMs, timeframes } from '../market/timeframe.ts'
import { readCandle, readCandleRows, withTurnover } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readSeconds } from './decoding/read-time.ts'
import { classifyError } from './errors/classify-error.ts'
import { gateioErrors, gateioWindowMs } from './errors/gateio-errors.ts'
import { known } from './known.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { named } from './listing/market-kind.ts'
import { readNumber, readTicker } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://www.gate.com/docs/developers/apiv4/#market-candlesticks

/** Longer windows are rejected. */
const mostRows = 1_000

/** One less, since both ends may count: https://github.com/ccxt/ccxt/issues/10561 */
const pageSize = mostRows - 1

/** Of 10,000, minus those that expire during a walk. */
const depth = 9_900

/** Same names as ours. Unknown names return another timeframe. */
const candlesticksRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: '/api/v4/spot/candlesticks',
  query: {
    currency_pair: symbol,
    interval: timeframe,
    // Seconds, inclusive; a limit is rejected beside them.
    from: String(range.from / second),
    to: String(range.to / second - 1),
  },
  weight: 1,
})

function parseCandlesticks(text: string, query: CandleQuery): CandleRow[] {
  const rows = parseJson('gateio', text)
  if (!Array.isArray(rows)) throw new Malformed('gateio sent candles that are not an array')
  if (rows.length > mostRows)
    throw new Malformed(`gateio sent ${rows.length} candles, more than an answer holds`)
  return readCandleRows('gateio', query.timeframe, rows, (row) => readRow(row, query))
}

/**
 * ["open time s", "quote volume", "close", "high", "low", "open", "base volume", "true"]; older answers lack the last:
 * complete or not.
 */
function readRow(row: unknown, { timeframe, asOf }: CandleQuery): CandleRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readSeconds(row[0], 'text')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in seconds' }
  const [, quoteVolume, close, high, low, open, volume, isComplete = 'true'] = row
  if (isComplete !== 'true' && isComplete !== 'false')
    return { raw: row, openTime, flaw: 'the eighth column does not say whether the candle is complete' }
  // Running candles are filtered by time; this one had closed before the request.
  if (isComplete === 'false' && plus(openTime, timeframeMs[timeframe]) <= asOf)
    return {
      raw: row,
      openTime,
      flaw: 'gateio says that the candle is not complete, though its time is over',
    }
  return withTurnover(readCandle(row, openTime, { open, high, low, close, volume }), quoteVolume)
}

const pair = z.object({
  id: z.string(),
  base: z.string(),
  base_name: z.string().nullish(),
  quote: z.string(),
  trade_status: z.string(),
  type: z.string().nullish(),
  // Opening time; `sell_start` is mostly a placeholder.
  buy_start: z.unknown().optional(),
  delisting_time: z.unknown().optional(),
})

// https://www.gate.com/docs/developers/apiv4/#query-all-supported-currency-pairs
function parseListing(text: string): ListedMarket[] {
  const listed = decode('gateio', 'a listing', z.array(pair), parseJson('gateio', text))
  return listed.map(({ id, base, base_name, quote, type, trade_status, buy_start, delisting_time }) => ({
    symbol: id,
    ...pairOf('gateio', base, quote),
    ...named(base_name),
    ...(type === 'premarket' ? { kind: 'pre-market' as const } : {}),
    // Others: untradable, buyable, sellable.
    trading: trade_status === 'tradable',
    ...known('listedAt', readSeconds(buy_start, 'number')),
    ...known('delistedAt', readSeconds(delisting_time, 'number')),
  }))
}

const ticker = z.object({
  currency_pair: z.string(),
  last: z.unknown().optional(),
  change_percentage: z.unknown().optional(),
  base_volume: z.unknown().optional(),
  quote_volume: z.unknown().optional(),
})

// https://www.gate.com/docs/developers/apiv4/#get-currency-pair-ticker-information
/** Rolling 24 hours, no time; numbers may be empty or `nan`. */
function parseTickers(text: string, answeredAt: Instant): CoinPriceRow[] {
  const rows = parseLosslessJson('gateio', text)
  if (!Array.isArray(rows)) throw new Malformed('gateio sent tickers that are not an array')
  return rows.map((raw) =>
    readTicker(raw, ticker, ({ currency_pair, last, change_percentage, base_volume, quote_volume }) => ({
      market: currency_pair,
      timestamp: answeredAt,
      price: last,
      traded24h: base_volume,
      change24h: readNumber(change_percentage),
      volume24h: quote_volume,
    })),
  )
}

export const gateio = {
  id: 'gateio',
  hosts: ['https://api.gateio.ws'],
  // Per endpoint; the sum stays below one endpoint's limit.
  rateLimits: [{ points: 200, perMs: gateioWindowMs }],
  classify: (answer) => classifyError(gateioErrors, answer),
  candles: {
    timeframes,
    pageSize,
    weight: 1,
    depth,
    bounds: 'both',
    longWindow: 'refused',
    request: candlesticksRequest,
    parse: parseCandlesticks,
  },
  listing: {
    // A single market has another shape.
    request: () => ({ path: '/api/v4/spot/currency_pairs', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // All markets in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/api/v4/spot/tickers', query: {}, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
