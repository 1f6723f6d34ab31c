import { InvalidInput } from '../../fault.ts'
import { day, hour, minute } from '../../market/instant.ts'
import { type Timeframe, timeframeMs, timeframes } from '../../market/timeframe.ts'
import type { ColumnMapping } from './column-names.ts'
import { csvRows, dialectOf, firstLinesOf } from './csv-reader.ts'
import { featherRows } from './feather-reader.ts'
import type { FileFacts, ReadableFile } from './file-rows.ts'
import { freqtradeJsonRows, jsonLineRows } from './json-reader.ts'
import { parquetRows } from './parquet-reader.ts'
import type { SourceFile } from './source-file.ts'

export const isDataFile = (name: string): boolean =>
  /\.(csv|zip|jsonl|json|parquet|feather)(\.gz)?$/i.test(name) && !/(^|[./\\])manifest\.json$/.test(name)

/** Of the series named by the user. */
type ReadOptions = Readonly<{
  mapping: ColumnMapping
  symbol: string | undefined
  timeframe: Timeframe | undefined
}>

/** Detects the format. Throws InvalidInput. */
export async function openFile(
  file: SourceFile,
  { mapping, symbol, timeframe }: ReadOptions,
): Promise<ReadableFile> {
  const { name, path } = file
  const named = factsOfName(name)
  const ending = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase()
  switch (ending) {
    case 'csv':
    case 'txt': {
      const dialect = dialectOf(name, await firstLinesOf(file.content()), mapping, {
        symbol,
        timeframe: named.timeframe ?? timeframe ?? '',
      })
      const facts = named.format === dialect.format ? named : { format: dialect.format }
      return { facts, read: () => csvRows(name, file.content(), dialect) }
    }
    case 'jsonl':
      return { facts: { format: 'beacon' }, read: () => jsonLineRows(name, file.content()) }
    case 'json':
      return { facts: asFreqtrade(named), read: () => freqtradeJsonRows(name, file.content()) }
    case 'parquet':
      return { facts: { format: 'beacon' }, read: () => parquetRows(path) }
    case 'feather':
      return { facts: asFreqtrade(named), read: () => featherRows(path, mapping) }
    default:
      throw new InvalidInput(
        `${path} has no known format: import .csv, .zip, .jsonl, .json, .parquet or .feather files, also with .gz`,
      )
  }
}

const asFreqtrade = (facts: FileFacts): FileFacts =>
  facts.format === 'freqtrade' ? facts : { format: 'freqtrade' }

/** By each publisher's naming. */
function factsOfName(name: string): FileFacts {
  const [, binance, timeframe] = /^([A-Z0-9]+)-(\d+[smhdwM]o?)-\d{4}-\d{2}(?:-\d{2})?\.csv$/.exec(name) ?? []
  if (binance !== undefined && timeframe !== undefined)
    return { format: 'binance', symbol: binance, timeframe }
  const [, kraken, minutes] = /^([A-Z0-9.]+)_(\d{1,5})\.csv$/.exec(name) ?? []
  if (kraken !== undefined)
    return { format: 'kraken', symbol: kraken, timeframe: lengthText(Number(minutes)) }
  const [, pair, of] = /^([A-Z0-9]+_[A-Z0-9]+)-(\d+[mhdw]|\d+Mo)\.(?:json|feather)$/.exec(name) ?? []
  if (pair !== undefined && of !== undefined) return { format: 'freqtrade', symbol: pair, timeframe: of }
  return { format: 'csv' }
}

/** A timeframe, or a text that cannot be configured. */
function lengthText(minutes: number): Timeframe | string {
  const ms = minutes * minute
  const known = timeframes.find((timeframe) => timeframeMs[timeframe] === ms)
  return known ?? (ms % day === 0 ? `${ms / day}d` : ms % hour === 0 ? `${ms / hour}h` : `${minutes}m`)
}
