import type { Instant } from '../../market/instant.ts'
import type { Json } from '../answer.ts'
import type { Column } from '../candle-columns.ts'
import type { Outage } from './outage.ts'

/** For the first market: no price, 1000× price, or halted. */
export type PriceFault =
  | Readonly<{ name: 'zero-price' }>
  | Readonly<{ name: 'null-price' }>
  | Readonly<{ name: 'far-price' }>
  | Readonly<{ name: 'halted-market' }>

/** Replace any answer. */
type AnswerFault =
  | Readonly<{ name: 'rate-limited'; retryAfterSeconds: number }>
  | Readonly<{ name: 'banned'; retryAfterSeconds: number }>
  | Readonly<{ name: 'server-error'; status: 500 | 502 | 503 | 504 }>
  /** 403 with HTML, like a firewall. */
  | Readonly<{ name: 'firewall' }>
  | Readonly<{ name: 'region-refused' }>
  /** HTML with status 200. */
  | Readonly<{ name: 'html' }>
  | Readonly<{ name: 'redirect'; to: string }>
  /** Any error. */
  | Readonly<{ name: 'error-answer'; status: number; body: Json }>

/** Rows start at 0; -1 is the last. */
type RowFault =
  | Readonly<{ name: 'no-rows' }>
  | Readonly<{ name: 'object-for-rows' }>
  | Readonly<{ name: 'duplicate-row'; row: number }>
  | Readonly<{ name: 'conflicting-duplicate'; row: number }>
  | Readonly<{ name: 'disorder' }>
  | Readonly<{ name: 'hole'; row: number; rows: number }>
  | Readonly<{ name: 'one-row-short' }>
  /** An extra candle before the first. */
  | Readonly<{ name: 'one-row-more' }>
  | Readonly<{ name: 'future-candle' }>
  /** Adds the running candle. */
  | Readonly<{ name: 'open-candle' }>
  /** At least one of the source's units. */
  | Readonly<{ name: 'unaligned-time'; row: number; byMs: number }>
  /** And ms for seconds. */
  | Readonly<{ name: 'seconds-for-milliseconds' }>
  | Readonly<{ name: 'high-below-low'; row: number }>
  | Readonly<{ name: 'missing-column'; row: number; column: Column }>
  /** Anything instead of a number: `NaN`, `null`, `1e-9`, `0x10`. */
  | Readonly<{ name: 'value'; row: number; column: Column; value: Json }>
  /** Candles after an outage. */
  | (Readonly<{ name: 'outage' }> & Outage)
  /** The same candle again with more volume. */
  | Readonly<{ name: 'growing-duplicate'; row: number }>
  /** Changes a closed candle in all answers. */
  | Readonly<{ name: 'revision'; openTime: Instant; column: Column; value: string }>

/** For sources with files. */
type FileFault =
  | Readonly<{ name: 'missing-file' }>
  /** Another file's. */
  | Readonly<{ name: 'wrong-checksum' }>
  /** The previous period under the requested name, with a valid checksum. */
  | Readonly<{ name: 'wrong-month' }>

/** Changes how a query is read. */
type QueryFault = Readonly<{ name: 'ignored-start' }>

/** Delivery problems of correct bodies. */
type DeliveryFault =
  | Readonly<{ name: 'cut'; atByte: number }>
  | Readonly<{ name: 'reset'; when: 'before-answer' | 'within-body' }>
  | Readonly<{ name: 'stall' }>
  | Readonly<{ name: 'drip'; bytes: number; everyMs: number }>
  | Readonly<{ name: 'too-long-length'; bytes: number }>
  | Readonly<{ name: 'huge-body'; megabytes: number; gzip: boolean }>

export type InjectedFault = AnswerFault | FileFault | RowFault | PriceFault | QueryFault | DeliveryFault
