import { hour, type Instant, plus } from '../../market/instant.ts'
import { type AlignedRange, candleCount, intersect, split, union } from '../../market/range.ts'
import { type AlignedInstant, floorTo, type Timeframe } from '../../market/timeframe.ts'
import type { Unresolved } from '../../store/coverage/series.ts'
import { recheckAgeMs, youngerThan } from '../../store/coverage.ts'
import { confirmations } from '../archive/fill-from-archive.ts'
import { subtractAll } from './causes.ts'

/** Live ingest confirms provisional candles at its next tick; older ones were missed. */
const provisionalForLongMs = hour

export type RepairScope = Readonly<{
  /** Without what live ingest requests itself. */
  kept: AlignedRange
  /** Where a recheck may still find something. */
  lasting: AlignedRange
  pageSize: number
}>

export type RepairPlan = Readonly<{
  /** One request each, ascending. */
  requests: readonly AlignedRange[]
  /** Missing and longer than a page: for backfills. */
  longRanges: readonly AlignedRange[]
}>

/**
 * What to request again: missing candles, absences due for a recheck, unconfirmed candles. Neighbours within a page
 * share a request. Pure.
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
  // A backfill may cover part of it.
  const single = subtractAll(union([...holes, ...due]), longRanges)
  const requests = confirmations(single, lasting, { timeframe, pageSize })
  return { requests: requests.flatMap((range) => split(range, timeframe, pageSize)), longRanges }
}

/** Picks up to `most` requests. The first series rotates hourly, so that none starves. */
export function takeTurns<T>(
  bySeries: readonly (readonly T[])[],
  most: number,
  now: Instant,
): { asked: T[]; waiting: number } {
  const first = bySeries.length === 0 ? 0 : Math.floor(now / hour) % bySeries.length
  const requests = [...bySeries.slice(first), ...bySeries.slice(0, first)].flat()
  return { asked: requests.slice(0, most), waiting: Math.max(0, requests.length - most) }
}
