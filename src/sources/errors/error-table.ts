import type { HttpAnswer } from '../../http/request.ts'

/**
 * Meaning of a source's error.
 * - `wait`, `banned`: rate limited until the window or ban ends.
 * - `retry`: temporary.
 * - `unrelated`: orders, accounts, sockets; unexpected here, retried.
 * - `before-history`, `range-too-long`: another range works.
 * - `unknown-market`, `refused`, `misconfigured`, `blocked`: final.
 */
export type ErrorKind =
  | 'wait'
  | 'banned'
  | 'retry'
  | 'unrelated'
  | 'before-history'
  | 'range-too-long'
  | 'unknown-market'
  | 'refused'
  | 'misconfigured'
  | 'blocked'

export type SourceError = Readonly<{ code: string; message: string }>

/** The first match decides; none means unknown. */
export type KindByPattern = readonly (readonly [pattern: RegExp, kind: ErrorKind])[]

export type ErrorTable = Readonly<{
  source: string
  /** From body or status; undefined without an error. */
  read(answer: HttpAnswer): SourceError | undefined
  /** Ambiguous codes are decided by message. */
  codes?: Readonly<Record<string, ErrorKind | KindByPattern>>
  /** Code families that are `unrelated`. */
  unrelated?: readonly RegExp[]
  /** For other codes, and sources without codes. */
  messages?: KindByPattern
  /** Statuses 403 or ≥ 500 that this source sends for client errors; otherwise these are never final. */
  clientStatuses?: readonly number[]
  /** Duration of `wait`: the reported one, else the window; at most `longestMs`. */
  limit: Readonly<{
    windowMs: number
    longestMs?: number
    leftMs?(answer: HttpAnswer, error: SourceError | undefined): number | undefined
  }>
  /** How long a `banned` lasts. */
  ban?: Readonly<{ ms: number; leftMs?(answer: HttpAnswer): number | undefined }>
  /** Command or setting for `misconfigured`. */
  remedy?: string
}>
