import type { Job } from '../src/queue/job.ts'
import { queueOfSource, sourceIds } from '../src/settings/source-ids.ts'
import { backfillCandles } from './backfill-candles.ts'
import { checkArchive } from './check-archive.ts'
import { enforceRetention } from './enforce-retention.ts'
import { ensurePartitions } from './ensure-partitions.ts'
import { ingestCandles } from './ingest-candles.ts'
import { ingestPrices } from './ingest-prices.ts'
import { refreshViews } from './refresh-views.ts'
import { repairGaps } from './repair-gaps.ts'
import { retryRetention } from './retry-retention.ts'
import { syncCoins } from './sync-coins.ts'
import { syncInstruments } from './sync-instruments.ts'

export const jobs: readonly Job[] = [
  ingestCandles,
  ingestPrices,
  backfillCandles,
  repairGaps,
  syncInstruments,
  ensurePartitions,
  refreshViews,
  enforceRetention,
  retryRetention,
  checkArchive,
  syncCoins,
]

export const queues = [...sourceIds, 'maintenance'] as const

/** Includes the queues of ccxt sources with current or former markets. */
export const queuesWith = (tracked: readonly string[]): string[] => [
  ...new Set([...queues, ...tracked.map(queueOfSource)]),
]
