import type { CheckedCandles } from '../market/candle-check.ts'
import { earlier, type Instant, plus } from '../market/instant.ts'
import { contains, isEmpty, type Range, subtract, union } from '../market/range.ts'
import { isAligned, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import type { Findings } from './coverage.ts'

/** One checked answer, as far as the ledger is concerned. */
export type Answer = Readonly<{
  timeframe: Timeframe
  /** What the answer speaks for. */
  answered: Range
  checked: CheckedCandles
  /** Open times before this have settled: without a candle in the answer, there is none. */
  settledBefore: Instant
  /** Open times before this closed so long ago that a candle seen unchanged is final; all of them unless it is said. */
  finalBefore?: Instant
  /** The open times whose stored values the answer has changed. */
  revised?: readonly Instant[]
}>

/**
 * What the answer has shown: candles, refusals, and in what has settled between them, nothing. A candle that has just
 * closed, or that came with other values than before, is to be seen once more: it is provisional.
 */
export function findingsOf({
  timeframe,
  answered,
  checked,
  settledBefore,
  finalBefore,
  revised = [],
}: Answer): Findings {
  const slot = (openTime: Instant): Range => ({ from: openTime, to: plus(openTime, timeframeMs[timeframe]) })
  const stored = union(checked.candles.map(({ openTime }) => slot(openTime)))
  const refusals = checked.rejected.flatMap(({ openTime }) =>
    openTime !== undefined && isAligned(openTime, timeframe) && contains(answered, openTime)
      ? [slot(openTime)]
      : [],
  )
  const refused = union(refusals).flatMap((range) => subtract(range, stored))
  const settled = { from: answered.from, to: earlier(answered.to, settledBefore) }
  // A row that cannot even be dated may stand for any of the missing ones: then none of them is known to be missing.
  const undated = checked.rejected.some(
    ({ openTime }) => openTime === undefined || !isAligned(openTime, timeframe),
  )
  const noTrades = isEmpty(settled) || undated ? [] : subtract(settled, [...stored, ...refused])
  const changed = new Set(revised)
  const isProvisional = (openTime: Instant) =>
    changed.has(openTime) || (finalBefore !== undefined && openTime >= finalBefore)
  const openTimes = checked.candles.map(({ openTime }) => openTime).filter(isProvisional)
  return { stored, refused, 'no-trades': noTrades, provisional: union(openTimes.map(slot)) }
}
