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

/** Encoded candles and rejected rows of an answer. */
export type PreparedRows = Omit<CheckedCandles, 'candles'> & Readonly<{ rows: CandleRows }>

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

/** Fast path for plain, ascending candles. Undefined if a row needs more checks. */
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
