import { day, type Instant, plus, toInstant } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'

/**
 * Checksums are per UTC day, or per month for timeframes of a day or more, so that a usual partition holds complete
 * buckets.
 */
export const bucketsOf = (timeframe: Timeframe): ((openTime: Instant) => Instant) =>
  timeframeMs[timeframe] < day ? dayOf : monthOf

const dayOf = (openTime: Instant): Instant => toInstant(Math.floor(openTime / day) * day)

function monthOf(openTime: Instant): Instant {
  const date = new Date(openTime)
  return toInstant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1))
}

export function bucketEnd(timeframe: Timeframe, bucket: Instant): Instant {
  if (timeframeMs[timeframe] < day) return plus(bucket, day)
  const date = new Date(bucket)
  return toInstant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1))
}

export const bucketSpan = (timeframe: Timeframe, { from, to }: Range): Range => ({
  from: bucketsOf(timeframe)(from),
  to: bucketEnd(timeframe, bucketsOf(timeframe)(plus(to, -1))),
})

export function isWholeBuckets(timeframe: Timeframe, range: Range): boolean {
  const span = bucketSpan(timeframe, range)
  return span.from === range.from && span.to === range.to
}
