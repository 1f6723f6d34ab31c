import { Malformed } from '../../fault.ts'
import { type Candle, type CandleRow, openTimeOf } from '../../market/candle.ts'
import type { Decimal } from '../../market/decimal.ts'
import { type Instant, minute } from '../../market/instant.ts'
import { isAligned, type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { AnswerRow } from '../source.ts'
import { readDecimal } from './json.ts'

/** Unparsed numbers of a row. */
export type WrittenCandle = Readonly<Record<'open' | 'high' | 'low' | 'close' | 'volume', unknown>>

/** A candle from JSON strings or lossless numbers, or a flaw naming the first bad column. */
export function readCandle(raw: unknown, openTime: Instant, written: WrittenCandle): CandleRow {
  const open = readDecimal(written.open)
  const high = readDecimal(written.high)
  const low = readDecimal(written.low)
  const close = readDecimal(written.close)
  const volume = readDecimal(written.volume)
  if (open && high && low && close && volume)
    return { raw, candle: { openTime, open, high, low, close, volume } }
  const names = Object.entries({ open, high, low, close, volume }).flatMap(([name, value]) =>
    value ? [] : [name],
  )
  return { raw, openTime, flaw: `${names[0]} is not a decimal string` }
}

/** Flags swapped volume and turnover: only their swap gives a price within low and high. */
export function withTurnover(row: CandleRow, written: unknown): CandleRow {
  if (!('candle' in row)) return row
  const { raw, candle } = row
  const { openTime, volume } = candle
  const turnover = readDecimal(written)
  if (!turnover) return { raw, openTime, flaw: 'turnover is not a decimal string' }
  return !isPaidFor(candle, turnover, volume) && isPaidFor(candle, volume, turnover)
    ? { raw, openTime, flaw: 'volume and turnover stand in the place of each other' }
    : row
}

/** Sources round turnover. */
const tolerance = 0.01

/** Whether money / coins is a price within low and high. */
export function isPaidFor({ low, high }: Candle, money: Decimal, coins: Decimal): boolean {
  const price = Number(money) / Number(coins)
  return price >= Number(low) * (1 - tolerance) && price <= Number(high) * (1 + tolerance)
}

/** Parses rows; a bad one becomes a flaw. Throws Malformed if no row has a time or the timeframe is shorter. */
export function readCandleRows<Written, Row extends AnswerRow>(
  source: string,
  timeframe: Timeframe,
  written: readonly Written[],
  read: (row: Written) => Row,
): Row[] {
  const rows = written.map((row) => read(row))
  refuseUndated(source, rows)
  refuseShorterCandles(source, timeframe, rows)
  return rows
}

/** If no row has a time, the format has changed. */
function refuseUndated(source: string, rows: readonly AnswerRow[]): void {
  const [first] = rows
  if (first === undefined || rows.some((row) => openTimeOf(row) !== undefined)) return
  const flaw = 'flaw' in first ? first.flaw : ''
  throw new Malformed(
    `${source} sent ${rows.length} candles, none of them with a time that can be read: ${flaw}`,
  )
}

/** One misplaced row makes two short distances. */
const fewestMisplaced = 2
const fewestDistances = 3

/**
 * Detects candles of a shorter timeframe by distances. An outage shifts rows but keeps distances; longer timeframes
 * look like missing trades.
 */
function refuseShorterCandles(source: string, timeframe: Timeframe, rows: readonly AnswerRow[]): void {
  const openTimes = [...new Set(rows.flatMap((row) => openTimeOf(row) ?? []))].sort((a, b) => a - b)
  const misplaced = openTimes.filter((openTime) => !isAligned(openTime, timeframe))
  const distances = openTimes.slice(1).map((openTime, index) => openTime - (openTimes[index] ?? openTime))
  const tooShort = distances.filter((ms) => ms < timeframeMs[timeframe] && ms % minute === 0)
  if (
    misplaced.length >= fewestMisplaced &&
    distances.length >= fewestDistances &&
    tooShort.length > distances.length / 2
  )
    throw new Malformed(`${source} sent candles that are shorter than ${timeframe}`)
}
