import type { Candle } from '../market/candle.ts'
import type { CheckedCandles } from '../market/candle-check.ts'
import { compareDecimals } from '../market/decimal.ts'
import type { Instant } from '../market/instant.ts'
import { contains, type Range } from '../market/range.ts'
import { isAligned, type Timeframe } from '../market/timeframe.ts'

/**
 * How one open time compares. `revised`: both have a candle, and they differ. `missing`: the source has one that we
 * have not. `extra`: we have one that the source has not. `refused`: what the source gives cannot be believed, so that
 * there is nothing to compare ours with.
 */
export const differenceKinds = ['revised', 'missing', 'extra', 'refused'] as const
export type DifferenceKind = (typeof differenceKinds)[number]

export type Difference = Readonly<{
  kind: DifferenceKind
  openTime: Instant
  stored?: Candle
  given?: Candle
  /** Why the source's row is not believed. */
  reason?: string
}>

export type Comparison = Readonly<{
  identical: number
  differences: readonly Difference[]
  /** Open times for which neither has a candle that could be believed. */
  refusedByBoth: number
}>

const valueNames = ['open', 'high', 'low', 'close', 'volume'] as const

/** Which of the five numbers differ, however they are written: `1.5` is `1.50`. */
export const changedValues = (a: Omit<Candle, 'openTime'>, b: Omit<Candle, 'openTime'>) =>
  valueNames.filter((name) => compareDecimals(a[name], b[name]) !== 0)

/**
 * Holds what a source gave for a range, rounded as the columns round, against what the table has there. Both are
 * ascending. Pure, so that it can be read and tested by itself.
 */
export function compareCandles(
  range: Range,
  timeframe: Timeframe,
  given: CheckedCandles,
  stored: readonly Candle[],
): Comparison {
  const ours = new Map(stored.map((candle) => [candle.openTime, candle]))
  const theirs = new Set<Instant>()
  const differences: Difference[] = []
  let identical = 0
  for (const candle of given.candles) {
    if (!contains(range, candle.openTime)) continue
    theirs.add(candle.openTime)
    const own = ours.get(candle.openTime)
    if (own === undefined) differences.push({ kind: 'missing', openTime: candle.openTime, given: candle })
    else if (changedValues(own, candle).length === 0) identical += 1
    else differences.push({ kind: 'revised', openTime: candle.openTime, stored: own, given: candle })
  }
  const reasons = refusalsByTime(given, timeframe)
  for (const candle of stored) {
    if (theirs.has(candle.openTime)) continue
    const reason = reasons.byTime.get(candle.openTime) ?? reasons.undated
    differences.push(
      reason === undefined
        ? { kind: 'extra', openTime: candle.openTime, stored: candle }
        : { kind: 'refused', openTime: candle.openTime, stored: candle, reason },
    )
  }
  const refusedByBoth = [...reasons.byTime.keys()].filter(
    (time) => contains(range, time) && !ours.has(time) && !theirs.has(time),
  ).length
  return {
    identical,
    differences: differences.sort((a, b) => a.openTime - b.openTime),
    refusedByBoth,
  }
}

/** A row that cannot even be dated may stand for any open time that is not told of. */
function refusalsByTime({ rejected }: CheckedCandles, timeframe: Timeframe) {
  const byTime = new Map<Instant, string>()
  let undated: string | undefined
  for (const { openTime, reason } of rejected) {
    if (openTime !== undefined && isAligned(openTime, timeframe)) byTime.set(openTime, reason)
    else undated = reason
  }
  return { byTime, undated }
}
