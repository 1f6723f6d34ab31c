import type { Fault } from '../fault.ts'
import type { HttpAnswer, HttpRequest, RateLimit } from '../http/request.ts'
import type { CandleRow } from '../market/candle.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { day, earlier, type Instant, later, plus, toInstant } from '../market/instant.ts'
import { type AlignedRange, isEmpty } from '../market/range.ts'
import { type AlignedInstant, ceilTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import type { CcxtSourceId, SourceId } from '../settings/source-ids.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import type { TradePage } from './walk/trades.ts'

/** What to ask; the host, the limit and the API key are added outside. */
export type SourceRequest = Readonly<{
  /** Scheme and host, where it is not the source's first. */
  host?: string
  path: string
  query: Readonly<Record<string, string>>
  weight: number
}>

/** A range of one market's candles. `asOf` is when it is asked for. */
export type CandleQuery = Readonly<{
  symbol: string
  timeframe: Timeframe
  range: AlignedRange
  asOf: Instant
}>

/** What a source wrote for an interval in which nothing was traded. It is no candle, but shows how far an answer goes. */
type QuietRow = Readonly<{ raw: unknown; openTime: Instant; quiet: true }>

/** What an answer may hold. */
export type AnswerRow = CandleRow | QuietRow

/** What a source's candles are like, however they are asked for. */
export type CandleTraits = Readonly<{
  timeframes: readonly Timeframe[]
  /** Of these timeframes, the ones it lacks, and the shorter one of its own that each is made of. */
  madeFrom?: Readonly<Partial<Record<Timeframe, Timeframe>>>
  /** The candles that an answer is sure to hold: what a plan counts with. */
  pageSize: number
  /** The most candles that an answer may hold, where that is not sure: so many are asked for, and the answer tells. */
  mostRows?: number
  weight: number
  /**
   * How many of its newest candles can be had; absent where all of them since the listing can, and `unknown` where only its
   * answers tell.
   */
  depth?: number | 'unknown'
  /** The single trades that older candles are made of, where there are any. */
  trades?: TradeEndpoint
  /** Which bounds of a question the source honours: beyond another one its rows are no lie. */
  bounds: 'both' | 'from' | 'to' | 'none'
  /** What it gives for a window longer than a page: its oldest candles, its newest, or a refusal. */
  longWindow: 'oldest' | 'newest' | 'refused'
}>

/** Candles of which one question brings a page. Pure, so that a recorded answer tests all of it. */
export type CandleEndpoint = CandleTraits &
  Readonly<{
    depth?: number
    /**
     * Of a source that rejects a range that begins before its candles do: longer candles of which one answer holds all, the
     * finest first. They show where a market begins.
     */
    beginnings?: readonly BeginningEndpoint[]
    /** Asks for the candles of the range, which is no longer than a page unless `longWindow` is `oldest`. */
    request(query: CandleQuery): SourceRequest
    /** Throws Malformed when the answer as a whole is not what the contract says; a bad row is returned as a flaw. */
    parse(text: string, query: CandleQuery): AnswerRow[]
  }>

export type BeginningEndpoint = Readonly<{
  /** How long these candles are. */
  lengthMs: number
  request(symbol: string): SourceRequest
  /** The first open time there is; undefined where the answer may not hold all candles. Throws Malformed. */
  parse(text: string): Instant | undefined
}>

export type TradeEndpoint = Readonly<{
  /** The most trades one answer holds. */
  pageSize: number
  weight: number
  /** Whether the trades of a market are numbered without a gap. */
  hasConsecutiveIds?: true
  /** About how many trades a market has in a day: how many there really are is known only once they have come. */
  perDay: number
  /** Asks for the oldest trades from about that moment on, in nanoseconds since 1970. */
  request(symbol: string, since: bigint): SourceRequest
  /** Throws Malformed when the answer as a whole is not what the contract says; a bad row is returned as a flaw. */
  parse(text: string): TradePage
}>

/** The first open time that the source can still be asked for; the beginning of time where it keeps all. */
export function reachableFrom(
  { depth, madeFrom }: CandleTraits,
  timeframe: Timeframe,
  asOf: Instant,
): AlignedInstant {
  if (depth === undefined || depth === 'unknown') return ceilTo(timeframe, toInstant(0))
  return ceilTo(timeframe, plus(asOf, -depth * timeframeMs[madeFrom?.[timeframe] ?? timeframe]))
}

/** How many candles of the timeframe one answer brings. */
export const candlesPerPage = ({ pageSize, madeFrom }: CandleTraits, timeframe: Timeframe): number => {
  const part = madeFrom?.[timeframe]
  return part === undefined ? pageSize : Math.floor((pageSize * timeframeMs[part]) / timeframeMs[timeframe])
}

/** What a range costs. It is an estimate where trades have to be asked for. */
export type WalkCost = Readonly<{ requests: number; weight: number; isEstimate: boolean }>

/**
 * What it takes to walk a range on the timeframe's grid when the source has what it is asked for. A page less complete is
 * asked again from where it ends, and where there is nothing yet one question may cover years.
 */
export function costOf(
  candles: CandleTraits,
  timeframe: Timeframe,
  { from, to }: AlignedRange,
  asOf: Instant,
): WalkCost {
  const part = candles.madeFrom?.[timeframe] ?? timeframe
  const reach = reachableFrom(candles, timeframe, asOf)
  const pages = Math.ceil(Math.max(0, to - later(from, reach)) / (candles.pageSize * timeframeMs[part]))
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

/** Always the whole listing: what a ticker stands for shows only beside all others. */
type ListingEndpoint = Readonly<{
  request(): SourceRequest
  parse(text: string): ListedMarket[]
}>

type PriceEndpoint = Readonly<{
  /** The most markets one request may name; all of them come at once where it names none. */
  pageSize: number
  /** Whether the answer leaves out what is not traded now: otherwise the listing has to be asked. */
  onlyTrading?: true
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

/** Sends one request of a source, within its budget. Throws the fault that the answer stands for. */
export type Ask = (request: SourceRequest) => Promise<HttpAnswer>

/**
 * A source that a library reads, which words its questions as it goes along, each after the answer to the one before. All of
 * them go through `ask`: the client, the budget and the checks are the same as of any other source.
 */
export type ConversingSource = Omit<Source, 'id' | 'candles' | 'listing' | 'prices'> &
  Readonly<{
    id: CcxtSourceId
    /** Brings the candles of the range, which is no longer than a page. Throws Malformed like `parse`. */
    candles: CandleTraits & Readonly<{ converse(ask: Ask, query: CandleQuery): Promise<AnswerRow[]> }>
    listing: Readonly<{ converse(ask: Ask): Promise<ListedMarket[]> }>
  }>

/** Whatever candles can be read from. */
export type CandleProvider = CandleSource | ConversingSource

/** Makes a source's request complete; `baseUrls` are the operator's replacements for all hosts of a source. */
export function toHttpRequest(
  { id, hosts, rateLimits, classify }: Pick<Source, 'hosts' | 'rateLimits' | 'classify'> & { id: string },
  { host, path, query, weight }: SourceRequest,
  baseUrls: Readonly<Record<string, string>>,
): HttpRequest {
  const own = host === undefined ? hosts : [host]
  const [baseUrl = hosts[0], ...standIns] = baseUrls[id] === undefined ? own : [baseUrls[id]]
  return { source: id, baseUrl, standIns, path, query, weight, rateLimits, classify }
}
