import type { Fault } from '../fault.ts'
import type { HttpAnswer, HttpRequest, RateLimit } from '../http/request.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import type { Range } from '../market/range.ts'
import type { Timeframe } from '../market/timeframe.ts'
import type { SourceId } from '../settings/source-ids.ts'

/** What to ask; the host, the limit and the API key are added outside. */
export type SourceRequest = Readonly<{
  path: string
  query: Readonly<Record<string, string>>
  weight: number
}>

/** A stretch of one market's candles; the range lies on the timeframe's grid. */
export type CandleQuery = Readonly<{ symbol: string; timeframe: Timeframe; range: Range }>

/** A market as its source lists it. */
export type ListedMarket = Readonly<{ symbol: string; base: string; quote: string; trading: boolean }>

export type CandleEndpoint = Readonly<{
  timeframes: readonly Timeframe[]
  /** The most candles one answer holds. */
  pageSize: number
  weight: number
  /** Asks for the oldest candles of the range, ascending, at most one page. */
  request(query: CandleQuery): SourceRequest
  /** Throws Malformed when the answer as a whole is not what the contract says; a bad row is returned as a flaw. */
  parse(text: string, query: CandleQuery): CandleRow[]
}>

export type ListingEndpoint = Readonly<{
  request(symbol?: string): SourceRequest
  parse(text: string): ListedMarket[]
}>

export type PriceEndpoint = Readonly<{
  /** The most markets one request may name. */
  pageSize: number
  /** Asks for the prices of markets in the source's own spelling. */
  request(markets: readonly string[]): SourceRequest
  parse(text: string): CoinPriceRow[]
}>

/** One public API: what to ask it and how to read the answer. It never fetches, waits, logs or looks at a clock. */
export type Source = Readonly<{
  id: SourceId
  baseUrl: string
  rateLimit: RateLimit
  /** The fault in the source's own words; undefined when there is none, or only the HTTP status tells. */
  classify(answer: HttpAnswer): Fault | undefined
  candles?: CandleEndpoint
  listing?: ListingEndpoint
  prices?: PriceEndpoint
}>

/** A source that has candles. */
export type CandleSource = Source & Required<Pick<Source, 'candles'>>

/** Makes a source's request complete; `baseUrls` are the operator's replacements for hosts. */
export function toHttpRequest(
  { id, baseUrl, rateLimit, classify }: Source,
  { path, query, weight }: SourceRequest,
  baseUrls: Readonly<Record<string, string>>,
): HttpRequest {
  return { source: id, baseUrl: baseUrls[id] ?? baseUrl, path, query, weight, rateLimit, classify }
}
