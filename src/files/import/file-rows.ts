import type { CandleRow } from '../../market/candle.ts'
import { type Instant, parseDate, toInstant } from '../../market/instant.ts'

/** Consecutive rows; `coinId` and `timeframe` if the rows have them. */
export type FileRows = Readonly<{
  coinId?: string
  timeframe?: string
  rows: readonly CandleRow[]
  /** Rows inserted by an export. */
  marked?: number
}>

/** From its name and first lines. */
export type FileFacts = Readonly<{
  format: 'beacon' | 'binance' | 'kraken' | 'freqtrade' | 'csv'
  /** In the spelling of the file name. */
  symbol?: string
  timeframe?: string
}>

export type ReadableFile = Readonly<{ facts: FileFacts; read(): AsyncIterable<FileRows> }>

/** s, ms, µs, ns until 2286. */
const digitsPerUnit = [10, 13, 16, 19]

/** Epoch in any unit or a UTC date; undefined if neither or finer than ms. */
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

/** Groups rows by series. */
export class RowGroups {
  readonly #groups = new Map<string, SeriesKey & { rows: CandleRow[]; marked: number }>()

  /** An undefined row counts as marked. */
  add(key: SeriesKey, row: CandleRow | undefined): void {
    const id = `${key.coinId} ${key.timeframe}`
    const group = this.#groups.get(id) ?? { ...key, rows: [], marked: 0 }
    this.#groups.set(id, group)
    if (row) group.rows.push(row)
    else group.marked += 1
  }

  groups(): FileRows[] {
    return [...this.#groups.values()]
  }
}
