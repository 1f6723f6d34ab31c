import type { RejectedRow } from './candle.ts'
import {
  type AlignedCandle,
  type Candle,
  type CandleRow,
  candleTypes,
  isAlignedCandle,
  openTimeOf,
} from './candle.ts'
import { withoutTwins } from './candle-twins.ts'
import { compareDecimals, type Decimal, fitTo, isFit, isNegative } from './decimal.ts'
import { type Instant, plus, toIso, toMinuteText } from './instant.ts'
import type { AlignedRange } from './range.ts'
import { type Timeframe, timeframeMs } from './timeframe.ts'

export type CandleExpectation = Readonly<{
  timeframe: Timeframe
  /** Requested open times. */
  range: AlignedRange
  /** The source's time: decides which candles are closed. */
  now: Instant
}>

export type CheckedCandles = Readonly<{
  /** Ascending, unique. */
  candles: readonly AlignedCandle[]
  rejected: readonly RejectedRow[]
  /** Open candles, rows outside the range, duplicates. */
  ignored: number
  /** Values with more decimals than the column. */
  roundedValues: number
}>

/** Fitted to the table. */
type Accepted = Readonly<{ row: CandleRow; candle: AlignedCandle; roundedValues: number }>

/** Result of fitting. */
type Adjusted = Omit<Accepted, 'row'> | Pick<RejectedRow, 'reason' | 'acceptable'>

const priceNames = ['open', 'high', 'low', 'close'] as const
const valueNames = [...priceNames, 'volume'] as const

/** Sorts rows into accepted, rejected and ignored. */
export const checkCandles = (rows: readonly CandleRow[], expectation: CandleExpectation): CheckedCandles =>
  sortOut(rows, expectation, fitted)

/** Keeps all digits, to compose longer candles. */
export const checkExactCandles = (
  rows: readonly CandleRow[],
  expectation: CandleExpectation,
): CheckedCandles => sortOut(rows, expectation, (candle) => ({ candle, roundedValues: 0 }))

function sortOut(
  rows: readonly CandleRow[],
  expectation: CandleExpectation,
  adjust: (candle: AlignedCandle) => Adjusted,
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
    const checked = checkRow(row, expectation, adjust)
    if ('reason' in checked) rejected.push(checked)
    else accepted.push(checked)
  }
  // Sorted answers have no duplicates.
  if (isAscending(accepted))
    return { candles: accepted.map(candleOf), rejected, ignored, roundedValues: roundedIn(accepted) }
  const { kept, superseded, disputed, repeated } = withoutTwins(accepted)
  return {
    candles: kept.map(candleOf),
    rejected: [
      ...rejected,
      ...superseded.map(({ row, candle }) => ({
        ...rejectedAs(row, supersession, candle),
        isSuperseded: true as const,
      })),
      ...disputed.map(({ row, candle }) => ({
        ...rejectedAs(row, disagreement, candle),
        acceptable: candle,
      })),
    ],
    ignored: ignored + repeated,
    roundedValues: roundedIn(kept),
  }
}

const supersession = 'the answer holds a later state of this candle, which was taken instead'
const disagreement = 'the answer holds two different rows for this open time'

const candleOf = ({ candle }: Accepted): AlignedCandle => candle

const roundedIn = (accepted: readonly Accepted[]): number =>
  accepted.reduce((sum, { roundedValues }) => sum + roundedValues, 0)

const rejectedAs = ({ raw }: CandleRow, reason: string, { openTime }: AlignedCandle): RejectedRow => ({
  raw,
  reason,
  openTime,
})

function isAscending(accepted: readonly Accepted[]): boolean {
  let last = Number.NEGATIVE_INFINITY
  for (const { candle } of accepted) {
    if (candle.openTime <= last) return false
    last = candle.openTime
  }
  return true
}

/** Open, or outside the range; future rows are rejected instead. */
export function isNotOurs(openTime: Instant, { range, now, timeframe }: CandleExpectation): boolean {
  if (openTime > now) return false
  const lengthMs = timeframeMs[timeframe]
  const begin = openTime - (openTime % lengthMs)
  return begin < range.from || begin >= range.to || begin + lengthMs > now
}

function checkRow(
  row: CandleRow,
  expectation: CandleExpectation,
  adjust: (candle: AlignedCandle) => Adjusted,
): Accepted | RejectedRow {
  if (!('candle' in row)) {
    const { flaw, acceptable, ...rest } = row
    const fit = acceptable && checkCandle(acceptable, undefined, expectation, adjust)
    return { ...rest, reason: flaw, ...(fit && 'candle' in fit ? { acceptable: fit.candle } : {}) }
  }
  const { raw, candle, closesAt } = row
  const adjusted = checkCandle(candle, closesAt, expectation, adjust)
  return 'reason' in adjusted ? { raw, openTime: candle.openTime, ...adjusted } : { row, ...adjusted }
}

function checkCandle(
  candle: Candle,
  closesAt: Instant | undefined,
  { timeframe, now }: CandleExpectation,
  adjust: (candle: AlignedCandle) => Adjusted,
): Adjusted {
  const { openTime } = candle
  if (openTime > now) return { reason: `opens in the future, at ${toIso(openTime)}` }
  if (!isAlignedCandle(candle, timeframe))
    return { reason: `${toIso(openTime)} is not on the ${timeframe} grid` }
  const contradiction = contradictionOf(candle)
  if (contradiction !== undefined) return { reason: contradiction }
  const adjusted = adjust(candle)
  const wrongClose = wrongCloseOf(openTime, closesAt, timeframe)
  if ('reason' in adjusted || wrongClose === undefined) return adjusted
  const { reason, isEarly } = wrongClose
  return isEarly ? { reason, acceptable: adjusted.candle } : { reason }
}

/** An early close means a candle cut short by an outage. */
function wrongCloseOf(openTime: Instant, closesAt: Instant | undefined, timeframe: Timeframe) {
  const due = plus(openTime, timeframeMs[timeframe])
  if (closesAt === undefined || closesAt === due) return undefined
  const [closes, wanted] = [toMinuteText(closesAt), toMinuteText(due)]
  const isSameDay = closes.slice(0, 10) === wanted.slice(0, 10)
  const times = `closes ${closes} UTC instead of ${isSameDay ? wanted.slice(11) : `${wanted} UTC`}`
  const isEarly = closesAt > openTime && closesAt < due
  return { isEarly, reason: isEarly ? `cut short: ${times}` : `not a ${timeframe} candle: ${times}` }
}

function contradictionOf(candle: AlignedCandle): string | undefined {
  const { open, high, low, close } = candle
  const negative = valueNames.find((name) => isNegative(candle[name]))
  if (negative) return `${negative} ${candle[negative]} is negative`
  if (compareDecimals(open, low) < 0) return `open ${open} is below low ${low}`
  if (compareDecimals(open, high) > 0) return `open ${open} is above high ${high}`
  if (compareDecimals(close, low) < 0) return `close ${close} is below low ${low}`
  if (compareDecimals(close, high) > 0) return `close ${close} is above high ${high}`
  return undefined
}

/** Most fit: avoids copies. */
const fitted = (candle: AlignedCandle): Adjusted =>
  valueNames.every((name) => isFit(candle[name], candleTypes[name]))
    ? { candle, roundedValues: 0 }
    : fittedByValue(candle)

function fittedByValue(candle: AlignedCandle): Adjusted {
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
