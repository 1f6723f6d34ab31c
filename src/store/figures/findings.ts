import type { RejectedRow } from '../../market/candle.ts'
import { earlier, type Instant } from '../../market/instant.ts'
import { type AlignedRange, contains, intervalsFrom, isEmpty, subtract } from '../../market/range.ts'
import { type AlignedInstant, floorTo, type Timeframe } from '../../market/timeframe.ts'
import type { Findings } from '../coverage.ts'

/** One checked answer, as far as the ledger is concerned. */
export type Answer = Readonly<{
  timeframe: Timeframe
  /** What the answer speaks for. */
  answered: AlignedRange
  /** Of its candles, ascending. */
  openTimes: readonly AlignedInstant[]
  rejected: readonly RejectedRow[]
  /** Open times before this have settled: without a candle in the answer, there is none. */
  absentBefore: AlignedInstant
  /** Open times before this closed so long ago that a candle seen unchanged is final; all of them unless it is said. */
  finalBefore?: Instant
  /** The open times whose stored values the answer has changed. */
  revised?: readonly Instant[]
}>

/**
 * What the answer has shown of each candle that it speaks for: stored, rejected, or, where it has had time to come, that
 * there is none. A rejected row concerns the candle that holds its time, and one without a time concerns none. A candle
 * that has just closed, or that came with other values than before, is to be seen once more: it is provisional.
 */
export function findingsOf({
  timeframe,
  answered,
  openTimes,
  rejected,
  absentBefore,
  finalBefore,
  revised = [],
}: Answer): Findings {
  const stored = intervalsFrom(openTimes, timeframe)
  const refusals = rejected.flatMap(({ openTime }) =>
    openTime !== undefined && contains(answered, openTime) ? floorTo(timeframe, openTime) : [],
  )
  const refused = intervalsFrom(
    refusals.sort((a, b) => a - b),
    timeframe,
  ).flatMap((range) => subtract(range, stored))
  const resolved = { from: answered.from, to: earlier(answered.to, absentBefore) }
  const noTrades = isEmpty(resolved) ? [] : subtract(resolved, [...stored, ...refused])
  const changed = new Set(revised)
  const isProvisional = (openTime: Instant) =>
    changed.has(openTime) || (finalBefore !== undefined && openTime >= finalBefore)
  const provisional = intervalsFrom(openTimes.filter(isProvisional), timeframe)
  return { stored, refused, 'no-trades': noTrades, provisional }
}
