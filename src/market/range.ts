import { earlier, type Instant, later, plus, toInstant } from './instant.ts'
import { ceilTo, type Timeframe, timeframeMs } from './timeframe.ts'

/** Half-open: `from` belongs to it, `to` does not. */
export type Range = Readonly<{ from: Instant; to: Instant }>

/** From before the first market to after the last: the bounds of what has none. */
export const allTime: Range = { from: toInstant(Date.UTC(1970, 0)), to: toInstant(Date.UTC(9_999, 0)) }

export const isEmpty = ({ from, to }: Range): boolean => from >= to

export const contains = ({ from, to }: Range, instant: Instant): boolean => from <= instant && instant < to

export function intersect(a: Range, b: Range): Range | undefined {
  const range = { from: later(a.from, b.from), to: earlier(a.to, b.to) }
  return isEmpty(range) ? undefined : range
}

/** The open times inside the range, as a range that begins and ends on the timeframe's grid. */
export function alignTo(timeframe: Timeframe, { from, to }: Range): Range {
  return { from: ceilTo(timeframe, from), to: ceilTo(timeframe, to) }
}

/** How many candles a range on the timeframe's grid holds. */
export const candleCount = ({ from, to }: Range, timeframe: Timeframe): number =>
  Math.max(0, (to - from) / timeframeMs[timeframe])

/** Cuts a range into consecutive pieces of at most `lengthMs`. */
export function split({ from, to }: Range, lengthMs: number): Range[] {
  const pieces: Range[] = []
  for (let start = from; start < to; start = plus(start, lengthMs)) {
    pieces.push({ from: start, to: earlier(plus(start, lengthMs), to) })
  }
  return pieces
}

/** Cuts a range at every whole multiple of `lengthMs` since 1970. */
export function splitOnGrid(range: Range, lengthMs: number): Range[] {
  const first = plus(range.from, lengthMs - (range.from % lengthMs))
  if (first >= range.to) return isEmpty(range) ? [] : [range]
  return [{ from: range.from, to: first }, ...split({ from: first, to: range.to }, lengthMs)]
}

/** Sorts ranges and joins those that touch or overlap. */
export function union(ranges: readonly Range[]): Range[] {
  const joined: Range[] = []
  for (const range of ranges.filter((r) => !isEmpty(r)).toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1)
    if (last && range.from <= last.to)
      joined[joined.length - 1] = { from: last.from, to: later(last.to, range.to) }
    else joined.push(range)
  }
  return joined
}

/** What candles that open at these times cover: the times ascend, and one may be there twice. */
export function intervalsFrom(openTimes: readonly Instant[], timeframe: Timeframe): Range[] {
  const length = timeframeMs[timeframe]
  const joined: { from: Instant; to: Instant }[] = []
  let last: { from: Instant; to: Instant } | undefined
  for (const openTime of openTimes) {
    if (!last || openTime > last.to) {
      last = { from: openTime, to: openTime }
      joined.push(last)
    }
    last.to = plus(openTime, length)
  }
  return joined
}

/** What of `whole` none of `parts` covers, ascending. */
export function subtract(whole: Range, parts: readonly Range[]): Range[] {
  const left: Range[] = []
  let from = whole.from
  for (const part of union(parts)) {
    if (part.to <= from) continue
    if (part.from >= whole.to) break
    if (part.from > from) left.push({ from, to: part.from })
    from = part.to
  }
  if (from < whole.to) left.push({ from, to: whole.to })
  return left
}
