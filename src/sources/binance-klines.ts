import { Malformed } from '../fault.ts'
import type { Candle, CandleRow } from '../market/candle.ts'
import type { Decimal } from '../market/decimal.ts'
import { type Instant, toInstant } from '../market/instant.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { parseJson, readDecimal } from './json.ts'
import type { CandleQuery } from './source.ts'

/** The most klines one answer holds. */
export const pageSize = 1_000

/** Reads an answer of `/api/v3/klines`. Throws Malformed. */
export const parseKlines = (text: string, { timeframe }: CandleQuery): CandleRow[] =>
  readUsualKlines(text, timeframe) ?? readAnyKlines(text, timeframe)

/** A row, column by column, as Binance has always written it, and what stands behind it. */
const usualKline = (() => {
  const time = String.raw`([1-9]\d{12})`
  const decimal = String.raw`"((?:0|[1-9]\d*)\.\d+)"`
  const amount = String.raw`"\d+\.\d+"`
  const count = String.raw`(?:0|[1-9]\d*)`
  const nothing = String.raw`"[\d.]*"`
  const read = [time, decimal, decimal, decimal, decimal, decimal, time]
  const columns = [...read, amount, count, amount, amount, nothing]
  return new RegExp(String.raw`\[${columns.join(',')}\](?:,(?=\[)|\]$)`, 'y')
})()

/** What a pattern of all columns up to the close time has found: with the form of the texts it has proved what they are. */
export type KlineColumns = readonly [
  row: string,
  openTime: string,
  open: Decimal,
  high: Decimal,
  low: Decimal,
  close: Decimal,
  volume: Decimal,
  closeTime: string,
]

/**
 * Reads an answer that is to the letter what Binance has always written, in half of the time that JSON takes: of the twelve
 * columns six are wanted, and a text is made of no other. Undefined for any other answer, whatever is wrong with it.
 */
function readUsualKlines(text: string, timeframe: Timeframe): CandleRow[] | undefined {
  if (!text.startsWith('[[')) return undefined
  const rows: CandleRow[] = []
  for (let at = 1; at < text.length; at = usualKline.lastIndex) {
    usualKline.lastIndex = at
    const columns = usualKline.exec(text) as KlineColumns | null
    if (!columns || rows.length === pageSize) return undefined
    const [row, openText, open, high, low, close, volume, closeText] = columns
    const openTime = readMilliseconds(Number(openText))
    if (openTime === undefined || Number(closeText) !== closeTimeOf(openTime, timeframe)) return undefined
    rows.push(new UsualKline(row, { openTime, open, high, low, close, volume }))
  }
  return rows
}

/** Hardly any row is ever wanted as it came: it is read again for the one that is. */
class UsualKline {
  readonly candle: Candle
  readonly #text: string

  constructor(textAndWhatFollows: string, candle: Candle) {
    this.#text = textAndWhatFollows
    this.candle = candle
  }

  get raw(): unknown {
    return JSON.parse(this.#text.slice(0, -1))
  }
}

/** A candle of a longer timeframe also opens on the grid of a shorter one: only its close tells. */
const closeTimeOf = (openTime: Instant, timeframe: Timeframe): number => openTime + timeframeMs[timeframe] - 1

function readAnyKlines(text: string, timeframe: Timeframe): CandleRow[] {
  const rows = parseJson('binance', text)
  if (!Array.isArray(rows)) throw new Malformed('binance sent klines that are not an array')
  if (rows.length > pageSize)
    throw new Malformed(`binance sent ${rows.length} klines, more than a page holds`)
  return rows.map((row) => readKline(row, timeframe))
}

/** Row: [open time ms, "open", "high", "low", "close", "base volume", close time ms, "quote volume", …] */
function readKline(row: unknown, timeframe: Timeframe): CandleRow {
  if (!Array.isArray(row)) throw new Malformed('binance sent a kline that is not an array')
  const openTime = readMilliseconds(row[0])
  if (openTime === undefined)
    throw new Malformed('binance sent a kline whose first column is not a time in milliseconds')
  if (row[6] !== closeTimeOf(openTime, timeframe))
    return { raw: row, openTime, flaw: `close time is not that of a ${timeframe} candle` }
  const open = readDecimal(row[1])
  const high = readDecimal(row[2])
  const low = readDecimal(row[3])
  const close = readDecimal(row[4])
  const volume = readDecimal(row[5])
  if (!open || !high || !low || !close || !volume) {
    const column = [open, high, low, close, volume].findIndex((value) => !value) + 1
    return { raw: row, openTime, flaw: `${klineColumns[column]} is not a decimal string` }
  }
  return { raw: row, candle: { openTime, open, high, low, close, volume } }
}

const klineColumns = ['open time', 'open', 'high', 'low', 'close', 'volume']

/** Milliseconds have 13 digits in our lifetime; 10 would be seconds and 16 microseconds, which were not asked for. */
export const readMilliseconds = (value: unknown): Instant | undefined =>
  Number.isSafeInteger(value) && Number(value) >= 1e12 && Number(value) < 1e13
    ? toInstant(Number(value))
    : undefined
