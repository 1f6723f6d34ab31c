import { describe, expect, test } from 'vitest'
import type { CandleRow } from '../../src/market/candle.ts'
import { composeCandles } from '../../src/market/compose-candles.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { hour } from '../../src/market/instant.ts'
import { at, plus } from '../support/at.ts'

const from = at('2018-02-08T00:00Z')
const parts = { timeframe: '1h', range: { from, to: plus(from, 8 * hour) }, now: at('2024-03-01') } as const

type Row = Extract<CandleRow, { candle: unknown }>

/** An hour of which the price is its number. */
const aRow = (index: number, over: Partial<Row> = {}): Row => ({
  raw: [index],
  candle: {
    openTime: plus(from, index * hour),
    open: toDecimal('5'),
    high: toDecimal(String(10 + index)),
    low: toDecimal('1'),
    close: toDecimal(String(2 + index)),
    volume: toDecimal('0.5'),
  },
  ...over,
})

const hours = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => aRow(index))
const compose = (rows: readonly CandleRow[]) => composeCandles(rows, parts, '4h')
const second = { high: '17', close: '9', volume: '2.0' }

describe('a candle with a rejected part', () => {
  test('is rejected with the part and its reason, and no other candle is', () => {
    const spoilt: CandleRow = {
      raw: ['x'],
      openTime: plus(from, 2 * hour),
      flaw: 'high is not a decimal string',
    }
    expect(compose([...hours.slice(0, 2), spoilt, ...hours.slice(3)])).toEqual([
      {
        raw: [hours[0]?.candle, hours[1]?.candle, hours[3]?.candle, ['x']],
        openTime: from,
        flaw: 'its 1h candle of 2018-02-08 02:00 UTC was rejected: high is not a decimal string',
      },
      { raw: expect.anything(), candle: expect.objectContaining(second) },
    ])
  })

  test('can be accepted where the part could be, and is then what it is with the part', () => {
    const cut = aRow(1, { closesAt: plus(from, hour + 28 * 60_000) })
    const [first] = compose(hours.with(1, cut))
    expect(first).toMatchObject({
      flaw: 'its 1h candle of 2018-02-08 01:00 UTC was rejected: cut short: closes 2018-02-08 01:28 UTC instead of 02:00',
      acceptable: { openTime: from, high: '13', close: '5', volume: '2.0' },
    })
  })

  test('cannot be accepted where a part is off the grid: it concerns the candle that holds it', () => {
    const beside = aRow(5, { candle: { ...aRow(5).candle, openTime: plus(from, 5 * hour + 1_694_789) } })
    const rows = compose([...hours.slice(0, 4), beside])
    expect(rows).toHaveLength(2)
    expect(rows[0]).toHaveProperty('candle')
    expect(rows[1]).toMatchObject({
      openTime: plus(from, 4 * hour),
      flaw: expect.stringContaining('not on the 1h grid'),
    })
    expect(rows[1]).not.toHaveProperty('acceptable')
  })

  test('cannot be accepted where two parts are disputed, and counts the others', () => {
    const [first] = compose([aRow(0, { candle: { ...aRow(0).candle, close: toDecimal('3') } }), ...hours])
    expect(first).toMatchObject({ flaw: expect.stringContaining('rejected, and 1 more of its 1h candles:') })
    expect(first).not.toHaveProperty('acceptable')
  })
})

test('a part in its later state is taken, and the earlier one is noted with the candle', () => {
  const later = aRow(0, { raw: ['later'], candle: { ...aRow(0).candle, volume: toDecimal('0.75') } })
  const [first, , note] = compose(hours.toSpliced(1, 0, later))
  expect(first).toMatchObject({ candle: { volume: '2.25' } })
  expect(note).toEqual({
    raw: [0],
    openTime: from,
    flaw: 'the answer holds a later state of this candle, which was taken instead',
    isSuperseded: true,
  })
})

test('a row without a time spoils no candle', () => {
  const rows = compose([...hours, { raw: ['?'], flaw: 'the first column is not a time in seconds' }])
  expect(rows.filter((row) => 'candle' in row)).toHaveLength(2)
  expect(rows.at(-1)).toEqual({ raw: ['?'], flaw: 'the first column is not a time in seconds' })
})
