import { day, type Instant, plus, toInstant } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'

/** Digests are kept of UTC days, and of months where a day has one candle: every usual partition holds whole ones. */
export const bucketsOf = (timeframe: Timeframe): ((openTime: Instant) => Instant) =>
  timeframeMs[timeframe] < day ? dayOf : monthOf

const dayOf = (openTime: Instant): Instant => toInstant(Math.floor(openTime / day) * day)

function monthOf(openTime: Instant): Instant {
  const date = new Date(openTime)
  return toInstant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1))
}

/** The end of the bucket that begins then. */
export function bucketEnd(timeframe: Timeframe, bucket: Instant): Instant {
  if (timeframeMs[timeframe] < day) return plus(bucket, day)
  const date = new Date(bucket)
  return toInstant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1))
}

/** The buckets that a range touches, from the first to behind the last. */
export const bucketSpan = (timeframe: Timeframe, { from, to }: Range): Range => ({
  from: bucketsOf(timeframe)(from),
  to: bucketEnd(timeframe, bucketsOf(timeframe)(plus(to, -1))),
})

/** Whether no bucket lies partly outside of the range. */
export function isWholeBuckets(timeframe: Timeframe, range: Range): boolean {
  const span = bucketSpan(timeframe, range)
  return span.from === range.from && span.to === range.to
}
