import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { type Instant, minute } from '../market/instant.ts'
import { type Timeframe, timeframes } from '../market/timeframe.ts'
import { readCandle, readCandleRows } from './decoding/candle-rows.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { readMilliseconds } from './decoding/read-time.ts'
import { bitfinexErrors } from './errors/bitfinex-errors.ts'
import { classifyError } from './errors/classify-error.ts'
import { pairOf } from './listing/asset-names.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { fractionAsPercent, readPrice } from './prices/read-price.ts'
import type { CandleQuery, Source, SourceRequest } from './source.ts'

// https://docs.bitfinex.com/reference/rest-public-candles Case-sensitive: 1m is a minute, 1M a month. No 4h: made of
// hours.
const lengths: Readonly<Record<Timeframe, string>> = {
  '1m': '1m',
  '5m': '5m',
  '15m': '15m',
  '30m': '30m',
  '1h': '1h',
  '4h': '4h',
  '1d': '1D',
}

const pageSize = 10_000

const candlesRequest = ({ symbol, timeframe, range }: CandleQuery): SourceRequest => ({
  // Its colon is not escaped: tAVAX:USD.
  path: `/v2/candles/trade:${lengths[timeframe]}:${encodeURIComponent(symbol).replaceAll('%3A', ':')}/hist`,
  query: {
    // Both inclusive, on the open time.
    start: String(range.from),
    end: String(range.to - 1),
    limit: String(pageSize),
    // Oldest first; otherwise long windows lose their beginning.
    sort: '1',
  },
  weight: 1,
})

function parseCandles(text: string, { timeframe }: CandleQuery): CandleRow[] {
  const rows = parseLosslessJson('bitfinex', text)
  if (!Array.isArray(rows)) throw new Malformed('bitfinex sent candles that are not an array')
  if (rows.length > pageSize)
    throw new Malformed(`bitfinex sent ${rows.length} candles, more than a page holds`)
  return readCandleRows('bitfinex', timeframe, rows, readRow)
}

/** [open time ms, open, close, high, low, volume]; 1e-8 occurs. */
function readRow(row: unknown): CandleRow {
  if (!Array.isArray(row)) return { raw: row, flaw: 'the row is not an array' }
  const openTime = readMilliseconds(row[0], 'number')
  if (openTime === undefined) return { raw: row, flaw: 'the first column is not a time in milliseconds' }
  const [, open, close, high, low, volume] = row
  return readCandle(row, openTime, { open, high, low, close, volume })
}

const listing = z.tuple([z.array(z.string())])

/** A list in a list; all but test pairs trade. */
function parseListing(text: string): ListedMarket[] {
  const listed = decode('bitfinex', 'a listing', listing, parseJson('bitfinex', text))
  const [pairs] = listed
  return pairs.map(readPair).filter(({ base, quote }) => !isForTrial(base) && !isForTrial(quote))
}

function readPair(pair: string): ListedMarket {
  const at = pair.includes(':') ? pair.indexOf(':') : pair.length - 3
  const base = pair.slice(0, at)
  const quote = pair.slice(at).replace(':', '')
  if (!base || !quote) throw new Malformed(`bitfinex listed ${pair.slice(0, 50)}, which is no pair`)
  return { symbol: `t${pair}`, ...pairOf('bitfinex', base, quote), trading: true }
}

const isForTrial = (asset: string): boolean => /^(?:TEST.*|AAA|BBB)$/.test(asset)

/** All: one unlisted symbol could fail the request. */
const tickersRequest = (): SourceRequest => ({ path: '/v2/tickers', query: { symbols: 'ALL' }, weight: 1 })

// https://docs.bitfinex.com/reference/rest-public-tickers
function parseTickers(text: string, answeredAt: Instant): CoinPriceRow[] {
  const rows = parseLosslessJson('bitfinex', text)
  if (!Array.isArray(rows)) throw new Malformed('bitfinex sent tickers that are not an array')
  return rows.filter(isNoFunding).map((row) => readTicker(row, answeredAt))
}

/** Funding rows (fUSD) have other columns. */
function isNoFunding(row: unknown): boolean {
  if (!Array.isArray(row)) throw new Malformed('bitfinex sent a ticker that is not an array')
  const [symbol] = row
  return typeof symbol !== 'string' || !symbol.startsWith('f')
}

const tickerColumns = 11

/**
 * [symbol, bid, bid size, ask, ask size, change, relative change, last, volume, high, low]. Rolling 24 hours, no time;
 * volume in coins.
 */
function readTicker(raw: unknown, timestamp: Instant): CoinPriceRow {
  const row = Array.isArray(raw) ? raw : []
  const [symbol, , , , , , changeRate, price, traded24h] = row
  if (typeof symbol !== 'string' || !symbol.startsWith('t'))
    return { raw, flaw: 'the first column is not the symbol of a market' }
  // A column less, and each after it is in the place of another.
  if (row.length < tickerColumns) return { raw, flaw: `it has ${row.length} columns, not ${tickerColumns}` }
  // Of one, not of a hundred.
  const change24h = fractionAsPercent(changeRate)
  return readPrice(raw, { market: symbol, timestamp, price, traded24h, change24h })
}

export const bitfinex = {
  id: 'bitfinex',
  hosts: ['https://api-pub.bitfinex.com'],
  // Older documentation allows 90.
  rateLimits: [{ points: 30, perMs: minute }],
  classify: (answer) => classifyError(bitfinexErrors, answer),
  candles: {
    timeframes,
    madeFrom: { '4h': '1h' },
    pageSize,
    weight: 1,
    bounds: 'both',
    longWindow: 'oldest',
    request: candlesRequest,
    parse: parseCandles,
  },
  listing: {
    request: () => ({ path: '/v2/conf/pub:list:pair:exchange', query: {}, weight: 1 }),
    parse: parseListing,
  },
  prices: { pageSize: Number.MAX_SAFE_INTEGER, request: tickersRequest, parse: parseTickers },
} as const satisfies Source
