import type { AlignedCandle, Candle, RejectedRow } from '../../market/candle.ts'
import type { CheckedCandles } from '../../market/candle-check.ts'
import { compareDecimals } from '../../market/decimal.ts'
import { type AlignedRange, contains } from '../../market/range.ts'
import { type AlignedInstant, floorTo, type Timeframe } from '../../market/timeframe.ts'

/**
 * `revised`: both differ. `missing`: only at the source. `extra`: only here. `refused`: the source's row is rejected.
 */
export const differenceKinds = ['revised', 'missing', 'extra', 'refused'] as const
export type DifferenceKind = (typeof differenceKinds)[number]

export type Difference = Readonly<{
  kind: DifferenceKind
  openTime: AlignedInstant
  stored?: Candle
  given?: Candle
  reason?: string
}>

export type Comparison = Readonly<{
  identical: number
  differences: readonly Difference[]
  /** Open times without a candle here and only rejected rows there. */
  rejectedByBoth: number
}>

const valueNames = ['open', 'high', 'low', 'close', 'volume'] as const

/** By value: `1.5` equals `1.50`. */
export const changedValues = (a: Omit<Candle, 'openTime'>, b: Omit<Candle, 'openTime'>) =>
  valueNames.filter((name) => compareDecimals(a[name], b[name]) !== 0)

/**
 * Compares the source's candles, rounded like the columns, with stored ones. Accepted candles equal their rejected
 * rows.
 */
export function compareCandles(
  range: AlignedRange,
  timeframe: Timeframe,
  given: CheckedCandles,
  stored: readonly AlignedCandle[],
): Comparison {
  const ours = new Map(stored.map((candle) => [candle.openTime, candle]))
  const theirs = new Set<AlignedInstant>()
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
  const rejected = rejectedByCandle(given, timeframe)
  for (const candle of stored) {
    const { openTime } = candle
    if (theirs.has(openTime)) continue
    const rows = rejected.get(openTime) ?? []
    const [first] = rows
    if (!first) differences.push({ kind: 'extra', openTime, stored: candle })
    else if (rows.some(({ acceptable }) => acceptable && changedValues(candle, acceptable).length === 0))
      identical += 1
    else differences.push({ kind: 'refused', openTime, stored: candle, reason: first.reason })
  }
  const rejectedByBoth = [...rejected.keys()].filter(
    (time) => contains(range, time) && !ours.has(time) && !theirs.has(time),
  ).length
  return {
    identical,
    differences: differences.sort((a, b) => a.openTime - b.openTime),
    rejectedByBoth,
  }
}

function rejectedByCandle({ rejected }: CheckedCandles, timeframe: Timeframe) {
  const byCandle = new Map<AlignedInstant, RejectedRow[]>()
  for (const row of rejected) {
    if (row.openTime === undefined) continue
    const openTime = floorTo(timeframe, row.openTime)
    byCandle.set(openTime, [...(byCandle.get(openTime) ?? []), row])
  }
  return byCandle
}
