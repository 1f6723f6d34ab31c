import type { Fault } from '../fault.ts'
import type { Instant } from '../market/instant.ts'

/**
 * `points` per `perMs`. The header reports the usage of our address in the current window, which starts at multiples of
 * `perMs` of the source's clock.
 */
export type RateLimit = Readonly<{ points: number; perMs: number; usedHeader?: string }>

/** Live first, then repair; backfill takes the rest. */
export type Lane = 'live' | 'repair' | 'backfill'

export type HttpRequest = Readonly<{
  source: string
  baseUrl: string
  /** Alternative hosts, in order, for other regions. */
  standIns: readonly string[]
  path: string
  query: Readonly<Record<string, string>>
  /** Points it costs. */
  weight: number
  rateLimits: readonly RateLimit[]
  /** The fault of an answer; undefined leaves it to the status. */
  classify(answer: HttpAnswer): Fault | undefined
}>

export type HttpAnswer = Readonly<{
  status: number
  headers: Readonly<Record<string, string>>
  text: string
  /** The source's clock (Date header), or ours. */
  answeredAt: Instant
}>

export type SendOptions = Readonly<{ lane: Lane; signal: AbortSignal }>

export type HttpClient = Readonly<{ get(request: HttpRequest, options: SendOptions): Promise<HttpAnswer> }>
