import { type Instant, minute, plus, toInstant } from '../../market/instant.ts'

/**
 * An outage as it shows in candles: the one in which it began is cut short, none opens until it is over, and the following
 * ones open off the grid until the exchange corrects that.
 */
export type Outage = Readonly<{ stoppedAt: Instant; resumedAt: Instant; alignedAt: Instant }>

/** Binance's, as its candles have it to this day. */
export const outageOf2018: Outage = {
  stoppedAt: toInstant(Date.parse('2018-02-08T00:28:14.789Z')),
  resumedAt: toInstant(Date.parse('2018-02-09T09:28:14.789Z')),
  alignedAt: toInstant(Date.parse('2018-02-11T04:00:00.000Z')),
}

/** When a candle opens, and the last millisecond that belongs to it. */
export type Times = Readonly<{ openTime: Instant; closeTime: Instant }>

/** How far the last candle off the grid reaches into the next interval. */
const overlapMs = 999

/** The times of a candle as the outage has left them; undefined where it has left none. */
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
