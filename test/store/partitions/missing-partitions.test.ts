import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { minute, plus } from '../../../src/market/instant.ts'
import { intersect, type Range, subtract } from '../../../src/market/range.ts'
import { partitionLengths } from '../../../src/settings/schema.ts'
import { isOwnForm, missingPartitions, partitionsOf } from '../../../src/store/partitions.ts'
import { start } from '../loading.ts'

const ranges = fc.tuple(fc.integer({ min: -100_000, max: 100_000 }), fc.integer({ min: 1, max: 60_000 })).map(
  ([from, length]): Range => ({
    from: plus(start, from * minute),
    to: plus(start, (from + length) * minute),
  }),
)

/** Partitions never overlap: what a range shares with those before it is cut off. */
function separate(some: readonly Range[]): Range[] {
  const taken: Range[] = []
  for (const range of some) taken.push(...subtract(range, taken))
  return taken
}

const cases = {
  length: fc.constantFrom(...partitionLengths),
  taken: fc.array(ranges, { maxLength: 8 }).map(separate),
  wanted: ranges,
}

describe('the partitions that a range lacks', () => {
  test('leave no instant of it without one, and overlap none that is there', () => {
    fc.assert(
      fc.property(fc.record(cases), ({ length, taken, wanted }) => {
        const table = { name: 'market_data', length }
        const made = missingPartitions(table, taken, wanted)
        const all = [...taken, ...made.map(({ range }) => range)]
        expect(subtract(wanted, all)).toEqual([])
        for (const [index, one] of all.entries())
          for (const other of all.slice(index + 1)) expect(intersect(one, other)).toBeUndefined()
        expect(new Set(made.map(({ name }) => name)).size).toBe(made.length)
        for (const one of made) expect([one, isOwnForm('market_data', one)]).toEqual([one, true])
      }),
    )
  })

  test('are the usual ones where none is there', () => {
    fc.assert(
      fc.property(cases.length, cases.wanted, (length, wanted) => {
        const table = { name: 'ohlcv_data_1m', length }
        expect(missingPartitions(table, [], wanted)).toEqual(partitionsOf(table, wanted))
      }),
    )
  })

  test('have names that PostgreSQL does not cut off', () => {
    fc.assert(
      fc.property(fc.record(cases), ({ length, taken, wanted }) => {
        for (const { name } of missingPartitions({ name: 'ohlcv_data_15m', length }, taken, wanted))
          expect(name.length).toBeLessThan(64)
      }),
    )
  })
})

test.for([
  ['ohlcv_data_1m_y2024m03d01', minute, 1_441 * minute],
  ['by_hand', 0, 1_440 * minute],
  ['ohlcv_data_1m_y2024m03d01_from_20240301t000000', 60 * minute, 90 * minute],
  ['ohlcv_data_1m_y2024m03d01_from_20240301t010000', 60 * minute, 1_500 * minute],
  ['ohlcv_data_5m_y2024m03d01', 0, 1_440 * minute],
] as const)('%s from minute %i to %i is not one of ours', ([name, from, to]) => {
  expect(isOwnForm('ohlcv_data_1m', { name, range: { from: plus(start, from), to: plus(start, to) } })).toBe(
    false,
  )
})
