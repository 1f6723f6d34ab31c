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
}>

/** What the answer has shown: candles, refusals, and in what has settled between them, nothing. */
export function findingsOf({ timeframe, answered, checked, settledBefore }: Answer): Findings {
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
  return { stored, refused, 'no-trades': noTrades }
}
