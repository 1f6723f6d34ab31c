import type { GapCause } from '../../ingest/gaps/causes.ts'
import type { Gap } from '../../ingest/gaps.ts'
import type { Instant } from '../../market/instant.ts'
import { type AlignedRange, candleCount, intersect, subtract } from '../../market/range.ts'
import { type AlignedInstant, plusCandles, type Timeframe, toAligned } from '../../market/timeframe.ts'
import { instantOf, type Row, timeText } from './exported-table.ts'

export const gapModes = ['leave', 'mark', 'fill'] as const
/** For missing candles: nothing, an empty row, or the last close without volume. */
export type GapMode = (typeof gapModes)[number]

/** `unknown`: no coverage. */
export type ExportedGap = Readonly<{ range: AlignedRange; candles: number; cause: GapCause | 'unknown' }>

/** Indexes in a row. */
const [timePlace, openPlace, closePlace, volumePlace] = [2, 3, 6, 7]

const rowsAtOnce = 5_000

/** Finds gaps in passing candles and inserts rows if wanted. */
export class CandleGaps {
  readonly gaps: ExportedGap[] = []
  /** Start of the range or the first candle. */
  first: AlignedInstant | undefined
  /** Inserted rows. */
  marked = 0
  readonly #timeframe: Timeframe
  readonly #mode: GapMode
  readonly #known: readonly Gap[]
  readonly #to: AlignedInstant
  readonly #key: readonly [string, string]
  /** Undefined if the output starts with the first candle. */
  #next: AlignedInstant | undefined
  #lastClose: string | undefined
  #knownAt = 0

  /** `known`: gaps with causes. `from` may be undefined. */
  constructor(
    series: Readonly<{ coinId: string; timeframe: Timeframe }>,
    range: Readonly<{ from: AlignedInstant | undefined; to: AlignedInstant }>,
    mode: GapMode,
    known: readonly Gap[],
  ) {
    this.#key = [series.coinId, series.timeframe]
    this.#timeframe = series.timeframe
    this.#mode = mode
    this.#known = known
    this.#next = range.from
    this.first = range.from
    this.#to = range.to
  }

  /** Yields candles, with rows for gaps before them. */
  *take(rows: readonly Row[]): Generator<readonly Row[]> {
    let done = 0
    for (const [index, row] of rows.entries()) {
      const openTime = toAligned(this.#timeframe, instantOf(row[timePlace] ?? ''))
      if (this.#next !== undefined && openTime > this.#next) {
        yield rows.slice(done, index).map((one) => this.#asStored(one))
        done = index
        yield* this.#fill({ from: this.#next, to: openTime })
      }
      this.first ??= openTime
      this.#next = plusCandles(openTime, 1, this.#timeframe)
      this.#lastClose = row[closePlace] ?? this.#lastClose
    }
    const rest = done === 0 ? rows : rows.slice(done)
    yield this.#mode === 'leave' ? rest : rest.map((one) => this.#asStored(one))
  }

  /** The gap after the last candle. */
  *end(): Generator<readonly Row[]> {
    if (this.#next !== undefined && this.#next < this.#to)
      yield* this.#fill({ from: this.#next, to: this.#to })
  }

  #asStored(row: Row): Row {
    return this.#mode === 'leave' ? row : [...row, null]
  }

  *#fill(missing: AlignedRange): Generator<readonly Row[]> {
    for (const gap of this.#explained(missing)) {
      this.gaps.push(gap)
      // No close to fill with yet.
      const isEmpty = this.#mode === 'leave' || (this.#mode === 'fill' && this.#lastClose === undefined)
      if (!isEmpty) yield* this.#rowsOf(gap)
    }
  }

  *#rowsOf({ range, cause }: ExportedGap): Generator<readonly Row[]> {
    let rows: Row[] = []
    for (let at: AlignedInstant = range.from; at < range.to; at = plusCandles(at, 1, this.#timeframe)) {
      rows.push(this.#rowAt(at, cause))
      this.marked += 1
      if (rows.length < rowsAtOnce) continue
      yield rows
      rows = []
    }
    yield rows
  }

  #rowAt(at: Instant, cause: string): Row {
    const price = this.#mode === 'fill' ? (this.#lastClose ?? null) : null
    const row: (string | null)[] = [...this.#key, timeText(at)]
    for (let place = openPlace; place < volumePlace; place += 1) row.push(price)
    return [...row, price === null ? null : '0.00000000', cause]
  }

  /** By cause; both ascend. */
  #explained(missing: AlignedRange): ExportedGap[] {
    const known: { range: AlignedRange; cause: GapCause }[] = []
    for (let at = this.#knownAt; at < this.#known.length; at += 1) {
      const gap = this.#known[at]
      if (!gap || gap.range.from >= missing.to) break
      if (gap.range.to <= missing.from) this.#knownAt = at + 1
      const range = intersect(gap.range, missing)
      if (range) known.push({ range, cause: gap.cause })
    }
    const unknown = subtract(
      missing,
      known.map(({ range }) => range),
    ).map((range) => ({ range, cause: 'unknown' as const }))
    return [...known, ...unknown]
      .map((gap) => ({ ...gap, candles: candleCount(gap.range, this.#timeframe) }))
      .toSorted((a, b) => a.range.from - b.range.from)
  }
}
