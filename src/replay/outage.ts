import { type Instant, minute, plus, toInstant } from '../market/instant.ts'

/**
 * What an outage leaves behind: the candle in which it began is cut short, none opens until it is over, and those that
 * follow run beside the grid until the exchange puts them back on it.
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

/** How far into the next interval the last candle beside the grid reaches. */
const overlapMs = 999

/** The times of a candle as the outage has left them; undefined where it has left none. */
export function timesAfter({ stoppedAt, resumedAt, alignedAt }: Outage, times: Times): Times | undefined {
  const { openTime, closeTime } = times
  if (closeTime < stoppedAt || openTime >= alignedAt) return times
  if (openTime <= stoppedAt) return { openTime, closeTime: plus(stoppedAt, -1) }
  if (closeTime < resumedAt) return undefined
  const lengthMs = Math.ceil((closeTime - openTime) / minute) * minute
  const beside = plus(openTime, resumedAt % lengthMs)
  const isLast = plus(openTime, lengthMs) >= alignedAt
  return {
    openTime: beside,
    closeTime: isLast ? plus(alignedAt, overlapMs) : plus(beside, lengthMs - 1),
  }
}
