import { earlier, type Instant, later, toInstant } from './instant.ts'
import {
  type AlignedInstant,
  ceilTo,
  floorTo,
  plusCandles,
  type Timeframe,
  timeframeMs,
  toAligned,
} from './timeframe.ts'

/** Half-open: `from` belongs to it, `to` does not. */
export type RangeOf<T extends Instant> = Readonly<{ from: T; to: T }>

export type Range = RangeOf<Instant>

/** Whole candles of a timeframe. Coverage, and all that is worked out from it, is made of these alone. */
export type AlignedRange = RangeOf<AlignedInstant>

/** From before the first market to after the last: the bounds of what has none. */
export const allTime: Range = { from: toInstant(Date.UTC(1970, 0)), to: toInstant(Date.UTC(9_999, 0)) }

export const isEmpty = ({ from, to }: Range): boolean => from >= to

export const contains = ({ from, to }: Range, instant: Instant): boolean => from <= instant && instant < to

export function intersect<T extends Instant>(a: RangeOf<T>, b: RangeOf<T>): RangeOf<T> | undefined {
  const range = { from: later(a.from, b.from), to: earlier(a.to, b.to) }
  return isEmpty(range) ? undefined : range
}

/** The open times inside the range, as a range that begins and ends on the timeframe's grid. */
export function alignTo(timeframe: Timeframe, { from, to }: Range): AlignedRange {
  return { from: ceilTo(timeframe, from), to: ceilTo(timeframe, to) }
}

/** The candles that lie wholly inside the range; an empty range where there is none. */
export function wholeCandlesIn(timeframe: Timeframe, { from, to }: Range): AlignedRange {
  const begin = ceilTo(timeframe, from)
  return { from: begin, to: later(begin, floorTo(timeframe, to)) }
}

/** The same range, where it begins and ends on the grid. Throws RangeError. */
export function toAlignedRange(timeframe: Timeframe, { from, to }: Range): AlignedRange {
  return { from: toAligned(timeframe, from), to: toAligned(timeframe, to) }
}

/** The candle that holds the instant. */
export function candleAround(timeframe: Timeframe, instant: Instant): AlignedRange {
  return candleFrom(floorTo(timeframe, instant), timeframe)
}

/** The candle that opens then. */
export function candleFrom(openTime: AlignedInstant, timeframe: Timeframe): AlignedRange {
  return { from: openTime, to: plusCandles(openTime, 1, timeframe) }
}

/** How many candles a range holds. Throws RangeError where it was made for another timeframe. */
export function candleCount({ from, to }: AlignedRange, timeframe: Timeframe): number {
  const candles = (to - from) / timeframeMs[timeframe]
  if (!Number.isInteger(candles)) throw new RangeError(`${to - from} ms are no whole ${timeframe} candles`)
  return Math.max(0, candles)
}

/** Cuts a range into consecutive ones of at most so many candles. */
export function split({ from, to }: AlignedRange, timeframe: Timeframe, candles: number): AlignedRange[] {
  const ranges: AlignedRange[] = []
  for (let start = from; start < to; ) {
    const end = earlier(plusCandles(start, candles, timeframe), to)
    ranges.push({ from: start, to: end })
    start = end
  }
  return ranges
}

/** Cuts a range at every multiple of so many candles since 1970. */
export function splitOnGrid(range: AlignedRange, timeframe: Timeframe, candles: number): AlignedRange[] {
  const before = (range.from / timeframeMs[timeframe]) % candles
  const first = plusCandles(range.from, candles - before, timeframe)
  if (first >= range.to) return isEmpty(range) ? [] : [range]
  return [{ from: range.from, to: first }, ...split({ from: first, to: range.to }, timeframe, candles)]
}

/** Sorts ranges and joins those that touch or overlap. */
export function union<T extends Instant>(ranges: readonly RangeOf<T>[]): RangeOf<T>[] {
  const joined: RangeOf<T>[] = []
  for (const range of ranges.filter((r) => !isEmpty(r)).toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1)
    if (last && range.from <= last.to)
      joined[joined.length - 1] = { from: last.from, to: later(last.to, range.to) }
    else joined.push(range)
  }
  return joined
}

/** What candles that open at these times cover: the times ascend, and one may be there twice. */
export function intervalsFrom(openTimes: readonly AlignedInstant[], timeframe: Timeframe): AlignedRange[] {
  const joined: { from: AlignedInstant; to: AlignedInstant }[] = []
  let last: { from: AlignedInstant; to: AlignedInstant } | undefined
  for (const openTime of openTimes) {
    if (!last || openTime > last.to) {
      last = { from: openTime, to: openTime }
      joined.push(last)
    }
    last.to = plusCandles(openTime, 1, timeframe)
  }
  return joined
}

/** What of `whole` none of `parts` covers, ascending. */
export function subtract<T extends Instant>(whole: RangeOf<T>, parts: readonly RangeOf<T>[]): RangeOf<T>[] {
  const left: RangeOf<T>[] = []
  let { from } = whole
  for (const part of union(parts)) {
    if (part.to <= from) continue
    if (part.from >= whole.to) break
    if (part.from > from) left.push({ from, to: part.from })
    from = part.to
  }
  if (from < whole.to) left.push({ from, to: whole.to })
  return left
}
