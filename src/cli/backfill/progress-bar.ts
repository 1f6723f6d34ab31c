import type { BackfillProgress, SourceProgress } from '../../ingest/backfill/progress.ts'
import { countText, say, spanText } from '../terminal/output.ts'
import { withTerminalBar } from '../terminal/terminal-bar.ts'

/** A bar on a terminal, occasional lines elsewhere. */
export async function withProgress<T>(
  total: number,
  work: (onProgress: (progress: BackfillProgress) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return work(sayEveryTenth())
  const longest = besideText({ candles: total, total, perSecond: 99_999, leftMs: 99 * 60_000, sources: [] })
  return withTerminalBar({ total, longest }, (bar) =>
    work((progress) =>
      bar.show(progress.candles, besideText(progress), progress.sources.map(sourceText).join('; ')),
    ),
  )
}

const besideText = (progress: BackfillProgress): string =>
  [`${countText(Math.max(0, progress.candles))} of ${countText(progress.total)} candles`, speedText(progress)]
    .filter((part) => part !== '')
    .join('  ')

function sayEveryTenth(): (progress: BackfillProgress) => void {
  let saidPercent = 0
  return (progress) => {
    const { candles, total } = progress
    const percent = Math.floor((100 * candles) / total)
    if (percent < saidPercent + 10) return
    saidPercent = percent
    const pace = paceText(progress)
    say(`${countText(candles)} of ${countText(total)} candles (${percent} %)${pace ? `, ${pace}` : ''}`)
  }
}

/** `9,500 a second, 12 s left; binance: 12 of 44 requests, 41 % of its budget` */
const paceText = (progress: BackfillProgress): string =>
  [speedText(progress), ...progress.sources.map(sourceText)].filter((part) => part !== '').join('; ')

function speedText({ perSecond, leftMs }: BackfillProgress): string {
  const rate = perSecond === undefined ? [] : [`${countText(Math.round(perSecond))} a second`]
  const left = leftMs === undefined || leftMs === 0 ? [] : [`${spanText(leftMs)} left`]
  return [...rate, ...left].join(', ')
}

function sourceText({ source, requests, planned, budgetShare, stoppedMs }: SourceProgress): string {
  if (stoppedMs > 0) return `${source} rate-limits us for another ${spanText(stoppedMs)}`
  const share =
    budgetShare === undefined ? '' : `, ${Math.round(100 * Math.min(1, budgetShare))} % of its budget`
  return `${source}: ${countText(requests)} of ${countText(planned)} requests${share}`
}
