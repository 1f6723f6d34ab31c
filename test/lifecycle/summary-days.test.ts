import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { expect } from 'vitest'
import { day, hour, toIso } from '../../src/market/instant.ts'
import type { AlignedInstant } from '../../src/market/timeframe.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { refreshView } from '../../src/store/lifecycle/views.ts'
import { aBatch, aCandle, aCoin, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test as base } from '../support/database.ts'
import { daysAgo, freshData, retain } from './retaining.ts'

const test = base.extend('settings', async ({ pool: _ }, { onCleanup }): Promise<Settings> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'beacon-days-'))
  onCleanup(() => rm(dataDir, { recursive: true, force: true }))
  return readSettings({ BEACON_DATA_DIR: dataDir })
})

const hours = (pool: Pool, coinId: string, from: AlignedInstant, count: number, close = '11') =>
  load(
    pool,
    aBatch(
      { coinId, timeframe: '1h', source: 'binance' },
      Array.from({ length: count }, (_, index) => aCandle(plus(from, index * hour), { close })),
    ),
  )

const daily = (pool: Pool, coinId: string, at: AlignedInstant, close: string) =>
  load(pool, aBatch({ coinId, timeframe: '1d', source: 'binance' }, [aCandle(at, { close, volume: '5' })]))

async function summaryOf(pool: Pool, coinId: string) {
  await refreshView(pool, 'daily_price_summary')
  const { rows } = await pool.query(
    `select day::date::text, trim_scale(close)::text as close, trim_scale(volume)::text as volume, candles, origin
     from daily_price_summary where coin_id = $1 order by day`,
    [coinId],
  )
  return rows
}

const dateOf = (instant: AlignedInstant): string => toIso(instant).slice(0, 10)

test('each day of deleted hourly candles stays in the summary: whole ones composed, partial ones as they were', async ({
  freshDatabase: { pool },
  settings,
}) => {
  const coinId = await aCoin(pool)
  await freshData(pool, coinId)
  await hours(pool, coinId, daysAgo(100), 24, '10.00000007')
  await hours(pool, coinId, daysAgo(99), 11)
  await hours(pool, coinId, daysAgo(98), 11)
  await daily(pool, coinId, daysAgo(98), '9.5')
  for (const days of [12, 11, 10, 9]) await hours(pool, coinId, daysAgo(days), 24)
  const before = (await summaryOf(pool, coinId)).slice(0, 3)
  expect(before).toEqual([
    { day: dateOf(daysAgo(100)), close: '10.00000007', volume: '2400', candles: 24, origin: 'hourly' },
    { day: dateOf(daysAgo(99)), close: '11', volume: '1100', candles: 11, origin: 'hourly' },
    { day: dateOf(daysAgo(98)), close: '9.5', volume: '5', candles: 0, origin: 'daily' },
  ])
  expect((await retain(pool, { settings })).dropped).toHaveLength(3)
  const after = (await summaryOf(pool, coinId)).slice(0, 3)
  const origins = ['composed', 'composed', 'daily']
  expect(after).toEqual(before.map((row, index) => ({ ...row, origin: origins[index] })))
  // A daily candle that is deleted leaves what was kept of its hours.
  await pool.query(`delete from ohlcv_data where timeframe = '1d'`)
  expect((await summaryOf(pool, coinId))[2]).toMatchObject({ candles: 11, origin: 'composed' })
})

test('hours that are loaded again and deleted again replace a kept day only where they are as many', async ({
  freshDatabase: { pool },
  settings,
}) => {
  const coinId = await aCoin(pool)
  await freshData(pool, coinId)
  for (const days of [12, 11, 10, 9]) await hours(pool, coinId, daysAgo(days), 24)
  const closes: unknown[] = []
  for (const [count, close] of [
    [24, '10'],
    [5, '11.5'],
    [24, '9.5'],
  ] as const) {
    await hours(pool, coinId, daysAgo(100), count, close)
    await retain(pool, { settings })
    const [first] = await summaryOf(pool, coinId)
    closes.push([first?.close, first?.candles])
  }
  expect(closes).toEqual([
    ['10', 24],
    ['10', 24],
    ['9.5', 24],
  ])
})

test('a partition with half a day is held back, by its bounds and with what helps', async ({
  freshDatabase: { pool },
  settings,
}) => {
  const coinId = await aCoin(pool)
  await freshData(pool, coinId)
  for (const days of [12, 11, 10, 9]) await hours(pool, coinId, daysAgo(days), 24)
  const [from, to] = [plus(daysAgo(101), 12 * hour), plus(daysAgo(101), 12 * hour + day)]
  await pool.query(
    `create table crooked partition of ohlcv_data_1h for values from ('${toIso(from)}') to ('${toIso(to)}')`,
  )
  await pool.query(`insert into ohlcv_data values ('${coinId}', '${toIso(from)}', '1h', 1, 1, 1, 1, 1)`)
  expect((await retain(pool, { settings })).heldBack).toMatchObject([
    {
      partition: 'crooked',
      reason: expect.stringMatching(/not midnights in UTC.*: alter table ohlcv_data_1h/),
    },
  ])
})
