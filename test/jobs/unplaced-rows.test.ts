import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { ensurePartitions } from '../../jobs/ensure-partitions.ts'
import { ingestCandles } from '../../jobs/ingest-candles.ts'
import { ingestPrices } from '../../jobs/ingest-prices.ts'
import { Misconfigured } from '../../src/fault.ts'
import { planBackfill } from '../../src/ingest/backfill/plan.ts'
import { findGaps } from '../../src/ingest/gaps.ts'
import { day, minute, plus, toIso } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { readCandles } from '../../src/store/candles.ts'
import { listCoins } from '../../src/store/coins.ts'
import { listPartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { count, follow, keptReport, startWorking, truth, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { interruptDetaching } from '../store/partitions/hand-made.ts'
import { test } from '../support/database.ts'

const open = floorTo('1m', halfPast)
const lastMinutes = (from: number, to = 0): Range => ({
  from: plus(open, -from * minute),
  to: plus(open, -to * minute),
})

/** Half detached: rows of this range cannot be stored. */
async function block(pool: Pool, table: string, { from, to }: Range): Promise<void> {
  await pool.query(
    `create table by_hand partition of ${table} for values from ('${toIso(from)}') to ('${toIso(to)}')`,
  )
  await interruptDetaching(pool, table, 'by_hand')
}

const finish = (table: string) => `run: alter table public.${table} detach partition public.by_hand finalize`

const stored = (pool: Pool, range: Range) =>
  readCandles(databaseOf(pool), { coinId: 'bitcoin', timeframe: '1m' }, range, 10_000)

async function gaps(pool: Pool, { context }: Working, range: Range) {
  const coins = await listCoins(databaseOf(pool))
  return findGaps(pool, context.settings, coins, ['1m'], range, halfPast)
}

describe('where a part of the time has no partition', () => {
  const blocked = lastMinutes(300, 200)

  test('live ingest stores the rest, fails with the cause, and gaps has it', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    await block(pool, 'ohlcv_data_1m', blocked)
    const ingest = () =>
      ingestCandles.run(working.context, { source: 'binance', timeframe: '1m' }, keptReport())
    const failing = ingest()
    await expect(failing).rejects.toThrow(Misconfigured)
    await expect(failing).rejects.toThrow(/^100 candles were not stored, of bitcoin 1m from .*/)
    await expect(failing).rejects.toThrow(finish('ohlcv_data_1m'))
    const [before, after] = [lastMinutes(1_000, 300), lastMinutes(200)]
    expect(await stored(pool, lastMinutes(1_000))).toEqual([
      ...truth('BTCUSDT', '1m', before),
      ...truth('BTCUSDT', '1m', after),
    ])
    expect(await gaps(pool, working, lastMinutes(1_000))).toMatchObject([
      {
        cause: 'no-partition',
        range: blocked,
        candles: 100,
        detail: expect.stringContaining(finish('ohlcv_data_1m')),
      },
    ])

    await pool.query('alter table ohlcv_data_1m detach partition by_hand finalize')
    expect(await ingest()).toMatchObject({ new: 100 })
    expect(await gaps(pool, working, lastMinutes(1_000))).toEqual([])
  })

  test('a backfill stores the pages before and after it', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    const coinId = await follow(pool, 'BTCUSDT')
    await block(pool, 'ohlcv_data_1m', blocked)
    const all = lastMinutes(2_500)
    const payload = { source: 'binance', symbol: 'BTCUSDT', coinId, timeframe: '1m' } as const
    const chunk = { ...payload, from: toIso(all.from), to: toIso(all.to) }
    const running = backfillCandles.run(working.context, chunk, keptReport())
    await expect(running).rejects.toThrow(/^100 candles were not stored/)
    expect(await stored(pool, all)).toEqual([
      ...truth('BTCUSDT', '1m', lastMinutes(2_500, 300)),
      ...truth('BTCUSDT', '1m', lastMinutes(200)),
    ])
  })

  test('prices are not asked of another source, and the run fails with the cause', async ({
    freshDatabase: { pool },
  }) => {
    await follow(pool, 'BTCUSDT')
    await using yesterday = await startWorking(pool, { now: plus(halfPast, -day) })
    // With a last price, the next one needs no second source to agree with it.
    expect(await ingestPrices.run(yesterday.context, {}, keptReport())).toMatchObject({ new: 1 })
    await using working = await startWorking(pool)
    await block(pool, 'market_data', lastMinutes(10, -10))
    const failing = ingestPrices.run(working.context, {}, keptReport())
    await expect(failing).rejects.toThrow(/^1 price was not stored, of bitcoin from /)
    await expect(failing).rejects.toThrow(finish('market_data'))
    expect(working.exchange.requests.map(({ source }) => source)).toEqual(['coingecko'])
    expect(await count(pool, 'market_data')).toBe(1)
  })

  test('the other tables get their partitions', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await block(pool, 'ohlcv_data_1m', lastMinutes(10, -10))
    const making = ensurePartitions.run(working.context, {}, keptReport())
    await expect(making).rejects.toThrow(finish('ohlcv_data_1m'))
    const made = await listPartitions(pool, ['ohlcv_data_1m', 'ohlcv_data_5m', 'market_data'])
    expect(made.filter(({ table }) => table === 'ohlcv_data_1m').map(({ name }) => name)).toEqual([
      'ohlcv_data_1m_y2024m03d01_from_20240301t000000',
      'by_hand',
      expect.stringMatching(/^ohlcv_data_1m_y2024m03d01_from_/),
      ...[2, 3, 4].map((dayOfMonth) => `ohlcv_data_1m_y2024m03d0${dayOfMonth}`),
    ])
    expect(made.filter(({ table }) => table === 'market_data')).toHaveLength(4)
  })
})

test('a backfill plan names the partitions that are made around one of other bounds, and what retention deletes', async ({
  freshDatabase: { pool },
}) => {
  await using working = await startWorking(pool)
  await follow(pool, 'BTCUSDT')
  const { settings } = working.context
  const from = floorTo('1d', plus(halfPast, -9 * day))
  const range: Range = { from, to: plus(from, 2 * day) }
  // The second day is past its retention, and the partition that holds half of it is not.
  await pool.query(
    `create table by_hand partition of ohlcv_data_1m for values from ('${toIso(plus(from, 1.5 * day))}') to ('${toIso(plus(from, 5 * day))}')`,
  )
  const coins = await listCoins(databaseOf(pool))
  const request = { coinIds: ['bitcoin'], timeframes: ['1m'], range } as const
  const plan = await planBackfill(pool, settings, coins, request, halfPast)
  expect(plan).toMatchObject({
    candles: 2_880,
    expiring: 2_160,
    partitions: [
      expect.stringMatching(/^ohlcv_data_1m_y2024m02d21$/),
      expect.stringMatching(/^ohlcv_data_1m_y2024m02d22_from_20240222t000000$/),
    ],
  })
})
