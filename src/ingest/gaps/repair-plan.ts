import { hour, type Instant, plus } from '../../market/instant.ts'
import { type AlignedRange, candleCount, intersect, split, union } from '../../market/range.ts'
import { type AlignedInstant, floorTo, type Timeframe } from '../../market/timeframe.ts'
import type { Unresolved } from '../../store/coverage/series.ts'
import { recheckAgeMs, youngerThan } from '../../store/coverage.ts'
import { confirmations } from '../archive/fill-from-archive.ts'
import { subtractAll } from './causes.ts'

/** Live ingest sees to its provisional candles at its next tick; what is still provisional after this it has not. */
const provisionalForLongMs = hour

/** The open times of a series that a repair looks at. */
export type RepairScope = Readonly<{
  /** What the daemon keeps complete, without what live ingest asks for by itself. */
  kept: AlignedRange
  /** What a second look may still bring something new of. */
  lasting: AlignedRange
  /** How many candles one answer brings. */
  pageSize: number
}>

export type RepairPlan = Readonly<{
  /** To be asked for at once, one request each, ascending. */
  requests: readonly AlignedRange[]
  /** Owed and longer than a page: work for backfills. */
  longRanges: readonly AlignedRange[]
}>

/**
 * Works out what of a series is to be asked for again: what is owed, absences that have grown old enough for another
 * look, and candles that nobody has seen unchanged. Neighbours that fit into one page are one question. Pure, so that
 * it can be read and tested by itself.
 */
export function planRepair(
  unresolved: Unresolved,
  { kept, lasting, pageSize }: RepairScope,
  timeframe: Timeframe,
  now: Instant,
): RepairPlan {
  const missing = unresolved.missing.flatMap((range) => intersect(range, kept) ?? [])
  const isLong = (range: AlignedRange) => candleCount(range, timeframe) > pageSize
  const longRanges = missing.filter(isLong)
  const holes = missing.filter((range) => !isLong(range))
  const dueBefore = (to: AlignedInstant) => (range: AlignedRange) =>
    intersect(range, { from: lasting.from, to }) ?? []
  const due = [
    ...unresolved.provisional.flatMap(dueBefore(floorTo(timeframe, plus(now, -provisionalForLongMs)))),
    ...(['recheck-after-day', 'recheck-after-month'] as const).flatMap((state) =>
      unresolved[state].flatMap(dueBefore(youngerThan(recheckAgeMs[state], timeframe, now))),
    ),
  ]
  // A backfill may bring a part of what is due, and then there is nothing to ask.
  const single = subtractAll(union([...holes, ...due]), longRanges)
  const requests = confirmations(single, lasting, { timeframe, pageSize })
  return { requests: requests.flatMap((range) => split(range, timeframe, pageSize)), longRanges }
}

/**
 * Picks at most so many questions. Another series comes first each hour, so that one that always has much to ask keeps
 * no other from its turn.
 */
export function takeTurns<T>(
  bySeries: readonly (readonly T[])[],
  most: number,
  now: Instant,
): { asked: T[]; waiting: number } {
  const first = bySeries.length === 0 ? 0 : Math.floor(now / hour) % bySeries.length
  const requests = [...bySeries.slice(first), ...bySeries.slice(0, first)].flat()
  return { asked: requests.slice(0, most), waiting: Math.max(0, requests.length - most) }
}
