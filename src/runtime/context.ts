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

/** All that a job may reach. */
export type Context = Readonly<{
  clock: Clock
  /** For how long something took or may take: it runs on evenly when the machine's clock is set. */
  steadyClock: Clock
  log: Log
  settings: Settings
  pool: Pool
  http: HttpClient & Downloader
  /** The leaves of partitioned tables that this process has seen. */
  partitions: PartitionCache
  /** The ranges of series that jobs of this process are filling. */
  seriesRanges: SeriesRanges
  enqueue: Enqueue
  /** Aborts when the process is stopping or the queue has given the job to another. */
  signal: AbortSignal
  /** The row of ingest_runs that this run is recorded in. */
  runId: string
}>
