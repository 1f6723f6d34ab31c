import { describe, expect } from 'vitest'
import { day, hour, type Instant, minute, second } from '../../src/market/instant.ts'
import { announceRoles } from '../../src/runtime/presence.ts'
import { causeOf } from '../../src/status/cause.ts'
import type { Status } from '../../src/status/status.ts'
import { readFailingJobs } from '../../src/store/runs/failing-jobs.ts'
import { finishRun, type RunEnd, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { plus } from '../support/at.ts'
import { ask } from '../web/asking.ts'
import { done, failed, settle, storeEverything, storePrices, storeRun } from '../web/sample.ts'
import { now, serve, settingsFor, silent, test as withEngine } from '../web/serving.ts'

const settings = settingsFor()

const test = withEngine
  .extend('status', async ({ freshDatabase, engine }, { onCleanup }) => {
    const presence = await announceRoles(freshDatabase.url, ['worker'], 'postgres', silent)
    await settle(freshDatabase.pool, settings, now)
    await storeEverything(freshDatabase.pool, settings, now)
    await storePrices(freshDatabase.pool, settings, now)
    const web = await serve({ database: freshDatabase, engine }, { startedAt: plus(now, -2 * day) })
    onCleanup(async () => {
      await web.close()
      await presence.release()
    })
    return async (): Promise<Status> => JSON.parse((await ask(`${web.url}/api/status`)).text)
  })
  .extend('run', async ({ freshDatabase: { pool } }) => {
    return (job: string, payload: object, end: RunEnd, startedAt: Instant = now) =>
      storeRun(pool, { job, payload, startedAt, end })
  })

const messages = ({ overall: { state, message, others } }: Status): string[] =>
  state === 'ok' ? [] : [message, ...others]

describe('a failed job', () => {
  test('stays reported, whatever other jobs do, until the same work succeeds', async ({ status, run }) => {
    const retention = { agreed: false }
    await run('enforce-retention', retention, failed('a view holds the partition'), plus(now, -hour))
    for (let count = 0; count < 40; count += 1) {
      await run(
        'ingest-candles',
        { source: 'binance', timeframe: '1m' },
        done({}),
        plus(now, -count * second),
      )
    }
    const expected = ['enforce-retention failed at 2024-03-01 11:34:20: a view holds the partition.']
    expect(messages(await status())).toEqual(expected)
    await run('enforce-retention', { agreed: true }, done({}), plus(now, -minute))
    expect(messages(await status())).toEqual([])
  })

  test('is not repaired by a run with another subject, nor by one that began before it', async ({
    status,
    run,
  }) => {
    await run('ingest-candles', { source: 'binance', timeframe: '1h' }, failed('no'), plus(now, -minute))
    await run('ingest-candles', { source: 'binance', timeframe: '1m' }, done({}), now)
    await run('ingest-candles', { source: 'binance', timeframe: '1h' }, done({}), plus(now, -hour))
    expect(messages(await status())).toHaveLength(1)
  })

  test('tells how often it failed, from when to when, and its last error', async ({ status, run }) => {
    const payload = { source: 'binance', timeframe: '1m' }
    for (const ago of [3, 2, 1]) {
      await run(
        'ingest-candles',
        payload,
        failed(`binance answered with status 50${ago}`),
        plus(now, -ago * hour),
      )
    }
    const { overall, failures } = await status()
    expect(overall.message).toBe(
      'ingest-candles binance 1m failed 3 times, first at 2024-03-01 09:34:20, last at 2024-03-01 11:34:20: binance answered with status 501.',
    )
    expect(overall.findings).toMatchObject([
      {
        state: 'attention',
        since: '2024-03-01T09:34:20.700Z',
        path: '/#runs',
        details: {
          cause: 'binance answered with status 501',
          jobs: ['ingest-candles binance 1m'],
          failures: 3,
        },
      },
    ])
    expect(failures).toHaveLength(1)
  })

  test('is one alert with all others of the same cause', async ({ status, run }) => {
    for (const source of ['binance', 'okx', 'kraken']) {
      for (const timeframe of ['1m', '5m', '1h', '1d']) {
        const error = `${source} answered /klines with HTTP 502`
        await run('ingest-candles', { source, timeframe }, failed(error))
      }
    }
    const found = messages(await status())
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(
      /^12 jobs \(ingest-candles binance 1d, .* and 9 more\) failed 12 times, first at .*: .* with HTTP 502\.$/,
    )
  })

  test('that will be tried again is catching up, and a stop is no failure', async ({ status, run }) => {
    await run('refresh-views', { view: 'daily_price_summary' }, failed('the view is locked', true))
    await run('repair-gaps', { source: 'binance' }, {
      ...failed('the process is stopping', true),
      fault: 'Aborted',
    } as RunEnd)
    const { overall } = await status()
    expect(overall).toMatchObject({ state: 'catching-up', others: [] })
    expect(overall.message).toContain('refresh-views daily_price_summary failed at')
  })

  test('is over when its coin, its source, its timeframe or the job itself no longer exists', async ({
    status,
    freshDatabase: { pool },
    run,
  }) => {
    const range = { from: '2024-02-29T00:00:00.000Z', to: '2024-03-01T00:00:00.000Z' }
    const backfill = { coinId: 'pepe', symbol: 'PEPEUSDT', timeframe: '1m', source: 'binance' }
    await run('removed-job', {}, failed('a'))
    await run('ingest-candles', { source: 'ccxt:bitvavo', timeframe: '1m' }, failed('b'))
    await run('ingest-candles', { source: 'binance', timeframe: '4h' }, failed('c'))
    await run('backfill-candles', { ...backfill, coinId: 'untracked', ...range }, failed('d'))
    await run(
      'backfill-candles',
      { ...backfill, from: '2020-01-01T00:00:00.000Z', to: '2020-01-02T00:00:00.000Z' },
      failed('e'),
    )
    expect(messages(await status())).toEqual([
      expect.stringMatching(/^backfill-candles binance pepe 1m from 2020-01-01 00:00 failed .*: e\.$/),
    ])
    await pool.query(`
      update candle_coverage set ranges = ranges + tsmultirange(tsrange('2020-01-01', '2020-01-02'))
      where coin_id = 'pepe' and timeframe = '1m' and state = 'stored'`)
    expect(messages(await status())).toEqual([])
  })

  test('of which most was done is partial: counts, and the markets that failed', async ({ status, run }) => {
    const failures = [{ coinId: 'pepe', error: 'binance does not know the market PEPEUSDT' }]
    await run(
      'ingest-candles',
      { source: 'binance', timeframe: '1m' },
      {
        status: 'partial',
        outcome: {
          markets: 199,
          received: 198,
          new: 198,
          revised: 0,
          unchanged: 0,
          quarantined: 0,
          failures,
        },
        error: '1 of 199 markets failed: pepe: binance does not know the market PEPEUSDT',
        willRetry: false,
      },
    )
    const { overall, runs } = await status()
    expect(runs[0]).toMatchObject({ status: 'partial', counts: { new: 198 }, failures })
    expect(overall.findings).toMatchObject([
      { key: expect.stringMatching(/^run\.partial /), state: 'attention' },
    ])
  })

  test('that is recorded twice at the same time is counted twice, and its older success repairs nothing', async ({
    freshDatabase: { pool },
  }) => {
    const db = databaseOf(pool)
    const start = (startedAt: Instant) =>
      startRun(db, {
        job: 'sync-coins',
        queue: 'coingecko',
        jobId: `job-${startedAt}`,
        attempt: 1,
        payload: {},
        startedAt,
      })
    const [first, second_, older] = [
      await start(now),
      await start(plus(now, second)),
      await start(plus(now, -minute)),
    ]
    await Promise.all([first, second_].map((id) => finishRun(db, id, failed('no'), plus(now, minute))))
    await finishRun(db, older, done({}), plus(now, 2 * minute))
    const [failing] = await readFailingJobs(db)
    expect(failing?.failures).toBe(2)
    await finishRun(db, await start(plus(now, hour)), done({}), plus(now, 2 * hour))
    expect(await readFailingJobs(db)).toEqual([])
  })
})

describe('the cause of an error', () => {
  const cannotBeReached = 'the source cannot be reached'

  test.each([
    ['binance cannot be reached at api.binance.com (ENOTFOUND)', cannotBeReached],
    ['okx cannot be reached at 127.0.0.1:9 (ECONNREFUSED)', cannotBeReached],
    ['ccxt:bitvavo did not finish its answer within 20 s', cannotBeReached],
    [
      'the database cannot be reached: connect ECONNREFUSED',
      'the database cannot be reached: connect econnrefused',
    ],
    ['kraken answered /0/public/OHLC with HTTP 502', '* answered /#/public/ohlc with http #'],
    ['', ''],
  ])('%s', (error, cause) => {
    expect(causeOf(error)).toBe(cause)
  })

  test('is the same whatever source, address and number are named', () => {
    expect(causeOf('okx answered /api/v5 with HTTP 502')).toBe(causeOf('okx answered /api/v5 with HTTP 503'))
    expect(causeOf('htx refused: bad symbol')).not.toBe(causeOf('htx refused: bad interval'))
  })
})
