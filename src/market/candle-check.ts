import { type Candle, type CandleRow, candleTypes } from './candle.ts'
import { compareDecimals, fitTo, isNegative } from './decimal.ts'
import { type Instant, plus, toIso } from './instant.ts'
import { contains, type Range } from './range.ts'
import { isAligned, type Timeframe, timeframeMs } from './timeframe.ts'

/** What is asked of every row of an answer. */
export type CandleExpectation = Readonly<{
  timeframe: Timeframe
  /** The open times that were asked for. */
  range: Range
  /** The source's own time: a candle is closed when its interval ended at or before it. */
  now: Instant
}>

/** A row that is kept aside, with its reason in words. */
export type RejectedRow = Readonly<{ raw: unknown; reason: string; openTime?: Instant }>

export type CheckedCandles = Readonly<{
  /** Ascending, one per open time, ready for the table. */
  candles: readonly Candle[]
  rejected: readonly RejectedRow[]
  /** Rows that are nobody's fault and nobody's business: still open, outside the range, or the same row again. */
  ignored: number
  /** Values that had more decimals than the table keeps. */
  roundedValues: number
}>

type Verdict = { candle: Candle; roundedValues: number } | { reason: string }

const priceNames = ['open', 'high', 'low', 'close'] as const
const valueNames = [...priceNames, 'volume'] as const

/** Sorts the rows of one answer into candles for the table, rows to keep aside, and rows to ignore. */
export const checkCandles = (rows: readonly CandleRow[], expectation: CandleExpectation): CheckedCandles =>
  sortOut(rows, expectation, fitted)

/** The same with every digit kept, for candles that longer ones are made of. */
export const checkExactCandles = (
  rows: readonly CandleRow[],
  expectation: CandleExpectation,
): CheckedCandles => sortOut(rows, expectation, (candle) => ({ candle, roundedValues: 0 }))

function sortOut(
  rows: readonly CandleRow[],
  expectation: CandleExpectation,
  adjust: (candle: Candle) => Verdict,
): CheckedCandles {
  const byOpenTime = new Map<Instant, { candle: Candle; raw: unknown }>()
  const disputed = new Set<Instant>()
  const rejected: RejectedRow[] = []
  let ignored = 0
  let roundedValues = 0

  for (const row of rows) {
    const openTime = 'candle' in row ? row.candle.openTime : row.openTime
    if (openTime !== undefined && isNotOurs(openTime, expectation)) {
      ignored += 1
      continue
    }
    const verdict = 'candle' in row ? judge(row.candle, expectation, adjust) : { reason: row.flaw }
    if ('reason' in verdict) {
      rejected.push({ raw: row.raw, reason: verdict.reason, ...(openTime === undefined ? {} : { openTime }) })
      continue
    }
    const { candle } = verdict
    const twin = byOpenTime.get(candle.openTime)
    if (!twin) {
      byOpenTime.set(candle.openTime, { candle, raw: row.raw })
      roundedValues += verdict.roundedValues
    } else if (isSame(twin.candle, candle)) {
      ignored += 1
    } else {
      disputed.add(candle.openTime)
      rejected.push({ raw: row.raw, reason: disagreement, openTime: candle.openTime })
    }
  }
  // Of rows that contradict each other none is believed, the first included.
  for (const openTime of disputed) {
    const first = byOpenTime.get(openTime)
    if (first) rejected.push({ raw: first.raw, reason: disagreement, openTime })
    byOpenTime.delete(openTime)
  }
  const candles = [...byOpenTime.values()].map(({ candle }) => candle)
  return { candles: candles.sort((a, b) => a.openTime - b.openTime), rejected, ignored, roundedValues }
}

const disagreement = 'the answer holds two different rows for this open time'

/** Outside the range, or still open. A row from the future or beside the grid is a lie, and is judged instead. */
function isNotOurs(openTime: Instant, { range, now, timeframe }: CandleExpectation): boolean {
  if (openTime > now || !isAligned(openTime, timeframe)) return false
  return !contains(range, openTime) || plus(openTime, timeframeMs[timeframe]) > now
}

function judge(
  candle: Candle,
  { timeframe, now }: CandleExpectation,
  adjust: (candle: Candle) => Verdict,
): Verdict {
  if (candle.openTime > now) return { reason: `opens in the future, at ${toIso(candle.openTime)}` }
  if (!isAligned(candle.openTime, timeframe))
    return { reason: `${toIso(candle.openTime)} is not on the ${timeframe} grid` }
  for (const name of valueNames) {
    if (isNegative(candle[name])) return { reason: `${name} ${candle[name]} is negative` }
  }
  for (const name of ['open', 'close'] as const) {
    if (compareDecimals(candle[name], candle.low) < 0)
      return { reason: `${name} ${candle[name]} is below low ${candle.low}` }
    if (compareDecimals(candle[name], candle.high) > 0)
      return { reason: `${name} ${candle[name]} is above high ${candle.high}` }
  }
  return adjust(candle)
}

function fitted(candle: Candle): Verdict {
  let fitting = candle
  let roundedValues = 0
  for (const name of valueNames) {
    const type = candleTypes[name]
    const fit = fitTo(candle[name], type)
    if (fit.kind === 'overflows')
      return { reason: `${name} ${candle[name]} does not fit numeric(${type.precision},${type.scale})` }
    if (fit.kind === 'vanishes')
      return { reason: `${name} ${candle[name]} would become 0 at ${type.scale} decimals` }
    if (fit.kind === 'rounded') roundedValues += 1
    // Nearly all fit as they are: a copy for each would be most of the work.
    if (fit.value !== candle[name]) fitting = { ...fitting, [name]: fit.value }
  }
  return { candle: fitting, roundedValues }
}

const isSame = (a: Candle, b: Candle): boolean =>
  valueNames.every((name) => compareDecimals(a[name], b[name]) === 0)
