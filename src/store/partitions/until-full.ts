import type { DatabaseSample } from '../../../drizzle/schema/monitoring.ts'
import { day } from '../../market/instant.ts'

/** A trend is believed once the samples span so long. */
const trendMs = day

/**
 * How long the disk lasts at the pace at which the database has grown over the samples; undefined where its disk cannot
 * be seen, it does not grow, or the samples span less than a day.
 */
export function untilFullMs(kept: readonly DatabaseSample[]): number | undefined {
  const [first, last] = [kept[0], kept.at(-1)]
  if (!first || !last || last.diskFreeBytes === null) return undefined
  const spanMs = last.sampledAt - first.sampledAt
  const grownBytes = last.databaseBytes - first.databaseBytes
  if (spanMs < trendMs || grownBytes <= 0) return undefined
  return (last.diskFreeBytes / grownBytes) * spanMs
}
