import type { Pool } from 'pg'
import { withLocalFiles } from '../../lifecycle/archive/storage/local-files.ts'
import { day, type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import type { ByteSink } from '../formats/row-writer.ts'
import { exportSeries, type RequestedRange, rangeOf, type SeriesDeps } from './export-series.ts'
import { exportedTables } from './exported-table.ts'
import { type CoinSeries, type Output, type OutputRequest, planOutputs } from './layout.ts'
import {
  type ExportFacts,
  type Manifest,
  manifestOf,
  manifestPath,
  type WrittenOutput,
  type WrittenSeries,
} from './manifest.ts'
import { OutputFile, refuseExisting } from './output-file.ts'
import { readColumns } from './stored-rows.ts'

export type ExportDeps = Readonly<{ pool: Pool; settings: Settings; now: Instant; signal: AbortSignal }>

export type ExportRequest = Omit<OutputRequest, 'columns'> &
  Readonly<{ range: RequestedRange; mayReplace: boolean }>

export type ExportPlan = Readonly<{
  request: ExportRequest
  outputs: readonly Output[]
  ranges: ReadonlyMap<CoinSeries, Range>
  /** Candles, or days for other tables. */
  units: number
}>

/** Throws InvalidInput if impossible. */
export async function planExport(deps: ExportDeps, request: ExportRequest): Promise<ExportPlan> {
  const table = exportedTables[request.table]
  const outputs = planOutputs({ ...request, columns: await readColumns(deps.pool, table) })
  const ranges = new Map<CoinSeries, Range>()
  for (const one of request.series) ranges.set(one, await rangeOf(deps, table, one, request.range))
  const units = [...ranges].reduce((sum, [series, { from, to }]) => sum + unitsBetween(series, from, to), 0)
  return { request, outputs, ranges, units }
}

const unitsBetween = ({ timeframe }: CoinSeries, from: Instant, to: Instant): number =>
  Math.max(0, Math.floor((to - from) / (timeframe === undefined ? day : timeframeMs[timeframe])))

type OnProgress = (units: number) => void

/** Writes files and a manifest; all are renamed into place at the end. */
export async function exportToFiles(
  deps: ExportDeps,
  plan: ExportPlan,
  onProgress: OnProgress,
): Promise<Readonly<{ manifest: Manifest; path: string }>> {
  const { request, outputs } = plan
  const path = manifestPath(request.layout, request.out)
  await refuseExisting([...outputs.map((output) => output.path), path], request.mayReplace)
  const files: OutputFile[] = []
  try {
    const written: WrittenOutput[] = []
    const progress = progressOf(plan, onProgress)
    await withLocalFiles(deps.settings, async (localFile) => {
      for (const output of outputs) {
        const file = await OutputFile.create(output.path)
        files.push(file)
        const series = await writeOutput({ ...deps, localFile }, plan, output, file, progress)
        written.push({ path: output.path, sha256: await file.finish(), bytes: file.bytes, series })
      }
    })
    const manifest = manifestOf(factsOf(deps, request), written, path)
    const file = await OutputFile.create(path)
    files.push(file)
    await file.write(Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`))
    await file.finish()
    for (const one of files) await one.publish()
    return { manifest, path }
  } catch (error) {
    for (const file of files) await file.discard()
    throw error
  }
}

/** Returns the row count. */
export async function exportToSink(
  deps: ExportDeps,
  plan: ExportPlan,
  sink: ByteSink,
  onProgress: OnProgress,
): Promise<number> {
  const [output] = plan.outputs
  if (!output) return 0
  const series = await withLocalFiles(deps.settings, (localFile) =>
    writeOutput({ ...deps, localFile }, plan, output, sink, progressOf(plan, onProgress)),
  )
  return series.reduce((sum, { rows }) => sum + rows, 0)
}

function progressOf({ ranges }: ExportPlan, onProgress: OnProgress) {
  let before = 0
  let last: CoinSeries | undefined
  return (series: CoinSeries, upTo: Instant) => {
    const ended = last && last !== series ? ranges.get(last) : undefined
    if (last && ended) before += unitsBetween(last, ended.from, ended.to)
    last = series
    onProgress(before + unitsBetween(series, ranges.get(series)?.from ?? upTo, upTo))
  }
}

async function writeOutput(
  deps: SeriesDeps,
  { request: { table, range: requested, gaps }, ranges }: ExportPlan,
  { columns, places, series, openWriter }: Output,
  sink: ByteSink,
  onProgress: (series: CoinSeries, upTo: Instant) => void,
): Promise<WrittenSeries[]> {
  const writer = await openWriter(sink, columns)
  const written: WrittenSeries[] = []
  for (const one of series) {
    const range = ranges.get(one)
    if (!range) throw new Error(`${one.coinId} is not in the plan`)
    const isFromFirst = requested.from === undefined
    const request = { table: exportedTables[table], series: one, range, isFromFirst, gaps, places }
    written.push(await exportSeries(deps, request, writer, (upTo) => onProgress(one, upTo)))
  }
  await writer.end()
  return written
}

const factsOf = ({ now }: ExportDeps, { table, format, layout, gaps }: ExportRequest): ExportFacts => ({
  table,
  format,
  layout,
  gaps,
  createdAt: toIso(now),
})
