/** Where a value stands in a row: the index of a list's column, or the name of an object's field. */
export type Column = number | string

/** How a candle is written, so that a lie can change it. */
export type CandleColumns = Readonly<{
  openTime: Column
  /** The unit that the times are written in. */
  timeUnitMs: 1 | 1_000
  /** The end of the candle, where a row tells it: it moves with the open time. */
  closeTime?: Column
  high: Column
  low: Column
  close: Column
  volume: Column
  /** The query's parameter that says where to begin, where there is one. */
  fromParameter?: string
}>
