import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Unavailable } from '../../src/fault.ts'
import { fillRange } from '../../src/ingest/fill-range.ts'
import { Gathering } from '../../src/ingest/gathering.ts'
import { loadPages } from '../../src/ingest/load-pages.ts'

import { readSettings } from '../../src/settings.ts'
import { binance } from '../../src/sources/binance.ts'
import { readCandles } from '../../src/store/candles.ts'
import { readMissingOf } from '../../src/store/coverage/missing-candles.ts'
import { readCoverage, type Series } from '../../src/store/coverage.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { aBatch, aSeries, candlesIn, minutes, now } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { startWorking, truth, type Working } from './working.ts'

const reachOf = (pool: Pool) => ({ pool, partitions: new Map(), settings: readSettings({}) })

/** How many transactions have written the candles of a coin. */
async function transactionsOf(pool: Pool, coinId: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    'select count(distinct xmin::text)::integer as count from ohlcv_data where coin_id = $1',
    [coinId],
  )
  return rows[0]?.count ?? 0
}

describe('pages that are written together', () => {
  test('do not keep each other out: the one that is refused is told, the others are there', async ({
    pool,
  }) => {
    const [one, two] = [await aSeries(pool), await aSeries(pool)]
    const unknown: Series = { ...one, coinId: 'nobody-knows' }
    const pages = [one, unknown, two].map((series) => aBatch(series, candlesIn(minutes(0, 20))))
    await expect(loadPages(reachOf(pool), pages)).rejects.toThrow(/foreign key/)
    for (const series of [one, two]) {
      expect(await readCandles(databaseOf(pool), series, minutes(0, 60), 100)).toHaveLength(20)
      expect(await readCoverage(databaseOf(pool), series, minutes(0, 60))).toMatchObject([
        { range: minutes(0, 20) },
      ])
    }
    expect(await readCoverage(databaseOf(pool), unknown, minutes(0, 60))).toEqual([])
  })

  test('are counted together, and none of them is nothing', async ({ pool }) => {
    const pages = [await aSeries(pool), await aSeries(pool)].map((series) =>
      aBatch(series, candlesIn(minutes(0, 9))),
    )
    expect(await loadPages(reachOf(pool), pages)).toMatchObject({ accounting: { received: 18, new: 18 } })
    expect(await loadPages(reachOf(pool), [])).toMatchObject({ accounting: { received: 0 } })
  })
})

describe('a gathering', () => {
  const series: Series = { coinId: 'any', timeframe: '1m', source: 'binance' }

  test('is enough at 50,000 rows, or 500 pages, or when the first has waited for a second', () => {
    const rows = new Gathering()
    const large = aBatch(series, candlesIn(minutes(0, 25_000)))
    rows.add(large, now)
    expect(rows.isEnough(now)).toBe(false)
    rows.add(large, now)
    expect(rows.isEnough(now)).toBe(true)

    const pages = new Gathering()
    const empty = aBatch(series, [])
    for (let page = 1; page < 500; page += 1) pages.add(empty, now)
    expect(pages.isEnough(now)).toBe(false)
    pages.add(empty, now)
    expect(pages.isEnough(now)).toBe(true)

    const waiting = new Gathering()
    waiting.add(empty, now)
    waiting.add(empty, plus(now, 900))
    expect([waiting.isEnough(plus(now, 999)), waiting.isEnough(plus(now, 1_000))]).toEqual([false, true])
  })

  test('begins anew once it was handed over', () => {
    const gathering = new Gathering()
    gathering.add(aBatch(series, []), now)
    expect(gathering.take()).toHaveLength(1)
    expect([gathering.isEmpty(), gathering.isEnough(plus(now, 5_000)), gathering.take()]).toEqual([
      true,
      false,
      [],
    ])
  })
})

describe('filling a range', () => {
  const range = minutes(-3_000, 0)

  const fill = ({ context }: Working, series: Series, steps: number[] = []) =>
    fillRange(context, {
      series,
      source: binance,
      symbol: 'BTCUSDT',
      range,
      lane: 'backfill',
      onProgress: (candles) => void steps.push(candles),
    })

  test('writes several pages in one transaction, and tells of it once they are there', async ({ pool }) => {
    await using working = await startWorking(pool)
    const series = await aSeries(pool)
    const steps: number[] = []
    expect(await fill(working, series, steps)).toMatchObject({
      requests: 3,
      new: truth('BTCUSDT', '1m', range).length,
    })
    expect([await transactionsOf(pool, series.coinId), steps]).toEqual([1, [3_000]])
  })

  test('keeps the pages before the one that did not come', async ({ pool }) => {
    const faults = [{ when: { nth: 3 }, fault: { name: 'server-error', status: 503 } }] as const
    await using working = await startWorking(pool, { faults })
    const series = await aSeries(pool)
    const steps: number[] = []
    await expect(fill(working, series, steps)).rejects.toThrow(Unavailable)
    expect(await readCandles(databaseOf(pool), series, range, 5_000)).toEqual(
      truth('BTCUSDT', '1m', minutes(-3_000, -1_000)),
    )
    expect(await readMissingOf(databaseOf(pool), { ...series, range }, 'retry-rejected')).toEqual([
      minutes(-1_000, 0),
    ])
    expect(steps).toEqual([2_000])
  })
})
