import type { Fault } from '../fault.ts'
import type { HttpAnswer, HttpRequest, RateLimit } from '../http/request.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { type Instant, plus, toInstant } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { ceilTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import type { SourceId } from '../settings/source-ids.ts'

/** What to ask; the host, the limit and the API key are added outside. */
export type SourceRequest = Readonly<{
  path: string
  query: Readonly<Record<string, string>>
  weight: number
}>

/** A stretch of one market's candles; the range lies on the timeframe's grid. `asOf` is when it is asked for. */
export type CandleQuery = Readonly<{ symbol: string; timeframe: Timeframe; range: Range; asOf: Instant }>

/** A market as its source lists it. */
export type ListedMarket = Readonly<{
  symbol: string
  /** The two assets in the common spelling (BTC, USDT), whatever the source calls them. */
  base: string
  quote: string
  trading: boolean
  /** Where the source tells. */
  listedAt?: Instant
  delistedAt?: Instant
}>

export type CandleEndpoint = Readonly<{
  timeframes: readonly Timeframe[]
  /** Of these timeframes, the ones it lacks, and the shorter one of its own that each is made of. */
  madeFrom?: Readonly<Partial<Record<Timeframe, Timeframe>>>
  /** The most candles one answer holds. */
  pageSize: number
  weight: number
  /** How many of its newest candles can be had; absent where all of them since the listing can. */
  depth?: number
  /** Which bounds of a question the source honours: beyond the other one its rows are no lie. */
  bounds: 'both' | 'from' | 'to'
  /** What it gives for a window longer than a page: its oldest candles, its newest, or a refusal. */
  longWindow: 'oldest' | 'newest' | 'refused'
  /** Asks for the candles of the range, which is no longer than a page unless `longWindow` is `oldest`. */
  request(query: CandleQuery): SourceRequest
  /** Throws Malformed when the answer as a whole is not what the contract says; a bad row is returned as a flaw. */
  parse(text: string, query: CandleQuery): CandleRow[]
}>

/** The first open time that the source can still be asked for; the beginning of time where it keeps all. */
export function reachableFrom(
  { depth, madeFrom }: CandleEndpoint,
  timeframe: Timeframe,
  asOf: Instant,
): Instant {
  if (depth === undefined) return toInstant(0)
  return ceilTo(timeframe, plus(asOf, -depth * timeframeMs[madeFrom?.[timeframe] ?? timeframe]))
}

/** How many candles of the timeframe one answer brings. */
export const candlesPerPage = ({ pageSize, madeFrom }: CandleEndpoint, timeframe: Timeframe): number => {
  const part = madeFrom?.[timeframe]
  return part === undefined ? pageSize : Math.floor((pageSize * timeframeMs[part]) / timeframeMs[timeframe])
}

export type ListingEndpoint = Readonly<{
  request(symbol?: string): SourceRequest
  parse(text: string): ListedMarket[]
}>

export type PriceEndpoint = Readonly<{
  /** The most markets one request may name; all of them come at once where it names none. */
  pageSize: number
  /** Asks for the prices of markets in the source's own spelling. */
  request(markets: readonly string[]): SourceRequest
  /** `answeredAt` stands in where the answer has no time of its own. */
  parse(text: string, answeredAt: Instant): CoinPriceRow[]
}>

/** One public API: what to ask it and how to read the answer. It never fetches, waits, logs or looks at a clock. */
export type Source = Readonly<{
  id: SourceId
  /** Scheme and host, the first to be asked; the next stands in where the first does not serve our region. */
  hosts: readonly [string, ...string[]]
  /** All of them hold at once. */
  rateLimits: readonly [RateLimit, ...RateLimit[]]
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
  { id, hosts, rateLimits, classify }: Source,
  { path, query, weight }: SourceRequest,
  baseUrls: Readonly<Record<string, string>>,
): HttpRequest {
  return { source: id, baseUrl: baseUrls[id] ?? hosts[0], path, query, weight, rateLimits, classify }
}
