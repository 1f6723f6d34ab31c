import { extname } from 'node:path'
import { Command, Option } from 'commander'
import { InvalidInput } from '../../fault.ts'
import { type GapMode, gapModes } from '../../files/export/candle-gaps.ts'
import {
  type ExportPlan,
  type ExportRequest,
  exportToFiles,
  exportToSink,
  planExport,
} from '../../files/export/export.ts'
import { type ExportedName, exportedTables } from '../../files/export/exported-table.ts'
import { type CoinSeries, type Layout, layouts } from '../../files/export/layout.ts'
import type { Manifest } from '../../files/export/manifest.ts'
import { kindOf } from '../../files/export/output-file.ts'
import { type ExportFormat, exportFormats } from '../../files/formats/formats.ts'
import type { Instant } from '../../market/instant.ts'
import { counted } from '../../status/words.ts'
import { listCoins } from '../../store/coins.ts'
import {
  allCoins,
  asJson,
  fromStoredDate,
  namedCoins,
  RequiredOption,
  refuseNoCoins,
  someTimeframes,
  toDate,
} from '../arguments/options.ts'
import { chosenTimeframes, readDate } from '../arguments.ts'
import { chosenCoins } from '../series/chosen-coins.ts'
import { type DatabaseSession, withDatabase } from '../session.ts'
import { answer, bytesText, countText, OutputClosed, say, standardOutput } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { withExportProgress } from './export-progress.ts'

type ExportOptions = Readonly<{
  all?: boolean
  table: ExportedName
  timeframe?: string
  from?: string
  to?: string
  format?: ExportFormat
  layout?: Layout
  out: string
  gaps: GapMode
  replace?: boolean
  json?: boolean
}>

export const exportCommand = (): Command =>
  new Command('export')
    .addArgument(namedCoins())
    .addOption(allCoins())
    .addOption(
      new Option('--table <name>', 'select candles (default), prices or market_data_daily')
        .choices(Object.keys(exportedTables))
        .default('candles'),
    )
    .addOption(someTimeframes())
    .addOption(fromStoredDate())
    .addOption(toDate())
    .addOption(
      new Option('--format <name>', 'choose csv, parquet, jsonl, feather or json; default: csv').choices(
        exportFormats,
      ),
    )
    .addOption(new Option('--layout <name>', 'choose file, series, hive or freqtrade').choices(layouts))
    .addOption(
      new RequiredOption(
        '--out <path>',
        'write to a file, a folder, or - for a pipe (required)',
        'candles.csv',
      ),
    )
    .addOption(
      new Option('--gaps <mode>', 'leave missing candles out (default), mark or fill them')
        .choices(gapModes)
        .default('leave'),
    )
    .option('--replace', 'overwrite files that exist')
    .addOption(asJson())
    .action((names: string[], options: ExportOptions) =>
      withDatabase((session) => runExport(session, names, options)),
    )

async function runExport(
  session: DatabaseSession,
  names: readonly string[],
  options: ExportOptions,
): Promise<void> {
  const { settings, clock, database, signal } = session
  const now = clock.now()
  const request = await readRequest(session, names, options, now)
  const deps = { pool: database.pool, settings, now, signal }
  const plan = await planExport(deps, request)
  await withExportProgress(plan, async (onProgress) => {
    if (options.out === '-') return exportToPipe(deps, plan, onProgress)
    const { manifest, path } = await exportToFiles(deps, plan, onProgress)
    answer(options.json, manifest, () => `${filesTable(manifest)}\n\nManifest: ${path}`)
  })
}

/** A closed pipe (`head`) is no error. */
async function exportToPipe(
  deps: Parameters<typeof exportToSink>[0],
  plan: ExportPlan,
  onProgress: (units: number) => void,
): Promise<void> {
  try {
    const rows = await exportToSink(deps, plan, standardOutput, onProgress)
    say(`Exported ${counted(rows, 'row')}.`)
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error
  }
}

async function readRequest(
  { db, settings }: DatabaseSession,
  names: readonly string[],
  options: ExportOptions,
  now: Instant,
): Promise<ExportRequest> {
  refuseNoCoins(names, options.all)
  const { out, gaps } = options
  if (out === '') throw new InvalidInput('--out is empty: name a file, a folder, or - for a pipe')
  const isCandles = options.table === 'candles'
  if (!isCandles && options.timeframe !== undefined)
    throw new InvalidInput(`--timeframe selects candles: leave it out with --table ${options.table}`)
  if (!isCandles && gaps !== 'leave')
    throw new InvalidInput(`--gaps concerns candles: leave it out with --table ${options.table}`)
  const coins = chosenCoins(await listCoins(db), names, settings)
  if (coins.length === 0)
    throw new InvalidInput('no coin is tracked. Track one with: beacon coins add bitcoin')
  const timeframes = isCandles ? chosenTimeframes(options.timeframe, settings) : [undefined]
  const series = coins.flatMap((coin): CoinSeries[] =>
    timeframes.map((timeframe) => ({ coin, coinId: coin.id, timeframe })),
  )
  return {
    table: options.table,
    series,
    range: readBounds(options, now),
    format: options.format ?? formatOf(out, options.layout),
    layout: await layoutOf(options),
    out,
    gaps,
    mayReplace: options.replace ?? false,
  }
}

function readBounds({ from, to }: ExportOptions, now: Instant): ExportRequest['range'] {
  const range = {
    from: from === undefined ? undefined : readDate('--from', from, now),
    to: to === undefined ? now : readDate('--to', to, now),
  }
  if (range.from !== undefined && range.from >= range.to)
    throw new InvalidInput(`--from ${from} is not before --to ${to ?? 'now'}`)
  return range
}

/** By file name, else CSV or freqtrade's default. */
function formatOf(out: string, layout: Layout | undefined): ExportFormat {
  const ending = extname(out).slice(1)
  return exportFormats.find((format) => format === ending) ?? (layout === 'freqtrade' ? 'feather' : 'csv')
}

async function layoutOf({ out, layout }: ExportOptions): Promise<Layout> {
  if (out === '-') {
    if (layout !== undefined && layout !== 'file')
      throw new InvalidInput(`--layout ${layout} needs a folder: write it as --out FOLDER`)
    return 'file'
  }
  if (layout !== undefined) return layout
  return out.endsWith('/') || (await kindOf(out)) === 'folder' ? 'series' : 'file'
}

function filesTable({ files }: Manifest): string {
  const rows = files.flatMap(({ path, bytes, series }) => series.map((one) => ({ path, bytes, ...one })))
  return table(rows, [
    { title: 'coin', of: ({ coinId }) => coinId },
    { title: 'timeframe', of: ({ timeframe }) => timeframe ?? '' },
    { title: 'from', of: ({ from }) => from.slice(0, 16).replace('T', ' ') },
    { title: 'to', of: ({ to }) => to.slice(0, 16).replace('T', ' ') },
    { title: 'rows', of: (one) => countText(one.rows), align: 'right' },
    { title: 'missing', of: ({ missing }) => countText(missing ?? 0), align: 'right' },
    { title: 'file size', of: ({ bytes }) => bytesText(bytes), align: 'right', leaveOut: 1 },
    { title: 'file', of: ({ path }) => path },
  ])
}
