import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { plus, second } from '../market/instant.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { isPaidFor, readCandle, readCandleRows, withTurnover } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson, readDecimal } from './decoding/json.ts'
import { readMilliseconds } from './decoding/read-time.ts'
import { classifyError } from './errors/classify-error.ts'
import { okxErrors } from './errors/okx-errors.ts'
import { known } from './known.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import type { OtherKind } from './listing/other-kind.ts'
import { changeSince, readTicker } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-candlesticks-history Case-sensitive; 1D opens at
// midnight in Hong Kong, 1Dutc in UTC.
const bars: Readonly<Record<Timeframe, string>> = {
  '1m': '1m',
  '5m': '5m',
  '15m': '15m',
  '30m': '30m',
  '1h': '1H',
  '4h': '4H',
  '1d': '1Dutc',
}

/** Measured in 2026: larger limits were silently cut. */
const pageSize = 100

/** Documented since 2025-08; requested in case it holds. */
const mostRows = 300

/** Complete history; the other endpoint keeps only 1440. */
function candlesRequest({ symbol, timeframe, range }: CandleQuery): SourceRequest {
  return {
    path: '/api/v5/market/history-candles',
    query: {
      instId: symbol,
      bar: bars[timeframe],
      // `after` is the newer bound, `before` the older; exclusive, 1 ms off the grid to be safe.
      before: String(Math.max(range.from - 1, 0)),
      after: String(range.to - 1),
      limit: String(mostRows),
    },
    weight: 1,
  }
}

const envelope = z.object({ code: z.literal('0'), data: z.array(z.unknown()) })

/** Throws Malformed. */
function readData(text: string, parse = parseJson): unknown[] {
  const body = decode('okx', 'an answer', envelope, parse('okx', text))
  return body.data
}

function parseCandles(text: string, query: CandleQuery): CandleRow[] {
  const rows = readData(text)
  if (rows.length > mostRows) throw new Malformed(`okx sent ${rows.length} candles, more than a page holds`)
  return readCandleRows('okx', query.timeframe, rows, (row) => readRow(row, query))
}

/** ["open time ms", "open", "high", "low", "close", "volume", "volCcy", "volCcyQuote", "confirm"] */
function readRow(row: unknown, { timeframe, asOf }: CandleQuery): CandleRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readMilliseconds(row[0], 'text')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in milliseconds' }
  const [, open, high, low, close, volume, volCcy, volCcyQuote, confirm] = row
  if (confirm !== '0' && confirm !== '1')
    return { raw: row, openTime, flaw: 'the ninth column does not say whether the candle is complete' }
  // Running candles are filtered by time; this one had closed before the request.
  if (confirm === '0' && plus(openTime, timeframeMs[timeframe]) <= asOf)
    return { raw: row, openTime, flaw: 'okx says that the candle is not complete, though its time is over' }
  const candle = withTurnover(readCandle(row, openTime, { open, high, low, close, volume }), volCcyQuote)
  return isCountedInContracts(candle, volCcy, volCcyQuote)
    ? { raw: row, openTime, flaw: 'volume counts contracts: this is not a spot market' }
    : candle
}

/** For derivatives `volCcy` has the coins; for spot it repeats the turnover. */
function isCountedInContracts(row: CandleRow, volCcy: unknown, volCcyQuote: unknown): boolean {
  const coins = readDecimal(volCcy)
  const turnover = readDecimal(volCcyQuote)
  if (!('candle' in row) || !coins || !turnover) return false
  return !isPaidFor(row.candle, turnover, row.candle.volume) && isPaidFor(row.candle, turnover, coins)
}

const instrument = z.object({
  instType: z.string(),
  instId: z.string(),
  baseCcy: z.string(),
  quoteCcy: z.string(),
  state: z.string(),
  listTime: z.unknown().optional(),
  expTime: z.unknown().optional(),
  instCategory: z.string().optional(),
  ruleType: z.string().optional(),
})

/** Base category; 1 is a coin. */
const categories: Readonly<Record<string, OtherKind>> = {
  '3': 'tokenized-stock',
  '4': 'commodity',
  '5': 'fiat',
  '6': 'tokenized-stock',
}

function parseListing(text: string): ListedMarket[] {
  const result = decode('okx', 'a listing', z.array(instrument), readData(text))
  return result
    .filter(({ instType }) => instType === 'SPOT')
    .map(({ instId, baseCcy, quoteCcy, state, listTime, expTime, instCategory = '1', ruleType }) => ({
      symbol: instId,
      ...pairOf('okx', baseCcy, quoteCcy),
      ...known('kind', ruleType === 'pre_market' ? ('pre-market' as const) : categories[instCategory]),
      // Others: preopen, suspend, expired, test; delisted ones vanish.
      trading: state === 'live',
      ...known('listedAt', readMilliseconds(listTime, 'text')),
      ...known('delistedAt', readMilliseconds(expTime, 'text')),
    }))
}

const ticker = z.object({
  instType: z.unknown().optional(),
  instId: z.string(),
  last: z.unknown().optional(),
  open24h: z.unknown().optional(),
  vol24h: z.unknown().optional(),
  volCcy24h: z.unknown().optional(),
  ts: z.unknown().optional(),
})

/** Rolling 24 hours, with the opening price; empty before the first trade. */
const parseTickers = (text: string): CoinPriceRow[] =>
  readData(text, parseLosslessJson).map((raw) =>
    readTicker(raw, ticker, ({ instType, instId, last, open24h, vol24h, volCcy24h, ts }) => ({
      market: instId,
      timestamp: readMilliseconds(ts),
      price: last,
      traded24h: vol24h,
      change24h: changeSince(open24h, last),
      // In money for spot only.
      volume24h: instType === 'SPOT' ? volCcy24h : undefined,
    })),
  )

export const okx = {
  id: 'okx',
  hosts: ['https://www.okx.com'],
  // Per endpoint; the sum stays below one endpoint's limit.
  rateLimits: [{ points: 20, perMs: 2 * second }],
  classify: (answer) => classifyError(okxErrors, answer),
  candles: {
    timeframes: Object.keys(bars) as Timeframe[],
    pageSize,
    mostRows,
    weight: 1,
    bounds: 'both',
    longWindow: 'newest',
    request: candlesRequest,
    parse: parseCandles,
  },
  listing: {
    request: () => ({ path: '/api/v5/public/instruments', query: { instType: 'SPOT' }, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // All markets in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/api/v5/market/tickers', query: { instType: 'SPOT' }, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
