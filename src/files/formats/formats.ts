import { openCsvWriter } from './csv-writer.ts'
import { openFeatherWriter, openFreqtradeFeather } from './feather-writer.ts'
import { openFreqtradeJson } from './freqtrade-json-writer.ts'
import { openJsonlWriter } from './jsonl-writer.ts'
import { openParquetWriter } from './parquet-writer.ts'
import type { OpenWriter } from './row-writer.ts'

/** What `beacon export` writes. `json` is an array a file, which only freqtrade reads. */
export const exportFormats = ['csv', 'parquet', 'jsonl', 'feather', 'json'] as const
export type ExportFormat = (typeof exportFormats)[number]

/** Formats with our own columns. */
export const plainWriters: Readonly<Partial<Record<ExportFormat, OpenWriter>>> = {
  csv: openCsvWriter,
  parquet: openParquetWriter,
  jsonl: openJsonlWriter,
  feather: openFeatherWriter,
}

/** Formats that freqtrade reads candles from. */
export const freqtradeWriters: Readonly<Partial<Record<ExportFormat, OpenWriter>>> = {
  feather: openFreqtradeFeather,
  json: openFreqtradeJson,
}
