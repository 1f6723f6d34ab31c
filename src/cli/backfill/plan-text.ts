import type { BackfillPlan, SeriesPlan, SourceLoad } from '../../ingest/backfill/plan.ts'
import { minute, second, toIso, toMinuteText } from '../../market/instant.ts'
import { candleCount, type Range } from '../../market/range.ts'
import { durationText } from '../../settings/duration.ts'
import { counted } from '../../status/words.ts'
import { bytesText, countText, spanText, terminalSize } from '../terminal/output.ts'
import { type Column, table } from '../terminal/table.ts'
import { wrap } from '../terminal/wrap.ts'

export function planText(plan: BackfillPlan, size = terminalSize()): string {
  const some = (pick: (series: SeriesPlan) => number) => plan.series.some((series) => pick(series) > 0)
  const count = (
    title: string,
    of: (series: SeriesPlan) => string,
    leaveOut?: number,
  ): Column<SeriesPlan> => ({ title, of, align: 'right', ...(leaveOut === undefined ? {} : { leaveOut }) })
  const columns: Column<SeriesPlan>[] = [
    { title: 'coin', of: ({ series }) => series.coinId },
    { title: 'market', of: ({ series, symbol }) => `${series.source}:${symbol}`, leaveOut: 5 },
    { title: 'timeframe', of: ({ series }) => series.timeframe },
    { title: 'from', of: ({ wanted }) => toMinuteText(wanted.from) },
    { title: 'to', of: ({ wanted }) => toMinuteText(wanted.to) },
    ...(some(({ known }) => known) ? [count('there', ({ known }) => countText(known), 4)] : []),
    count('missing candles', ({ candles }) => countText(candles)),
    ...(plan.archive.requests > 0 ? [count('files', ({ files }) => countText(files.length), 6)] : []),
    count('requests', ({ requests, isEstimate }) => `${isEstimate ? '~' : ''}${countText(requests)}`),
    count('weight', ({ weight }) => countText(weight), 2),
    count('time', ({ durationMs }) => shortSpan(durationMs), 7),
    count('partitions', ({ partitions }) => countText(partitions.length), 1),
    count('disk', ({ bytes }) => bytesText(bytes), 3),
    ...(plan.expiring > 0 ? [count('past retention', ({ expiring }) => countText(expiring), 8)] : []),
  ]
  const lines = table(plan.series, columns, size)
  const totalLines = totals(plan).flatMap((total) => wrap(total, size.width))
  return `${lines}\n\n${totalLines.join('\n')}`
}

function totals(plan: BackfillPlan): string[] {
  const { known, partitions } = plan
  const rejected = plan.series.reduce((sum, one) => sum + rejectedIn(one), 0)
  const there =
    (known > 0 ? `, ${countText(known)} there already` : '') +
    (rejected > 0 ? `, ${countText(rejected)} rejected and in quarantine` : '')
  const names = partitions.length > 0 ? `: ${shortened(partitions)}` : ''
  return [
    ...archiveWords(plan),
    ...plan.series.flatMap(outOfReachWords),
    `${counted(plan.candles, 'candle')} missing${there}`,
    ...(plan.candles > 0
      ? [
          requestWords(plan),
          durationWords(plan),
          `${counted(partitions.length, 'partition')} to make${names}; about ${bytesText(plan.bytes)} on disk`,
        ]
      : []),
    ...(plan.expiring > 0
      ? [
          `${countText(plan.expiring)} of the candles are past their retention and would be deleted by its next run: ${retentionWords(plan)}`,
        ]
      : []),
  ]
}

const rejectedIn = ({ rejected, series: { timeframe } }: SeriesPlan): number =>
  rejected.reduce((sum, range) => sum + candleCount(range, timeframe), 0)

function archiveWords({ archive: { monthly, daily, requests, bytes } }: BackfillPlan): string[] {
  if (monthly + daily === 0) return []
  const files = [
    ...(monthly > 0 ? [counted(monthly, 'monthly file')] : []),
    ...(daily > 0 ? [counted(daily, 'daily file')] : []),
  ].join(' and ')
  const size = `about ${countText(Math.ceil(bytes / 1_000_000))} MB`
  return [
    `${files} of Binance's archive, ${size} in ${countText(requests)} downloads, each file with its checksum; what they leave out is asked for on top of the requests below`,
  ]
}

const outOfReachWords = ({ series: { source, timeframe }, symbol, outOfReach }: SeriesPlan): string[] =>
  outOfReach === undefined
    ? []
    : [
        `${source} has no ${timeframe} candles of ${symbol} from before ${toMinuteText(outOfReach.to)}: that part is left out`,
      ]

function requestWords({ requests, weight, isEstimate }: BackfillPlan): string {
  if (requests === 0) return 'no request beside the files'
  const cost = `${counted(requests, 'request')} of weight ${countText(weight)}`
  return isEstimate
    ? `about ${cost}: how many single trades have to be asked for is known only once they have come`
    : `${cost}, exact where the source has every candle; a page that comes short is asked again on top`
}

function durationWords({ durationMs, sources }: BackfillPlan): string {
  const duration = durationMs < minute ? 'less than a minute' : `about ${spanText(durationMs)}`
  return [`${duration} at the request budget`, ...sources.flatMap(othersWords)].join('; ')
}

function othersWords({ source, othersShare, otherBackfills, stoppedMs }: SourceLoad): string[] {
  const percent = Math.round(100 * othersShare)
  return [
    ...(percent > 0 ? [`live work takes ${percent} % of that of ${source}`] : []),
    ...(otherBackfills > 0 ? [`another backfill of ${source} is running`] : []),
    ...(stoppedMs > 0 ? [`${source} rate-limits us for another ${spanText(stoppedMs)}`] : []),
  ]
}

/** `1m is kept 7 days, 1h is kept 90 days and archived then` */
export function retentionWords({ series }: BackfillPlan): string {
  const limits = series
    .filter(({ expiring, keepMs }) => expiring > 0 && keepMs !== undefined)
    .map(({ series: { timeframe }, keepMs, ending }) => {
      const then = ending === 'archive' ? ' and archived then' : ''
      return `${timeframe} is kept ${durationText(keepMs ?? 0)}${then}`
    })
  return [...new Set(limits)].join(', ')
}

const shortSpan = (ms: number): string => (ms === 0 ? '-' : ms < second ? '< 1 s' : spanText(ms))

const shortened = (names: readonly string[]): string =>
  names.length <= 4 ? names.join(', ') : `${names[0]}, … ${names.at(-1)}`

const rangeJson = ({ from, to }: Range) => ({ from: toIso(from), to: toIso(to) })

export function planJson({ series, ...whole }: BackfillPlan) {
  const planned = series.map(
    ({ wanted, outOfReach, missing, rejected, files, candlesFrom: _from, ...plan }) => ({
      ...plan,
      wanted: rangeJson(wanted),
      ...(outOfReach ? { outOfReach: rangeJson(outOfReach) } : {}),
      missing: missing.map(rangeJson),
      rejected: rejected.map(rangeJson),
      files: files.map(({ kind, range }) => ({ kind, ...rangeJson(range) })),
    }),
  )
  return { ...whole, series: planned }
}
