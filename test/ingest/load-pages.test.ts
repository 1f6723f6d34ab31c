import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Unavailable } from '../../src/fault.ts'
import { CandleWriter, nothingFilled } from '../../src/ingest/candle-writer.ts'
import { fillRange } from '../../src/ingest/fill-range.ts'
import { loadPages } from '../../src/ingest/load-pages.ts'
import { minute } from '../../src/market/instant.ts'
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

describe('the writer of candles', () => {
  /** How many pages each transaction had, of pages that arrive `everyMs`. */
  async function transactionSizes(
    pool: Pool,
    { pages, rows, everyMs }: Readonly<{ pages: number; rows: number; everyMs: number }>,
  ): Promise<number[]> {
    const series = await aSeries(pool)
    let time = now
    const sizes: number[] = []
    const writer = new CandleWriter({ ...reachOf(pool), steadyClock: { now: () => time } }, (committed) => {
      sizes.push(committed.length)
    })
    async function* arriving() {
      for (let page = 0; page < pages; page += 1) {
        const batch = aBatch(series, candlesIn(minutes(page * rows, (page + 1) * rows)))
        yield { batch, requests: 1, ignored: 0, roundedValues: 0 }
        time = plus(time, everyMs)
      }
    }
    await writer.takeAll(arriving(), minute)
    await writer.write()
    const { received, requests } = writer.filled
    expect({ received, requests }).toEqual({ received: pages * rows, requests: pages })
    return sizes
  }

  test('commits at 50,000 rows, at 500 pages, or when the first page has waited for a second', async ({
    pool,
  }) => {
    expect(await transactionSizes(pool, { pages: 5, rows: 25_000, everyMs: 0 })).toEqual([2, 2, 1])
    expect(await transactionSizes(pool, { pages: 501, rows: 0, everyMs: 0 })).toEqual([500, 1])
    // The third page arrives when the first has waited for 900 ms, the fourth at 1,350 ms.
    expect(await transactionSizes(pool, { pages: 6, rows: 1, everyMs: 450 })).toEqual([4, 2])
  })

  test('counts the requests of pages that could not be written, and nothing else of them', async ({
    pool,
  }) => {
    const unknown: Series = { ...(await aSeries(pool)), coinId: 'nobody-knows' }
    const writer = new CandleWriter({ ...reachOf(pool), steadyClock: { now: () => now } })
    writer.take({
      batch: aBatch(unknown, candlesIn(minutes(0, 9))),
      requests: 2,
      ignored: 3,
      roundedValues: 4,
    })
    await expect(writer.write()).rejects.toThrow(/foreign key/)
    expect(writer.filled).toEqual({ ...nothingFilled, requests: 2 })
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
