import { type Instant, minute, plus } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { floorTo } from '../../market/timeframe.ts'
import { listedAt, type Market, minuteNumber } from '../markets.ts'
import { at, type RecordedMinute, recordedMinute, recordingOf } from '../recording.ts'

/** Price in ticks, volume in lot steps, time in nanoseconds since 1970. */
export type KrakenTrade = Readonly<{
  id: number
  time: bigint
  price: number
  volume: bigint
  isBuy: boolean
}>

/** Four trades per recorded minute: open at its start, high and low at one instant, close just before its end. */
const offsets: readonly bigint[] = [0n, 20_123_456_789n, 20_123_456_789n, 59_999_999_900n]

const nanoseconds = (instant: Instant): bigint => BigInt(instant) * 1_000_000n

/** At or after `from`, ascending, at most `count`. */
export function tradesFrom(market: Market, from: bigint, now: Instant, count: number): KrakenTrade[] {
  const found: KrakenTrade[] = []
  const first = from > nanoseconds(listedAt) ? minuteNumber(ofNanoseconds(from)) : 0
  for (let number = first; number <= minuteNumber(now) && found.length < count; number++)
    found.push(...tradesOf(market, number, now).filter(({ time }) => time >= from))
  return found.slice(0, count)
}

/** Ascending. */
export function newestTrades(market: Market, now: Instant, count: number): KrakenTrade[] {
  const found: KrakenTrade[] = []
  for (let number = minuteNumber(now); number >= 0 && found.length < count; number--)
    found.unshift(...tradesOf(market, number, now))
  return found.slice(-count)
}

/** How many trades there are between two moments. */
export function tradesBetween(market: Market, { from, to }: Range): number {
  const whole =
    tradesBefore(market, minuteNumber(floorTo('1m', to))) - tradesBefore(market, minuteNumber(from))
  return whole + tradesOf(market, minuteNumber(to), plus(to, -1)).length
}

const ofNanoseconds = (time: bigint): Instant => plus(listedAt, Number(time / 1_000_000n) - listedAt)

function tradesOf(market: Market, number: number, now: Instant): KrakenTrade[] {
  const openTime = plus(listedAt, number * minute)
  const recorded = recordedMinute(market, openTime)
  if (!recorded) return []
  const firstId = tradesBefore(market, number) + 1
  return split(recorded)
    .map(({ price, volume }, index) => ({
      id: firstId + index,
      time: nanoseconds(openTime) + at(offsets, index),
      price,
      volume,
      isBuy: index % 2 === 0,
    }))
    .filter(({ time }) => time <= nanoseconds(now))
}

/** The first gets the remainder. */
function split({ open, high, low, close, volume }: RecordedMinute): { price: number; volume: bigint }[] {
  const quarter = volume / 4n
  return [open, high, low, close].map((price, index) => ({
    price,
    volume: index === 0 ? volume - 3n * quarter : quarter,
  }))
}

const minutesBefore = new Map<string, Uint32Array>()

/** Trades before a minute since the listing. */
function tradesBefore(market: Market, number: number): number {
  const { slots, present } = recordingOf(market)
  const known = minutesBefore.get(market.symbol) ?? countUp(present)
  minutesBefore.set(market.symbol, known)
  if (number <= 0) return 0
  const rounds = Math.floor(number / slots)
  return offsets.length * (rounds * at(known, slots) + at(known, number - rounds * slots))
}

/** Cumulative; one longer than the slots. */
function countUp(present: Uint8Array): Uint32Array {
  const before = new Uint32Array(present.length + 1)
  for (const [slot, isThere] of present.entries()) before[slot + 1] = at(before, slot) + isThere
  return before
}
