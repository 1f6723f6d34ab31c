import type { CandleRow } from '../../market/candle.ts'
import { type Instant, parseDate, toInstant } from '../../market/instant.ts'

/** Consecutive rows of a file. `coinId` and `timeframe` are there where the rows have them. */
export type FileRows = Readonly<{
  coinId?: string
  timeframe?: string
  rows: readonly CandleRow[]
  /** Rows of an export for candles that were missing there. */
  marked?: number
}>

/** What a file is, as far as its name and its first lines show. */
export type FileFacts = Readonly<{
  format: 'beacon' | 'binance' | 'kraken' | 'freqtrade' | 'csv'
  /** The market, in the spelling of the file's name. */
  symbol?: string
  timeframe?: string
}>

export type ReadableFile = Readonly<{ facts: FileFacts; read(): AsyncIterable<FileRows> }>

/** Digits of a time in seconds, milliseconds, microseconds or nanoseconds until 2286. */
const digitsPerUnit = [10, 13, 16, 19]

/** A time of a file, as epoch digits in any unit or as a date in UTC; undefined where it is neither, or below a millisecond. */
export function readFileTime(text: string): Instant | undefined {
  const digits = /^(\d{10,19})(?:\.0+)?$/.exec(text.trim())?.[1]
  if (digits !== undefined) {
    if (!digitsPerUnit.includes(digits.length)) return undefined
    const ms = digits.slice(0, 13).padEnd(13, '0')
    return /^0*$/.test(digits.slice(13)) ? toInstant(Number(ms)) : undefined
  }
  return /^\d{4}-\d{2}-\d{2}/.test(text.trim()) ? parseDate(text.trim(), toInstant(0)) : undefined
}

export type SeriesKey = Readonly<{ coinId?: string; timeframe?: string }>

/** Collects rows by their series. */
export class RowGroups {
  readonly #groups = new Map<string, SeriesKey & { rows: CandleRow[]; marked: number }>()

  /** Without a row for one that an export marked as missing. */
  add(key: SeriesKey, row: CandleRow | undefined): void {
    const id = `${key.coinId} ${key.timeframe}`
    const group = this.#groups.get(id) ?? { ...key, rows: [], marked: 0 }
    this.#groups.set(id, group)
    if (row) group.rows.push(row)
    else group.marked += 1
  }

  /** Returns the groups in the order of their first rows. */
  groups(): FileRows[] {
    return [...this.#groups.values()]
  }
}
