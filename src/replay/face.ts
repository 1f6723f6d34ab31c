import type { Instant } from '../market/instant.ts'
import type { SourceId } from '../settings/source-ids.ts'
import type { Answer, Route } from './answer.ts'

/** What one client address may ask of a source: all windows hold at once. */
export type FaceLimit = Readonly<{
  windows: readonly Readonly<{ points: number; perMs: number }>[]
  /** After so many refusals in one window the address is banned; each further ban is twice as long. */
  ban?: Readonly<{ afterRefusals: number; ms: number }>
}>

/** How the replay exchange speaks as one source: what it answers, what it allows, and how it says no. */
export type Face = Readonly<{
  source: SourceId
  limit: FaceLimit
  route(path: string, query: URLSearchParams, now: Instant, limit: FaceLimit): Route
  /** What is answered once the limit is broken; `retryAt` is when the client may come again. */
  refuse(verdict: 'refused' | 'banned', retryAt: Instant, limit: FaceLimit): Answer
  /** Sent with every answer; `used` is the weight of the running window, window by window. */
  headers?(used: readonly number[], limit: FaceLimit, now: Instant): Readonly<Record<string, string>>
}>
