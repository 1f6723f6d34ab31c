import type { Instant } from '../../market/instant.ts'
import type { Json } from '../answer.ts'
import type { Column } from '../candle-columns.ts'
import type { Outage } from './outage.ts'

/** About the first market of an answer: it has no price, a thousand times its price, or is not traded any more. */
export type PriceFault =
  | Readonly<{ name: 'zero-price' }>
  | Readonly<{ name: 'null-price' }>
  | Readonly<{ name: 'far-price' }>
  | Readonly<{ name: 'halted-market' }>

/** Answers that say something else than what was asked for, whatever it was. */
type AnswerFault =
  | Readonly<{ name: 'rate-limited'; retryAfterSeconds: number }>
  | Readonly<{ name: 'banned'; retryAfterSeconds: number }>
  | Readonly<{ name: 'server-error'; status: 500 | 502 | 503 | 504 }>
  /** HTTP 403 with a page, as a firewall before the exchange sends it. */
  | Readonly<{ name: 'firewall' }>
  | Readonly<{ name: 'region-refused' }>
  /** A page with status 200. */
  | Readonly<{ name: 'html' }>
  | Readonly<{ name: 'redirect'; to: string }>
  /** Any error that a source might send. */
  | Readonly<{ name: 'error-answer'; status: number; body: Json }>

/** Rows that are not what the exchange recorded. A row counts from 0; the last one is -1. */
type RowFault =
  | Readonly<{ name: 'no-rows' }>
  | Readonly<{ name: 'object-for-rows' }>
  | Readonly<{ name: 'duplicate-row'; row: number }>
  | Readonly<{ name: 'conflicting-duplicate'; row: number }>
  | Readonly<{ name: 'disorder' }>
  | Readonly<{ name: 'hole'; row: number; rows: number }>
  | Readonly<{ name: 'one-row-short' }>
  /** A candle too many, before the first one. */
  | Readonly<{ name: 'one-row-more' }>
  | Readonly<{ name: 'future-candle' }>
  /** The candle that still runs, whatever was asked for. */
  | Readonly<{ name: 'open-candle' }>
  /** By one of the source's own units at least. */
  | Readonly<{ name: 'unaligned-time'; row: number; byMs: number }>
  /** And milliseconds where the source has seconds. */
  | Readonly<{ name: 'seconds-for-milliseconds' }>
  | Readonly<{ name: 'high-below-low'; row: number }>
  | Readonly<{ name: 'missing-column'; row: number; column: Column }>
  /** `NaN`, `null`, `1e-9`, `0x10`: whatever a body can hold in place of a number. */
  | Readonly<{ name: 'value'; row: number; column: Column; value: Json }>
  /** Candles as an outage has left them. */
  | (Readonly<{ name: 'outage' }> & Outage)
  /** A row and then the same candle with more volume. */
  | Readonly<{ name: 'growing-duplicate'; row: number }>
  /** A closed candle whose value is another one from now on, in every answer that holds it. */
  | Readonly<{ name: 'revision'; openTime: Instant; column: Column; value: string }>

/** Files that are not what they should be, of the sources that have files. */
type FileFault =
  | Readonly<{ name: 'missing-file' }>
  /** Of another file. */
  | Readonly<{ name: 'wrong-checksum' }>
  /** The month or day before, under the name of the one that was asked for, with a checksum that agrees. */
  | Readonly<{ name: 'wrong-month' }>

/** A query read as another one. */
type QueryFault = Readonly<{ name: 'ignored-start' }>

/** True bodies that do not arrive as they should. */
type DeliveryFault =
  | Readonly<{ name: 'cut'; atByte: number }>
  | Readonly<{ name: 'reset'; when: 'before-answer' | 'within-body' }>
  | Readonly<{ name: 'stall' }>
  | Readonly<{ name: 'drip'; bytes: number; everyMs: number }>
  | Readonly<{ name: 'too-long-length'; bytes: number }>
  | Readonly<{ name: 'huge-body'; megabytes: number; gzip: boolean }>

export type InjectedFault = AnswerFault | FileFault | RowFault | PriceFault | QueryFault | DeliveryFault
