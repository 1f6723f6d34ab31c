import { type Candle, type CandleRow, candleTypes, openTimeOf } from './candle.ts'
import { compareDecimals, type Decimal, fitTo, isFit, isNegative } from './decimal.ts'
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

/** A row that is believed, with its candle as the table takes it. */
type Accepted = Readonly<{ row: CandleRow; candle: Candle; roundedValues: number }>

/** What becomes of a candle on its way into the table. */
type Adjusted = Omit<Accepted, 'row'> | Readonly<{ reason: string }>

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
  adjust: (candle: Candle) => Adjusted,
): CheckedCandles {
  const accepted: Accepted[] = []
  const rejected: RejectedRow[] = []
  let ignored = 0
  for (const row of rows) {
    const openTime = openTimeOf(row)
    if (openTime !== undefined && isNotOurs(openTime, expectation)) {
      ignored += 1
      continue
    }
    const verdict = 'candle' in row ? judge(row.candle, expectation, adjust) : { reason: row.flaw }
    if ('reason' in verdict) rejected.push(rejectedRow(row, verdict.reason, openTime))
    else accepted.push({ row, candle: verdict.candle, roundedValues: verdict.roundedValues })
  }
  // Most answers come sorted, and then no row is there twice.
  const { kept, disputed, repeated } = isAscending(accepted) ? inOrder(accepted) : withoutTwins(accepted)
  return {
    candles: kept.map(({ candle }) => candle),
    rejected: [
      ...rejected,
      ...disputed.map(({ row, candle }) => rejectedRow(row, disagreement, candle.openTime)),
    ],
    ignored: ignored + repeated,
    roundedValues: kept.reduce((sum, { roundedValues }) => sum + roundedValues, 0),
  }
}

const rejectedRow = ({ raw }: CandleRow, reason: string, openTime: Instant | undefined): RejectedRow => ({
  raw,
  reason,
  ...(openTime === undefined ? {} : { openTime }),
})

function isAscending(accepted: readonly Accepted[]): boolean {
  let last = Number.NEGATIVE_INFINITY
  for (const { candle } of accepted) {
    if (candle.openTime <= last) return false
    last = candle.openTime
  }
  return true
}

/** Rows by what is left of them when no open time is there twice. */
type Settled = Readonly<{ kept: readonly Accepted[]; disputed: readonly Accepted[]; repeated: number }>

const inOrder = (accepted: readonly Accepted[]): Settled => ({ kept: accepted, disputed: [], repeated: 0 })

/** The same row again is one row. Of rows that contradict each other none is believed, the first included. */
function withoutTwins(accepted: readonly Accepted[]): Settled {
  const byOpenTime = new Map<Instant, Accepted[]>()
  for (const one of accepted) {
    const twins = byOpenTime.get(one.candle.openTime)
    if (!twins) byOpenTime.set(one.candle.openTime, [one])
    else if (!twins.some(({ candle }) => isSame(candle, one.candle))) twins.push(one)
  }
  const groups = [...byOpenTime.values()]
  const disputed = groups.filter(({ length }) => length > 1).flat()
  const kept = groups.filter(({ length }) => length === 1).flat()
  return {
    kept: kept.sort((a, b) => a.candle.openTime - b.candle.openTime),
    disputed,
    repeated: accepted.length - kept.length - disputed.length,
  }
}

const disagreement = 'the answer holds two different rows for this open time'

/** Outside the range, or still open. A row from the future or beside the grid is a lie, and is judged instead. */
export function isNotOurs(openTime: Instant, { range, now, timeframe }: CandleExpectation): boolean {
  if (openTime > now || !isAligned(openTime, timeframe)) return false
  return !contains(range, openTime) || plus(openTime, timeframeMs[timeframe]) > now
}

function judge(
  candle: Candle,
  { timeframe, now }: CandleExpectation,
  adjust: (candle: Candle) => Adjusted,
): Adjusted {
  if (candle.openTime > now) return { reason: `opens in the future, at ${toIso(candle.openTime)}` }
  if (!isAligned(candle.openTime, timeframe))
    return { reason: `${toIso(candle.openTime)} is not on the ${timeframe} grid` }
  const reason = contradictionOf(candle)
  return reason === undefined ? adjust(candle) : { reason }
}

function contradictionOf(candle: Candle): string | undefined {
  const { open, high, low, close } = candle
  const negative = valueNames.find((name) => isNegative(candle[name]))
  if (negative) return `${negative} ${candle[negative]} is negative`
  if (compareDecimals(open, low) < 0) return `open ${open} is below low ${low}`
  if (compareDecimals(open, high) > 0) return `open ${open} is above high ${high}`
  if (compareDecimals(close, low) < 0) return `close ${close} is below low ${low}`
  if (compareDecimals(close, high) > 0) return `close ${close} is above high ${high}`
  return undefined
}

/** Nearly all fit as they are: a copy for each would be most of the work. */
const fitted = (candle: Candle): Adjusted =>
  valueNames.every((name) => isFit(candle[name], candleTypes[name]))
    ? { candle, roundedValues: 0 }
    : fittedByValue(candle)

function fittedByValue(candle: Candle): Adjusted {
  const values: Record<string, Decimal> = {}
  let roundedValues = 0
  for (const name of valueNames) {
    const type = candleTypes[name]
    const fit = fitTo(candle[name], type)
    if (fit.kind === 'overflows')
      return { reason: `${name} ${candle[name]} does not fit numeric(${type.precision},${type.scale})` }
    if (fit.kind === 'vanishes')
      return { reason: `${name} ${candle[name]} would become 0 at ${type.scale} decimals` }
    if (fit.kind === 'rounded') roundedValues += 1
    values[name] = fit.value
  }
  return { candle: { ...candle, ...values }, roundedValues }
}

const isSame = (a: Candle, b: Candle): boolean =>
  valueNames.every((name) => compareDecimals(a[name], b[name]) === 0)
