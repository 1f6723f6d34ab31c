import type { z } from 'zod'
import type { Instant } from '../market/instant.ts'
import type { Context } from '../runtime/context.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'

/** What a running job knows of its place in the queue, and how it tells the board what it is doing. Lines keep their order. */
export type Report = Readonly<{
  /** Which try of the job this is, 1 the first time. */
  attempt: number
  progress(done: number, total: number): Promise<void>
  log(line: string): Promise<void>
}>

/** What a run did, in numbers and words: the fields of its log line, and what the board shows. */
export type Outcome = Readonly<Record<string, unknown>>

/** One time table of a job. `pattern` is cron in UTC, 5 or 6 fields; `id` tells it from the job's others. */
export type Scheduled<P> = Readonly<{
  id: string
  pattern: string
  payload: P
  whenMissed: 'run-once' | 'skip'
  /** How long a missed run waits after a start, in milliseconds: what it reads is caught up first. */
  missedDelayMs?: number
  /** When what it works for last grew: a run of before did not know of it, and does not count. */
  changedAt?: Instant
}>

/** What runs, and when. The payload's schema must accept its own output: it is checked once more on arrival. */
export type Job<P = unknown> = Readonly<{
  name: string
  summary: string
  payload: z.ZodType<P>
  /** One queue per source, so that a failing one holds up no other; `upkeep` for upkeep. */
  queueOf(payload: P): string
  /** The same work has the same id, and then stands in its queue once. Without colons. */
  idOf?(payload: P): string
  /** 0 is live work; the larger, the later. */
  priority: number
  /** Fields of its outcome that say what has changed: a run where they are empty is logged at debug. All when left out. */
  changes?: readonly string[]
  /** How often to try in all; 5 unless said otherwise. */
  attempts?: number
  /** Its time tables, as far as the followed coins give it anything to do. */
  schedules?(settings: Settings, coins: readonly Coin[]): readonly Scheduled<P>[]
  run(context: Context, payload: P, report: Report): Promise<Outcome>
}>

/** Any job of the catalog: only its own schema knows its payload. */
export type AnyJob = Job<unknown>

/** Declares a job; its payload's type is taken from its schema. */
export const defineJob = <P>(job: Job<P>): Job<P> => job
