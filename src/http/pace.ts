import { second } from '../market/instant.ts'
import type { Lane, RateLimit } from './request.ts'

/**
 * A leaky bucket: requests add points, one leaks per `perPointMs`. `burst`: highest level at which a request is sent;
 * `capacities`: highest level per lane.
 */
export type Pace = Readonly<{ perPointMs: number; burst: number; capacities: Readonly<Record<Lane, number>> }>

/** Kept below the share, to catch up after short delays. */
const slack = 0.03

/** Requests may arrive closer together than sent, as a part of a window. */
const jitter = 0.01

/**
 * How far ahead live requests may reserve, and as part of a window: a stalled process sends its reserved requests at
 * once.
 */
const longestReservationMs = 5 * second
const reservable = 0.1

/**
 * The fastest pace that keeps every window of every limit within its share. In time `t` fewer than `burst + t /
 * perPointMs` points pass, which per window is less than share + 1, so at most the share.
 */
export function paceOf(limits: readonly RateLimit[], share: number): Pace {
  const windows = limits.map((limit) => shareOf(limit, share))
  const perPointMs = (1 + slack) * Math.max(...windows.map(({ points, perMs }) => perMs / points))
  const room = Math.min(...windows.map(({ points, perMs }) => points - perMs / perPointMs))
  const shortestMs = Math.min(...windows.map(({ perMs }) => perMs))
  const reservationMs = Math.min(longestReservationMs, reservable * shortestMs)
  return {
    perPointMs,
    burst: 1 + room,
    // Requests that need less capacity may pass those that wait for more.
    capacities: {
      live: 1 + room + reservationMs / perPointMs,
      repair: 1 + 0.8 * room,
      backfill: 1 + 0.6 * room,
    },
  }
}

/** `held`: highest level in ms at which it is sent. */
export type Payment = Readonly<{ first: number; rest: number; held: number }>

/**
 * `first` points wait for the lane's capacity (always free for live work); the rest follow at once. Points above the
 * burst count twice, since they need room before and after.
 */
export function paymentOf({ perPointMs, burst, capacities }: Pace, weight: number): Payment {
  const points = Math.ceil(weight)
  const first = Math.min(points, Math.floor(capacities.backfill))
  const excess = Math.max(0, Math.ceil(points - burst))
  return { first, rest: points + excess - first, held: (burst + excess) * perPointMs }
}

/** A share below one point becomes one point in a longer window. */
function shareOf({ points, perMs }: RateLimit, share: number): RateLimit {
  const part = points * share
  // Corrects floating-point error.
  const whole = Math.floor(part + 1e-9)
  const longerMs = (1 + jitter) * perMs
  return whole >= 1 ? { points: whole, perMs: longerMs } : { points: 1, perMs: longerMs / part }
}
