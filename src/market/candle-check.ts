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

/** What is asked of every row of an answer. */
export type CandleExpectation = Readonly<{
  timeframe: Timeframe
  /** The open times that were asked for. */
  range: AlignedRange
  /** The source's own time: a candle is closed when its interval ended at or before it. */
  now: Instant
}>

export type CheckedCandles = Readonly<{
  /** Ascending, one per open time, ready for the table. */
  candles: readonly AlignedCandle[]
  rejected: readonly RejectedRow[]
  /** Rows of candles that are still open or outside the range, and the same row again. */
  ignored: number
  /** Values that had more decimals than the table keeps. */
  roundedValues: number
}>

/** A row with its candle as the table takes it. */
type Accepted = Readonly<{ row: CandleRow; candle: AlignedCandle; roundedValues: number }>

/** What becomes of a candle on its way into the table. */
type Adjusted = Omit<Accepted, 'row'> | Pick<RejectedRow, 'reason' | 'acceptable'>

const priceNames = ['open', 'high', 'low', 'close'] as const
const valueNames = [...priceNames, 'volume'] as const

/** Sorts the rows of one answer into candles for the table, rows to quarantine, and rows to ignore. */
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
  // Most answers come sorted, and then no row is there twice.
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

/** Of a candle outside the range, or still open. A row from the future is none of these. */
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

/** What is wrong with the close that the source reports. One that is early is that of a candle which an outage cut short. */
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

/** Nearly all fit as they are: a copy for each would be most of the work. */
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
