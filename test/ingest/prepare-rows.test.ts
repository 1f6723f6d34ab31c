import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { prepareRows } from '../../src/ingest/prepare-rows.ts'
import type { CandleRow } from '../../src/market/candle.ts'
import { minute, toInstant } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { binance } from '../../src/sources/binance.ts'
import { start } from '../store/loading.ts'
import { plus } from '../support/at.ts'

const series = { coinId: 'any', timeframe: '1m', source: 'binance' } as const
const range: AlignedRange = { from: start, to: plus(start, 20 * minute) }
/** The last but one minute has just closed. */
const now = plus(start, 19 * minute)

type Kline = Readonly<{ openTime: number; prices: readonly string[]; volume: string }>

const textOf = ({ openTime, prices, volume }: Kline): string =>
  `[${openTime},${[...prices, volume].map((text) => `"${text}"`).join()},${openTime + minute - 1},"1.5",7,"0.5","0.7","0"]`

const parse = (body: string): CandleRow[] =>
  binance.candles.parse(body, { symbol: 'ANYUSDT', timeframe: '1m', range, asOf: now })

const prepare = (body: string) => prepareRows(series, parse(body), { timeframe: '1m', range, now })

const bodyOf = (klines: readonly Kline[]): string => `[${klines.map(textOf).join()}]`

/** The same JSON in a form that no quick reading knows. */
const laidOutOtherwise = (body: string): string => JSON.stringify(JSON.parse(body), undefined, 1)

/** Also digits that the table rounds, or has no room for. */
const decimal = fc.oneof(
  { weight: 8, arbitrary: fc.stringMatching(/^(0|[1-9]\d{0,6})\.\d{1,8}$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^(0|[1-9]\d{0,17})(\.\d{1,10})?$/) },
)

/** In order for the most part, and otherwise early, late, repeated, beside the grid. */
const openTime = (place: number) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(start + place * minute) },
    { weight: 1, arbitrary: fc.integer({ min: -2, max: 22 }).map((other) => start + other * minute) },
    { weight: 1, arbitrary: fc.constant(start + place * minute + 1) },
  )

const consistent = fc
  .array(decimal, { minLength: 4, maxLength: 4 })
  .map((prices) => prices.toSorted((a, b) => Number(a) - Number(b)))
  .map(([low = '0', open = '0', close = '0', high = '0']) => [open, high, low, close])

const kline = (place: number): fc.Arbitrary<Kline> =>
  fc.record({
    openTime: openTime(place),
    prices: fc.oneof({ weight: 8, arbitrary: consistent }, fc.array(decimal, { minLength: 4, maxLength: 4 })),
    volume: decimal,
  })

const answer = fc
  .integer({ min: 1, max: 20 })
  .chain((length) => fc.tuple(...Array.from({ length }, (_, place) => kline(place))))

describe('the rows of an answer', () => {
  test('become the same, whether they were read as plain numbers or as texts', () => {
    fc.assert(
      fc.property(answer, (klines) => {
        const body = bodyOf(klines)
        expect(prepare(body)).toEqual(prepare(laidOutOtherwise(body)))
      }),
      { numRuns: 500 },
    )
  })

  test('are plain where they are what Binance has always written', () => {
    const klines = Array.from({ length: 20 }, (_, place) => ({
      openTime: start + place * minute,
      prices: ['62000.01000000', '62100.00000000', '0.00000001', '62050.00000000'],
      volume: '123456789012345.12345678',
    }))
    const rows = parse(bodyOf(klines))
    expect(rows.map((row) => 'candle' in row && row.plain?.openTime)).toEqual(
      klines.map((one) => one.openTime),
    )
    const { rows: ready, ignored } = prepareRows(series, rows, { timeframe: '1m', range, now })
    expect([ready.openTimes, ignored]).toEqual([
      klines.slice(0, 19).map(({ openTime: time }) => toInstant(time)),
      1,
    ])
  })
})
