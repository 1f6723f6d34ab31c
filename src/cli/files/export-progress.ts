import type { ExportRequest, OnExportProgress } from '../../files/export/export.ts'
import { day, type Instant } from '../../market/instant.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import { withCountingBar } from '../counting-bar.ts'

/** Fewer are written before a bar could be read. */
const longExport = 200_000

/** Shows how far a long export is, by the candles or days of its range. */
export async function withExportProgress(
  { series, range }: ExportRequest,
  now: Instant,
  work: (onProgress: OnExportProgress) => Promise<void>,
): Promise<void> {
  const { from } = range
  const lengthOf = (timeframe: keyof typeof timeframeMs | undefined) =>
    timeframe === undefined ? day : timeframeMs[timeframe]
  const to = Math.min(range.to, now)
  const countOf = (timeframe: keyof typeof timeframeMs | undefined, upTo: number) =>
    Math.max(0, Math.floor((Math.min(upTo, to) - (from ?? now - 365 * day)) / lengthOf(timeframe)))
  const total = series.reduce((sum, { timeframe }) => sum + countOf(timeframe, to), 0)
  if (total < longExport) return work(() => {})
  let before = 0
  let current: (typeof series)[number] | undefined
  const noun = series[0]?.timeframe === undefined ? 'days' : 'candles'
  return withCountingBar(total, noun, (show) =>
    work((one, upTo) => {
      if (current && current !== one) before += countOf(current.timeframe, to)
      current = one
      show(Math.min(total, before + countOf(one.timeframe, upTo)))
    }),
  )
}
