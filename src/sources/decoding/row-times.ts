import { openTimeOf } from '../../market/candle.ts'
import { day, earlier, type Instant, later, plus } from '../../market/instant.ts'
import { type AlignedRange, candleCount, contains, type Range } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { AnswerRow } from '../source.ts'

/** Rows and when they were sent. */
export type RowAnswer = Readonly<{ rows: readonly AnswerRow[]; answeredAt: Instant }>

export type Span = Readonly<{ first: Instant; last: Instant }>

/** First open time of an answer at the source's full depth; else undefined. */
export function firstOf(rows: readonly AnswerRow[], depth: number | undefined): Instant | undefined {
  if (depth === undefined || rows.length < depth) return undefined
  return spanOfAll(rows)?.first
}

/** The newest candle of a quiet market may be older. */
const restMs = day

/**
 * First open time if the answer looks like the newest candles (full count, up to now), which ignore the range; else
 * undefined.
 */
export function newestOf(
  { rows, answeredAt }: RowAnswer,
  asked: AlignedRange,
  timeframe: Timeframe,
): Instant | undefined {
  // Future rows are invalid.
  const past = rows.filter((row) => (openTimeOf(row) ?? answeredAt) <= answeredAt)
  const span = past.length < candleCount(asked, timeframe) ? undefined : spanOfAll(past)
  const recent = plus(answeredAt, -Math.max(restMs, 2 * timeframeMs[timeframe]))
  return span && span.last >= recent ? span.first : undefined
}

function spanOfAll(rows: readonly AnswerRow[]): Span | undefined {
  let span: Span | undefined
  for (const row of rows) {
    const openTime = openTimeOf(row)
    if (openTime !== undefined) span = extended(span, openTime)
  }
  return span
}

/** `range.to` if there is none. */
export const firstIn = (rows: readonly AnswerRow[], range: Range): Instant =>
  rows.reduce<Instant>((first, row) => {
    const openTime = openTimeOf(row) ?? range.to
    return contains(range, openTime) ? earlier(first, openTime) : first
  }, range.to)

export const extended = (span: Span | undefined, openTime: Instant): Span =>
  span
    ? { first: earlier(span.first, openTime), last: later(span.last, openTime) }
    : { first: openTime, last: openTime }
