import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import type { Instant } from '../market/instant.ts'
import type { Timeframe } from '../market/timeframe.ts'
import { readCandle, readCandleRows, withTurnover } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readMilliseconds } from './decoding/read-time.ts'
import { bybitErrors, bybitWindowMs } from './errors/bybit-errors.ts'
import { classifyError } from './errors/classify-error.ts'
import { known } from './known.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import type { OtherKind } from './listing/other-kind.ts'
import { fractionAsPercent, readTicker } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://bybit-exchange.github.io/docs/v5/market/kline Minutes are numbers, M is a month.
const intervals: Readonly<Record<Timeframe, string>> = {
  '1m': '1',
  '5m': '5',
  '15m': '15',
  '30m': '30',
  '1h': '60',
  '4h': '240',
  '1d': 'D',
}

const pageSize = 1_000

/** The default is the perpetual contract of the same name. */
const category = 'spot'

const klineRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: '/v5/market/kline',
  query: {
    category,
    symbol,
    interval: intervals[timeframe],
    // Both inclusive, on the open time; longer windows return the newest.
    start: String(range.from),
    end: String(range.to - 1),
    limit: String(pageSize),
  },
  weight: 1,
})

/** May be a lossless number. */
const zero = z.unknown().refine((code) => String(code) === '0')

const envelope = z.object({
  retCode: zero,
  result: z.object({
    category: z.string().optional(),
    symbol: z.string().optional(),
    nextPageCursor: z.string().nullish(),
    list: z.array(z.unknown()),
  }),
  time: z.unknown().optional(),
})

/** Throws Malformed. */
function readEnvelope(text: string, parse = parseJson): z.infer<typeof envelope> {
  const body = decode('bybit', 'an answer', envelope, parse('bybit', text))
  const { category: answered } = body.result
  if (answered !== undefined && answered !== category)
    throw new Malformed(`bybit answered for its ${answered.slice(0, 20)} markets instead of ${category}`)
  return body
}

function parseKlines(text: string, { symbol, timeframe }: CandleQuery): CandleRow[] {
  const { result } = readEnvelope(text)
  if (result.symbol !== undefined && result.symbol !== symbol)
    throw new Malformed(`bybit answered for ${result.symbol.slice(0, 50)} instead of ${symbol}`)
  if (result.list.length > pageSize)
    throw new Malformed(`bybit sent ${result.list.length} candles, more than a page holds`)
  return readCandleRows('bybit', timeframe, result.list, readRow)
}

/** ["open time ms", "open", "high", "low", "close", "volume", "turnover"] */
function readRow(row: unknown): CandleRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readMilliseconds(row[0], 'text')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in milliseconds' }
  const [, open, high, low, close, volume, turnover] = row
  return withTurnover(readCandle(row, openTime, { open, high, low, close, volume }), turnover)
}

const instrument = z.object({
  symbol: z.string(),
  baseCoin: z.string(),
  quoteCoin: z.string(),
  status: z.string(),
  symbolType: z.string().optional(),
})

function parseListing(text: string): ListedMarket[] {
  const { result } = readEnvelope(text)
  // A partial listing would look like delistings.
  if (result.nextPageCursor) throw new Malformed('bybit sent only the first page of its listing')
  const instruments = decode('bybit', 'a listing', z.array(instrument), result.list)
  return instruments.map(({ symbol, baseCoin, quoteCoin, status, symbolType = '' }) => ({
    symbol,
    ...pairOf('bybit', baseCoin, quoteCoin),
    ...known('kind', kindOf(symbolType)),
    trading: status === 'Trading',
  }))
}

/** Empty, innovation and adventure are coins. */
function kindOf(symbolType: string): OtherKind | undefined {
  if (/stocks?$|^etf$/.test(symbolType)) return 'tokenized-stock'
  if (symbolType === 'commodity') return 'commodity'
  return symbolType === 'forex' ? 'fiat' : undefined
}

const ticker = z.object({
  symbol: z.string(),
  lastPrice: z.unknown().optional(),
  price24hPcnt: z.unknown().optional(),
  volume24h: z.unknown().optional(),
  turnover24h: z.unknown().optional(),
})

/** Rolling 24 hours, one time for all. */
function parseTickers(text: string, answeredAt: Instant): CoinPriceRow[] {
  const { result, time } = readEnvelope(text, parseLosslessJson)
  const timestamp = readMilliseconds(time) ?? answeredAt
  return result.list.map((raw) =>
    readTicker(raw, ticker, ({ symbol, lastPrice, price24hPcnt, volume24h, turnover24h }) => ({
      market: symbol,
      timestamp,
      price: lastPrice,
      traded24h: volume24h,
      // A fraction: 0.0068 is 0.68 %.
      change24h: fractionAsPercent(price24hPcnt),
      volume24h: turnover24h,
    })),
  )
}

export const bybit = {
  id: 'bybit',
  // An alias; regional hosts list other markets.
  hosts: ['https://api.bybit.com', 'https://api.bytick.com'],
  rateLimits: [{ points: 600, perMs: bybitWindowMs }],
  classify: (answer) => classifyError(bybitErrors, answer),
  candles: {
    timeframes: Object.keys(intervals) as Timeframe[],
    pageSize,
    weight: 1,
    bounds: 'both',
    longWindow: 'newest',
    request: klineRequest,
    parse: parseKlines,
  },
  listing: {
    request: () => ({ path: '/v5/market/instruments-info', query: { category }, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // All markets in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/v5/market/tickers', query: { category }, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
