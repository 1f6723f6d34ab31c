import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import type { AlignedCandle } from '../../src/market/candle.ts'
import { hour } from '../../src/market/instant.ts'
import type { Series } from '../../src/store/coverage.ts'
import { listViews, refreshView } from '../../src/store/lifecycle/views.ts'
import { aBatch, aCandle, aSeries, load, start } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { scriptFile } from '../support/scripts.ts'

const hourly = (number: number, text: Parameters<typeof aCandle>[1] = {}) =>
  aCandle(plus(start, number * hour), text)

/** Loads candles one by one, in the order in which they stand. */
async function loadEach(pool: Pool, series: Series, ...candles: AlignedCandle[]) {
  for (const candle of candles) await load(pool, aBatch(series, [candle]))
}

const summaryOf = async (pool: Pool, coinId: string) =>
  (
    await pool.query(
      `select day::date::text, open, high, low, close, volume, candles from daily_price_summary where coin_id = $1 order by day`,
      [coinId],
    )
  ).rows

describe('the daily summary', () => {
  test('opens with the first candle and closes with the last one by time, in whatever order they came', async ({
    pool,
  }) => {
    const series = await aSeries(pool, { timeframe: '1h' })
    await loadEach(
      pool,
      series,
      hourly(23, { open: '10', high: '20', low: '9', close: '15.5', volume: '3' }),
      hourly(0, { open: '10.5', high: '12', low: '9', close: '11', volume: '1' }),
      hourly(12, { open: '11', high: '12', low: '5.00000001', close: '9', volume: '2.00000001' }),
    )
    expect(await refreshView(pool, 'daily_price_summary')).toEqual({ rows: expect.any(Number) })
    expect(await summaryOf(pool, series.coinId)).toEqual([
      {
        day: '2024-03-01',
        open: '10.50000000',
        high: '20.00000000',
        low: '5.00000001',
        close: '15.50000000',
        volume: '6.00000001',
        candles: 3,
      },
    ])
  })

  test('keeps to UTC days, and has no row for a day without candles', async ({ pool }) => {
    const series = await aSeries(pool, { timeframe: '1h' })
    await loadEach(pool, series, hourly(-1), hourly(0), hourly(23), hourly(48))
    await refreshView(pool, 'daily_price_summary')
    expect((await summaryOf(pool, series.coinId)).map(({ day, candles }) => [day, candles])).toEqual([
      ['2024-02-29', 1],
      ['2024-03-01', 2],
      ['2024-03-03', 1],
    ])
  })

  test('takes a day from its daily candle where there are fewer than 24 hourly ones, and says so', async ({
    pool,
  }) => {
    const series = await aSeries(pool, { timeframe: '1d' })
    await loadEach(pool, series, hourly(-24, { close: '9.5' }), hourly(0, { close: '10.5' }))
    await loadEach(pool, { ...series, timeframe: '1h' }, hourly(3))
    await refreshView(pool, 'daily_price_summary')
    expect(await summaryOf(pool, series.coinId)).toMatchObject([
      { day: '2024-02-29', close: '9.50000000', candles: 0 },
      { day: '2024-03-01', close: '10.50000000', candles: 0 },
    ])
  })

  test('does not count candles of other timeframes', async ({ pool }) => {
    const series = await aSeries(pool, { timeframe: '5m' })
    await loadEach(pool, series, hourly(0))
    await refreshView(pool, 'daily_price_summary')
    expect(await summaryOf(pool, series.coinId)).toEqual([])
  })
})

describe('refreshing a view', () => {
  test('blocks no reader that holds it open, and is blocked by none', async ({ pool }) => {
    const series = await aSeries(pool, { timeframe: '1h' })
    const reader = await pool.connect()
    await reader.query('begin; select * from daily_price_summary')
    await loadEach(pool, series, hourly(0))
    await refreshView(pool, 'daily_price_summary')
    expect(await summaryOf(pool, series.coinId)).toHaveLength(1)
    await reader.query('commit')
    reader.release()
  })

  test('in a process that is killed in the middle leaves the old content, and can be done again', async ({
    freshDatabase: { pool, url },
  }) => {
    await pool.query(`
      create table source (n integer primary key);
      insert into source values (1);
      create materialized view slow as select n, pg_advisory_lock_shared(77) is null as waited from source;
      create unique index on slow (n);
      insert into source values (2)`)
    const holder = await pool.connect()
    await holder.query('select pg_advisory_lock(77)')
    const child = spawn(process.execPath, [scriptFile('store/refreshing-process'), url, 'slow'], {
      stdio: 'inherit',
    })
    const refreshing = async () =>
      (
        await pool.query(
          `select from pg_stat_activity where query like 'refresh%' and wait_event = 'advisory'`,
        )
      ).rowCount
    await expect.poll(refreshing).toBe(1)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect((await pool.query('select n from slow')).rows).toEqual([{ n: 1 }])
    await holder.query('select pg_advisory_unlock(77)')
    holder.release()
    await expect.poll(refreshing).toBe(0)
    expect((await pool.query('select n from slow')).rows).toEqual([{ n: 1 }])
    expect(await refreshView(pool, 'slow')).toEqual({ rows: 2 })
  })

  test('twice at once is one after the other', async ({ pool }) => {
    const refreshed = await Promise.all([1, 2, 3].map(() => refreshView(pool, 'daily_price_summary')))
    expect(new Set(refreshed.map(({ rows }) => rows)).size).toBe(1)
  })

  test.for(['daily', 'coins', 'daily_price_summary; drop table coins', 'DAILY_PRICE_SUMMARY', ''])(
    'of the unknown name "%s" is refused with those there are',
    async (name, { pool }) => {
      await expect(refreshView(pool, name)).rejects.toThrow(InvalidInput)
      await expect(refreshView(pool, name)).rejects.toThrow('daily_price_summary')
    },
  )

  test('knows the views of the database', async ({ pool }) => {
    expect(await listViews(pool)).toEqual(['daily_price_summary'])
  })
})
