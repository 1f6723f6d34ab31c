import type { Instant } from '../market/instant.ts'
import type { SourceId } from '../settings/source-ids.ts'
import type { Answer, Route } from './answer.ts'
import type { CandleColumns } from './candle-columns.ts'
import type { InjectedFault } from './faults/injected-fault.ts'
import type { HaltedPlace, Place } from './tickers/places.ts'

/** What one client address may ask of a source: all windows hold at once. */
export type EndpointLimit = Readonly<{
  windows: readonly LimitWindow[]
  /** After so many refusals in one window the address is banned; each further ban is twice as long. */
  ban?: Readonly<{ afterRefusals: number; ms: number }>
}>

/**
 * So many points in any stretch of `perMs`; or, where `aligned`, from one multiple of it on the clock to the next, as
 * from minute to minute. An aligned window counts what it refuses too, as Binance does. A sliding one does not: whoever
 * goes on asking would never be let in again.
 */
export type LimitWindow = Readonly<{ points: number; perMs: number; aligned?: true }>

/** How the replay exchange speaks as one source: what it answers, what it allows, and how it says no. */
export type Endpoint = Readonly<{
  source: SourceId
  limit: EndpointLimit
  route(path: string, query: URLSearchParams, now: Instant, limit: EndpointLimit): Route
  /**
   * What is answered once the limit is broken, with the headers that the source adds to it (see retryAfter);
   * `retryAt` is when the client may come again.
   */
  refuse(decision: 'refused' | 'banned', retryAt: Instant, limit: EndpointLimit, now: Instant): Answer
  /** Sent with every answer; `used` is the weight of the running window, window by window. */
  headers?(used: readonly number[], limit: EndpointLimit, now: Instant): Readonly<Record<string, string>>
  /** The candles of its answers: the first list of lists or objects in the body. Absent where it has none. */
  candles?: CandleColumns
  /** Where the price of the first ticker stands, in all of its answers that have one. */
  tickers?: readonly Place[]
  /** What its answers say otherwise once the first market is not traded any more. */
  halted?: readonly HaltedPlace[]
  /** How it says that it is out of order with an HTTP status of the 500s; an HTML page where that is left out. */
  unavailable?(status: number): Answer
  /** How it turns away a region that it does not serve; HTTP 451 where that is left out. */
  regionRefused?: Answer
  /** Lies that no other source can tell; undefined for any other lie. */
  reportFault?(fault: InjectedFault, path: string, now: Instant): Answer | undefined
}>
