import type { Pool } from 'pg'
import type { z } from 'zod'
import type { Downloader } from '../http/download.ts'
import type { HttpClient } from '../http/request.ts'
import type { Settings } from '../settings.ts'
import type { PartitionCache } from '../store/partitions/partition-cache.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { SeriesRanges } from './series-ranges.ts'

/** What a job is put into its queue by: the layer of jobs lies above. */
type Enqueued<P> = Readonly<{ name: string; payload: z.ZodType<P> }>

/** Puts work of another job into its queue; returns the queue's ids. */
type Enqueue = <P>(job: Enqueued<P>, payloads: readonly NoInfer<P>[]) => Promise<string[]>

export type Context = Readonly<{
  clock: Clock
  /** Monotonic, for durations. */
  steadyClock: Clock
  log: Log
  settings: Settings
  pool: Pool
  http: HttpClient & Downloader
  /** Partitions seen by this process. */
  partitions: PartitionCache
  /** Ranges of series being filled in this process. */
  seriesRanges: SeriesRanges
  enqueue: Enqueue
  /** Aborts when the process stops or the job was given to another worker. */
  signal: AbortSignal
  runId: string
  /** Called after a batch of `rows` is committed, with its counts. */
  onBatch?: (rows: 'candles' | 'prices', counts: Readonly<Record<string, number>>) => void
}>
