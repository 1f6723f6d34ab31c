import type { HoldStatus } from '../lifecycle/describe-retention.ts'
import type { Engine } from '../queue/engine.ts'
import type { QueueCounts } from '../queue/overview.ts'
import type { ServerDescription } from '../store/server.ts'
import type { AlertStatus } from './alerts.ts'
import type { BanStatus } from './bans.ts'
import type { BlockingStatus } from './blocking.ts'
import type { FailureGroup } from './failures.ts'
import type { TableStatus } from './partitions.ts'
import type { PriceStatus } from './prices.ts'
import type { Readiness } from './readiness/readiness.ts'
import type { RunStatus } from './runs.ts'
import type { ScheduleStatus } from './schedules.ts'
import type { SeriesStatus } from './series.ts'
import type { UnreachableStatus } from './unreachable.ts'

type ProcessStatus = Readonly<{
  version: string
  /** null for one that only looks. */
  startedAt: string | null
  queueEngine: Engine['kind']
  database: ServerDescription
  /** Whether any process of the fleet works on the queues. */
  hasWorkers: boolean
}>

/** What is known about the system. Instants are ISO text, in UTC. */
export type StatusFacts = Readonly<{
  generatedAt: string
  /** Whether this process can do its work, and does it. */
  readiness: Readiness
  /** Sessions of other programs that ours wait for. */
  blocking: readonly BlockingStatus[]
  /** Sources that get no connection. */
  unreachable: UnreachableStatus
  /** null when the store of the request budget does not answer. */
  bans: readonly BanStatus[] | null
  /** Those that are open, the newest first, and after them those of the last day. */
  alerts: readonly AlertStatus[]
  series: readonly SeriesStatus[]
  prices: readonly PriceStatus[]
  /** The newest, and after them the older ones of jobs that still fail. */
  runs: readonly RunStatus[]
  /** Jobs that fail, by cause, until each has run well or no longer exists. */
  failures: readonly FailureGroup[]
  /** null when the queue does not answer. */
  queues: readonly QueueCounts[] | null
  jobs: readonly ScheduleStatus[]
  partitions: readonly TableStatus[]
  /** Partitions that are older than they are kept and could not be deleted. */
  holds: readonly HoldStatus[]
  /** How many differences the last check of all rows and files has found; null where there was none. */
  checkProblems: number | null
  process: ProcessStatus
}>
