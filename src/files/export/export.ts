import type { Pool } from 'pg'
import { withLocalFiles } from '../../lifecycle/archive/local-files.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Settings } from '../../settings.ts'
import type { ByteSink } from '../formats/row-writer.ts'
import { exportSeries, type RequestedRange, type SeriesDeps } from './export-series.ts'
import { exportedTables } from './exported-table.ts'
import { type CoinSeries, type Output, type OutputRequest, planOutputs } from './layout.ts'
import { type ExportFacts, type Manifest, manifestOf, manifestPath, type WrittenOutput } from './manifest.ts'
import { OutputFile, refuseExisting } from './output-file.ts'
import { readColumns } from './stored-rows.ts'

export type ExportDeps = Readonly<{ pool: Pool; settings: Settings; now: Instant; signal: AbortSignal }>

export type ExportRequest = Omit<OutputRequest, 'columns'> &
  Readonly<{ range: RequestedRange; mayReplace: boolean }>

/** Hears of each series how far its rows have been written. */
export type OnExportProgress = (series: CoinSeries, upTo: Instant) => void

/**
 * Writes the rows of several series into files, with a manifest beside them. No file appears under its own name before all
 * of them are complete.
 */
export async function exportToFiles(
  deps: ExportDeps,
  request: ExportRequest,
  onProgress: OnExportProgress,
): Promise<Readonly<{ manifest: Manifest; path: string }>> {
  const outputs = await outputsOf(deps, request)
  const path = manifestPath(request.layout, request.out)
  await refuseExisting([...outputs.map((output) => output.path), path], request.mayReplace)
  const files: OutputFile[] = []
  try {
    const written: WrittenOutput[] = []
    await withLocalFiles(deps.settings, async (localFile) => {
      for (const output of outputs) {
        const file = await OutputFile.create(output.path)
        files.push(file)
        const series = await writeOutput({ ...deps, localFile }, request, output, file, onProgress)
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

/** Writes the rows of several series into a pipe. Returns how many there were. */
export async function exportToSink(
  deps: ExportDeps,
  request: ExportRequest,
  sink: ByteSink,
  onProgress: OnExportProgress,
): Promise<number> {
  const [output] = await outputsOf(deps, request)
  if (!output) return 0
  const series = await withLocalFiles(deps.settings, (localFile) =>
    writeOutput({ ...deps, localFile }, request, output, sink, onProgress),
  )
  return series.reduce((sum, { rows }) => sum + rows, 0)
}

async function outputsOf({ pool }: ExportDeps, request: ExportRequest): Promise<Output[]> {
  const columns = await readColumns(pool, exportedTables[request.table])
  return planOutputs({ ...request, columns })
}

async function writeOutput(
  deps: SeriesDeps,
  { table, range, gaps }: ExportRequest,
  { columns, places, series, openWriter }: Output,
  sink: ByteSink,
  onProgress: OnExportProgress,
) {
  const writer = await openWriter(sink, columns)
  const written = []
  for (const one of series) {
    const request = { table: exportedTables[table], series: one, range, gaps, places }
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
