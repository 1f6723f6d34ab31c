import type { BackfillResult } from '../../ingest/backfill/summary.ts'
import { counted } from '../../status/words.ts'
import { countText, spanText } from '../terminal/output.ts'

/** One line, and another if requests differ from the plan. */
export function resultText(result: BackfillResult, tookMs: number): string {
  const { requests, files, knownBefore } = result
  const perSecond = tookMs > 0 ? Math.round((result.received * 1_000) / tookMs) : result.received
  const counts = (['new', 'revised', 'unchanged', 'quarantined'] as const)
    .map((name) => `${countText(result[name])} ${name}`)
    .join(', ')
  const work = [counted(requests, 'request'), ...(files > 0 ? [counted(files, 'file')] : [])].join(' and ')
  const there = knownBefore > 0 ? `; ${countText(knownBefore)} were there already` : ''
  const first = `${counts} candles with ${work} in ${spanText(tookMs)} (${countText(perSecond)} a second)${there}.`
  const beyond = beyondWords(result)
  return beyond === undefined ? first : `${first}\n${beyond}`
}

/** Undefined if as planned. */
function beyondWords({ beyondPlan }: BackfillResult): string | undefined {
  const { failedAttempts, files, askedAgain, trades, spared } = beyondPlan
  const reasons = [
    [askedAgain, 'more to ask again where a page came short'],
    [failedAttempts, 'more in attempts that failed'],
    [files, 'more for what files left out'],
    [Math.max(0, trades), 'more since there were more trades than estimated'],
    [Math.max(0, -trades), 'fewer since there were fewer trades than estimated'],
    [spared, 'fewer where one request covered more than a page'],
  ] as const
  const words = reasons.flatMap(([count, why]) => (count > 0 ? [`${countText(count)} ${why}`] : []))
  return words.length === 0 ? undefined : `Requests beside the plan: ${words.join(', ')}.`
}
