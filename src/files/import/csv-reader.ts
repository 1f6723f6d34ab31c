import { InvalidInput, Malformed } from '../../fault.ts'
import type { CandleRow } from '../../market/candle.ts'
import { isHeaderLine, readArchiveLine } from '../../sources/binance-archive.ts'
import { type ColumnMapping, type Places, placesByName, placesByNumber } from './column-names.ts'
import { type FileRows, RowGroups, type SeriesKey } from './file-rows.ts'
import { readRow } from './read-row.ts'
import { csvFields, excerptOf, textLines } from './text-lines.ts'

export type CsvDialect = Readonly<{
  format: 'beacon' | 'binance' | 'kraken' | 'csv'
  /** Lines to skip. */
  skip: number
  rowOf(line: string): SeriesKey & Readonly<{ row?: CandleRow }>
}>

/** Some files begin with a line or two of text. */
const headerWithin = 10

/** seconds, open, high, low, close, volume, trades. https://support.kraken.com/articles/360047124832 */
const krakenPlaces: Places = { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5 }
const krakenColumns = 7

const binanceColumns = 12

/** Detects the dialect. Throws InvalidInput for unknown columns. */
export function dialectOf(
  name: string,
  firstLines: readonly string[],
  mapping: ColumnMapping,
  { symbol, timeframe }: Readonly<{ symbol: string | undefined; timeframe: string }>,
): CsvDialect {
  if (firstLines.length === 0) throw new InvalidInput(`${name} is empty`)
  const lines = firstLines.slice(0, headerWithin).map(csvFields)
  const [first = []] = lines
  if (first.length === binanceColumns && isBinance(lines)) return binanceDialect(firstLines, timeframe)
  const header = lines.findIndex((columns) => placesByName(columns, mapping, symbol) !== undefined)
  const places = placesByName(lines[header] ?? [], mapping, symbol)
  if (places) return namedDialect(lines[header] ?? [], header + 1, places)
  const byNumber = placesByNumber(mapping)
  if (byNumber)
    return { format: 'csv', skip: 0, rowOf: (line) => ({ row: readRow(line, csvFields(line), byNumber) }) }
  if (first.length === krakenColumns && /^\d{10}$/.test(first[0] ?? ''))
    return {
      format: 'kraken',
      skip: 0,
      rowOf: (line) => ({ row: readRow(line, csvFields(line), krakenPlaces) }),
    }
  throw new InvalidInput(
    `the columns of ${name} are unknown (it begins with "${excerptOf(firstLines[0] ?? '')}"): name them with --columns time=…,open=…,high=…,low=…,close=…,volume=…, or by place from 1 on`,
  )
}

/** The seventh column is the close time. */
const isBinance = (lines: readonly string[][]): boolean =>
  lines.slice(0, 2).some((columns) => [0, 6].every((place) => /^\d{13}(\d{3})?$/.test(columns[place] ?? '')))

const binanceDialect = ([first = '']: readonly string[], timeframe: string): CsvDialect => ({
  format: 'binance',
  skip: isHeaderLine(first) ? 1 : 0,
  rowOf: (line) => ({ row: readArchiveLine(line, { timeframe }) }),
})

function namedDialect(header: readonly string[], skip: number, places: Places): CsvDialect {
  const [coinPlace, timeframePlace, gapPlace] = ['coin_id', 'timeframe', 'gap'].map((name) =>
    header.indexOf(name),
  )
  const isOurs = coinPlace !== -1 && timeframePlace !== -1
  return {
    format: isOurs ? 'beacon' : 'csv',
    skip,
    rowOf: (line) => {
      const fields = csvFields(line)
      const key = isOurs
        ? { coinId: fields[coinPlace ?? -1] ?? '', timeframe: fields[timeframePlace ?? -1] ?? '' }
        : {}
      const isMarked = isOurs && gapPlace !== undefined && (fields[gapPlace] ?? '') !== ''
      return isMarked ? key : { ...key, row: readRow(line, fields, places) }
    },
  }
}

/** Consecutive rows of a series together. */
export async function* csvRows(
  name: string,
  content: AsyncIterable<Buffer>,
  { skip, rowOf }: CsvDialect,
): AsyncGenerator<FileRows> {
  let number = 0
  for await (const lines of textLines(content)) {
    const groups = new RowGroups()
    for (const line of lines) {
      number += 1
      if (number <= skip || line === '') continue
      const { row, ...key } = rowOf(line)
      groups.add(key, row)
    }
    yield* groups.groups()
  }
  if (number <= skip) throw new Malformed(`${name} has no row`)
}

/** Without reading the rest. */
export async function firstLinesOf(content: AsyncIterable<Buffer>): Promise<string[]> {
  const found: string[] = []
  for await (const lines of textLines(content)) {
    found.push(...lines)
    if (found.length >= headerWithin) break
  }
  return found
}
