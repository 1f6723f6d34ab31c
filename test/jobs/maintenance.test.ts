import { describe, expect } from 'vitest'
import { jobs, queues } from '../../jobs/catalog.ts'
import { ensurePartitions } from '../../jobs/ensure-partitions.ts'
import { refreshViews } from '../../jobs/refresh-views.ts'
import { InvalidInput } from '../../src/fault.ts'
import { day } from '../../src/market/instant.ts'
import { readSettings } from '../../src/settings.ts'
import { sources } from '../../src/sources/catalog.ts'
import { listPartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { keptReport, startWorking } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { aBatch, aCandle, aSeries, load, start } from '../store/loading.ts'
import { test } from '../support/database.ts'

describe('ensure-partitions', () => {
  test('makes the leaf of now and those ahead for every table, by the clock', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const ensure = () => ensurePartitions.run(working.context, {}, keptReport())
    const expected = [
      ...[1, 2, 3, 4].map((dayOfMonth) => `ohlcv_data_1m_y2024m03d0${dayOfMonth}`),
      ...[1, 2, 3, 4].map((dayOfMonth) => `ohlcv_data_5m_y2024m03d0${dayOfMonth}`),
      ...[3, 4, 5].map((month) => `ohlcv_data_1h_y2024m0${month}`),
      ...[2024, 2025].map((year) => `ohlcv_data_1d_y${year}`),
      ...[1, 2, 3, 4].map((dayOfMonth) => `market_data_y2024m03d0${dayOfMonth}`),
    ]
    expect(await ensure()).toEqual({ made: expected })
    expect(await ensure()).toEqual({ made: [] })
    working.exchange.clock.move(day)
    expect(await ensure()).toEqual({
      made: ['ohlcv_data_1m_y2024m03d05', 'ohlcv_data_5m_y2024m03d05', 'market_data_y2024m03d05'],
    })
  })

  test('makes the branch of a timeframe that came with the configuration', async ({
    freshDatabase: { pool },
  }) => {
    const quarter = { partition: 'month', ahead: 1, history: day, keep: undefined } as const
    await using working = await startWorking(pool, {
      settings: (settings) => ({ ...settings, timeframes: { '15m': quarter } }),
    })
    await ensurePartitions.run(working.context, {}, keptReport())
    expect((await listPartitions(pool, ['ohlcv_data_15m'])).map(({ name }) => name)).toEqual([
      'ohlcv_data_15m_y2024m03',
      'ohlcv_data_15m_y2024m04',
    ])
  })

  test.for([null, 'now', [], { table: 'coins' }])('refuses a payload of %o', (hostile) => {
    expect(ensurePartitions.payload.safeParse(hostile).success).toBe(false)
  })
})

describe('refresh-views', () => {
  test('refreshes the view it is told', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    const series = await aSeries(pool, { timeframe: '1h' })
    await load(pool, aBatch(series, [aCandle(start)]))
    const refresh = () => refreshViews.run(working.context, { view: 'daily_price_summary' }, keptReport())
    expect(await refresh()).toMatchObject({ view: 'daily_price_summary', rows: 1 })
    expect(await refresh()).toMatchObject({ view: 'daily_price_summary', rows: 1 })
  })

  test('refuses a view that is not there, by naming those that are', async ({ pool }) => {
    await using working = await startWorking(pool)
    const refused = refreshViews.run(working.context, { view: 'coins; drop table coins' }, keptReport())
    await expect(refused).rejects.toThrow(InvalidInput)
    await expect(refused).rejects.toThrow('daily_price_summary')
  })

  test('has a schedule at five past midnight for each configured view', () => {
    expect(refreshViews.schedules?.(readSettings({}), [])).toMatchObject([
      {
        id: 'refresh-views_daily_price_summary',
        pattern: '5 0 * * *',
        payload: { view: 'daily_price_summary' },
        whenMissed: 'run-once',
      },
      {
        id: 'refresh-views_daily_price_summary_outdated',
        pattern: '35 * * * *',
        payload: { view: 'daily_price_summary', when: 'outdated' },
      },
    ])
  })

  test.for([
    null,
    {},
    { view: 1 },
    { view: 'v'.repeat(64) },
    { view: 'a', force: true },
    { view: 'a', when: 'always' },
  ])('refuses a payload of %o', (hostile) => {
    expect(refreshViews.payload.safeParse(hostile).success).toBe(false)
  })
})

describe('the catalog', () => {
  test('has every job once, and each has a summary', () => {
    const names = jobs.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { summary } of jobs) expect(summary).toMatch(/^[A-Z].*[^.]$/)
  })

  test('knows the queue of every scheduled payload, and every payload comes back from its schema as it went in', () => {
    const settings = readSettings({})
    const trackedFrom = halfPast
    const coins = Object.values(sources).map(({ id: source }, preference) => ({
      id: source,
      symbol: source,
      name: source,
      markets: [{ coinId: source, source, symbol: source, preference, trackedFrom }],
    }))
    const scheduled = jobs.flatMap((job) =>
      (job.schedules?.(settings, coins) ?? []).map((schedule) => ({ job, ...schedule })),
    )
    expect(new Set(scheduled.map(({ id }) => id)).size).toBe(scheduled.length)
    for (const { job, id, payload } of scheduled) {
      const read = job.payload.parse(payload)
      expect(read).toEqual(payload)
      expect(queues).toContain(job.queueOf(read))
      expect(job.idOf?.(read)).not.toContain(':')
      expect(id).not.toContain(':')
    }
  })

  test('refuses what is no payload at all, without a crash', () => {
    for (const job of jobs) {
      for (const hostile of [
        undefined,
        null,
        0,
        '',
        [],
        'x'.repeat(10_000),
        { __proto__: null, toString: 1 },
        { constructor: {} },
      ])
        expect(job.payload.safeParse(hostile).success).toBe(false)
    }
  })
})
