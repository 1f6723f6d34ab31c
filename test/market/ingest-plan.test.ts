import { CronExpressionParser } from 'cron-parser'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { divide, patternAfterClose } from '../../jobs/ingest-candles.ts'
import { second, toInstant } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount, subtract, union } from '../../src/market/range.ts'
import { isAligned, timeframeMs, timeframes } from '../../src/market/timeframe.ts'
import { plus } from '../support/at.ts'

const midnight = toInstant(Date.parse('2024-02-28T00:00:00Z'))

describe('the pattern after the close', () => {
  test.each(timeframes)('fires once after each close of %s, so much later', (timeframe) => {
    const delayMs = 3 * second
    const schedule = CronExpressionParser.parse(patternAfterClose(timeframe, delayMs), {
      currentDate: new Date(midnight),
      tz: 'UTC',
    })
    const fired = schedule.take(60).map((date) => date.getTime())
    expect(fired).toEqual(fired.map((_, index) => plus(midnight, index * timeframeMs[timeframe] + delayMs)))
  })

  test('waits a whole second where the delay has a fraction', () => {
    expect(patternAfterClose('1m', 1_500)).toBe('2 * * * * *')
    expect(patternAfterClose('1h', 0)).toBe('0 0 * * * *')
  })
})

describe('what is owed, divided', () => {
  const pageSize = 10
  const length = timeframeMs['1m']
  const minutes = (from: number, to: number): AlignedRange => ({
    from: plus(midnight, from * length),
    to: plus(midnight, to * length),
  })
  const wanted = minutes(0, 100)
  const divided = (
    missing: readonly AlignedRange[],
    recheck = 2,
    provisional: readonly AlignedRange[] = [],
  ) => divide(wanted, { missing, provisional }, { timeframe: '1m', pageSize, recheck })

  test('nothing owed is the newest few, asked for again', () => {
    expect(divided([])).toEqual({ recent: minutes(98, 100), older: [] })
    expect(divided([], 0)).toEqual({ recent: minutes(100, 100), older: [] })
  })

  test('what fits into a page with the newest is asked for at once', () => {
    expect(divided([minutes(99, 100)])).toEqual({ recent: minutes(98, 100), older: [] })
    expect(divided([minutes(92, 94)])).toEqual({ recent: minutes(92, 100), older: [] })
  })

  test('what is provisional is asked for again, as far as a page reaches', () => {
    expect(divided([], 2, [minutes(95, 96)])).toEqual({ recent: minutes(95, 100), older: [] })
    expect(divided([], 2, [minutes(80, 92)])).toEqual({ recent: minutes(90, 100), older: [] })
  })

  test('what is older is left to others', () => {
    expect(divided([minutes(0, 100)])).toEqual({ recent: minutes(90, 100), older: [minutes(0, 90)] })
    expect(divided([minutes(3, 5), minutes(85, 92)])).toEqual({
      recent: minutes(90, 100),
      older: [minutes(3, 5), minutes(85, 90)],
    })
  })

  test('nothing wanted is nothing asked', () => {
    const nothing = minutes(5, 5)
    expect(
      divide(nothing, { missing: [], provisional: [] }, { timeframe: '1m', pageSize, recheck: 2 }),
    ).toEqual({
      recent: nothing,
      older: [],
    })
  })

  test('nothing owed is lost or asked twice, and what is asked at once fits into a page', () => {
    const aStretch = fc
      .tuple(fc.nat({ max: 100 }), fc.nat({ max: 100 }))
      .map(([a, b]) => minutes(Math.min(a, b), Math.max(a, b)))
    fc.assert(
      fc.property(fc.array(aStretch), fc.nat({ max: 20 }), (stretches, recheck) => {
        const missing = union(stretches)
        const { recent, older } = divided(missing, recheck)
        expect(missing.flatMap((range) => subtract(range, [recent, ...older]))).toEqual([])
        expect(older.flatMap((range) => subtract(range, missing))).toEqual([])
        expect(union([recent, ...older]).reduce((sum, range) => sum + candleCount(range, '1m'), 0)).toBe(
          [recent, ...older].reduce((sum, range) => sum + candleCount(range, '1m'), 0),
        )
        expect(candleCount(recent, '1m')).toBeLessThanOrEqual(pageSize)
        expect(recent.to).toBe(wanted.to)
        expect(isAligned(recent.from, '1m')).toBe(true)
      }),
    )
  })
})
