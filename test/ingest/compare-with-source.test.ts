import { describe, expect, test } from 'vitest'
import { compareCandles } from '../../src/ingest/verify/compare-with-source.ts'
import type { AlignedCandle, RejectedRow } from '../../src/market/candle.ts'
import type { CheckedCandles } from '../../src/market/candle-check.ts'
import { aCandle, candlesIn, minutes } from '../store/loading.ts'
import { plus } from '../support/at.ts'

const range = minutes(0, 10)
const slot = (number: number) => minutes(number, number + 1).from

const given = (candles: readonly AlignedCandle[], rejected: readonly RejectedRow[] = []): CheckedCandles => ({
  candles,
  rejected,
  ignored: 0,
  roundedValues: 0,
})

const compare = (answer: CheckedCandles, stored: readonly AlignedCandle[]) => {
  const { differences, ...counts } = compareCandles(range, '1m', answer, stored)
  return { ...counts, differences: differences.map(({ kind, openTime }) => [kind, openTime]) }
}

describe('a candle', () => {
  test('is identical when its numbers are, however they are written', () => {
    const stored = [aCandle(slot(3), { close: '11.50000000', volume: '0.00000000' })]
    expect(compare(given([aCandle(slot(3), { close: '11.5', volume: '0' })]), stored)).toEqual({
      identical: 1,
      rejectedByBoth: 0,
      differences: [],
    })
  })

  test.each(['open', 'high', 'low', 'close', 'volume'] as const)(
    'is revised when its %s differs in the last digit',
    (name) => {
      const [first = aCandle(slot(0)), ...rest] = candlesIn(range)
      const other = aCandle(slot(0), { [name]: `${first[name].slice(0, -1)}1` })
      expect(compare(given([other, ...rest]), [first, ...rest])).toEqual({
        identical: 9,
        rejectedByBoth: 0,
        differences: [['revised', slot(0)]],
      })
    },
  )

  test('is missing where only the source has it, and extra where only the table has', () => {
    const candles = candlesIn(range)
    const theirs = candles.filter((_, index) => index !== 7)
    const ours = candles.filter((_, index) => index !== 2)
    expect(compare(given(theirs), ours)).toEqual({
      identical: 8,
      rejectedByBoth: 0,
      differences: [
        ['missing', slot(2)],
        ['extra', slot(7)],
      ],
    })
  })

  test('is refused, not extra, where the source gives something that cannot be trusted', () => {
    const rejected = [2, 5].map((number) => ({ raw: [], reason: 'negative', openTime: slot(number) }))
    const found = compareCandles(range, '1m', given([aCandle(slot(1))], rejected), [
      aCandle(slot(1)),
      aCandle(slot(2)),
    ])
    expect(found).toEqual({
      identical: 1,
      rejectedByBoth: 1,
      differences: [{ kind: 'refused', openTime: slot(2), stored: aCandle(slot(2)), reason: 'negative' }],
    })
  })

  test('is identical where it was accepted by hand, and its source still gives it as it was', () => {
    const cut = {
      raw: [],
      reason: 'cut short',
      openTime: slot(4),
      acceptable: aCandle(slot(4), { close: '11.5' }),
    }
    expect(compare(given([], [cut]), [aCandle(slot(4), { close: '11.50' })])).toMatchObject({
      identical: 1,
      differences: [],
    })
    expect(compare(given([], [cut]), [aCandle(slot(4), { close: '10' })]).differences).toEqual([
      ['refused', slot(4)],
    ])
  })

  test('is compared with the row that its candle holds, on the grid or beside it', () => {
    const beside = { raw: [], reason: 'off the grid', openTime: plus(slot(4), 28_789) }
    expect(compare(given([], [beside]), [aCandle(slot(4))]).differences).toEqual([['refused', slot(4)]])
    expect(compare(given([], [beside]), [])).toMatchObject({ rejectedByBoth: 1, differences: [] })
  })

  test('is extra though a row of the answer has no time: that concerns no candle', () => {
    expect(compare(given([], [{ raw: [], reason: 'no time' }]), [aCandle(slot(4))]).differences).toEqual([
      ['extra', slot(4)],
    ])
  })

  test('of the answer outside the range is nobody’s business', () => {
    expect(compare(given([aCandle(minutes(10, 11).from)]), [])).toEqual({
      identical: 0,
      rejectedByBoth: 0,
      differences: [],
    })
  })
})
