import { type Instant, minute, plus, toInstant } from '../../market/instant.ts'

/** Candles around an outage: the last is cut short, none until it ends, then some off the grid. */
export type Outage = Readonly<{ stoppedAt: Instant; resumedAt: Instant; alignedAt: Instant }>

/** Binance's, still in its candles. */
export const outageOf2018: Outage = {
  stoppedAt: toInstant(Date.parse('2018-02-08T00:28:14.789Z')),
  resumedAt: toInstant(Date.parse('2018-02-09T09:28:14.789Z')),
  alignedAt: toInstant(Date.parse('2018-02-11T04:00:00.000Z')),
}

/** Open time and last millisecond. */
export type Times = Readonly<{ openTime: Instant; closeTime: Instant }>

/** Overlap of the last candle off the grid. */
const overlapMs = 999

/** Undefined if the candle is missing. */
export function timesAfter({ stoppedAt, resumedAt, alignedAt }: Outage, times: Times): Times | undefined {
  const { openTime, closeTime } = times
  if (closeTime < stoppedAt || openTime >= alignedAt) return times
  if (openTime <= stoppedAt) return { openTime, closeTime: plus(stoppedAt, -1) }
  if (closeTime < resumedAt) return undefined
  const lengthMs = Math.ceil((closeTime - openTime) / minute) * minute
  const shifted = plus(openTime, resumedAt % lengthMs)
  const isLast = plus(openTime, lengthMs) >= alignedAt
  return {
    openTime: shifted,
    closeTime: isLast ? plus(alignedAt, overlapMs) : plus(shifted, lengthMs - 1),
  }
}
