import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { confirmations } from '../../../src/ingest/archive/fill-from-archive.ts'
import { type ArchiveUse, archiveCost, planArchive } from '../../../src/ingest/archive/plan-archive.ts'
import { hour, minute } from '../../../src/market/instant.ts'
import { type AlignedRange, intersect, subtract, union } from '../../../src/market/range.ts'
import type { Timeframe } from '../../../src/market/timeframe.ts'
import { archiveName } from '../../../src/sources/binance-archive.ts'
import { at } from '../../store/loading.ts'
import { atMs, plus } from '../../support/at.ts'

/** A Sunday: the file of the 8th can be counted on, that of February too. */
const now = at('2024-03-10T12:34:30Z')

const range = (from: string, to: string): AlignedRange => ({ from: at(from), to: at(to) })

function plan(
  missing: readonly AlignedRange[],
  timeframe: Timeframe = '1m',
  use: ArchiveUse = 'by-cost',
  when = now,
) {
  const { files, rest } = planArchive({ symbol: 'ANYUSDT', timeframe, pageSize: 1_000, use }, missing, when)
  return { names: files.map((file) => archiveName(file).slice('ANYUSDT-'.length)), rest, files }
}

const lengthOf = (ranges: readonly AlignedRange[]): number =>
  ranges.reduce((sum, { from, to }) => sum + to - from, 0)

describe('the files of a plan', () => {
  test('are whole months, then days, and requests for what the archive does not have yet', () => {
    const { names, rest, files } = plan([range('2024-01-01T00:00Z', '2024-03-10T12:34Z')])
    expect(names).toEqual([
      '1m-2024-01',
      '1m-2024-02',
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((day) => `1m-2024-03-0${day}`),
    ])
    expect(rest).toEqual([range('2024-03-09T00:00Z', '2024-03-10T12:34Z')])
    expect(archiveCost(files)).toMatchObject({ monthly: 2, daily: 8, requests: 20 })
    expect(archiveCost(files).bytes).toBe(68 * 1_440 * 55)
  })

  test('are days until a month can be counted on', () => {
    const february = [range('2024-02-01T00:00Z', '2024-03-01T00:00Z')]
    expect(plan(february, '1m', 'by-cost', at('2024-03-04T12:00Z')).names).toHaveLength(29)
    expect(plan(february, '1m', 'by-cost', at('2024-03-05T00:00Z')).names).toEqual(['1m-2024-02'])
  })

  test.each([
    ['1h', 0],
    ['4h', 0],
    ['1d', 0],
    ['30m', 2],
    ['5m', 2],
  ] as const)('of %s candles are only those that spare requests', (timeframe, months) => {
    const missing = [range('2024-01-01T00:00Z', '2024-03-01T00:00Z')]
    const { names, rest } = plan(missing, timeframe)
    expect(names).toHaveLength(months)
    expect(rest).toEqual(months === 0 ? missing : [])
  })

  test('are not fetched for less than half of what is in them', () => {
    expect(plan([range('2024-01-17T00:00Z', '2024-02-01T00:00Z')]).names).toHaveLength(15)
    expect(plan([range('2024-01-16T00:00Z', '2024-02-01T00:00Z')]).names).toEqual(['1m-2024-01'])
    expect(plan([range('2024-01-16T00:00Z', '2024-01-16T11:59Z')]).names).toEqual([])
  })

  test('are all there are when they are wanted, and none when they are not', () => {
    const missing = [range('2024-01-31T00:00Z', '2024-03-01T00:00Z')]
    expect(plan(missing, '1d', 'always').names).toEqual(['1d-2024-01', '1d-2024-02'])
    expect(plan(missing, '1m', 'never')).toEqual({ names: [], files: [], rest: missing })
  })

  test('begin with the first month that the archive has', () => {
    const { names, rest } = plan([range('1975-01-01T00:00Z', '2017-10-01T00:00Z')])
    expect(names).toEqual(['1m-2017-08', '1m-2017-09'])
    expect(rest).toEqual([range('1975-01-01T00:00Z', '2017-08-01T00:00Z')])
  })

  test('and the rest are what is missing, whole and without overlap', () => {
    const start = at('2023-11-20T00:00Z')
    const ranges = fc
      .array(fc.tuple(fc.integer({ min: 0, max: 110 * 24 }), fc.integer({ min: 1, max: 600 })), {
        maxLength: 6,
      })
      .map((pairs) =>
        union(
          pairs.map(([from, length]) => ({
            from: plus(start, from * hour),
            to: plus(start, (from + length) * hour),
          })),
        ),
      )
    fc.assert(
      fc.property(ranges, fc.constantFrom('by-cost', 'always', 'never'), (missing, use) => {
        const { files, rest } = plan(missing, '1m', use)
        const inFiles = files.map((file) => file.range)
        expect(lengthOf(inFiles)).toBe(lengthOf(union(inFiles)))
        for (const one of rest) expect(subtract(one, inFiles)).toEqual([one])
        const covered = union([...rest, ...inFiles])
        for (const part of missing) expect(subtract(part, covered)).toEqual([])
        for (const one of inFiles) expect(missing.some((part) => intersect(part, one))).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})

describe('what a file leaves out', () => {
  const minutes = (from: number, to: number): AlignedRange => ({
    from: atMs(from * minute),
    to: atMs(to * minute),
  })

  const lengths = { timeframe: '1m', pageSize: 1_000 } as const
  const whole = minutes(0, 44_640)

  test('is asked for with a candle on either side, in as few requests as hold it', () => {
    const holes = [minutes(10, 11), minutes(900, 903), minutes(1_007, 1_008), minutes(1_010, 1_012)]
    expect(confirmations(holes, whole, lengths)).toEqual([minutes(9, 1_009), minutes(1_009, 1_013)])
    const neighbours = [minutes(10, 1_005), minutes(1_006, 1_010)]
    expect(confirmations(neighbours, whole, lengths)).toEqual([minutes(9, 1_011)])
    expect(confirmations([], whole, lengths)).toEqual([])
  })

  test('is asked for no further than the stretch that was wanted', () => {
    expect(confirmations([minutes(0, 5)], minutes(0, 5), lengths)).toEqual([minutes(0, 5)])
    expect(confirmations([whole], whole, lengths)).toEqual([whole])
  })
})
