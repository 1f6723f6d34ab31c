import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { type Instant, second } from '../market/instant.ts'
import type { Timeframe } from '../market/timeframe.ts'
import { readCandle, readCandleRows, withTurnover } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readMilliseconds, readSeconds } from './decoding/read-time.ts'
import { classifyError } from './errors/classify-error.ts'
import { kucoinErrors, kucoinWindowMs } from './errors/kucoin-errors.ts'
import { known } from './known.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { fractionAsPercent, readTicker } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-klines
const types: Readonly<Record<Timeframe, string>> = {
  '1m': '1min',
  '5m': '5min',
  '15m': '15min',
  '30m': '30min',
  '1h': '1hour',
  '4h': '4hour',
  '1d': '1day',
}

/** Longer windows silently return the newest. */
const pageSize = 1_500
const candlesWeight = 3

const candlesRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: '/api/v1/market/candles',
  query: {
    symbol,
    type: types[timeframe],
    // Seconds, one off the grid, inclusive or not.
    startAt: String(Math.max(range.from / second - 1, 0)),
    endAt: String(range.to / second - 1),
  },
  weight: candlesWeight,
})

const envelope = z.object({ code: z.literal('200000'), data: z.unknown() })

/** Throws Malformed. */
function readData<Data>(text: string, shape: z.ZodType<Data>, parse = parseJson): Data {
  const body = decode('kucoin', 'an answer', envelope.extend({ data: shape }), parse('kucoin', text))
  return body.data
}

function parseCandles(text: string, { timeframe }: CandleQuery): CandleRow[] {
  const rows = readData(text, z.array(z.unknown()))
  if (rows.length > pageSize)
    throw new Malformed(`kucoin sent ${rows.length} candles, more than a page holds`)
  return readCandleRows('kucoin', timeframe, rows, readRow)
}

/** ["open time s", "open", "close", "high", "low", "volume", "turnover"] */
function readRow(row: unknown): CandleRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readSeconds(row[0], 'text')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in seconds' }
  const [, open, close, high, low, volume, turnover] = row
  return withTurnover(readCandle(row, openTime, { open, high, low, close, volume }), turnover)
}

const market = z.object({
  symbol: z.string(),
  name: z.string(),
  baseCurrency: z.string(),
  quoteCurrency: z.string(),
  enableTrading: z.boolean(),
  tradingStartTime: z.unknown().optional(),
})

// https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-all-symbols
const parseListing = (text: string): ListedMarket[] =>
  readData(text, z.array(market)).map((listed) => ({
    symbol: listed.symbol,
    ...assetsOf(listed),
    trading: listed.enableTrading,
    ...known('listedAt', readMilliseconds(listed.tradingStartTime)),
  }))

/** Renamed coins keep their code except in market names: BCHSV-USDT is BSV-USDT. */
function assetsOf({ name, baseCurrency, quoteCurrency }: z.infer<typeof market>) {
  const [base, quote, ...rest] = name.split('-')
  const isRenamed = base && quote && rest.length === 0 && base !== baseCurrency
  return isRenamed ? { base, quote } : pairOf('kucoin', baseCurrency, quoteCurrency)
}

const ticker = z.object({
  symbol: z.string(),
  last: z.unknown().optional(),
  changeRate: z.unknown().optional(),
  vol: z.unknown().optional(),
  volValue: z.unknown().optional(),
})

/** Rolling 24 hours, every other second, one time for all. */
function parseTickers(text: string, answeredAt: Instant): CoinPriceRow[] {
  const { time, ticker: rows } = readData(
    text,
    z.object({ time: z.unknown().optional(), ticker: z.array(z.unknown()) }),
    parseLosslessJson,
  )
  const timestamp = readMilliseconds(time) ?? answeredAt
  return rows.map((raw) =>
    readTicker(raw, ticker, ({ symbol, last, changeRate, vol, volValue }) => ({
      market: symbol,
      timestamp,
      // Null before the first trade.
      price: last,
      traded24h: vol,
      change24h: fractionAsPercent(changeRate),
      volume24h: volValue,
    })),
  )
}

export const kucoin = {
  id: 'kucoin',
  hosts: ['https://api.kucoin.com'],
  rateLimits: [{ points: 2_000, perMs: kucoinWindowMs }],
  classify: (answer) => classifyError(kucoinErrors, answer),
  candles: {
    timeframes: Object.keys(types) as Timeframe[],
    pageSize,
    weight: candlesWeight,
    bounds: 'both',
    longWindow: 'newest',
    request: candlesRequest,
    parse: parseCandles,
  },
  listing: {
    // A single market has another shape and the same cost.
    request: () => ({ path: '/api/v2/symbols', query: {}, weight: 4 }),
    parse: parseListing,
  },
  prices: {
    // All markets in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/api/v1/market/allTickers', query: {}, weight: 15 }),
    parse: parseTickers,
  },
} as const satisfies Source
