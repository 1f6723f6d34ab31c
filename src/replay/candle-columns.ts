/** List index or field name. */
export type Column = number | string

/** Layout of a candle row, for faults. */
export type CandleColumns = Readonly<{
  openTime: Column
  /** The unit that the times are written in. */
  timeUnitMs: 1 | 1_000
  /** Moves with the open time. */
  closeTime?: Column
  high: Column
  low: Column
  close: Column
  volume: Column
  /** Query parameter of the start, if any. */
  fromParameter?: string
}>
