import { basename, dirname, join, relative } from 'node:path'
import { toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { readVersion } from '../../settings/version.ts'
import type { ExportFormat } from '../formats/formats.ts'
import type { ExportedGap, GapMode } from './candle-gaps.ts'
import type { ExportedName, ExportedSeries } from './exported-table.ts'
import type { Layout } from './layout.ts'

/** What an export wrote of one series. */
export type WrittenSeries = ExportedSeries &
  Readonly<{
    range: Range
    rows: number
    /** Inserted rows. */
    marked: number
    /** Sources of the stored candles. */
    sources: readonly string[]
    gaps: readonly ExportedGap[]
  }>

export type WrittenOutput = Readonly<{
  path: string
  bytes: number
  sha256: string
  series: readonly WrittenSeries[]
}>

export type ExportFacts = Readonly<{
  table: ExportedName
  format: ExportFormat
  layout: Layout
  gaps: GapMode
  createdAt: string
}>

/** Beside a single file, or in the folder. */
export const manifestPath = (layout: Layout, out: string): string =>
  layout === 'file' ? `${out}.manifest.json` : join(out, 'manifest.json')

/** Self-contained description of the files. */
export function manifestOf(facts: ExportFacts, outputs: readonly WrittenOutput[], path: string) {
  return {
    ...facts,
    program: `beacon-ingest ${readVersion()}`,
    files: outputs.map(({ path: file, bytes, sha256, series }) => ({
      path: relative(dirname(path), file) || basename(file),
      bytes,
      sha256,
      rows: series.reduce((sum, { rows }) => sum + rows, 0),
      series: series.map(seriesFacts),
    })),
  }
}

const seriesFacts = ({ coinId, timeframe, range, rows, marked, sources, gaps }: WrittenSeries) => ({
  coinId,
  ...(timeframe === undefined ? {} : { timeframe }),
  from: toIso(range.from),
  to: toIso(range.to),
  rows,
  ...(timeframe === undefined
    ? {}
    : {
        stored: rows - marked,
        marked,
        sources,
        missing: gaps.reduce((sum, { candles }) => sum + candles, 0),
        gaps: gaps.map((gap) => ({
          from: toIso(gap.range.from),
          to: toIso(gap.range.to),
          candles: gap.candles,
          cause: gap.cause,
        })),
      }),
})

export type Manifest = ReturnType<typeof manifestOf>
