import type { z } from 'zod'
import type { Instant } from '../market/instant.ts'
import type { Context } from '../runtime/context.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'

export type Report = Readonly<{
  attempt: number
  progress(done: number, total: number): Promise<void>
  log(line: string): Promise<void>
}>

/** Numbers and texts for the log line and the board. */
export type Outcome = Readonly<Record<string, unknown>>

/** `pattern`: cron in UTC, 5 or 6 fields. `id`: distinguishes a job's schedules. */
export type Scheduled<P> = Readonly<{
  id: string
  pattern: string
  payload: P
  whenMissed: 'run-once' | 'skip'
  /** Delay of a missed run after startup in ms, so that its input is loaded first. */
  missedDelayMs?: number
  /** When its work last grew: earlier runs do not count as done. */
  changedAt?: Instant
}>

export type Job<P = unknown> = Readonly<{
  name: string
  summary: string
  payload: z.ZodType<P>
  /** One queue per source, so that a failing source does not block others; `maintenance` for jobs of no source. */
  queueOf(payload: P): string
  /** Jobs with the same id are queued once. No colons. */
  idOf?(payload: P): string
  /** 0 is live work; larger runs later. */
  priority: number
  /** Outcome fields that show changes; if all are empty the run is logged at debug. */
  changes?: readonly string[]
  /** Total attempts; default 5. */
  attempts?: number
  schedules?(settings: Settings, coins: readonly Coin[]): readonly Scheduled<P>[]
  run(context: Context, payload: P, report: Report): Promise<Outcome>
}>

/** Any job of the catalog. */
export type AnyJob = Job<unknown>

export const defineJob = <P>(job: Job<P>): Job<P> => job
