import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Candle, CandleRow } from '../../src/market/candle.ts'
import { type CandleExpectation, checkCandles } from '../../src/market/candle-check.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { minute } from '../../src/market/instant.ts'
import { at, plus } from '../support/at.ts'

const from = at('2024-03-01T12:00:00Z')
/** An hour of minutes, asked for two hours later. */
const expectation: CandleExpectation = {
  timeframe: '1m',
  range: { from, to: plus(from, 60 * minute) },
  now: plus(from, 120 * minute),
}

type Values = Partial<Record<'open' | 'high' | 'low' | 'close' | 'volume', string>>

function aRow(minutes: number, values: Values = {}): CandleRow & { candle: Candle } {
  const { open = '10', high = '12', low = '8', close = '11', volume = '5' } = values
  const candle = {
    openTime: plus(from, minutes * minute),
    open: toDecimal(open),
    high: toDecimal(high),
    low: toDecimal(low),
    close: toDecimal(close),
    volume: toDecimal(volume),
  }
  return { raw: [minutes, values], candle }
}

const check = (rows: readonly CandleRow[], over: Partial<CandleExpectation> = {}) =>
  checkCandles(rows, { ...expectation, ...over })

const reasons = (rows: readonly CandleRow[], over: Partial<CandleExpectation> = {}) =>
  check(rows, over).rejected.map(({ reason }) => reason)

describe('a candle for the table', () => {
  test('is one whose values make sense; it stays digit for digit', () => {
    const row = aRow(0, { open: '10.10000000', high: '12.5', low: '8.00', close: '8.00', volume: '0' })
    expect(check([row])).toEqual({ candles: [row.candle], rejected: [], ignored: 0, roundedValues: 0 })
  })

  test('may have one price for all four', () => {
    const still = { open: '1.50', high: '1.5', low: '1.500', close: '1.5', volume: '0' }
    expect(check([aRow(0, still)]).rejected).toEqual([])
  })

  test('stands in order of time, however the answer was ordered', () => {
    const rows = [aRow(3), aRow(0), aRow(2), aRow(1)]
    expect(check(rows).candles.map(({ openTime }) => (openTime - from) / minute)).toEqual([0, 1, 2, 3])
  })

  test('is rounded where it has more decimals than the table keeps, and each such value is counted', () => {
    const { candles, roundedValues } = check([
      aRow(0, { open: '10.123456785', volume: '1.000000000001' }),
      aRow(1, { open: '10.1234567800' }),
    ])
    expect(roundedValues).toBe(2)
    expect(candles.map(({ open }) => open)).toEqual(['10.12345679', '10.12345678'])
    expect(candles[0]?.volume).toBe('1.00000000')
  })
})

describe('a row kept aside, with its reason', () => {
  test.each<[string, Values, string]>([
    ['negative price', { low: '-1' }, 'low -1 is negative'],
    ['negative volume', { volume: '-0.1' }, 'volume -0.1 is negative'],
    ['open below low', { open: '7.99' }, 'open 7.99 is below low 8'],
    ['close above high', { close: '12.01' }, 'close 12.01 is above high 12'],
    ['open above high', { open: '100' }, 'open 100 is above high 12'],
    ['close below low', { close: '7' }, 'close 7 is below low 8'],
    ['high below low', { high: '8', low: '12' }, 'open 10 is below low 12'],
    ['price too large', { high: '1e16' }, 'high 10000000000000000 does not fit numeric(24,8)'],
    ['volume too large', { volume: '1e24' }, `volume 1${'0'.repeat(24)} does not fit numeric(32,8)`],
    ['vanishing low', { low: '1e-9' }, 'low 0.000000001 would become 0 at 8 decimals'],
    ['vanishing volume', { volume: '4.9e-9' }, 'volume 0.0000000049 would become 0 at 8 decimals'],
  ])('%s', (_, values, reason) => {
    const row = aRow(0, values)
    expect(check([row, aRow(1)])).toEqual({
      candles: [aRow(1).candle],
      rejected: [{ raw: row.raw, reason, openTime: from }],
      ignored: 0,
      roundedValues: 0,
    })
  })

  test('an open time off the grid', () => {
    const row = aRow(0.5)
    expect(reasons([row])).toEqual(['2024-03-01T12:00:30.000Z is not on the 1m grid'])
    expect(reasons([aRow(5)], { timeframe: '1h' })).toEqual([
      '2024-03-01T12:05:00.000Z is not on the 1h grid',
    ])
  })

  test('an open time off the grid of a candle that is not asked for, or still open, is for another answer', () => {
    expect(check([aRow(-0.5), aRow(60.5)])).toMatchObject({ rejected: [], ignored: 2 })
    const now = plus(from, 10 * minute + 40_000)
    expect(check([aRow(10.5)], { now })).toMatchObject({ rejected: [], ignored: 1 })
  })

  test('an open time in the future, even outside the range', () => {
    expect(reasons([aRow(121)])).toEqual(['opens in the future, at 2024-03-01T14:01:00.000Z'])
  })

  test('what the source could not say, where it stood', () => {
    const flawed: CandleRow = { raw: ['x'], flaw: 'high is not a decimal string', openTime: from }
    const timeless: CandleRow = { raw: ['y'], flaw: 'nothing can be read' }
    expect(check([flawed, timeless]).rejected).toEqual([
      { raw: ['x'], reason: 'high is not a decimal string', openTime: from },
      { raw: ['y'], reason: 'nothing can be read' },
    ])
  })
})

describe('a row that is ignored', () => {
  test('is one still open by the clock of the source, to the millisecond', () => {
    const row = aRow(10)
    const close = plus(row.candle.openTime, minute)
    expect(check([row], { now: plus(close, -1) })).toMatchObject({ candles: [], ignored: 1, rejected: [] })
    expect(check([row], { now: close })).toMatchObject({ candles: [row.candle], ignored: 0 })
    expect(check([row], { now: row.candle.openTime })).toMatchObject({ candles: [], ignored: 1 })
  })

  test('is one outside the range, whatever else is wrong with it', () => {
    const rows: CandleRow[] = [
      aRow(-1),
      aRow(60),
      aRow(61, { low: '-1' }),
      { raw: [], flaw: 'broken', openTime: plus(from, -minute) },
    ]
    expect(check(rows)).toEqual({ candles: [], rejected: [], ignored: 4, roundedValues: 0 })
  })

  test('is the same row again, also when it is written differently', () => {
    const { candles, ignored, rejected } = check([
      aRow(0),
      aRow(0, { open: '10.000', volume: '5.0' }),
      aRow(0),
    ])
    expect(candles).toHaveLength(1)
    expect([ignored, rejected]).toEqual([2, []])
  })
})

describe('a candle whose source reports its close', () => {
  const closing = (ms: number) => ({ ...aRow(0), closesAt: plus(from, ms) })

  test('is accepted where that is the end of its interval', () => {
    expect(check([closing(minute)])).toMatchObject({ candles: [aRow(0).candle], rejected: [] })
  })

  test('is rejected where an outage cut it short, and can be accepted by hand', () => {
    expect(check([closing(28_789)]).rejected).toEqual([
      {
        raw: aRow(0).raw,
        reason: 'cut short: closes 2024-03-01 12:00:28 UTC instead of 12:01',
        openTime: from,
        acceptable: aRow(0).candle,
      },
    ])
    const day = { from: at('2024-02-29'), to: at('2024-03-01') }
    const row = { ...aRow(-720), closesAt: at('2024-02-29T20:00Z') }
    expect(
      reasons([{ ...row, candle: { ...row.candle, openTime: day.from } }], { timeframe: '1d', range: day }),
    ).toEqual(['cut short: closes 2024-02-29 20:00 UTC instead of 2024-03-01 00:00 UTC'])
  })

  test('is rejected for good where it is of a longer timeframe, or closes before it opens', () => {
    expect(check([closing(5 * minute)]).rejected).toEqual([
      {
        raw: aRow(0).raw,
        reason: 'not a 1m candle: closes 2024-03-01 12:05 UTC instead of 12:01',
        openTime: from,
      },
    ])
    expect(check([closing(0)]).rejected[0]).not.toHaveProperty('acceptable')
  })

  test('cannot be accepted where something else is wrong with it', () => {
    const contradictory = { ...aRow(0, { low: '13' }), closesAt: plus(from, 1_000) }
    expect(check([contradictory]).rejected).toEqual([
      { raw: contradictory.raw, reason: 'open 10 is below low 13', openTime: from },
    ])
    const tooLarge = { ...aRow(0, { high: '1e16' }), closesAt: plus(from, 1_000) }
    expect(check([tooLarge]).rejected[0]).not.toHaveProperty('acceptable')
    const offGrid = { ...aRow(0.5), closesAt: plus(from, 31_000) }
    expect(check([offGrid]).rejected[0]).not.toHaveProperty('acceptable')
  })

  test('can be accepted as the table would have rounded it', () => {
    const row = { ...aRow(0, { open: '10.123456785' }), closesAt: plus(from, 1_000) }
    expect(check([row]).rejected[0]?.acceptable?.open).toBe('10.12345679')
  })
})

describe('a candle that the answer holds twice as it grew', () => {
  const earlier = aRow(0, { open: '4000', high: '4036', low: '3960', close: '3987', volume: '7389.66772280' })
  const later = aRow(0, { open: '4000', high: '4036', low: '3960', close: '3990', volume: '7390.13399203' })
  const note = {
    raw: earlier.raw,
    reason: 'the answer holds a later state of this candle, which was taken instead',
    openTime: from,
    isSuperseded: true,
  }

  test('is taken in its later state, and the earlier one is noted', () => {
    expect(check([earlier, later, aRow(1)])).toEqual({
      candles: [later.candle, aRow(1).candle],
      rejected: [note],
      ignored: 0,
      roundedValues: 0,
    })
  })

  test('has its later state first where the answer begins with its newest candle', () => {
    expect(check([aRow(1), later, earlier])).toMatchObject({
      candles: [later.candle, aRow(1).candle],
      rejected: [note],
    })
  })

  test('may be there three times', () => {
    const last = aRow(0, { open: '4000', high: '4040', low: '3950', close: '3951', volume: '7391' })
    const { candles, rejected } = check([earlier, later, last, last, aRow(1)])
    expect([candles[0], rejected.length]).toEqual([last.candle, 2])
  })

  test.each<[string, Values]>([
    ['another open', { open: '4001' }],
    ['a lower high', { high: '4035' }],
    ['a higher low', { low: '3961' }],
    ['less volume', { volume: '7389' }],
    ['the same volume and another close', { volume: '7389.66772280' }],
  ])('is disputed with %s: then it is no later state', (_, values) => {
    const { open, high, low, close, volume } = later.candle
    const other = aRow(0, { open, high, low, close, volume, ...values })
    const { candles, rejected } = check([earlier, other, aRow(1)])
    expect(candles).toEqual([aRow(1).candle])
    expect(rejected.map(({ reason }) => reason)).toEqual(
      Array(2).fill('the answer holds two different rows for this open time'),
    )
  })
})

describe('rows that contradict each other', () => {
  test('are none of them accepted, the first included, but one can be by hand', () => {
    const { candles, rejected } = check([aRow(0), aRow(0, { close: '9' }), aRow(1)])
    expect(candles).toEqual([aRow(1).candle])
    expect(rejected.map(({ reason }) => reason)).toEqual(
      Array(2).fill('the answer holds two different rows for this open time'),
    )
    expect(rejected.map(({ acceptable }) => acceptable?.close)).toEqual(['11', '9'])
  })

  test('are not accepted again when one of them is repeated', () => {
    const { candles, rejected, ignored } = check([aRow(0), aRow(0, { close: '9' }), aRow(0)])
    expect([candles, rejected.length, ignored]).toEqual([[], 2, 1])
  })
})

test('every row of an answer ends up in exactly one place, and candles ascend one per open time', () => {
  const aValue = fc.constantFrom('0', '8', '10', '12', '-1', '1e-9', '10.123456789', '1e16')
  const anyRow = fc
    .record({ minutes: fc.integer({ min: -5, max: 130 }), high: aValue, low: aValue, volume: aValue })
    .map(({ minutes, ...values }) => aRow(minutes / 2, values))
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 60 }), (rows) => {
      const { candles, rejected, ignored } = check(rows)
      expect(candles.length + rejected.length + ignored).toBe(rows.length)
      const openTimes = candles.map(({ openTime }) => openTime)
      expect(openTimes).toEqual([...new Set(openTimes)].toSorted((a, b) => a - b))
      for (const openTime of openTimes) expect(openTime >= from && openTime % minute === 0).toBe(true)
    }),
  )
})
