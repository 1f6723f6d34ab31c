import type { Instant } from '../market/instant.ts'
import type { SourceId } from '../settings/source-ids.ts'
import type { Answer, Route } from './answer.ts'
import type { CandleColumns } from './candle-columns.ts'
import type { InjectedFault } from './faults/injected-fault.ts'
import type { HaltedPlace, Place } from './tickers/places.ts'

/** All windows apply. */
export type EndpointLimit = Readonly<{
  windows: readonly LimitWindow[]
  /** Rejections per window before a ban; each ban doubles. */
  ban?: Readonly<{ afterRefusals: number; ms: number }>
}>

/**
 * Points per sliding `perMs`, or per clock-aligned window. Aligned windows count rejected requests, like Binance;
 * sliding ones do not, or retrying would never succeed.
 */
export type LimitWindow = Readonly<{ points: number; perMs: number; aligned?: true }>

/** One source's interface on the replay exchange. */
export type Endpoint = Readonly<{
  source: SourceId
  limit: EndpointLimit
  route(path: string, query: URLSearchParams, now: Instant, limit: EndpointLimit): Route
  /** The answer over the limit; `retryAt`: when to retry. */
  refuse(decision: 'refused' | 'banned', retryAt: Instant, limit: EndpointLimit, now: Instant): Answer
  /** On each answer; `used`: weight per window. */
  headers?(used: readonly number[], limit: EndpointLimit, now: Instant): Readonly<Record<string, string>>
  /** Layout of candle rows in the first list of the body; absent without candles. */
  candles?: CandleColumns
  /** Where the first ticker's price is. */
  tickers?: readonly Place[]
  /** What changes when the first market halts. */
  halted?: readonly HaltedPlace[]
  /** Server error; defaults to an HTML page. */
  unavailable?(status: number): Answer
  /** Defaults to HTTP 451. */
  regionRefused?: Answer
  /** Faults specific to this source. */
  reportFault?(fault: InjectedFault, path: string, now: Instant): Answer | undefined
}>
