import { isLosslessNumber } from 'lossless-json'
import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { compareDecimals, type Decimal, isNegative, isZero } from '../market/decimal.ts'
import { type Instant, plus, second, toInstant } from '../market/instant.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { readCandle, readCandleRows } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson, readDecimal } from './decoding/json.ts'
import { readSeconds } from './decoding/read-time.ts'
import { classifyError } from './errors/classify-error.ts'
import { isKrakenError, krakenErrors } from './errors/kraken-errors.ts'
import { known } from './known.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import type { OtherKind } from './listing/other-kind.ts'
import { readPrice } from './prices/read-price.ts'
import type { AnswerRow, CandleQuery, Source, SourceRequest } from './source.ts'
import { placeTrades, type TradePage, type TradeRow, type UnplacedTrade } from './walk/trades.ts'

// https://docs.kraken.com/api/docs/rest-api/get-ohlc-data Lengths in minutes.
const intervals: Readonly<Record<Timeframe, string>> = {
  '1m': '1',
  '5m': '5',
  '15m': '15',
  '30m': '30',
  '1h': '60',
  '4h': '240',
  '1d': '1440',
}

/** Always the newest rows; the last still runs. */
const depth = 720

const ohlcRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  path: '/0/public/OHLC',
  query: {
    pair: symbol,
    interval: intervals[timeframe],
    // Exclusive, in seconds; the only bound.
    since: String(Math.max(range.from / second - 1, 0)),
  },
  weight: 1,
})

const envelope = z.object({ error: z.array(z.string()), result: z.record(z.string(), z.unknown()) })

/** Throws Malformed. */
function readResult(text: string, parse: typeof parseJson): Readonly<Record<string, unknown>> {
  const body = decode('kraken', 'an answer', envelope, parse('kraken', text))
  if (body.error.some(isKrakenError)) throw new Malformed('kraken sent an error')
  return body.result
}

/** Warnings come with a result. */

/** The key may differ from the requested name. */
function readRows(result: Readonly<Record<string, unknown>>): unknown[] {
  const [rows, ...others] = Object.entries(result).flatMap(([key, value]) => (key === 'last' ? [] : [value]))
  if (!Array.isArray(rows) || others.length > 0)
    throw new Malformed('kraken sent an answer without the rows of one market')
  return rows
}

function parseOhlc(text: string, query: CandleQuery): AnswerRow[] {
  const result = readResult(text, parseJson)
  const rows = readRows(result)
  // Without rows it points nowhere.
  const lastClosed = rows.length === 0 ? toInstant(0) : readSeconds(result.last, 'number')
  if (lastClosed === undefined) throw new Malformed('kraken does not say which candle was the last to close')
  return readCandleRows('kraken', query.timeframe, rows, (row) => readRow(row, query, lastClosed))
}

/**
 * [open time s, "open", "high", "low", "close", "vwap", "volume", trades]. Rows without trades repeat the close; they
 * are no candles, consistent with candles made of trades.
 */
function readRow(row: unknown, { timeframe, asOf }: CandleQuery, lastClosed: Instant): AnswerRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readSeconds(row[0], 'number')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in seconds' }
  const [, open, high, low, close, vwap, volume, trades] = row
  if (!Number.isSafeInteger(trades) || trades < 0)
    return { raw: row, openTime, flaw: 'the eighth column does not say how many trades there were' }
  const candle = readCandle(row, openTime, { open, high, low, close, volume })
  if (trades === 0) return withoutTrades(candle, openTime)
  // Running candles are filtered by time; this one had closed before the request.
  if (openTime > lastClosed && plus(openTime, timeframeMs[timeframe]) <= asOf)
    return { raw: row, openTime, flaw: 'kraken says that the candle still runs, though its time is over' }
  return isTurnedRound(candle, readDecimal(vwap))
    ? { raw: row, openTime, flaw: 'average price and volume stand in the place of each other' }
    : candle
}

function withoutTrades(row: CandleRow, openTime: Instant): AnswerRow {
  if (!('candle' in row)) return row
  return isZero(row.candle.volume)
    ? { raw: row.raw, openTime, quiet: true }
    : { raw: row.raw, openTime, flaw: 'there is a volume, but no trade' }
}

/** Swapped if the volume lies within low and high but the average does not. */
function isTurnedRound(row: CandleRow, vwap: Decimal | undefined): boolean {
  if (!('candle' in row)) return false
  const { low, high, volume } = row.candle
  const isBetween = (value: Decimal) => compareDecimals(value, low) >= 0 && compareDecimals(value, high) <= 0
  return vwap !== undefined && !isBetween(vwap) && isBetween(volume)
}

// https://docs.kraken.com/api/docs/rest-api/get-recent-trades
const tradesPerAnswer = 1_000

const tradesRequest = (symbol: string, since: bigint): SourceRequest => ({
  path: '/0/public/Trades',
  query: { pair: symbol, since: String(since), count: String(tradesPerAnswer) },
  weight: 1,
})

function parseTrades(text: string): TradePage {
  const result = readResult(text, parseLosslessJson)
  const { last } = result
  if (typeof last !== 'string' || !/^\d{1,19}$/.test(last))
    throw new Malformed('kraken does not say from where on there are more trades')
  return { rows: placeTrades('kraken', readRows(result).map(readTrade)), cursor: BigInt(last) }
}

/** ["price", "volume", time s, "b"/"s", "m"/"l", "", number]; the last columns may be new. */
function readTrade(row: unknown): TradeRow | UnplacedTrade {
  if (!Array.isArray(row)) return { raw: row, flaw: 'it is not an array' }
  const time = readNanoseconds(row[2])
  const id = isLosslessNumber(row[6]) && /^\d{1,18}$/.test(row[6].value) ? row[6].value : undefined
  if (time === undefined || id === undefined)
    return { raw: row, flaw: 'its time in seconds or its number is missing' }
  const price = readDecimal(row[0])
  const amount = readDecimal(row[1])
  if (!price || isNegative(price)) return { raw: row, id, time, flaw: 'its price is not a decimal string' }
  if (!amount || isNegative(amount)) return { raw: row, id, time, flaw: 'its volume is not a decimal string' }
  return { raw: row, id, time, price, amount }
}

/** Up to nine decimals, needed at candle borders. */
function readNanoseconds(value: unknown): bigint | undefined {
  const text = isLosslessNumber(value) ? readDecimal(value) : undefined
  const parts = text === undefined ? null : /^([1-9]\d{9})(?:\.(\d{1,9})\d*)?$/.exec(text)
  return parts ? BigInt(`${parts[1]}${(parts[2] ?? '').padEnd(9, '0')}`) : undefined
}

const pair = z.object({
  altname: z.string().optional(),
  wsname: z.string().optional(),
  aclass_base: z.string().optional(),
  base: z.string(),
  quote: z.string(),
  status: z.string().optional(),
})

// https://docs.kraken.com/api/docs/rest-api/get-tradable-asset-pairs
/** Markets are identified by key (XXBTZUSD), the only name used in every answer. */
function parseListing(text: string): ListedMarket[] {
  const pairs = decode('kraken', 'a listing', z.record(z.string(), pair), readResult(text, parseJson))
  return (
    Object.entries(pairs)
      // `.d` are dark pools.
      .filter(([symbol]) => !symbol.endsWith('.d'))
      .map(([symbol, { status = 'online', ...listed }]) => ({
        symbol,
        ...assetsOf(listed),
        ...known('kind', kindOf(listed)),
        alsoCalled: namesOf(listed).filter((name) => name !== symbol),
        trading: tradingStates.includes(status),
      }))
  )
}

/** Others: cancel_only, post_only, reduce_only. Limit orders trade. */
const tradingStates: readonly string[] = ['online', 'limit_only']

/** Common names: XBTUSD, XBT/USD. */
const namesOf = ({ altname, wsname }: z.infer<typeof pair>): string[] =>
  [altname, wsname].filter((name) => name !== undefined)

function kindOf({ aclass_base = 'currency' }: z.infer<typeof pair>): OtherKind | undefined {
  if (aclass_base === 'currency') return undefined
  return aclass_base === 'tokenized_asset' ? 'tokenized-stock' : 'other'
}

/** Old assets have a prefix X or Z (XXBT), but not in wsname (XBT/USD). */
function assetsOf({ wsname, base, quote }: z.infer<typeof pair>) {
  const [ownBase = base, ownQuote = quote] = wsname?.split('/') ?? []
  return pairOf('kraken', ownBase, ownQuote)
}

// The last price and its volume: with one of them missing, neither is known.
const ticker = z.object({ c: z.array(z.unknown()).min(2), t: z.array(z.unknown()).catch([]) })

// https://docs.kraken.com/api/docs/rest-api/get-ticker-information
/** Last prices. The open is of the UTC day: no 24 h change; volume in coins. */
const parseTickers = (text: string, answeredAt: Instant): CoinPriceRow[] =>
  Object.entries(readResult(text, parseLosslessJson)).map(([market, raw]): CoinPriceRow => {
    const row = ticker.safeParse(raw)
    if (!row.success) return { raw, market, flaw: 'its last price is missing' }
    const [price] = row.data.c
    const [, traded24h] = row.data.t
    return readPrice(raw, { market, timestamp: answeredAt, price, traded24h })
  })

export const kraken = {
  id: 'kraken',
  hosts: ['https://api.kraken.com'],
  // About one request a second; the rest is not reported.
  rateLimits: [{ points: 15, perMs: 15 * second }],
  classify: (answer) => classifyError(krakenErrors, answer),
  candles: {
    timeframes: Object.keys(intervals) as Timeframe[],
    // One is the running candle.
    pageSize: depth - 1,
    weight: 1,
    depth,
    trades: {
      pageSize: tradesPerAnswer,
      weight: 1,
      hasConsecutiveIds: true,
      // XBT/USDT had ten million in six years, the largest markets five times as many.
      perDay: 5_000,
      request: tradesRequest,
      parse: parseTrades,
    },
    bounds: 'from',
    longWindow: 'newest',
    request: ohlcRequest,
    parse: parseOhlc,
  },
  listing: {
    request: () => ({ path: '/0/public/AssetPairs', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: {
    // All in one answer; one unknown market would fail a named request.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/0/public/Ticker', query: {}, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
