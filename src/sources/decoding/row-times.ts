import { openTimeOf } from '../../market/candle.ts'
import { day, earlier, type Instant, later, plus } from '../../market/instant.ts'
import { type AlignedRange, candleCount, contains, type Range } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { AnswerRow } from '../source.ts'

/** Rows, and when their source sent them. */
export type RowAnswer = Readonly<{ rows: readonly AnswerRow[]; answeredAt: Instant }>

export type Span = Readonly<{ first: Instant; last: Instant }>

/** The first open time of an answer that goes back as far as its source can; undefined for any other answer. */
export function firstOf(rows: readonly AnswerRow[], depth: number | undefined): Instant | undefined {
  if (depth === undefined || rows.length < depth) return undefined
  return spanOfAll(rows)?.first
}

/** A market may rest for a while: its newest candle need not have closed just now. */
const restMs = day

/**
 * The first open time of an answer that may be the newest candles there are, whatever was asked for: as many as were asked
 * for, and up to now. Undefined for any other answer.
 */
export function newestOf(
  { rows, answeredAt }: RowAnswer,
  asked: AlignedRange,
  timeframe: Timeframe,
): Instant | undefined {
  // A row from the future is a bad row, and shows nothing.
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

/** The first open time inside the range; its end where there is none. */
export const firstIn = (rows: readonly AnswerRow[], range: Range): Instant =>
  rows.reduce<Instant>((first, row) => {
    const openTime = openTimeOf(row) ?? range.to
    return contains(range, openTime) ? earlier(first, openTime) : first
  }, range.to)

export const extended = (span: Span | undefined, openTime: Instant): Span =>
  span
    ? { first: earlier(span.first, openTime), last: later(span.last, openTime) }
    : { first: openTime, last: openTime }
