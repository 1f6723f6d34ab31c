import type { Fault } from '../fault.ts'
import type { HttpAnswer, HttpRequest, RateLimit } from '../http/request.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { day, earlier, type Instant, later, plus, toInstant } from '../market/instant.ts'
import { candleCount, isEmpty, type Range } from '../market/range.ts'
import { ceilTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import type { SourceId } from '../settings/source-ids.ts'
import type { TradePage } from './trades.ts'

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
  /** What else the source calls it: a question by one of these is answered too. */
  alsoCalled?: readonly string[]
  trading: boolean
  /** Where the source tells. */
  listedAt?: Instant
  delistedAt?: Instant
}>

/** What a source wrote for an interval in which nothing was traded. It is no candle, but shows how far an answer goes. */
export type QuietRow = Readonly<{ raw: unknown; openTime: Instant; quiet: true }>

/** What an answer may hold. */
export type AnswerRow = CandleRow | QuietRow

export type CandleEndpoint = Readonly<{
  timeframes: readonly Timeframe[]
  /** Of these timeframes, the ones it lacks, and the shorter one of its own that each is made of. */
  madeFrom?: Readonly<Partial<Record<Timeframe, Timeframe>>>
  /** The most candles one answer holds. */
  pageSize: number
  weight: number
  /** How many of its newest candles can be had; absent where all of them since the listing can. */
  depth?: number
  /** The single trades that older candles are made of, where there are any. */
  trades?: TradeEndpoint
  /** When the source opened: it has no candle of before, and need not be asked for one. */
  openedAt?: Instant
  /** Which bounds of a question the source honours: beyond another one its rows are no lie. */
  bounds: 'both' | 'from' | 'to' | 'none'
  /** What it gives for a window longer than a page: its oldest candles, its newest, or a refusal. */
  longWindow: 'oldest' | 'newest' | 'refused'
  /** Asks for the candles of the range, which is no longer than a page unless `longWindow` is `oldest`. */
  request(query: CandleQuery): SourceRequest
  /** Throws Malformed when the answer as a whole is not what the contract says; a bad row is returned as a flaw. */
  parse(text: string, query: CandleQuery): AnswerRow[]
}>

export type TradeEndpoint = Readonly<{
  /** The most trades one answer holds. */
  pageSize: number
  weight: number
  /** About how many trades a market has in a day: how many there really are is known only once they have come. */
  perDay: number
  /** Asks for the oldest trades from about that moment on, in nanoseconds since 1970. */
  request(symbol: string, since: bigint): SourceRequest
  /** Throws Malformed when the answer as a whole is not what the contract says; a bad row is returned as a flaw. */
  parse(text: string): TradePage
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

/** What a range costs. It is an estimate where trades have to be asked for. */
export type WalkCost = Readonly<{ requests: number; weight: number; isEstimate: boolean }>

/** What it takes to walk a range on the timeframe's grid when the source has what it is asked for. */
export function costOf(
  candles: CandleEndpoint,
  timeframe: Timeframe,
  { from, to }: Range,
  asOf: Instant,
): WalkCost {
  const reach = reachableFrom(candles, timeframe, asOf)
  const inPages = { from: later(from, reach), to }
  const count = isEmpty(inPages) ? 0 : candleCount(inPages, timeframe)
  const pages = Math.ceil(count / candlesPerPage(candles, timeframe))
  const inTrades = { from, to: earlier(to, reach) }
  const { trades } = candles
  const tradePages =
    trades === undefined || isEmpty(inTrades)
      ? 0
      : Math.ceil((trades.perDay * (inTrades.to - inTrades.from)) / day / trades.pageSize)
  return {
    requests: pages + tradePages,
    weight: pages * candles.weight + tradePages * (trades?.weight ?? 0),
    isEstimate: tradePages > 0,
  }
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
  /**
   * `answeredAt` stands in where the answer has no time of its own, and `markets`, which are those that were asked for,
   * where it does not name its market.
   */
  parse(text: string, answeredAt: Instant, markets?: readonly string[]): CoinPriceRow[]
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

/** Makes a source's request complete; `baseUrls` are the operator's replacements for all hosts of a source. */
export function toHttpRequest(
  { id, hosts, rateLimits, classify }: Source,
  { path, query, weight }: SourceRequest,
  baseUrls: Readonly<Record<string, string>>,
): HttpRequest {
  const [baseUrl = hosts[0], ...standIns] = baseUrls[id] === undefined ? hosts : [baseUrls[id]]
  return { source: id, baseUrl, standIns, path, query, weight, rateLimits, classify }
}
