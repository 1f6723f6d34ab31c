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

/** Half-open: excludes `to`. */
export type RangeOf<T extends Instant> = Readonly<{ from: T; to: T }>

export type Range = RangeOf<Instant>

/** Whole candles of a timeframe. */
export type AlignedRange = RangeOf<AlignedInstant>

/** Bounds for unbounded ranges. */
export const allTime: Range = { from: toInstant(Date.UTC(1970, 0)), to: toInstant(Date.UTC(9_999, 0)) }

export const isEmpty = ({ from, to }: Range): boolean => from >= to

export const contains = ({ from, to }: Range, instant: Instant): boolean => from <= instant && instant < to

export function intersect<T extends Instant>(a: RangeOf<T>, b: RangeOf<T>): RangeOf<T> | undefined {
  const range = { from: later(a.from, b.from), to: earlier(a.to, b.to) }
  return isEmpty(range) ? undefined : range
}

/** The open times in the range, as an aligned range. */
export function alignTo(timeframe: Timeframe, { from, to }: Range): AlignedRange {
  return { from: ceilTo(timeframe, from), to: ceilTo(timeframe, to) }
}

/** Candles entirely inside; may be empty. */
export function wholeCandlesIn(timeframe: Timeframe, { from, to }: Range): AlignedRange {
  const begin = ceilTo(timeframe, from)
  return { from: begin, to: later(begin, floorTo(timeframe, to)) }
}

/** Throws RangeError if not aligned. */
export function toAlignedRange(timeframe: Timeframe, { from, to }: Range): AlignedRange {
  return { from: toAligned(timeframe, from), to: toAligned(timeframe, to) }
}

/** The candle containing the instant. */
export function candleAround(timeframe: Timeframe, instant: Instant): AlignedRange {
  return candleFrom(floorTo(timeframe, instant), timeframe)
}

/** The candle opening then. */
export function candleFrom(openTime: AlignedInstant, timeframe: Timeframe): AlignedRange {
  return { from: openTime, to: plusCandles(openTime, 1, timeframe) }
}

/** Throws RangeError for another timeframe. */
export function candleCount({ from, to }: AlignedRange, timeframe: Timeframe): number {
  const candles = (to - from) / timeframeMs[timeframe]
  if (!Number.isInteger(candles)) throw new RangeError(`${to - from} ms are no whole ${timeframe} candles`)
  return Math.max(0, candles)
}

/** Into ranges of at most `candles`. */
export function split({ from, to }: AlignedRange, timeframe: Timeframe, candles: number): AlignedRange[] {
  const ranges: AlignedRange[] = []
  for (let start = from; start < to; ) {
    const end = earlier(plusCandles(start, candles, timeframe), to)
    ranges.push({ from: start, to: end })
    start = end
  }
  return ranges
}

/** At multiples of `candles` since 1970. */
export function splitOnGrid(range: AlignedRange, timeframe: Timeframe, candles: number): AlignedRange[] {
  const before = (range.from / timeframeMs[timeframe]) % candles
  const first = plusCandles(range.from, candles - before, timeframe)
  if (first >= range.to) return isEmpty(range) ? [] : [range]
  return [{ from: range.from, to: first }, ...split({ from: first, to: range.to }, timeframe, candles)]
}

/** Sorts and merges. */
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

/** Ranges of ascending open times; duplicates allowed. */
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

/** `whole` minus `parts`, ascending. */
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
