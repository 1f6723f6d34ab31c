import { Malformed } from '../fault.ts'
import { type Candle, type CandleRow, openTimeOf } from '../market/candle.ts'
import type { Decimal } from '../market/decimal.ts'
import type { Instant } from '../market/instant.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { readDecimal } from './json.ts'

/** The five numbers of a row as they stand in the answer, told apart by whoever knows the order of its columns. */
export type WrittenCandle = Readonly<Record<'open' | 'high' | 'low' | 'close' | 'volume', unknown>>

/** The candle of a row whose amounts are JSON strings, or the flaw of its first column that is no number. */
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

/**
 * Makes a flaw of a candle whose volume counts money and whose turnover counts coins: turned round, the two give a
 * price between its low and its high, and as they stand they do not.
 */
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

/** Sources round what was paid. */
const tolerance = 0.01

/** Whether so much money for so many coins is a price between the candle's low and its high. */
export function isPaidFor({ low, high }: Candle, money: Decimal, coins: Decimal): boolean {
  const price = Number(money) / Number(coins)
  return price >= Number(low) * (1 - tolerance) && price <= Number(high) * (1 + tolerance)
}

/** Fewer distances than these may come from a single row that is misplaced. */
const tellingGaps = 3

/**
 * Throws Malformed where the rows are candles of a shorter timeframe, some of which open on the grid of ours. Those of
 * a longer one cannot be told from a market that rests between them.
 */
export function refuseShorterCandles(source: string, timeframe: Timeframe, rows: readonly CandleRow[]): void {
  const openTimes = rows.flatMap((row) => openTimeOf(row) ?? [])
  const sorted = [...new Set(openTimes)].sort((a, b) => a - b)
  const gaps = sorted.slice(1).map((openTime, index) => openTime - (sorted[index] ?? openTime))
  const tooShort = gaps.filter((gap) => gap < timeframeMs[timeframe])
  if (gaps.length >= tellingGaps && tooShort.length > gaps.length / 2)
    throw new Malformed(`${source} sent candles that are shorter than ${timeframe}`)
}
