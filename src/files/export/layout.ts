import { join } from 'node:path'
import { InvalidInput } from '../../fault.ts'
import type { Coin } from '../../store/coins.ts'
import type { ArchiveColumn } from '../../store/lifecycle/archives/archive-content.ts'
import { type ExportFormat, freqtradeWriters, plainWriters } from '../formats/formats.ts'
import type { OpenWriter } from '../formats/row-writer.ts'
import type { GapMode } from './candle-gaps.ts'
import { type ExportedName, type ExportedSeries, gapColumn } from './exported-table.ts'
import { pairOf } from './freqtrade-pair.ts'

export const layouts = ['file', 'series', 'hive', 'freqtrade'] as const
/** `file`: one for all series. `series`: one each. `hive`: folders by key. */
export type Layout = (typeof layouts)[number]

export type CoinSeries = ExportedSeries & Readonly<{ coin: Coin }>

export type Output = Readonly<{
  path: string
  series: readonly CoinSeries[]
  /** `places`: indexes in a table row, followed by the gap's cause. */
  columns: readonly ArchiveColumn[]
  places: readonly number[]
  openWriter: OpenWriter
}>

export type OutputRequest = Readonly<{
  table: ExportedName
  series: readonly CoinSeries[]
  columns: readonly ArchiveColumn[]
  format: ExportFormat
  layout: Layout
  out: string
  gaps: GapMode
}>

/** Throws InvalidInput for a format that the layout lacks. */
export function planOutputs(request: OutputRequest): Output[] {
  const { layout, series, out } = request
  const openWriter = writerOf(request)
  const kept = columnsOf(request)
  const output = (path: string, own: readonly CoinSeries[]): Output => ({
    path,
    series: own,
    columns: kept.map(({ column }) => column),
    places: kept.map(({ place }) => place),
    openWriter,
  })
  if (layout === 'file') return [output(out, series)]
  const outputs = series.map((one) => output(join(out, nameOf(request, one)), [one]))
  refuseShared(outputs)
  return outputs
}

function refuseShared(outputs: readonly Output[]): void {
  const coins = new Map<string, string>()
  for (const { path, series } of outputs) {
    const coinId = series[0]?.coinId ?? ''
    const other = coins.get(path)
    if (other !== undefined)
      throw new InvalidInput(
        `${other} and ${coinId} would share the file ${path}: export them into two folders`,
      )
    coins.set(path, coinId)
  }
}

function writerOf({ layout, format, table, gaps }: OutputRequest): OpenWriter {
  const writers = layout === 'freqtrade' ? freqtradeWriters : plainWriters
  const openWriter = writers[format]
  if (!openWriter)
    throw new InvalidInput(
      `--format ${format} does not exist ${layout === 'freqtrade' ? 'for' : 'without'} --layout freqtrade: choose ${Object.keys(writers).join(' or ')}`,
    )
  if (layout === 'freqtrade' && table !== 'candles')
    throw new InvalidInput('--layout freqtrade holds candles only: leave --table out')
  if (layout === 'freqtrade' && gaps !== 'leave')
    throw new InvalidInput('--layout freqtrade has no column that marks gaps: leave --gaps out')
  return openWriter
}

const hiveKeys: readonly string[] = ['coin_id', 'timeframe']

function columnsOf({ layout, columns, gaps }: OutputRequest) {
  const placed = columns.map((column, place) => ({ column, place }))
  const isKey = ({ name }: ArchiveColumn) => hiveKeys.includes(name)
  if (layout === 'freqtrade')
    return placed
      .filter(({ column }) => !isKey(column))
      .map(({ column, place }) => ({
        column: column.name === 'timestamp' ? { ...column, name: 'date' } : column,
        place,
      }))
  const isEmptyPossible = gaps === 'mark'
  const own = placed
    .filter(({ column }) => layout !== 'hive' || !isKey(column))
    .map(({ column, place }) => ({
      column: isEmptyPossible && column.type.startsWith('numeric') ? { ...column, nullable: true } : column,
      place,
    }))
  return gaps === 'leave' ? own : [...own, { column: gapColumn, place: columns.length }]
}

/** https://www.freqtrade.io/en/stable/data-download/ */
function nameOf({ layout, table, format }: OutputRequest, { coin, coinId, timeframe }: CoinSeries): string {
  if (layout === 'freqtrade') return `${pairOf(coin).join('_')}-${timeframe}.${format}`
  if (layout === 'hive') {
    const keys = [
      `coin_id=${fileName(coinId)}`,
      ...(timeframe === undefined ? [] : [`timeframe=${timeframe}`]),
    ]
    return join(...keys, `${table}.${format}`)
  }
  return `${fileName(coinId)}-${timeframe ?? table}.${format}`
}

/** Percent-encodes other characters. */
const fileName = (id: string): string =>
  id.replaceAll(/[^A-Za-z0-9_.-]|^\./g, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  )
