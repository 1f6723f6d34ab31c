import { SingleBar } from 'cli-progress'
import type { BackfillProgress, SourceProgress } from '../ingest/backfill-progress.ts'
import { countText, say, spanText } from './output.ts'

/** Shows how far the work is, in candles: a bar on a terminal, now and then a line elsewhere. */
export async function withProgress<T>(
  total: number,
  work: (onProgress: (progress: BackfillProgress) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return work(sayEveryTenth())
  const bar = new SingleBar({
    format: '{bar} {percentage} % | {value} of {total} candles | {pace}',
    stream: process.stderr,
    hideCursor: true,
    forceRedraw: true,
  })
  bar.start(total, 0, { pace: '' })
  try {
    return await work((progress) => bar.update(Math.max(0, progress.candles), { pace: paceText(progress) }))
  } finally {
    bar.stop()
  }
}

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
export function paceText({ perSecond, leftMs, sources }: BackfillProgress): string {
  const rate = perSecond === undefined ? [] : [`${countText(Math.round(perSecond))} a second`]
  const left = leftMs === undefined || leftMs === 0 ? [] : [`${spanText(leftMs)} left`]
  return [[...rate, ...left].join(', '), ...sources.map(sourceText)].filter((part) => part !== '').join('; ')
}

function sourceText({ source, requests, planned, budgetShare, stoppedMs }: SourceProgress): string {
  if (stoppedMs > 0) return `${source} has told us to wait ${spanText(stoppedMs)}`
  const share =
    budgetShare === undefined ? '' : `, ${Math.round(100 * Math.min(1, budgetShare))} % of its budget`
  return `${source}: ${countText(requests)} of ${countText(planned)} requests${share}`
}
