import type { HttpAnswer } from '../../http/request.ts'

/**
 * What an error of a source means for the request.
 *
 * - `wait`, `banned`: rate limited, until the window or the ban ends.
 * - `retry`: passes by itself, such as maintenance or a timeout.
 * - `unrelated`: about orders, accounts or sockets, and never expected of public market data. Retried like an unknown error.
 * - `before-history`, `range-too-long`: another range can be had.
 * - `unknown-market`, `refused`, `misconfigured`, `blocked`: final, the same request fails again.
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

/** An error as its source words it. The code may be a number, a label, or the message itself. */
export type SourceError = Readonly<{ code: string; message: string }>

/** The first pattern that fits decides. A message that fits none is unknown. */
export type KindByPattern = readonly (readonly [pattern: RegExp, kind: ErrorKind])[]

/** Every error of a source that is known, and what it means. */
export type ErrorTable = Readonly<{
  source: string
  /** The error in an answer, from its body or from a status that means something of its own; undefined where there is none. */
  read(answer: HttpAnswer): SourceError | undefined
  /** A code that stands for many errors is decided by the message. */
  codes?: Readonly<Record<string, ErrorKind | KindByPattern>>
  /** Whole families of codes that are `unrelated`; a final kind needs the code itself. */
  unrelated?: readonly RegExp[]
  /** For codes that neither names, and sources without codes. */
  messages?: KindByPattern
  /** Statuses of 403 or 500 and above that the source sends for mistakes of the client. Others are not believed final. */
  clientStatuses?: readonly number[]
  /** How long a `wait` lasts: the window of the limit, unless the source tells when it ends, and at most `longestMs`. */
  limit: Readonly<{
    windowMs: number
    longestMs?: number
    leftMs?(answer: HttpAnswer, error: SourceError | undefined): number | undefined
  }>
  /** How long a `banned` lasts. */
  ban?: Readonly<{ ms: number; leftMs?(answer: HttpAnswer): number | undefined }>
  /** What to do about a `misconfigured`, as a command or a setting. */
  remedy?: string
}>
