import type { DatabaseSample } from '../../../drizzle/schema/monitoring.ts'
import { day } from '../../market/instant.ts'

/** Minimum span of samples for a trend. */
const trendMs = day

/**
 * Time until the disk is full at the samples' growth; undefined if the disk is not visible, nothing grows, or samples
 * span less than a day.
 */
export function untilFullMs(kept: readonly DatabaseSample[]): number | undefined {
  const [first, last] = [kept[0], kept.at(-1)]
  if (!first || !last || last.diskFreeBytes === null) return undefined
  const spanMs = last.sampledAt - first.sampledAt
  const grownBytes = last.databaseBytes - first.databaseBytes
  if (spanMs < trendMs || grownBytes <= 0) return undefined
  return (last.diskFreeBytes / grownBytes) * spanMs
}
