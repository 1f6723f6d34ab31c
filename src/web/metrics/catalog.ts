import { allowance, markets, pauses } from './asked-sources.ts'
import type { Collector } from './collector.ts'
import { candles, prices } from './freshness.ts'
import { database, incidents, partitions } from './storage.ts'
import { thisProcess } from './this-process.ts'
import { jobs, queues } from './work.ts'

/** To add metrics, add a collector here. */
export const collectors: readonly Collector[] = [
  candles,
  prices,
  markets,
  pauses,
  allowance,
  queues,
  jobs,
  partitions,
  database,
  incidents,
  thisProcess,
]
