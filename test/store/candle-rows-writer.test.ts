import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toDecimal } from '../../src/market/decimal.ts'

import { longestNumeric, viewOf, writeNumeric } from '../../src/store/candles/binary-copy.ts'
import {
  CandleRowsWriter,
  encodeCandles,
  writePlainNumber,
} from '../../src/store/candles/candle-rows-writer.ts'
import { plus } from '../support/at.ts'
import { aCandle, start } from './loading.ts'

const series = { coinId: 'any', timeframe: '1m', source: 'binance' } as const

const edges = [0, 1, 9_999, 10_000, 10_001, 99_990_000, 1e8 - 1]
const whole = fc.oneof(fc.integer({ min: 0, max: 1e15 - 1 }), fc.constantFrom(...edges, 1e8, 1e12, 1e15 - 1))
const units = fc.oneof(fc.integer({ min: 0, max: 1e8 - 1 }), fc.constantFrom(...edges))

describe('a row that is written at once', () => {
  test('has its numbers as they would be written from text', () => {
    fc.assert(
      fc.property(whole, units, (whole, units) => {
        const text = toDecimal(`${whole}.${String(units).padStart(8, '0')}`)
        const [ours, other] = [Buffer.alloc(100), Buffer.alloc(longestNumeric(text))]
        const end = writePlainNumber(viewOf(ours), 0, whole, units)
        const otherEnd = writeNumeric(viewOf(other), 0, text, 8)
        expect(ours.subarray(0, end).toString('hex')).toBe(other.subarray(0, otherEnd).toString('hex'))
      }),
      { numRuns: 5_000 },
    )
  })

  test('is the same row as any, among others, however many were expected', () => {
    const numbers = Float64Array.of(0, 0, 10, 0, 12, 0, 9, 0, 11, 0, 100, 0)
    const candles = Array.from({ length: 50 }, (_, index) => aCandle(plus(start, index * 60_000)))
    for (const expected of [0, 1, 50, 100]) {
      const writer = new CandleRowsWriter(series, expected)
      for (const [index, candle] of candles.entries()) {
        if (index % 3 === 0) writer.add(candle)
        else writer.addPlain(candle.openTime, { numbers, at: 2 })
      }
      expect(writer.rows()).toEqual(encodeCandles(series, candles))
    }
  })
})
