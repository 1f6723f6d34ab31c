import type { Job } from '../src/queue/job.ts'
import { sourceIds } from '../src/settings/source-ids.ts'
import { backfillCandles } from './backfill-candles.ts'
import { ensurePartitions } from './ensure-partitions.ts'
import { ingestCandles } from './ingest-candles.ts'
import { ingestPrices } from './ingest-prices.ts'
import { refreshViews } from './refresh-views.ts'
import { syncCoins } from './sync-coins.ts'
import { syncInstruments } from './sync-instruments.ts'

/** Every job there is. */
export const jobs: readonly Job[] = [
  ingestCandles,
  ingestPrices,
  backfillCandles,
  syncInstruments,
  ensurePartitions,
  refreshViews,
  syncCoins,
]

/** Every queue there is: one for each source, and one for the upkeep. */
export const queues = [...sourceIds, 'upkeep'] as const
