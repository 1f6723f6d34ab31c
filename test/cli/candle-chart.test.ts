import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { drawCandles } from '../../src/cli/candles/candle-chart.ts'
import { priceTicks, timeTicks } from '../../src/cli/candles/chart-scale.ts'
import type { Candle } from '../../src/market/candle.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { day, hour, minute, plus, toInstant } from '../../src/market/instant.ts'

const start = toInstant(Date.UTC(2024, 2, 1))

const aCandle = (index: number, [open, high, low, close, volume = '5']: readonly string[]): Candle => ({
  openTime: plus(start, index * hour),
  open: toDecimal(open ?? '1'),
  high: toDecimal(high ?? '1'),
  low: toDecimal(low ?? '1'),
  close: toDecimal(close ?? '1'),
  volume: toDecimal(volume),
})

const many = (count: number, of: (index: number) => Candle = (index) => wave(index)): Candle[] =>
  Array.from({ length: count }, (_, index) => of(index))

/** Up and down between 90 and 110. */
function wave(index: number): Candle {
  const [open, close] = [100 + 9 * Math.sin(index / 5), 100 + 9 * Math.sin((index + 1) / 5)]
  return aCandle(index, [
    open.toFixed(8),
    (Math.max(open, close) + 1).toFixed(8),
    (Math.min(open, close) - 1).toFixed(8),
    close.toFixed(8),
    (10 + index).toFixed(8),
  ])
}

const draw = (
  candles: readonly Candle[],
  size: { width?: number; height?: number; colours?: boolean } = {},
) =>
  drawCandles(
    { coinId: 'bitcoin', timeframe: '1h', candles },
    { width: 80, height: 23, colours: false, ...size },
  )

/** What stands in the columns right of the axis, without the volumes. */
function columnsOf(drawn: string): string[] {
  const lines = drawn.split('\n').slice(1, -4)
  const from = lines[0]?.search(/[│┤]/) ?? 0
  return Array.from({ length: 80 }, (_, index) => lines.map((line) => line[from + 1 + index] ?? ' ').join(''))
}

describe('a drawing of candles', () => {
  test.each([40, 80, 200])('has the lines and columns that it may have, on a terminal of %i', (width) => {
    for (const count of [1, 2, 30, 1_000]) {
      const lines = draw(many(count), { width }).split('\n')
      expect(lines).toHaveLength(23)
      expect(lines.filter((line) => line.length > width)).toEqual([])
    }
  })

  test('shows the newest that fit, each in a column of its own', () => {
    const drawn = draw(many(500))
    const filled = columnsOf(drawn).filter((column) => /[█░]/.test(column))
    expect(filled.length).toBeGreaterThan(60)
    expect(drawn).toMatch(/^bitcoin 1h: [\d.]+ at 2024-03-21 20:00 UTC, [+-][\d.]+ % since 2024-03-/)
  })

  test('leaves the place of a candle that is not there empty', () => {
    const drawn = draw(many(40).filter((_, index) => index < 10 || index >= 13))
    expect(
      columnsOf(drawn)
        .slice(0, 40)
        .map((column) => column.trim() !== ''),
    ).toEqual(many(40).map((_, index) => index < 10 || index >= 13))
  })

  test('tells by the body, or by the colour, whether the price rose, and shows both wicks', () => {
    const candles = [aCandle(0, ['100', '110', '90', '105']), aCandle(1, ['105', '110', '90', '95'])]
    const [rising = '', , , falling = ''] = columnsOf(draw(candles))
    expect(rising).toMatch(/^[│╷]+█+[│╵]+$/)
    expect(falling).toMatch(/^[│╷]+░+[│╵]+$/)
    const coloured = draw(candles, { colours: true })
    expect(coloured).toContain('\u001b[32m')
    expect(coloured).toContain('\u001b[31m')
    expect(stripVTControlCharacters(coloured)).toMatch(/┃/)
    expect(draw(candles)).not.toContain('\u001b')
  })

  test('has round prices and times on its axes, each beside what it is of', () => {
    const lines = draw(many(60)).split('\n')
    const labels = lines.flatMap((line) => /^ *([\d.,]+) ┤/.exec(line)?.[1] ?? [])
    expect(labels).toEqual(['105', '100', '95'])
    const [axis = '', times = ''] = lines.slice(-2)
    const marks = [...axis.matchAll(/┬/g)].map(({ index }) => index)
    expect(times.trim().split(/ +/)).toEqual(['2024-03-01', '2024-03-02', '2024-03-03'])
    expect(marks).toHaveLength(3)
    expect(Math.abs(times.indexOf('2024-03-02') + 5 - (marks[1] ?? 0))).toBeLessThanOrEqual(1)
  })

  test('is drawn of a price that never moved, and of candles nobody traded', () => {
    const drawn = draw(
      many(30, (index) => aCandle(index, ['0.00000001', '0.00000001', '0.00000001', '0.00000001', '0'])),
    )
    expect(columnsOf(drawn).filter((column) => column.trim() !== '')).toHaveLength(30)
    expect(drawn).not.toMatch(/NaN|Infinity/)
  })
})

test.each([
  [20_000, 64_000, 4, ['20,000', '40,000', '60,000']],
  [0.000_060_4, 0.000_062_1, 4, ['0.0000605', '0.0000610', '0.0000615', '0.0000620']],
  [99.5, 101, 3, ['99.5', '100.0', '100.5', '101.0']],
])('between %d and %d, at the most about %i prices are marked: %j', (lowest, highest, most, labels) => {
  expect(priceTicks(lowest, highest, most).map(({ label }) => label)).toEqual(labels)
})

test.each([
  [15 * minute, hour, ['2024-03-01', '00:15', '00:30', '00:45', '01:00']],
  [5 * hour, 13 * hour, ['2024-03-01', '06:00', '12:00']],
  [day + 1, 5 * day, ['2024-03-02', '2024-03-04', '2024-03-06']],
])('times at least %i ms apart are round', (leastMs, lengthMs, labels) => {
  expect(timeTicks(start, plus(start, lengthMs), leastMs).map(({ label }) => label)).toEqual(labels)
})
