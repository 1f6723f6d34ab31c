import { describe, expect, test } from 'vitest'
import type { CandleRow } from '../../src/market/candle.ts'
import { hour, minute } from '../../src/market/instant.ts'
import { type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import { readCandle, readCandleRows } from '../../src/sources/decoding/candle-rows.ts'
import { at, plus } from '../support/at.ts'

const from = at('2018-02-08T00:00Z')
const values = { open: '1', high: '1', low: '1', close: '1', volume: '1' }

/** Rows that open so long after the beginning; `undefined` is one without a time. */
const read = (after: readonly (number | undefined)[], timeframe: Timeframe = '1h') =>
  readCandleRows(
    'any',
    timeframe,
    after,
    (ms): CandleRow =>
      ms === undefined ? { raw: ms, flaw: 'no time' } : readCandle(ms, plus(from, ms), values),
  )

const beside = 28 * minute + 14_789

describe('rows of an answer', () => {
  test('are read one by one: one without a time is a flaw', () => {
    expect(read([0, undefined, 2 * hour]).map((row) => 'candle' in row)).toEqual([true, false, true])
    expect(() => read([undefined, undefined])).toThrow('any sent 2 candles, none of them with a time')
    expect(read([])).toEqual([])
  })

  test.each<[string, readonly number[]]>([
    ['one misplaced row', [0, hour, hour + 30 * minute, 2 * hour]],
    [
      'a misplaced row in every candle',
      [0, beside, hour, hour + beside, 2 * hour, 2 * hour + beside, 3 * hour],
    ],
    ['all of its rows beside the grid', [0, 1, 2, 3, 4].map((index) => index * hour + beside)],
    ['the end of an outage', [0, hour + beside, 2 * hour + beside, 3 * hour + beside, 4 * hour]],
    ['rows that are there twice', [0, 0, hour, hour, 2 * hour]],
  ])('may have %s', (_, after) => {
    expect(read(after)).toHaveLength(after.length)
  })

  test.each<[Timeframe, Timeframe, number]>([
    ['1m', '1h', 4],
    ['30m', '1h', 4],
    ['15m', '30m', 9],
    ['1h', '4h', 5],
    ['4h', '1d', 1_000],
  ])('of %s in place of %s are an answer of another shape, %i of them', (shorter, timeframe, rows) => {
    const after = Array.from({ length: rows }, (_, index) => index * timeframeMs[shorter])
    expect(() => read(after, timeframe)).toThrow(`any sent candles that are shorter than ${timeframe}`)
  })
})
