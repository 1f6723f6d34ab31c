import { subtractAll } from '../../ingest/gaps/causes.ts'
import type { Gap } from '../../ingest/gaps.ts'
import { readPastRetention } from '../../ingest/past-retention.ts'
import { earlier, later } from '../../market/instant.ts'
import { candleCount } from '../../market/range.ts'
import { counted } from '../../status/words.ts'
import { seriesCommand } from '../series/series-command.ts'
import type { DatabaseSession } from '../session.ts'
import { say } from '../terminal/output.ts'
import { candlesIn, grouped } from './grouped.ts'

/** What of the gaps retention does not delete again once it is loaded. */
export async function withinRetention(
  { db, settings, clock }: DatabaseSession,
  gaps: readonly Gap[],
): Promise<Gap[]> {
  const kept: Gap[] = []
  for (const own of grouped(gaps, ({ timeframe }) => timeframe)) {
    const [{ timeframe }] = own
    const ranges = own.map(({ range }) => range)
    const expired = await readPastRetention(db, settings, timeframe, ranges, clock.now())
    for (const gap of own)
      for (const range of subtractAll([gap.range], expired))
        kept.push({ ...gap, range, candles: candleCount(range, timeframe) })
  }
  return kept
}

/** Names what is left out of a repair because it is past retention, and the command that loads it all the same. */
export function sayPastRetention(repairable: readonly Gap[], asked: readonly Gap[]): void {
  const candles = candlesIn(repairable) - candlesIn(asked)
  if (candles > 0)
    say(
      `${counted(candles, 'candle')} past retention ${candles === 1 ? 'is' : 'are'} not requested. Load all with: ${repairCommand(repairable)} --force`,
    )
}

/** The command that repairs what is left of these gaps. */
export function repairCommand(gaps: readonly Gap[]): string {
  const range = {
    coinId: [...new Set(gaps.map(({ coinId }) => coinId))],
    timeframe: [...new Set(gaps.map(({ timeframe }) => timeframe))],
    from: gaps.map(({ range: { from } }) => from).reduce(earlier),
    to: gaps.map(({ range: { to } }) => to).reduce(later),
  }
  return `${seriesCommand('gaps', range)} --repair`
}
