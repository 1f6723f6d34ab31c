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

/** A window of more is refused. */
const mostRows = 1_000

/** One less, so that a window is not refused either where both of its ends are counted: https://github.com/ccxt/ccxt/issues/10561 */
const pageSize = mostRows - 1

/** Of the newest 10,000 that can be had, those that do not slip away while a walk is under way. */
const depth = 9_900

/** Its names of the timeframes are ours. Of a name that it does not know it sends candles of another length. */
const candlesticksRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: '/api/v4/spot/candlesticks',
  query: {
    currency_pair: symbol,
    interval: timeframe,
    // Seconds; both are inclusive. A limit beside them is refused.
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
 * Row: ["open time s", "quote volume", "close", "high", "low", "open", "base volume", "true"]. Older answers end before
 * the last column, which tells whether the candle is complete.
 */
function readRow(row: unknown, { timeframe, asOf }: CandleQuery): CandleRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readSeconds(row[0], 'text')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in seconds' }
  const [, quoteVolume, close, high, low, open, volume, isComplete = 'true'] = row
  if (isComplete !== 'true' && isComplete !== 'false')
    return { raw: row, openTime, flaw: 'the eighth column does not say whether the candle is complete' }
  // One that runs says so too, and the clock of the answer leaves it out. This one was over before it was asked for.
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
  // From when on the market is open. `sell_start` is a placeholder in most rows.
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
    // The others are untradable, and buyable or sellable where only one side is open.
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
/** Rolling 24 hours, and no time. A number may be empty or `nan`. */
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
  // Each of its endpoints allows an address this much; together they stay below the limit of any one.
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
    // One market has an answer of another shape.
    request: () => ({ path: '/api/v4/spot/currency_pairs', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // No market is named: all of them come in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/api/v4/spot/tickers', query: {}, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
