import type { RejectedRow } from '../../market/candle.ts'
import { earlier, type Instant } from '../../market/instant.ts'
import { type AlignedRange, contains, intervalsFrom, isEmpty, subtract } from '../../market/range.ts'
import { type AlignedInstant, floorTo, type Timeframe } from '../../market/timeframe.ts'
import type { Findings } from '../coverage.ts'

/** A checked answer, as far as coverage needs it. */
export type Answer = Readonly<{
  timeframe: Timeframe
  /** The range that the answer covers. */
  answered: AlignedRange
  /** Of its candles, ascending. */
  openTimes: readonly AlignedInstant[]
  rejected: readonly RejectedRow[]
  /** Candles that open before this and are not in the answer do not exist at the source. */
  absentBefore: AlignedInstant
  /** Candles that open before this are final once seen unchanged; by default all. */
  finalBefore?: Instant
  /** Open times of stored candles that the answer changed. */
  revised?: readonly Instant[]
}>

/**
 * The state of each candle in the answered range: stored, rejected or absent. A rejected row without a time concerns
 * none. Recently closed or revised candles are provisional.
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
