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
  /** Null without a daemon. */
  startedAt: string | null
  queueEngine: Engine['kind']
  database: ServerDescription
  /** In any process. */
  hasWorkers: boolean
}>

/** Instants are ISO, UTC. */
export type StatusFacts = Readonly<{
  generatedAt: string
  /** Of this process. */
  readiness: Readiness
  /** Sessions that block ours. */
  blocking: readonly BlockingStatus[]
  /** Sources that get no connection. */
  unreachable: UnreachableStatus
  /** Null if the budget store does not answer. */
  bans: readonly BanStatus[] | null
  /** Open ones newest first, then the last day's. */
  alerts: readonly AlertStatus[]
  series: readonly SeriesStatus[]
  prices: readonly PriceStatus[]
  /** Newest, then older ones of failing jobs. */
  runs: readonly RunStatus[]
  /** By cause. */
  failures: readonly FailureGroup[]
  /** Null if the queue does not answer. */
  queues: readonly QueueCounts[] | null
  jobs: readonly ScheduleStatus[]
  partitions: readonly TableStatus[]
  /** Expired partitions that could not be deleted. */
  holds: readonly HoldStatus[]
  /** Differences in the last archive check; null if none. */
  checkProblems: number | null
  process: ProcessStatus
}>
