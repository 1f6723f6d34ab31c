import { listedPart } from '../../ingest/kept-history.ts'
import { type CandleRow, openTimeOf } from '../../market/candle.ts'
import { type CheckedCandles, checkCandles } from '../../market/candle-check.ts'
import { earlier, type Instant, later } from '../../market/instant.ts'
import { type AlignedRange, contains, type Range } from '../../market/range.ts'
import { floorTo, isAligned, plusCandles } from '../../market/timeframe.ts'
import type { FileRows, ReadableFile, SeriesKey } from './file-rows.ts'
import type { ImportTarget } from './target.ts'

/** Rows of one series, checked like answers. */
export type CheckedBatch = Readonly<{
  target: ImportTarget
  /** The rows' candles. */
  span: AlignedRange
  checked: CheckedCandles
  rows: number
  /** Unreadable time, or off the grid. */
  misplaced: number
  /** From before or after the symbol's listing as this coin. */
  foreign: number
  /** Shortest distance of consecutive rows, in ms. */
  leastStepMs: number
}>

/** Rows of other series, and inserted ones. */
export type Skipped = { others: number; marked: number }

const rowsPerBatch = 20_000

type Deps = Readonly<{
  file: ReadableFile
  targetOf(key: SeriesKey): ImportTarget | undefined
  now: Instant
}>

/** Checks rows in batches; rows of one candle stay together. */
export async function* checkedBatches(deps: Deps, skipped: Skipped): AsyncGenerator<CheckedBatch> {
  const waiting = new Map<string, { target: ImportTarget; rows: CandleRow[] }>()
  for await (const some of deps.file.read()) {
    const group = groupOf(deps, waiting, some, skipped)
    if (!group) continue
    group.rows.push(...some.rows)
    while (group.rows.length > rowsPerBatch)
      yield checkedBatch(group.target, group.rows.splice(0, cutOf(group.rows)), deps.now)
  }
  for (const { target, rows } of waiting.values())
    if (rows.length > 0) yield checkedBatch(target, rows, deps.now)
}

function groupOf(
  { targetOf }: Deps,
  waiting: Map<string, { target: ImportTarget; rows: CandleRow[] }>,
  { rows, marked = 0, ...key }: FileRows,
  skipped: Skipped,
) {
  skipped.marked += marked
  const id = `${key.coinId} ${key.timeframe}`
  const known = waiting.get(id)
  if (known) return known
  const target = targetOf(key)
  if (!target) {
    skipped.others += rows.length
    return undefined
  }
  const group = { target, rows: [] }
  waiting.set(id, group)
  return group
}

/** Ends before the first row of another candle. */
function cutOf(rows: readonly CandleRow[]): number {
  let cut = rowsPerBatch
  const last = openTimeAt(rows, cut)
  while (cut > 1 && openTimeAt(rows, cut - 1) === last) cut -= 1
  return cut === 1 ? rowsPerBatch : cut
}

const openTimeAt = (rows: readonly CandleRow[], place: number): Instant | undefined => {
  const row = rows[place]
  return row && openTimeOf(row)
}

function checkedBatch(target: ImportTarget, rows: readonly CandleRow[], now: Instant): CheckedBatch {
  const { timeframe } = target.series
  const times = rows.flatMap((row) => openTimeOf(row) ?? [])
  const first = times.reduce(earlier, times[0] ?? now)
  const last = times.reduce(later, times[0] ?? now)
  const from = floorTo(timeframe, first)
  const span = { from, to: plusCandles(floorTo(timeframe, last), 1, timeframe) }
  const listed = listedPart(target.market, timeframe, span)
  const own = rows.filter((row) => isOfRange(listed, openTimeOf(row)))
  return {
    target,
    span,
    checked: checkCandles(own, { timeframe, range: span, now }),
    rows: rows.length,
    misplaced: rows.length - times.filter((time) => isAligned(time, timeframe)).length,
    foreign: rows.length - own.length,
    leastStepMs: leastStep(times),
  }
}

const isOfRange = (range: Range, openTime: Instant | undefined): boolean =>
  openTime === undefined || contains(range, openTime)

function leastStep(times: readonly Instant[]): number {
  let least = Number.POSITIVE_INFINITY
  for (let place = 1; place < times.length; place += 1) {
    const step = Math.abs((times[place] ?? 0) - (times[place - 1] ?? 0))
    if (step > 0 && step < least) least = step
  }
  return least
}
