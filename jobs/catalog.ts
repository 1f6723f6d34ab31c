import type { Job } from '../src/queue/job.ts'
import { backfillCandles } from './backfill-candles.ts'
import { ensurePartitions } from './ensure-partitions.ts'
import { ingestCandles } from './ingest-candles.ts'
import { ingestPrices } from './ingest-prices.ts'
import { refreshViews } from './refresh-views.ts'

/** Every job there is. */
export const jobs: readonly Job[] = [
  ingestCandles,
  ingestPrices,
  backfillCandles,
  ensurePartitions,
  refreshViews,
]

/** Every queue there is: one for each source, and one for the upkeep. */
export const queues = ['binance', 'coingecko', 'upkeep'] as const
