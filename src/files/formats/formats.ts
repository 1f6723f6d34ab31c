import { openCsvWriter } from './csv-writer.ts'
import { openFeatherWriter, openFreqtradeFeather } from './feather-writer.ts'
import { openFreqtradeJson } from './freqtrade-json-writer.ts'
import { openJsonlWriter } from './jsonl-writer.ts'
import { openParquetWriter } from './parquet-writer.ts'
import type { OpenWriter } from './row-writer.ts'

/** `json` is only for freqtrade. */
export const exportFormats = ['csv', 'parquet', 'jsonl', 'feather', 'json'] as const
export type ExportFormat = (typeof exportFormats)[number]

/** With our columns. */
export const plainWriters: Readonly<Partial<Record<ExportFormat, OpenWriter>>> = {
  csv: openCsvWriter,
  parquet: openParquetWriter,
  jsonl: openJsonlWriter,
  feather: openFeatherWriter,
}

/** For freqtrade. */
export const freqtradeWriters: Readonly<Partial<Record<ExportFormat, OpenWriter>>> = {
  feather: openFreqtradeFeather,
  json: openFreqtradeJson,
}
