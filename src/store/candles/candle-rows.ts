import type { AlignedInstant } from '../../market/timeframe.ts'

/** The columns of the rows below, in their order. */
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

/** Candles of one series, ascending, as rows of COPY's binary format one behind the other. */
export type CandleRows = Readonly<{
  openTimes: readonly AlignedInstant[]
  bytes: Buffer
  /** Where each row begins, and as one more where the last one ends. */
  offsets: readonly number[]
  /** How far behind the beginning of a row its five numbers begin. */
  valuesAt: number
}>

/** The number of columns, before those of each row. */
export const fieldCount = Buffer.from([0, candleColumns.length])

/** Consecutive rows, from the one up to and without the other. */
export const rowsBetween = ({ bytes, offsets }: CandleRows, from: number, to: number): Buffer =>
  bytes.subarray(offsets[from], offsets[to])

/** Coin, timeframe and open time of a row. */
export function keyOf({ bytes, offsets, valuesAt }: CandleRows, index: number): Buffer {
  const from = offsets[index] ?? 0
  return bytes.subarray(from + fieldCount.length, from + valuesAt)
}

/** The five numbers of a row. */
export const valuesOf = ({ bytes, offsets, valuesAt }: CandleRows, index: number): Buffer =>
  bytes.subarray((offsets[index] ?? 0) + valuesAt, offsets[index + 1])

/** The rows whose open times are accepted. */
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
