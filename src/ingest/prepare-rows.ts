import type { CandleRow } from '../market/candle.ts'
import {
  type CandleExpectation,
  type CheckedCandles,
  checkCandles,
  isNotOurs,
} from '../market/candle-check.ts'
import type { Instant } from '../market/instant.ts'
import { isConsistent } from '../market/plain-candle.ts'
import { isAligned } from '../market/timeframe.ts'
import type { CandleRows } from '../store/candles/candle-rows.ts'
import { CandleRowsWriter, encodeCandles } from '../store/candles/candle-rows-writer.ts'
import type { Series } from '../store/coverage.ts'

/** What came of the rows of one answer: candles as they will be sent to the table, and what was not believed. */
export type PreparedRows = Omit<CheckedCandles, 'candles'> & Readonly<{ rows: CandleRows }>

/** Checks the rows of one answer, and makes them ready: they may have to wait for others. */
export function prepareRows(
  series: Series,
  rows: readonly CandleRow[],
  expectation: CandleExpectation,
): PreparedRows {
  const plain = preparePlain(series, rows, expectation)
  if (plain) return plain
  const { candles, ...rest } = checkCandles(rows, expectation)
  return { ...rest, rows: encodeCandles(series, candles) }
}

/**
 * Nearly all answers hold nothing but plain candles in their order: they are compared and written as the numbers that they
 * are. Undefined where there may be more to say of a row.
 */
function preparePlain(
  series: Series,
  rows: readonly CandleRow[],
  expectation: CandleExpectation,
): PreparedRows | undefined {
  const { now, timeframe } = expectation
  const writer = new CandleRowsWriter(series, rows.length)
  let last: Instant | undefined
  let ignored = 0
  for (const row of rows) {
    const plain = 'candle' in row ? row.plain : undefined
    if (!plain) return undefined
    const { openTime } = plain
    if (isNotOurs(openTime, expectation)) {
      ignored += 1
      continue
    }
    const isInOrder = last === undefined || openTime > last
    if (!isInOrder || openTime > now || !isAligned(openTime, timeframe) || !isConsistent(plain))
      return undefined
    writer.addPlain(openTime, plain)
    last = openTime
  }
  return { rows: writer.rows(), rejected: [], ignored, roundedValues: 0 }
}
