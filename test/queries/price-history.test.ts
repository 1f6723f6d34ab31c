import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import type { AlignedCandle } from '../../src/market/candle.ts'
import { addDecimals, compareDecimals, type Decimal, toDecimal } from '../../src/market/decimal.ts'

import { readChart, readDailySummary, readPriceHistory } from '../../src/queries/price-history.ts'
import { refreshView } from '../../src/store/lifecycle/views.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { aBatch, aSeries, load, minutes } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'

const minute = 60_000

/** A number that looks like chance, and is the same every time. */
const scattered = (seed: number, below: number): number => (seed * 7_919 + 104_729) % below

function aScatteredCandle(index: number): AlignedCandle {
  const price = (offset: number) =>
    toDecimal(`${1_000 + offset}.${String(scattered(index, 99_999_989)).padStart(8, '0')}`)
  return {
    openTime: plus(minutes(0, 1).from, index * minute),
    open: price(scattered(index, 40)),
    high: price(50 + scattered(index, 31)),
    low: price(-scattered(index, 37)),
    close: price(scattered(index + 1, 40)),
    volume: toDecimal(`${scattered(index, 1_009)}.00000001`),
  }
}

/** Two hours of candles with holes, over midnight, so that two partitions hold them. */
async function aHistory(pool: Pool): Promise<{ coinId: string; candles: AlignedCandle[] }> {
  const series = await aSeries(pool)
  const indexes = Array.from({ length: 120 }, (_, index) => 1_380 + index)
  const candles = indexes.filter((index) => scattered(index, 5) > 0).map(aScatteredCandle)
  await load(pool, aBatch(series, candles))
  return { coinId: series.coinId, candles }
}

const range = minutes(1_380, 1_500)
const most = (values: readonly Decimal[]) => values.reduce((a, b) => (compareDecimals(a, b) < 0 ? b : a))
const least = (values: readonly Decimal[]) => values.reduce((a, b) => (compareDecimals(a, b) > 0 ? b : a))

/** The same by hand. */
const pointOf = (pointCandles: readonly AlignedCandle[]) => ({
  open: pointCandles[0]?.open,
  high: most(pointCandles.map(({ high }) => high)),
  low: least(pointCandles.map(({ low }) => low)),
  close: pointCandles.at(-1)?.close,
  volume: pointCandles.map(({ volume }) => volume).reduce(addDecimals),
  candles: pointCandles.length,
})

describe('price history', () => {
  test('is the candles of the range, the end left out, ascending', async ({ pool }) => {
    const { coinId, candles } = await aHistory(pool)
    const [first, last] = [candles[3], candles[50]]
    if (!first || !last) throw new Error('the history is too short')
    const inside = { from: first.openTime, to: last.openTime }
    const query = { coinId, timeframe: '1m', range: inside } as const
    expect(await readPriceHistory(databaseOf(pool), query)).toEqual(candles.slice(3, 50))
    expect(await readPriceHistory(databaseOf(pool), { ...query, newest: 4 })).toEqual(candles.slice(46, 50))
  })

  test('is of one coin and one timeframe', async ({ pool }) => {
    const { coinId } = await aHistory(pool)
    const other = await aSeries(pool)
    const query = { timeframe: '1m', range } as const
    expect(await readPriceHistory(databaseOf(pool), { ...query, coinId: other.coinId })).toEqual([])
    expect(await readPriceHistory(databaseOf(pool), { ...query, coinId, timeframe: '5m' })).toEqual([])
  })

  test.for([1, 7, 40, 119, 120, 1_000])(
    'has at most %d points on a chart, exact',
    async (points, { pool }) => {
      const { coinId, candles } = await aHistory(pool)
      const chart = await readChart(databaseOf(pool), { coinId, timeframe: '1m', range, points })
      expect(chart.points.length).toBeLessThanOrEqual(points)
      expect(chart.pointMs).toBe(Math.ceil(120 / points) * minute)
      expect(chart.points.reduce((sum, point) => sum + point.candles, 0)).toBe(candles.length)
      for (const { openTime, ...values } of chart.points) {
        const end = plus(openTime, chart.pointMs)
        const parts = candles.filter((candle) => candle.openTime >= openTime && candle.openTime < end)
        expect((openTime - range.from) % chart.pointMs).toBe(0)
        expect(values).toEqual(pointOf(parts))
      }
    },
  )

  test('on a chart begins with the first candle of a range that begins between two', async ({ pool }) => {
    const { coinId } = await aHistory(pool)
    const late = { from: plus(range.from, 1), to: plus(range.to, 1) }
    const { points } = await readChart(databaseOf(pool), { coinId, timeframe: '1m', range: late, points: 1 })
    expect(points).toMatchObject([{ openTime: plus(range.from, minute) }])
  })

  test('on a chart of an empty range has no points', async ({ pool }) => {
    const empty = { from: range.from, to: range.from }
    const chart = await readChart(databaseOf(pool), {
      coinId: 'bitcoin',
      timeframe: '1m',
      range: empty,
      points: 10,
    })
    expect(chart).toEqual({ pointMs: minute, points: [] })
  })

  test('by day is what the summary says', async ({ pool }) => {
    const series = await aSeries(pool, { timeframe: '1h' })
    const hours = Array.from({ length: 30 }, (_, index) => aScatteredCandle(index * 60))
    await load(pool, aBatch(series, hours))
    await refreshView(pool, 'daily_price_summary')
    const [midnight, next] = [minutes(0, 1).from, minutes(1_440, 1_441).from]
    const days = await readDailySummary(databaseOf(pool), {
      coinId: series.coinId,
      range: { from: midnight, to: plus(next, 1) },
    })
    expect(days).toEqual([
      { day: midnight, ...pointOf(hours.slice(0, 24)) },
      { day: next, ...pointOf(hours.slice(24)) },
    ])
    const first = { coinId: series.coinId, range: { from: midnight, to: next } }
    expect(await readDailySummary(databaseOf(pool), first)).toEqual(days.slice(0, 1))
  })

  test.for([0, -1, 2.5, 100_001])('refuses %d candles or points', async (count, { pool }) => {
    const query = { coinId: 'bitcoin', timeframe: '1m', range } as const
    await expect(readPriceHistory(databaseOf(pool), { ...query, newest: count })).rejects.toThrow(
      InvalidInput,
    )
    await expect(readChart(databaseOf(pool), { ...query, points: count })).rejects.toThrow(InvalidInput)
  })
})
