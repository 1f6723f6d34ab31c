import { second } from '../market/instant.ts'
import type { Lane, RateLimit } from './request.ts'

/**
 * How fast a source may be asked, as a leaky bucket: each request pours in its points, and one point leaks out every
 * `perPointMs`. `burst` is how full it may be when a request is sent; `capacities` is how full each lane may make it.
 */
export type Pace = Readonly<{ perPointMs: number; burst: number; capacities: Readonly<Record<Lane, number>> }>

/** What the pace stays below the share, so that what was held up for a moment can be made up for. */
const slack = 0.03

/** By how much of a window its requests may arrive closer together than they were sent. */
const jitter = 0.01

/**
 * How far ahead live work may reserve its turn, and the part of a window that this may come to: a process that stood still
 * for a while sends all its reserved requests at once.
 */
const longestReservationMs = 5 * second
const reservable = 0.1

/**
 * The fastest pace at which no window of any of the limits ever holds more than the share of its points, wherever the
 * window begins. In a stretch of time `t` the bucket lets through less than `burst + t / perPointMs`, which for each
 * window is its share and one point: of whole points that is the share.
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

/** How a request is paid for. `held` is how full the bucket may be when it is sent, in milliseconds of leaking. */
export type Payment = Readonly<{ first: number; rest: number; held: number }>

/**
 * The first points are poured in when the lane's capacity leaves room for them, which for live work it does whatever a backfill
 * has poured in; the rest at once after them. What is more than the burst is paid for twice: those before must leave as
 * much room for it as those after.
 */
export function paymentOf({ perPointMs, burst, capacities }: Pace, weight: number): Payment {
  const points = Math.ceil(weight)
  const first = Math.min(points, Math.floor(capacities.backfill))
  const excess = Math.max(0, Math.ceil(points - burst))
  return { first, rest: points + excess - first, held: (burst + excess) * perPointMs }
}

/** Less than one point is one point in a longer window. */
function shareOf({ points, perMs }: RateLimit, share: number): RateLimit {
  const part = points * share
  // What is whole but for the error of a multiplication is whole.
  const whole = Math.floor(part + 1e-9)
  const longerMs = (1 + jitter) * perMs
  return whole >= 1 ? { points: whole, perMs: longerMs } : { points: 1, perMs: longerMs / part }
}
