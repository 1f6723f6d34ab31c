import type { AlignedInstant } from '../../market/timeframe.ts'

/** In the order of the rows. */
export const candleColumns = [
  'coin_id',
  'timeframe',
  'timestamp',
  'open',
  'high',
  'low',
  'close',
  'volume',
] as const

/** Candles of one series, ascending, as rows of COPY's binary format. */
export type CandleRows = Readonly<{
  openTimes: readonly AlignedInstant[]
  bytes: Buffer
  /** Offset of each row, then the end of the last one. */
  offsets: readonly number[]
  valuesAt: number
}>

export const fieldCount = Buffer.from([0, candleColumns.length])

/** The rows from `from` (inclusive) to `to` (exclusive). */
export const rowsBetween = ({ bytes, offsets }: CandleRows, from: number, to: number): Buffer =>
  bytes.subarray(offsets[from], offsets[to])

export function keyOf({ bytes, offsets, valuesAt }: CandleRows, index: number): Buffer {
  const from = offsets[index] ?? 0
  return bytes.subarray(from + fieldCount.length, from + valuesAt)
}

export const valuesOf = ({ bytes, offsets, valuesAt }: CandleRows, index: number): Buffer =>
  bytes.subarray((offsets[index] ?? 0) + valuesAt, offsets[index + 1])

/** The rows whose open time passes the filter. */
export function rowsWhere(rows: CandleRows, isKept: (openTime: AlignedInstant) => boolean): CandleRows {
  if (rows.openTimes.every(isKept)) return rows
  const openTimes: AlignedInstant[] = []
  const parts: Buffer[] = []
  const offsets = [0]
  for (const [index, openTime] of rows.openTimes.entries()) {
    if (!isKept(openTime)) continue
    const row = rowsBetween(rows, index, index + 1)
    openTimes.push(openTime)
    parts.push(row)
    offsets.push((offsets.at(-1) ?? 0) + row.length)
  }
  return { ...rows, openTimes, bytes: Buffer.concat(parts), offsets }
}
