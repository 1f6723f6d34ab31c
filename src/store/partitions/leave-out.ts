import { type Fault, Misconfigured, Unavailable } from '../../fault.ts'
import type { RejectedRow } from '../../market/candle.ts'
import { earlier, type Instant, later, plus, toMinuteText } from '../../market/instant.ts'
import { alignTo, contains, type Range, subtract } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { CandleRows } from '../candles/candle-rows.ts'
import type { CandleBatch } from '../candles.ts'
import type { Obstacle } from './obstacles.ts'

/** Rows that cannot be stored for lack of a partition. */
export type Unplaced = Readonly<{ what: string; rows: number; range: Range; fault: Fault }>

export type Placed = Readonly<{ batches: readonly CandleBatch[]; unplaced: readonly Unplaced[] }>

/** Removes ranges with obstacles from the batches; they stay missing. */
export function leaveOut(batches: readonly CandleBatch[], obstacles: readonly Obstacle[]): Placed {
  if (obstacles.length === 0) return { batches, unplaced: [] }
  return {
    batches: batches.flatMap((batch) => partsOf(batch, obstacles)),
    unplaced: batches.flatMap((batch) => unplacedOf(batch, obstacles)),
  }
}

function partsOf(batch: CandleBatch, obstacles: readonly Obstacle[]): CandleBatch[] {
  const { series, answered, rows, rejected } = batch
  const ranges = subtract(
    answered,
    obstacles.map(({ range }) => alignTo(series.timeframe, range)),
  )
  if (ranges.length === 1 && ranges[0]?.from === answered.from && ranges[0].to === answered.to) return [batch]
  const isWithin = (range: Range, { openTime }: RejectedRow) =>
    openTime !== undefined && contains(range, openTime)
  const ofNoCandle = rejected.filter((row) => !isWithin(answered, row))
  return ranges.map((range, index) => ({
    ...batch,
    answered: range,
    rows: rowsWithin(rows, range),
    rejected: [...rejected.filter((row) => isWithin(range, row)), ...(index === 0 ? ofNoCandle : [])],
  }))
}

function rowsWithin(rows: CandleRows, { from, to }: Range): CandleRows {
  const first = indexOf(rows.openTimes, from)
  const end = indexOf(rows.openTimes, to)
  return {
    ...rows,
    openTimes: rows.openTimes.slice(first, end),
    offsets: rows.offsets.slice(first, end + 1),
  }
}

/** Index of the first open time at or after the instant. */
function indexOf(openTimes: readonly Instant[], instant: Instant): number {
  const index = openTimes.findIndex((openTime) => openTime >= instant)
  return index === -1 ? openTimes.length : index
}

const unplacedOf = (
  { series: { coinId, timeframe }, rows: { openTimes } }: CandleBatch,
  obstacles: readonly Obstacle[],
): Unplaced[] =>
  obstacles.flatMap(({ range, fault }) => {
    const without = openTimes.filter((openTime) => contains(range, openTime))
    const span = spanOf(without, timeframe)
    return span ? [{ what: `${coinId} ${timeframe}`, rows: without.length, range: span, fault }] : []
  })

function spanOf(openTimes: readonly Instant[], timeframe: Timeframe): Range | undefined {
  const [first, last] = [openTimes[0], openTimes.at(-1)]
  return first === undefined || last === undefined
    ? undefined
    : { from: first, to: plus(last, timeframeMs[timeframe]) }
}

/** Throws after the other rows are stored. */
export function throwIfUnplaced(unplaced: readonly Unplaced[], noun: 'candle' | 'price'): void {
  const fault = unplacedFault(unplaced, noun)
  if (fault !== undefined) throw fault
}

/** The error for rows not stored, retryable if that may help; undefined if there are none. */
export function unplacedFault(unplaced: readonly Unplaced[], noun: 'candle' | 'price'): Fault | undefined {
  if (unplaced.length === 0) return undefined
  const byCause = new Map<string, Unplaced[]>()
  for (const one of unplaced) byCause.set(one.fault.message, [...(byCause.get(one.fault.message) ?? []), one])
  const message = [...byCause].map(([cause, alike]) => `${describe(alike, noun)}: ${cause}`).join('\n')
  const kind = unplaced.some(({ fault }) => fault.remedy === 'retry') ? Unavailable : Misconfigured
  return new kind(message)
}

const named = 3

/** `7 candles of bitcoin 1h (2024-03-01 00:00 to 2024-03-01 05:00) were not stored` */
function describe(alike: readonly Unplaced[], noun: string): string {
  const rows = alike.reduce((sum, one) => sum + one.rows, 0)
  const names = [...new Set(alike.map(({ what }) => what))]
  const more = names.length > named ? ` and ${names.length - named} more` : ''
  const from = alike.map(({ range }) => range.from).reduce(earlier)
  const to = alike.map(({ range }) => range.to).reduce(later)
  return `${rows.toLocaleString('en')} ${noun}${rows === 1 ? ' was' : 's were'} not stored, of ${names.slice(0, named).join(', ')}${more} from ${toMinuteText(from)} to ${toMinuteText(to)}`
}

/** Like leaveOut, for rows with one time each. */
export function withoutObstacles<T>(
  rows: readonly T[],
  obstacles: readonly Obstacle[],
  describeRow: (row: T) => Readonly<{ what: string; at: Instant }>,
): Readonly<{ placed: readonly T[]; unplaced: readonly Unplaced[] }> {
  const placed: T[] = []
  const unplaced: Unplaced[] = []
  for (const row of rows) {
    const { what, at } = describeRow(row)
    const obstacle = obstacles.find(({ range }) => contains(range, at))
    if (!obstacle) placed.push(row)
    else unplaced.push({ what, rows: 1, range: { from: at, to: plus(at, 1) }, fault: obstacle.fault })
  }
  return { placed, unplaced }
}
