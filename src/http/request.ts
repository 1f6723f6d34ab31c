import type { Fault } from '../fault.ts'
import type { Instant } from '../market/instant.ts'

/**
 * What may be asked of a source's hosts: `points` in every `perMs`. The header tells what all at our address have used of
 * the running window, which begins on the multiples of `perMs` of the source's clock.
 */
export type RateLimit = Readonly<{ points: number; perMs: number; usedHeader?: string }>

/** Live work goes first, then what is asked for again; a backfill takes only what they leave. */
export type Lane = 'live' | 'repair' | 'backfill'

/** One GET, complete: where, what, what it costs, and how the source words its refusals. */
export type HttpRequest = Readonly<{
  source: string
  baseUrl: string
  /** Asked in this order where the one before does not serve our region. */
  standIns: readonly string[]
  path: string
  query: Readonly<Record<string, string>>
  /** Points of the source's rate limit that the request costs. */
  weight: number
  /** All of them hold at once. */
  rateLimits: readonly RateLimit[]
  /** The fault that the source's answer stands for; undefined leaves it to the status. */
  classify(answer: HttpAnswer): Fault | undefined
}>

export type HttpAnswer = Readonly<{
  status: number
  headers: Readonly<Record<string, string>>
  text: string
  /** The source's own clock when it answered (its Date header), ours where it sends none. */
  answeredAt: Instant
}>

export type SendOptions = Readonly<{ lane: Lane; signal: AbortSignal }>

/** One way to ask a source: within its budget, bounded in time and size. */
export type HttpClient = Readonly<{ get(request: HttpRequest, options: SendOptions): Promise<HttpAnswer> }>
