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

/** Without host, limit and API key. */
export type SourceRequest = Readonly<{
  /** If not the source's first host. */
  host?: string
  path: string
  query: Readonly<Record<string, string>>
  weight: number
}>

/** `asOf`: time of the request. */
export type CandleQuery = Readonly<{
  symbol: string
  timeframe: Timeframe
  range: AlignedRange
  asOf: Instant
}>

/** An interval without trades: no candle, but shows how far an answer reaches. */
type QuietRow = Readonly<{ raw: unknown; openTime: Instant; quiet: true }>

/** What an answer may hold. */
export type AnswerRow = CandleRow | QuietRow

/** Properties of a source's candles. */
export type CandleTraits = Readonly<{
  timeframes: readonly Timeframe[]
  /** Timeframes made of a shorter one. */
  madeFrom?: Readonly<Partial<Record<Timeframe, Timeframe>>>
  /** Guaranteed candles per answer, for plans. */
  pageSize: number
  /** Possible candles per answer; requested if more than `pageSize`. */
  mostRows?: number
  weight: number
  /** Number of newest candles available; absent: all, `unknown`: learned from answers. */
  depth?: number | 'unknown'
  /** Trades that older candles are made of. */
  trades?: TradeEndpoint
  /** Bounds that the source respects; rows beyond others are expected. */
  bounds: 'both' | 'from' | 'to' | 'none'
  /** Result for a window longer than a page. */
  longWindow: 'oldest' | 'newest' | 'refused'
}>

/** One request per page. Pure, for recorded answers. */
export type CandleEndpoint = CandleTraits &
  Readonly<{
    depth?: number
    /**
     * Longer candles with complete history in one answer, finest first, if ranges before the beginning are rejected.
     */
    beginnings?: readonly BeginningEndpoint[]
    /** At most a page, unless `longWindow` is `oldest`. */
    request(query: CandleQuery): SourceRequest
    /** Throws Malformed for an unexpected shape; bad rows become flaws. */
    parse(text: string, query: CandleQuery): AnswerRow[]
  }>

export type BeginningEndpoint = Readonly<{
  lengthMs: number
  request(symbol: string): SourceRequest
  /** First open time; undefined if incomplete. Throws Malformed. */
  parse(text: string): Instant | undefined
}>

export type TradeEndpoint = Readonly<{
  pageSize: number
  weight: number
  /** Numbered without gaps. */
  hasConsecutiveIds?: true
  /** Estimate for plans. */
  perDay: number
  /** Oldest trades from about `since`, in nanoseconds since 1970. */
  request(symbol: string, since: bigint): SourceRequest
  /** Throws Malformed for an unexpected shape; bad rows become flaws. */
  parse(text: string): TradePage
}>

/** First open time available now. */
export function reachableFrom(
  { depth, madeFrom }: CandleTraits,
  timeframe: Timeframe,
  asOf: Instant,
): AlignedInstant {
  if (depth === undefined || depth === 'unknown') return ceilTo(timeframe, toInstant(0))
  return ceilTo(timeframe, plus(asOf, -depth * timeframeMs[madeFrom?.[timeframe] ?? timeframe]))
}

export const candlesPerPage = ({ pageSize, madeFrom }: CandleTraits, timeframe: Timeframe): number => {
  const part = madeFrom?.[timeframe]
  return part === undefined ? pageSize : Math.floor((pageSize * timeframeMs[part]) / timeframeMs[timeframe])
}

/** Estimated for trades. */
export type WalkCost = Readonly<{ requests: number; weight: number; isEstimate: boolean }>

/** Cost of a walk if the source has everything; incomplete pages need more, empty years fewer. */
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

/** The whole listing: tickers need context. */
type ListingEndpoint = Readonly<{
  request(): SourceRequest
  parse(text: string): ListedMarket[]
}>

type PriceEndpoint = Readonly<{
  /** Markets per request. */
  pageSize: number
  /** The answer has only trading markets; otherwise the listing is needed. */
  onlyTrading?: true
  /** In the source's spelling. */
  request(markets: readonly string[]): SourceRequest
  /** `answeredAt` and `markets` fill in for answers without time or name. */
  parse(text: string, answeredAt: Instant, markets?: readonly string[]): CoinPriceRow[]
}>

/** One public API: requests and parsers, without I/O. */
export type Source = Readonly<{
  id: SourceId
  /** Later hosts serve other regions. */
  hosts: readonly [string, ...string[]]
  /** All apply. */
  rateLimits: readonly [RateLimit, ...RateLimit[]]
  /** By the source's error; undefined without one, or if only the status is known. */
  classify(answer: HttpAnswer): Fault | undefined
  candles?: CandleEndpoint
  listing?: ListingEndpoint
  prices?: PriceEndpoint
}>

export type CandleSource = Source & Required<Pick<Source, 'candles'>>

/** Throws the fault of the answer. */
export type Ask = (request: SourceRequest) => Promise<HttpAnswer>

/** A source read by a library, which makes requests step by step through `ask`: same client, budget and checks. */
export type ConversingSource = Omit<Source, 'id' | 'candles' | 'listing' | 'prices'> &
  Readonly<{
    id: CcxtSourceId
    /** At most a page. Throws Malformed. */
    candles: CandleTraits & Readonly<{ converse(ask: Ask, query: CandleQuery): Promise<AnswerRow[]> }>
    listing: Readonly<{ converse(ask: Ask): Promise<ListedMarket[]> }>
  }>

/** Whatever candles can be read from. */
export type CandleProvider = CandleSource | ConversingSource

/** `baseUrls`: the operator's replacements. */
export function toHttpRequest(
  { id, hosts, rateLimits, classify }: Pick<Source, 'hosts' | 'rateLimits' | 'classify'> & { id: string },
  { host, path, query, weight }: SourceRequest,
  baseUrls: Readonly<Record<string, string>>,
): HttpRequest {
  const own = host === undefined ? hosts : [host]
  const [baseUrl = hosts[0], ...standIns] = baseUrls[id] === undefined ? own : [baseUrls[id]]
  return { source: id, baseUrl, standIns, path, query, weight, rateLimits, classify }
}
