import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CandleRow } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { type Instant, minute, toInstant } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount, intersect, toAlignedRange, union } from '../../src/market/range.ts'
import { findingsOf } from '../../src/store/figures/findings.ts'
import { plus } from '../support/at.ts'
import { minutes, start } from './loading.ts'

const answered = minutes(0, 30)
const now = plus(start, 40 * minute)

const price = fc.constantFrom('1', '2', '3').map(toDecimal)

const candle = (openTime: Instant): fc.Arbitrary<CandleRow> =>
  fc
    .record({
      close: price,
      volume: price,
      closesAfter: fc.constantFrom(undefined, minute, 28_789, 5 * minute),
    })
    .map(({ close, volume, closesAfter }) => ({
      raw: [openTime, close, volume],
      candle: { openTime, open: toDecimal('2'), high: toDecimal('2'), low: toDecimal('1'), close, volume },
      ...(closesAfter === undefined ? {} : { closesAt: plus(openTime, closesAfter) }),
    }))

/** On the grid for the most part, and otherwise beside it, before, behind, in the future, flawed or without a time. */
const aRow: fc.Arbitrary<CandleRow> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 33 }).chain((at) => candle(plus(start, at * minute))) },
  {
    weight: 3,
    arbitrary: fc.integer({ min: -90_000, max: 3_000_000 }).chain((ms) => candle(plus(start, ms))),
  },
  fc.integer({ min: 0, max: 10 ** 13 - 1 }).chain((ms) => candle(toInstant(ms))),
  fc
    .integer({ min: 0, max: 1_800_000 })
    .map((ms) => ({ raw: ms, openTime: plus(start, ms), flaw: 'spoilt' })),
  fc.integer().map((raw) => ({ raw, flaw: 'without a time' })),
)

const total = (ranges: readonly AlignedRange[]): number =>
  ranges.reduce((sum, range) => sum + candleCount(toAlignedRange('1m', range), '1m'), 0)

test('an answer resolves every candle that it speaks for, each in one way, whatever its rows are', () => {
  fc.assert(
    fc.property(fc.array(aRow, { maxLength: 60 }), fc.integer({ min: 0, max: 30 }), (rows, finalMinutes) => {
      const { candles, rejected } = checkCandles(rows, { timeframe: '1m', range: answered, now })
      const openTimes = candles.map(({ openTime }) => openTime)
      const absentBefore = plus(start, finalMinutes * minute)
      const { stored, refused, ...rest } = findingsOf({
        timeframe: '1m',
        answered,
        openTimes,
        rejected,
        absentBefore,
      })
      const absent = rest['no-trades']
      const known = union([...stored, ...refused, ...absent])
      // No candle is in two states.
      expect(total(known)).toBe(total(stored) + total(refused) + total(absent))
      expect(known.every((range) => intersect(range, answered) !== undefined)).toBe(true)
      const resolved = { from: start, to: absentBefore }
      expect(known.flatMap((range) => intersect(range, resolved) ?? [])).toEqual(
        finalMinutes === 0 ? [] : [resolved],
      )
      expect(total(stored)).toBe(candles.length)
    }),
    { numRuns: 1_000 },
  )
})
