import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { day, hour, minute, toInstant } from '../../src/market/instant.ts'
import {
  alignTo,
  candleAround,
  candleCount,
  contains,
  intersect,
  isEmpty,
  type Range,
  split,
  subtract,
  toAlignedRange,
  union,
  wholeCandlesIn,
} from '../../src/market/range.ts'
import {
  ceilTo,
  floorTo,
  isAligned,
  isTimeframe,
  plusCandles,
  timeframeMs,
  timeframes,
} from '../../src/market/timeframe.ts'
import { at, atMs } from '../support/at.ts'

/** Small numbers, so that ranges meet, touch, hold each other and are empty. */
const smallest = 0
const largest = 40
const aPoint = fc.integer({ min: smallest, max: largest }).map(toInstant)
const aRange = fc.record({ from: aPoint, to: aPoint })
const someRanges = fc.array(aRange, { maxLength: 8 })
const anInstant = fc.integer({ min: 0, max: 10 ** 13 }).map(toInstant)
const aTimeframe = fc.constantFrom(...timeframes)

/** A set of points: what a range is by its definition, slowly. */
const pointsOf = (...ranges: readonly Range[]): Set<number> => {
  const points = new Set<number>()
  for (const { from, to } of ranges) for (let point: number = from; point < to; point += 1) points.add(point)
  return points
}

const isAscendingAndApart = (ranges: readonly Range[]): boolean =>
  ranges.every((range, index) => {
    const next = ranges[index + 1]
    return !isEmpty(range) && (next === undefined || range.to < next.from)
  })

describe('timeframes', () => {
  test('an instant lies between its candle and the next, both on the grid', () => {
    fc.assert(
      fc.property(anInstant, aTimeframe, (instant, timeframe) => {
        const open = floorTo(timeframe, instant)
        const next = ceilTo(timeframe, instant)
        expect(isAligned(open, timeframe) && isAligned(next, timeframe)).toBe(true)
        expect(open <= instant && instant < open + timeframeMs[timeframe]).toBe(true)
        expect(next - open).toBe(isAligned(instant, timeframe) ? 0 : timeframeMs[timeframe])
      }),
    )
  })

  test('a day begins at midnight UTC', () => {
    expect(floorTo('1d', at('2024-03-01T23:59:59.999Z'))).toBe(at('2024-03-01T00:00:00Z'))
    expect(ceilTo('1d', at('2024-03-01T00:00:00.001Z'))).toBe(at('2024-03-02T00:00:00Z'))
  })

  test('only the names we know are timeframes', () => {
    expect(timeframes.every(isTimeframe)).toBe(true)
    for (const text of ['1M', '1H', '60m', '', 'toString', '__proto__']) expect(isTimeframe(text)).toBe(false)
  })
})

describe('ranges', () => {
  test('are half-open: the beginning belongs to them, the end does not', () => {
    const range = { from: at('2024-03-01T00:00Z'), to: at('2024-03-02T00:00Z') }
    expect(contains(range, range.from)).toBe(true)
    expect(contains(range, range.to)).toBe(false)
    expect(candleCount(range, '1h')).toBe(24)
    expect(candleCount({ from: range.to, to: range.from }, '1h')).toBe(0)
  })

  test('aligned, hold exactly the open times that lay inside', () => {
    fc.assert(
      fc.property(anInstant, fc.integer({ min: 0, max: 3 * day }), (from, length) => {
        const range = { from, to: toInstant(from + length) }
        const grid = alignTo('1h', range)
        const inside = Array.from({ length: 75 }, (_, index) =>
          toInstant(floorTo('1h', from) + index * hour),
        ).filter((openTime) => contains(range, openTime))
        expect(candleCount(grid, '1h')).toBe(inside.length)
        if (inside.length > 0) expect(grid.from).toBe(inside[0])
      }),
    )
  })

  test('intersect where both are', () => {
    fc.assert(
      fc.property(aRange, aRange, (a, b) => {
        const both = intersect(a, b)
        const points = new Set([...pointsOf(a)].filter((point) => pointsOf(b).has(point)))
        expect(pointsOf(...(both ? [both] : []))).toEqual(points)
        if (both) expect(isEmpty(both)).toBe(false)
      }),
    )
  })

  test('united hold the same points, ascending and apart', () => {
    fc.assert(
      fc.property(someRanges, (ranges) => {
        const before = structuredClone(ranges)
        const joined = union(ranges)
        expect(pointsOf(...joined)).toEqual(pointsOf(...ranges))
        expect(isAscendingAndApart(joined)).toBe(true)
        expect(ranges).toEqual(before)
      }),
    )
  })

  test('that touch become one', () => {
    const [a, b, c] = [toInstant(0), toInstant(5), toInstant(9)]
    expect(
      union([
        { from: b, to: c },
        { from: a, to: b },
      ]),
    ).toEqual([{ from: a, to: c }])
  })

  test('less some parts, hold every other point, ascending and apart', () => {
    fc.assert(
      fc.property(aRange, someRanges, (whole, parts) => {
        const left = subtract(whole, parts)
        const taken = pointsOf(...parts)
        expect(pointsOf(...left)).toEqual(new Set([...pointsOf(whole)].filter((point) => !taken.has(point))))
        expect(isAscendingAndApart(left)).toBe(true)
      }),
    )
  })

  test('what is left and what was taken make the whole again', () => {
    fc.assert(
      fc.property(aRange, someRanges, (whole, parts) => {
        const taken = parts.flatMap((part) => intersect(whole, part) ?? [])
        expect(union([...subtract(whole, parts), ...taken])).toEqual(isEmpty(whole) ? [] : [whole])
      }),
    )
  })

  test('hold whole candles, or are refused', () => {
    const odd = { from: at('2018-02-09T09:28:14.789Z'), to: at('2018-02-09T11:28:14.789Z') }
    expect(() => toAlignedRange('1h', odd)).toThrow('2018-02-09T09:28:14.789Z is not on the 1h grid')
    expect(alignTo('1h', odd)).toEqual({ from: at('2018-02-09T10:00Z'), to: at('2018-02-09T12:00Z') })
    expect(wholeCandlesIn('1h', odd)).toEqual({ from: at('2018-02-09T10:00Z'), to: at('2018-02-09T11:00Z') })
    expect(isEmpty(wholeCandlesIn('1d', odd))).toBe(true)
    expect(candleAround('1h', odd.from)).toEqual({
      from: at('2018-02-09T09:00Z'),
      to: at('2018-02-09T10:00Z'),
    })
    expect(() => candleCount({ from: odd.from, to: at('2018-02-09T12:00Z') }, '1h')).toThrow(RangeError)
    expect(() => candleCount(candleAround('1h', odd.from), '1d')).toThrow(
      '3600000 ms are no whole 1d candles',
    )
    expect(() => plusCandles(at('2018-02-09T09:00Z'), 0.471, '1h')).toThrow(RangeError)
  })

  test('split are consecutive, no longer than asked, and make the whole again', () => {
    fc.assert(
      fc.property(aRange, fc.integer({ min: 1, max: 50 }), ({ from, to }, candles) => {
        const whole = { from: atMs(from * minute), to: atMs(to * minute) }
        const pieces = split(whole, '1m', candles)
        expect(union(pieces)).toEqual(isEmpty(whole) ? [] : [whole])
        for (const [index, piece] of pieces.entries()) {
          expect(candleCount(piece, '1m')).toBeLessThanOrEqual(candles)
          expect(isEmpty(piece)).toBe(false)
          if (index > 0) expect(piece.from).toBe(pieces[index - 1]?.to)
        }
      }),
    )
  })
})
