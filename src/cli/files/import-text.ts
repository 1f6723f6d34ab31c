import { basename } from 'node:path'
import type { PlannedFile, PlannedSeries } from '../../files/import/import-plan.ts'
import type { ImportedRows } from '../../files/import/load-file.ts'
import { changedValues } from '../../ingest/verify/compare-with-source.ts'
import { toIso, toMinuteText } from '../../market/instant.ts'
import { counted } from '../../status/words.ts'
import { inspectCommand } from '../quarantine/inspect.ts'
import { countText } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'

type FileSeries = PlannedSeries & Readonly<{ path: string }>

const seriesOf = (plans: readonly PlannedFile[]): FileSeries[] =>
  plans.flatMap(({ source, series }) => series.map((one) => ({ ...one, path: source.path })))

export function planText(plans: readonly PlannedFile[]): string {
  const series = seriesOf(plans)
  const count = (title: string, of: (one: FileSeries) => number) => ({
    title,
    of: (one: FileSeries) => countText(of(one)),
    align: 'right' as const,
  })
  const shown = table(series, [
    { title: 'file', of: ({ path }) => basename(path) },
    { title: 'coin', of: ({ target }) => target.series.coinId },
    { title: 'timeframe', of: ({ target }) => target.series.timeframe },
    { title: 'source', of: ({ target }) => target.series.source, leaveOut: 1 },
    { title: 'from', of: ({ range }) => toMinuteText(range.from) },
    { title: 'to', of: ({ range }) => toMinuteText(range.to) },
    count('rows', ({ rows }) => rows),
    count('new', (one) => one.new),
    count('unchanged', ({ unchanged }) => unchanged),
    count('differ', ({ differing }) => differing),
    count('rejected', ({ rejected }) => rejected),
  ])
  return [shown, ...notesOf(plans)].join('\n')
}

function notesOf(plans: readonly PlannedFile[]): string[] {
  const total = (of: (one: FileSeries) => number) => seriesOf(plans).reduce((sum, one) => sum + of(one), 0)
  const marked = plans.reduce((sum, { skipped }) => sum + skipped.marked, 0)
  const others = plans.reduce((sum, { skipped }) => sum + skipped.others, 0)
  const notes: readonly (readonly [number, string])[] = [
    [marked, 'left out, marked as missing by an export'],
    [others, 'left out, of other series than the chosen one'],
    [total(({ ignored }) => ignored), 'left out, repeated or of candles that have not closed'],
    [total(({ foreign }) => foreign), 'left out, of a time in which the symbol was of another coin'],
    [total(({ expiring }) => expiring), 'past retention, which its next run would delete'],
  ]
  const lines = notes.flatMap(([count, text]) => (count === 0 ? [] : [`${counted(count, 'row')} ${text}.`]))
  const differences = differencesText(plans)
  return [...lines, ...(differences === '' ? [] : ['Candles that differ from the stored ones:', differences])]
}

export const differencesText = (plans: readonly PlannedFile[]): string =>
  seriesOf(plans)
    .flatMap(({ target: { series }, differences }) =>
      differences.map(({ stored, given }) => {
        const values = changedValues(stored, given).map(
          (name) => `${name} ${given[name]} (stored ${stored[name]})`,
        )
        return `  ${series.coinId} ${series.timeframe} ${toMinuteText(given.openTime)} UTC: ${values.join(', ')}`
      }),
    )
    .join('\n')

export const importedText = ({ new: added, revised, unchanged, quarantined, kept }: ImportedRows): string =>
  `${countText(added)} new, ${countText(revised)} replaced, ${countText(unchanged)} unchanged, ${countText(kept)} kept as stored, ${countText(quarantined)} quarantined candles.`

/** Undefined if none was rejected. */
export function rejectedText(plans: readonly PlannedFile[]): string | undefined {
  const rejected = seriesOf(plans).filter((one) => one.rejected > 0)
  const [first] = rejected
  if (!first) return undefined
  const { target, range, rejections } = first
  const count = rejected.reduce((sum, one) => sum + one.rejected, 0)
  const reason = rejections[0]?.reason ?? ''
  const inspected = { ...target.series, candles: first.rejected, ...range }
  return `${counted(count, 'row')} ${count === 1 ? 'was' : 'were'} rejected (${reason}). Inspect ${count === 1 ? 'it' : 'them'} with: ${inspectCommand(inspected)}`
}

export const planJson = (plans: readonly PlannedFile[]) =>
  plans.map(({ source, file, skipped, series }) => ({
    file: source.path,
    sha256: source.sha256,
    format: file.facts.format,
    marked: skipped.marked,
    others: skipped.others,
    series: series.map(({ target, range, differences, rejections, ...counts }) => ({
      ...target.series,
      symbol: target.market.symbol,
      from: toIso(range.from),
      to: toIso(range.to),
      ...counts,
      differences: differences.map(({ stored, given }) => ({
        ...given,
        openTime: toIso(given.openTime),
        stored: { ...stored, openTime: toIso(stored.openTime) },
      })),
      rejections: rejections.map(({ raw, reason }) => ({ raw, reason })),
    })),
  }))
