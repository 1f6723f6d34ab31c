import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { second } from '../market/instant.ts'
import { candleCount } from '../market/range.ts'
import type { Timeframe } from '../market/timeframe.ts'
import { readCandle, readCandleRows } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readMilliseconds } from './decoding/read-time.ts'
import { classifyError } from './errors/classify-error.ts'
import { cryptocomErrors } from './errors/cryptocom-errors.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { fractionAsPercent, readTicker } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#public-get-candlestick Lower-case minutes and hours,
// 1D; 1M is a month. Answers may use older names.
const lengths: Readonly<Record<Timeframe, readonly [name: string, olderName: string]>> = {
  '1m': ['1m', 'M1'],
  '5m': ['5m', 'M5'],
  '15m': ['15m', 'M15'],
  '30m': ['30m', 'M30'],
  '1h': ['1h', 'H1'],
  '4h': ['4h', 'H4'],
  '1d': ['1D', 'D1'],
}

const pageSize = 300

const candlesticksRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: '/exchange/v1/public/get-candlestick',
  query: {
    instrument_name: symbol,
    timeframe: lengths[timeframe][0],
    // Count back from the end: the start is ignored, but sent in case that changes (its default is a day ago). 1 ms off
    // the grid, inclusive or not.
    count: String(candleCount(range, timeframe)),
    start_ts: String(Math.max(range.from - 1, 0)),
    end_ts: String(range.to - 1),
  },
  weight: 1,
})

/** Number or string. */
const envelope = z.object({
  code: z.unknown().refine((code) => String(code) === '0'),
  result: z.object({
    interval: z.string().optional(),
    instrument_name: z.string().optional(),
    data: z.array(z.unknown()),
  }),
})

/** Throws Malformed. */
function readResult(text: string, parse = parseJson): z.infer<typeof envelope>['result'] {
  const body = decode('cryptocom', 'an answer', envelope, parse('cryptocom', text))
  return body.result
}

function parseCandlesticks(text: string, { symbol, timeframe }: CandleQuery): CandleRow[] {
  const { interval, instrument_name: market, data } = readResult(text)
  if (market !== undefined && market !== symbol)
    throw new Malformed(`cryptocom answered for ${market.slice(0, 50)} instead of ${symbol}`)
  if (interval !== undefined && !lengths[timeframe].includes(interval))
    throw new Malformed(`cryptocom sent candles of ${interval.slice(0, 20)} instead of ${timeframe}`)
  if (data.length > pageSize)
    throw new Malformed(`cryptocom sent ${data.length} candles, more than a page holds`)
  return readCandleRows('cryptocom', timeframe, data, readRow)
}

const candlestick = z
  .object({
    t: z.unknown(),
    o: z.unknown(),
    h: z.unknown(),
    l: z.unknown(),
    c: z.unknown(),
    v: z.unknown(),
  })
  .partial()

/** {"o","h","l","c","v": base volume, "t": open time ms}; intervals without trades have a row with zero volume. */
function readRow(raw: unknown): CandleRow {
  const row = candlestick.safeParse(raw)
  const openTime = row.success ? readMilliseconds(row.data.t) : undefined
  if (!row.success || openTime === undefined) return { raw, flaw: 't is not a time in milliseconds' }
  const { o: open, h: high, l: low, c: close, v: volume } = row.data
  return readCandle(raw, openTime, { open, high, low, close, volume })
}

const instrument = z.looseObject({ inst_type: z.string() })

const pair = z.object({
  symbol: z.string(),
  base_ccy: z.string(),
  quote_ccy: z.string(),
  tradable: z.boolean(),
})

/** Spot pairs only. */
function parseListing(text: string): ListedMarket[] {
  const instruments = decode('cryptocom', 'a listing', z.array(instrument), readResult(text).data)
  const spot = instruments.filter(({ inst_type: type }) => type === 'CCY_PAIR')
  return decode('cryptocom', 'a listing', z.array(pair), spot).map(
    ({ symbol, base_ccy, quote_ccy, tradable }) => ({
      symbol,
      ...pairOf('cryptocom', base_ccy, quote_ccy),
      trading: tradable,
    }),
  )
}

const ticker = z.object({
  i: z.string(),
  a: z.unknown().optional(),
  c: z.unknown().optional(),
  v: z.unknown().optional(),
  vv: z.unknown().optional(),
  t: z.unknown().optional(),
})

/** Rolling 24 hours: i market, a last (k ask), c change, v and vv volume; may be null. */
const parseTickers = (text: string): CoinPriceRow[] =>
  readResult(text, parseLosslessJson).data.map((raw) =>
    readTicker(raw, ticker, ({ i, a, c, v, vv, t }) => ({
      market: i,
      // The ticker's time, also without trades.
      timestamp: readMilliseconds(t),
      price: a,
      traded24h: v,
      change24h: fractionAsPercent(c),
      // In US dollars for any quote.
      volume24h: vv,
    })),
  )

export const cryptocom = {
  id: 'cryptocom',
  hosts: ['https://api.crypto.com'],
  // Per endpoint; the sum stays below one endpoint's limit.
  rateLimits: [{ points: 100, perMs: second }],
  classify: (answer) => classifyError(cryptocomErrors, answer),
  candles: {
    timeframes: Object.keys(lengths) as Timeframe[],
    pageSize,
    weight: 1,
    bounds: 'to',
    longWindow: 'newest',
    request: candlesticksRequest,
    parse: parseCandlesticks,
  },
  listing: {
    request: () => ({ path: '/exchange/v1/public/get-instruments', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // All markets in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/exchange/v1/public/get-tickers', query: {}, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
