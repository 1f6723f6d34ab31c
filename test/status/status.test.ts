import { describe, expect } from 'vitest'
import { queues as everyQueue } from '../../jobs/catalog.ts'
import { openBudget } from '../../src/http/budget.ts'
import type { Pause } from '../../src/http/pauses.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { announceRoles } from '../../src/runtime/presence.ts'
import { sourceIds } from '../../src/settings/source-ids.ts'
import { sources } from '../../src/sources/catalog.ts'
import { freshnessOf } from '../../src/status/series.ts'
import type { Status } from '../../src/status/status.ts'
import { trackMarket, upsertCoin } from '../../src/store/coins.ts'
import { recordCheck } from '../../src/store/digests/archive-checks.ts'
import { recordHolds } from '../../src/store/lifecycle/partition-holds.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { writeCoverage } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { ask, nextEvent, open } from '../web/asking.ts'
import {
  done,
  failed,
  settle,
  storeEverything,
  storeOrdinaryDay,
  storePrices,
  storeRun,
  storeSeries,
} from '../web/sample.ts'
import { now, serve, settingsFor, silent, test as withEngine } from '../web/serving.ts'

const settings = settingsFor()

/** A fleet that has run for two days, in a database of its own. */
const test = withEngine
  .extend('status', async ({ freshDatabase, engine }, { onCleanup }) => {
    const web = await serve({ database: freshDatabase, engine }, { startedAt: plus(now, -2 * day) })
    onCleanup(web.close)
    return async (): Promise<Status> => JSON.parse((await ask(`${web.url}/api/status`)).text)
  })
  .extend('workers', async ({ freshDatabase }, { onCleanup }) => {
    const presence = await announceRoles(freshDatabase.url, ['worker'], 'postgres', silent)
    onCleanup(presence.release)
    return presence
  })

describe('the whole', () => {
  test('is fine when every series is fresh and whole', async ({ freshDatabase, status, workers: _ }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    const { overall, process, generatedAt } = await status()
    expect(overall).toEqual({
      state: 'ok',
      message: 'Everything is fine: all 24 series are fresh and complete.',
      others: [],
      findings: [],
    })
    expect(generatedAt).toBe('2024-03-01T12:34:20.000Z')
    expect(process).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      startedAt: '2024-02-28T12:34:20.000Z',
      queueEngine: 'postgres',
      hasWorkers: true,
    })
    expect(process.database.version).toMatch(/^\d+\.\d+/)
    expect(process.database.bytes).toBeGreaterThan(1_000_000)
  })

  test('needs attention when nobody works', async ({ freshDatabase, status }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    expect((await status()).overall).toMatchObject({
      state: 'attention',
      message: 'No process works on the queues: start one with the worker role.',
    })
  })

  test('needs attention while no coin is followed', async ({ status, workers: _ }) => {
    expect((await status()).overall.message).toBe(
      'No coin is tracked: `beacon coins add bitcoin` tracks one.',
    )
  })

  test('tells the gravest first and the rest after it', async ({ freshDatabase, status, workers: _ }) => {
    const { pool } = freshDatabase
    await settle(pool, settings, now)
    await storePrices(pool, settings, plus(now, -hour))
    for (const { id } of settings.coins) {
      for (const timeframe of ['1m', '5m', '1h', '1d'] as const) {
        const missing =
          id === 'pepe' && timeframe === '1m' ? 90 : id === 'ripple' && timeframe === '5m' ? 2 : 0
        await storeSeries(pool, settings, { coinId: id, timeframe }, now, missing)
      }
    }
    await storeRun(pool, { job: 'refresh-views', startedAt: plus(now, -minute), end: failed('no') })
    expect((await status()).overall).toMatchObject({
      state: 'attention',
      message: 'One series is stale: pepe 1m has had no candle for 90 minutes.',
      others: [
        'The newest price is 60 minutes old.',
        'refresh-views failed at 2024-03-01 12:33:20: no.',
        'One series is a few candles late.',
        '91 candles still to be fetched.',
      ],
    })
  })

  test('is catching up while it has just started', async ({ freshDatabase, engine, workers: _ }) => {
    await settle(freshDatabase.pool, settings, now)
    await using web = await serve({ database: freshDatabase, engine }, { startedAt: plus(now, -minute) })
    const { overall }: Status = JSON.parse((await ask(`${web.url}/api/status`)).text)
    expect(overall.state).toBe('catching-up')
    expect(overall.others).toContain('There is no price yet.')
  })

  test('a failure that a later run made good is no reason', async ({ freshDatabase, status, workers: _ }) => {
    const { pool } = freshDatabase
    await settle(pool, settings, now)
    await storeEverything(pool, settings, now)
    await storePrices(pool, settings, now)
    const run = { job: 'ingest-candles', payload: { source: 'binance', timeframe: '1m' } }
    await storeRun(pool, { ...run, startedAt: plus(now, -2 * minute), end: failed('it was down') })
    expect((await status()).overall.state).toBe('attention')
    await storeRun(pool, { ...run, startedAt: plus(now, -minute), end: done({ received: 2 }) })
    expect((await status()).overall.state).toBe('ok')
  })

  test('needs attention when new rows have no partition', async ({ freshDatabase, status, workers: _ }) => {
    const { pool } = freshDatabase
    await settle(pool, settings, plus(now, -30 * day))
    await storeEverything(pool, settings, now)
    const { overall, partitions } = await status()
    expect([overall.message, ...overall.others]).toContain(
      'ohlcv_data_1m, ohlcv_data_5m, market_data have no partition for new rows: `beacon partitions ensure` makes it.',
    )
    expect(partitions.find(({ table }) => table === 'ohlcv_data_1m')).toMatchObject({
      partitions: 3,
      newestBound: '2024-02-03T00:00:00.000Z',
    })
  })

  test('needs attention while a partition cannot be deleted, has no bounds, or rows differ from what was written', async ({
    freshDatabase: { pool },
    status,
    workers: _,
  }) => {
    await storeOrdinaryDay(pool, settings, now)
    const hold = {
      schema: 'public',
      table: 'ohlcv_data_1m',
      range: { from: plus(now, -10 * day), to: plus(now, -9 * day) },
      hold: { kind: 'object', reason: 'the view a of somebody else depends on it', remedy: 'drop view a' },
    } as const
    const holds = ['old_1', 'old_2'].map((name) => ({ ...hold, name, qualifiedName: `public.${name}` }))
    await inTransaction(pool, ({ db }) => recordHolds(db, holds, now))
    await pool.query('create table everything_else partition of ohlcv_data_1h default')
    const result = {
      coinIds: undefined,
      checkedAt: now,
      durationMs: 1,
      series: 1,
      liveRows: 1,
      archivedRows: 0,
      files: 0,
    }
    const problems = [{ where: 'bitcoin 1h', problem: 'less', remedy: 'look' }]
    await recordCheck(databaseOf(pool), { ...result, counted: 0, problems })
    const { overall, partitions } = await status()
    expect([overall.message, ...overall.others]).toEqual(
      expect.arrayContaining([
        'Retention cannot delete old_1 and 1 more partition: the view a of somebody else depends on it: drop view a.',
        'everything_else of ohlcv_data_1h has no bounds in time, so retention never deletes its rows: `beacon retention --dry-run` shows what helps.',
        '1 difference between what is stored or archived and what was written: `beacon archive check` lists them with what helps.',
      ]),
    )
    expect(partitions.find(({ table }) => table === 'ohlcv_data_1h')).toMatchObject({
      unbounded: ['everything_else'],
    })
  })

  test('needs attention while the database does, and tells since when; an alert that is over is only told', async ({
    freshDatabase: { pool },
    status,
    workers: _,
  }) => {
    await storeOrdinaryDay(pool, settings, now)
    await pool.query(
      `insert into incidents (key, message, opened_at, resolved_at) values
        ('database.cache', 'Memory is short.', '2024-03-01 12:00', null),
        ('series.stale', 'What is judged anew each time.', '2024-03-01 12:00', null),
        ('disk.filling', 'It was full.', '2024-03-01 09:00', '2024-03-01 10:00'),
        ('clock.skew', 'Long ago.', '2024-02-01 09:00', '2024-02-01 10:00')`,
    )
    const { overall, alerts } = await status()
    expect(overall).toMatchObject({ state: 'attention', message: 'Memory is short.', others: [] })
    expect(overall.findings).toMatchObject([{ key: 'database.cache', since: '2024-03-01T12:00:00.000Z' }])
    expect(alerts.map(({ key }) => key).toSorted()).toEqual([
      'database.cache',
      'disk.filling',
      'series.stale',
    ])
    expect(alerts.find(({ key }) => key === 'disk.filling')).toMatchObject({
      openedAt: '2024-03-01T09:00:00.000Z',
      resolvedAt: '2024-03-01T10:00:00.000Z',
    })
  })

  test('a paused queue is told', async ({ freshDatabase, engine, status, workers: _ }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    await engine.queue('coingecko').pause()
    const { overall, queues } = await status()
    await engine.queue('coingecko').resume()
    expect(overall.message).toBe(
      'The queue coingecko is paused: `beacon queues resume coingecko` lets it go on.',
    )
    expect(queues?.map(({ queue, paused }) => [queue, paused])).toEqual(
      everyQueue.map((queue) => [queue, queue === 'coingecko']),
    )
  })
})

describe('a series', () => {
  const candles = { ...settings.candles, settleDelay: 3 * second, absentAfter: 10 * minute }
  const ago = (ms: number) => plus(now, -ms)

  test('is fresh, late or stale by the length of its own candles', () => {
    const state = (timeframe: '1m' | '1d', behindMs: number) =>
      freshnessOf({ lastClose: ago(behindMs), quietTo: undefined, now }, timeframe, candles)
    expect([90, 123, 124, 300, 301].map((seconds) => state('1m', seconds * second))).toEqual([
      'fresh',
      'fresh',
      'late',
      'late',
      'stale',
    ])
    expect([24, 36, 37, 120, 121].map((hours) => state('1d', hours * hour))).toEqual([
      'fresh',
      'fresh',
      'late',
      'late',
      'stale',
    ])
    expect(freshnessOf({ lastClose: undefined, quietTo: undefined, now }, '1m', candles)).toBe('empty')
  })

  test('of a market without trades is fresh while its source goes on saying so', () => {
    const quiet = { lastClose: ago(3 * hour), now }
    expect(freshnessOf({ ...quiet, quietTo: ago(10 * minute) }, '1m', candles)).toBe('fresh')
    expect(freshnessOf({ ...quiet, quietTo: ago(20 * minute) }, '1m', candles)).toBe('stale')
    expect(freshnessOf({ ...quiet, quietTo: ago(4 * hour) }, '1m', candles)).toBe('stale')
  })

  test('says what it has and what it owes', async ({ freshDatabase, status }) => {
    const { pool } = freshDatabase
    await settle(pool, settings, now)
    await storeSeries(pool, settings, { coinId: 'bitcoin', timeframe: '1m' }, now, 3)
    const { series } = await status()
    const of = (coinId: string, timeframe: string) =>
      series.find((one) => one.coinId === coinId && one.timeframe === timeframe)
    expect(of('bitcoin', '1m')).toEqual({
      coinId: 'bitcoin',
      symbol: 'BTC',
      source: 'binance',
      market: 'BTCUSDT',
      timeframe: '1m',
      lastOpenTime: '2024-03-01T12:30:00.000Z',
      lastCloseTime: '2024-03-01T12:31:00.000Z',
      secondsBehind: 200,
      state: 'late',
      quiet: false,
      // The one that closed twenty seconds ago may still be on its way.
      missingCandles: 2,
      wantedCandles: 1_439,
      trackedFrom: '2024-02-29T12:34:20.000Z',
    })
    expect(of('pepe', '1h')).toMatchObject({
      lastOpenTime: null,
      lastCloseTime: null,
      secondsBehind: null,
      state: 'empty',
      missingCandles: 14 * 24,
      wantedCandles: 14 * 24,
    })
  })

  test('owes nothing where there were no trades or nothing believable', async ({ freshDatabase, status }) => {
    const { pool } = freshDatabase
    await settle(pool, settings, now)
    const to = floorTo('1m', now)
    const from = plus(to, -3 * day)
    const [a, b] = [plus(to, -2 * hour), plus(to, -hour)]
    await inTransaction(pool, ({ db }) =>
      writeCoverage(
        db,
        { coinId: 'bitcoin', timeframe: '1m', source: 'binance' },
        { stored: [{ from, to: a }], refused: [{ from: a, to: b }], 'no-trades': [{ from: b, to }] },
        now,
      ),
    )
    const [bitcoin] = (await status()).series.filter((one) => one.coinId === 'bitcoin')
    expect(bitcoin).toMatchObject({ missingCandles: 0, quiet: true, state: 'fresh' })
  })

  test('that another source has lacks is still owed here', async ({ freshDatabase, status }) => {
    const { pool } = freshDatabase
    await settle(pool, settings, now)
    const to = floorTo('1m', now)
    const everything = { from: plus(to, -3 * day), to }
    await inTransaction(pool, ({ db }) =>
      writeCoverage(
        db,
        { coinId: 'bitcoin', timeframe: '1m', source: 'ccxt:elsewhere' },
        { stored: [], refused: [], 'no-trades': [everything] },
        now,
      ),
    )
    const [bitcoin] = (await status()).series.filter((one) => one.coinId === 'bitcoin')
    expect(bitcoin).toMatchObject({ missingCandles: 1_439, state: 'empty' })
  })

  test('stands in the order of its coin’s rank', async ({ freshDatabase, status }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    const coins = [...new Set((await status()).series.map(({ coinId }) => coinId))]
    expect(coins).toEqual(['bitcoin', 'ethereum', 'ripple', 'dogecoin', 'shiba-inu', 'pepe'])
  })

  test('of a coin without candles anywhere is left out', async ({ freshDatabase, status }) => {
    await inTransaction(freshDatabase.pool, async (tx) => {
      await upsertCoin(tx.db, 'tether', { symbol: 'USDT', name: 'Tether' }, now)
      await trackMarket(tx, { coinId: 'tether', source: 'coingecko', symbol: 'tether' }, now)
    })
    expect((await status()).series).toEqual([])
  })
})

describe('what stands against asking a source', () => {
  test('is reported with its end, the graver first', async ({ freshDatabase, engine, workers: _ }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    const pauses = async (): Promise<Pause[]> => [
      { source: 'coingecko', kind: 'slow-down', leftMs: 30_000 },
      { source: 'binance', kind: 'banned', leftMs: 2 * minute },
      { source: 'bybit', kind: 'unserved', leftMs: 15 * minute },
    ]
    await using web = await serve({ database: freshDatabase, engine }, { startedAt: now, pauses })
    const { bans, overall }: Status = JSON.parse((await ask(`${web.url}/api/status`)).text)
    expect(bans).toMatchObject([
      { source: 'coingecko', until: '2024-03-01T12:34:50.000Z', secondsLeft: 30 },
      { source: 'binance', until: '2024-03-01T12:36:20.000Z', secondsLeft: 120 },
      { source: 'bybit', until: '2024-03-01T12:49:20.000Z', secondsLeft: 900 },
    ])
    expect(overall.state).toBe('attention')
    expect([overall.message, ...overall.others]).toEqual([
      'binance has banned our address.',
      'bybit does not serve our region: give another host in its base URL, or follow its coins on another source.',
      'coingecko rate-limits this address.',
    ])
  })

  test('is told by the store that the fleet shares', async ({ freshDatabase, engine }) => {
    const { pool } = freshDatabase
    const budget = openBudget({ pool }, { share: 0.8, clock: systemClock, log: silent })
    const { rateLimits } = sources.binance
    const request = { source: 'binance', weight: 1, rateLimits }
    await budget.stop(request, { kind: 'banned', leftMs: hour }, 'banned')
    const pauses = () => budget.pauses(sourceIds)
    await using web = await serve({ database: freshDatabase, engine }, { pauses })
    const { bans }: Status = JSON.parse((await ask(`${web.url}/api/status`)).text)
    expect(bans).toMatchObject([{ source: 'binance', kind: 'banned' }])
  })

  test('hides nothing else where it cannot be read', async ({ freshDatabase, engine, workers: _ }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    const pauses = () => Promise.reject(new Error('connect ECONNREFUSED'))
    await using web = await serve({ database: freshDatabase, engine }, { startedAt: now, pauses })
    const { bans, series, overall }: Status = JSON.parse((await ask(`${web.url}/api/status`)).text)
    expect([bans, series.length]).toEqual([null, 24])
    expect(overall.message).toBe('The request budget does not answer: see that its PostgreSQL or Redis runs.')
  })
})

describe('what else it says', () => {
  test('a price keeps its digits', async ({ freshDatabase, status }) => {
    const { pool } = freshDatabase
    await settle(pool, settings, now)
    await storePrices(pool, settings, plus(now, -70 * second))
    const { prices } = await status()
    expect(prices.find(({ coinId }) => coinId === 'pepe')).toEqual({
      coinId: 'pepe',
      symbol: 'PEPE',
      at: '2024-03-01T12:33:10.000Z',
      ageSeconds: 70,
      price: '0.00000318',
      change24h: '-4.15',
      volume24h: '921884010.00',
      marketCap: '1338920147.00',
      rank: 64,
    })
  })

  test('the last thirty runs, whatever their payload and outcome hold', async ({ freshDatabase, status }) => {
    const { pool } = freshDatabase
    for (let index = 0; index < 32; index += 1) {
      await storeRun(pool, {
        job: 'maintenance',
        startedAt: plus(now, -index * minute),
        end: done([1, 'x', null]),
      })
    }
    await storeRun(pool, {
      job: 'ingest-candles',
      payload: { source: 'binance', timeframe: 7, coinId: null, secret: 'x' },
      startedAt: plus(now, second),
      tookMs: 250,
      end: done({ received: 18, new: 6, revised: '2', unchanged: 12 }),
    })
    const { runs } = await status()
    expect(runs).toHaveLength(30)
    expect(runs[0]).toMatchObject({
      job: 'ingest-candles',
      queue: 'binance',
      status: 'done',
      tookMs: 250,
      subject: { source: 'binance' },
      counts: { received: 18, new: 6, revised: null, unchanged: 12, quarantined: null },
      error: null,
    })
    expect(Object.keys(runs[0]?.subject ?? {})).toEqual(['source'])
    expect(runs[1]?.counts).toMatchObject({ received: null })
  })

  test('every schedule of a source in use and when it runs next, in UTC', async ({
    freshDatabase,
    status,
  }) => {
    await settle(freshDatabase.pool, settings, now)
    const listing = Object.values(sources).filter((source) => source.listing)
    const { jobs } = await status()
    expect(jobs.map(({ id, nextRun }) => [id, nextRun])).toEqual([
      ['refresh-views_daily_price_summary_outdated', '2024-03-01T12:35:00.000Z'],
      ['ingest-candles_binance_1m', '2024-03-01T12:35:01.000Z'],
      ['ingest-candles_binance_5m', '2024-03-01T12:35:01.000Z'],
      ['ingest-prices', '2024-03-01T12:35:20.000Z'],
      ['repair-gaps_binance', '2024-03-01T12:37:23.000Z'],
      ['retry-retention', '2024-03-01T12:37:25.000Z'],
      ['ingest-candles_binance_1h', '2024-03-01T13:00:01.000Z'],
      ['ensure-partitions', '2024-03-01T13:00:40.000Z'],
      ['ingest-candles_binance_1d', '2024-03-02T00:00:01.000Z'],
      ['refresh-views_daily_price_summary', '2024-03-02T00:05:00.000Z'],
      ['enforce-retention', '2024-03-02T00:30:00.000Z'],
      ['sync-coins', '2024-03-02T01:20:50.000Z'],
      ...listing.map(({ id }) => [`sync-instruments_${id}`, '2024-03-02T03:17:50.000Z']),
      ['check-archive', '2024-03-03T03:30:00.000Z'],
    ])
    expect(jobs[1]).toMatchObject({
      job: 'ingest-candles',
      queue: 'binance',
      pattern: '1 * * * * *',
      subject: { source: 'binance', timeframe: '1m' },
    })
  })

  test('events bring the same status again while somebody listens', async ({ freshDatabase, engine }) => {
    await using web = await serve({ database: freshDatabase, engine })
    const stream = await open(`${web.url}/api/events`)
    expect(stream.headers['content-type']).toMatch(/^text\/event-stream/)
    expect(stream.headers['cache-control']).toBe('no-store')
    expect(await nextEvent(stream, 'status')).toMatchObject({ runs: [] })
    await storeRun(freshDatabase.pool, { job: 'refresh-views', startedAt: now })
    const later = await open(`${web.url}/api/events`)
    expect(await nextEvent(later, 'status')).toMatchObject({ runs: [{ job: 'refresh-views' }] })
  })

  test('a broken database is told in a sentence, without SQL', async ({ freshDatabase, engine }) => {
    await freshDatabase.pool.query('alter table ingest_runs rename to elsewhere')
    await using web = await serve({ database: freshDatabase, engine })
    const { status, text } = await ask(`${web.url}/api/status`)
    expect(status).toBe(503)
    expect(JSON.parse(text)).toEqual({ error: 'the database does not answer: see the log of the daemon' })
    const trouble = await nextEvent(await open(`${web.url}/api/events`), 'trouble')
    expect(trouble).toEqual({ error: 'the database does not answer: see the log of the daemon' })
  })
})
