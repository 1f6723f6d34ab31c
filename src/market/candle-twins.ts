import type { AlignedCandle, Candle } from './candle.ts'
import { compareDecimals } from './decimal.ts'
import type { AlignedInstant } from './timeframe.ts'

/** Duplicate open times sorted out. */
export type Untwinned<Row> = Readonly<{
  /** Unique, ascending. */
  kept: readonly Row[]
  /** Earlier states of a kept candle. */
  superseded: readonly Row[]
  /** Contradicting rows; none is accepted. */
  disputed: readonly Row[]
  /** Exact duplicates. */
  repeated: number
}>

const valueNames = ['open', 'high', 'low', 'close', 'volume'] as const

/** Keeps the latest state per open time if it extends the others. */
export function withoutTwins<Row extends Readonly<{ candle: AlignedCandle }>>(
  rows: readonly Row[],
): Untwinned<Row> {
  const byOpenTime = new Map<AlignedInstant, [Row, ...Row[]]>()
  for (const row of oldestFirst(rows)) {
    const twins = byOpenTime.get(row.candle.openTime)
    if (!twins) byOpenTime.set(row.candle.openTime, [row])
    else if (!twins.some(({ candle }) => isSame(candle, row.candle))) twins.push(row)
  }
  const kept: Row[] = []
  const superseded: Row[] = []
  const disputed: Row[] = []
  for (const twins of byOpenTime.values()) {
    const last = twins.at(-1) ?? twins[0]
    const earlier = twins.slice(0, -1)
    if (!earlier.every(({ candle }) => hasGrownFrom(last.candle, candle))) disputed.push(...twins)
    else {
      kept.push(last)
      superseded.push(...earlier)
    }
  }
  return {
    kept: kept.sort((a, b) => a.candle.openTime - b.candle.openTime),
    superseded,
    disputed,
    repeated: rows.length - kept.length - superseded.length - disputed.length,
  }
}

/** Descending answers have later states first. */
function oldestFirst<Row extends Readonly<{ candle: Candle }>>(rows: readonly Row[]): readonly Row[] {
  const [first, last] = [rows[0], rows.at(-1)]
  return first && last && first.candle.openTime > last.candle.openTime ? rows.toReversed() : rows
}

const isSame = (a: Candle, b: Candle): boolean =>
  valueNames.every((name) => compareDecimals(a[name], b[name]) === 0)

/** Explained by additional trades. */
const hasGrownFrom = (later: Candle, earlier: Candle): boolean =>
  compareDecimals(later.open, earlier.open) === 0 &&
  compareDecimals(later.high, earlier.high) >= 0 &&
  compareDecimals(later.low, earlier.low) <= 0 &&
  compareDecimals(later.volume, earlier.volume) > 0
