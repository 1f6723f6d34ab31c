import { EventEmitter, once } from 'node:events'
import { buffer, text } from 'node:stream/consumers'
import { createGunzip, gunzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { day, hour, minute, toIso } from '../../src/market/instant.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { coinId } from '../../src/settings/schema.ts'
import { trackMarket, upsertCoin } from '../../src/store/coins.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { daysAgo, freshData, minutePartition, someCandles } from '../lifecycle/retaining.ts'
import { aBatch, aCandle, aCoin, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { names } from '../support/names.ts'
import { ask, open } from './asking.ts'
import { done, failed, settle, storeOrdinaryDay, storeRun, storeSeries, trackedTimeframes } from './sample.ts'
import { now, openTestEngine, serve, settingsFor, test } from './serving.ts'

const settings = settingsFor()
const midnight = plus(now, -(now % day))

const get = async (url: string, path: string) => {
  const answer = await ask(`${url}${path}`)
  return { status: answer.status, body: JSON.parse(answer.text) }
}

test('the coverage of each coin is counted day by day: stored, without trades, refused, wanted', async ({
  freshDatabase,
  engine,
}) => {
  const { pool } = freshDatabase
  await settle(pool, settings, now)
  const series = { coinId: 'bitcoin', timeframe: '1h', source: 'binance' } as const
  const range = { from: plus(midnight, -2 * day), to: midnight }
  const candles = Array.from({ length: 30 }, (_, index) => aCandle(plus(range.from, index * hour)))
  await load(pool, aBatch(series, candles, { answered: range, absentBefore: plus(range.from, 40 * hour) }))
  await using web = await serve({ database: freshDatabase, engine })
  const { status, body } = await get(
    web.url,
    `/api/coverage?timeframe=1h&from=${toIso(range.from).slice(0, 10)}`,
  )
  expect(status).toBe(200)
  expect(body).toMatchObject({ timeframe: '1h', from: toIso(range.from), days: 3, candlesOfDay: 24 })
  expect(body.coins).toHaveLength(6)
  expect(body.coins.find(({ coinId }: { coinId: string }) => coinId === 'bitcoin')).toEqual({
    coinId: 'bitcoin',
    symbol: expect.any(String),
    stored: [24, 6, 0],
    absent: [0, 10, 0],
    refused: [0, 0, 0],
    wanted: [24, 24, 12],
    queued: [0, 0, 0],
  })
})

test('the candles of a range come one by one, or several in one where they are many, exact either way', async ({
  freshDatabase,
  engine,
}) => {
  const { pool } = freshDatabase
  await settle(pool, settings, now)
  const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
  const values = (number: number) => ({
    open: `${number}.00000001`,
    high: `${number + 2}`,
    low: `${number}`,
    close: `${number + 1}.5`,
    volume: '0.00000001',
  })
  const candles = [0, 1, 2, 5, 24].map((number) => aCandle(plus(midnight, number * minute), values(number)))
  await load(pool, aBatch(series, candles))
  await using web = await serve({ database: freshDatabase, engine })
  const asked = `/api/candles?coin=bitcoin&timeframe=1m&from=${toIso(midnight)}`
  const each = await get(web.url, `${asked}&to=${toIso(plus(midnight, 10 * minute))}&points=10`)
  expect(each.body.pointSeconds).toBe(60)
  expect(each.body.candles.map(({ openTime }: { openTime: string }) => openTime.slice(14, 16))).toEqual([
    '00',
    '01',
    '02',
    '05',
  ])
  const fewer = await get(web.url, `${asked}&to=${toIso(plus(midnight, 30 * minute))}&points=10`)
  expect(fewer.body).toEqual({
    // A length that people know from charts, and not the 3 minutes that would do.
    pointSeconds: 300,
    candlesOfPoint: 5,
    candles: [
      {
        openTime: toIso(midnight),
        open: '0.00000001',
        high: '4.00000000',
        low: '0.00000000',
        close: '3.50000000',
        volume: '0.00000003',
        candles: 3,
      },
      expect.objectContaining({
        openTime: toIso(plus(midnight, 5 * minute)),
        candles: 1,
        volume: '0.00000001',
      }),
      expect.objectContaining({ openTime: toIso(plus(midnight, 20 * minute)), candles: 1 }),
    ],
  })
  // Five years with half an hour of candles are drawn minute by minute.
  const years = await get(web.url, `/api/candles?coin=bitcoin&timeframe=1m&from=-1826d&points=1500`)
  expect(years.body).toMatchObject({ pointSeconds: 60, candlesOfPoint: 1 })
})

test('gaps are reported with their causes, and alerts and the database’s figures are there', async ({
  freshDatabase,
  engine,
}) => {
  await settle(freshDatabase.pool, settings, now)
  for (const timeframe of trackedTimeframes(settings))
    await storeSeries(freshDatabase.pool, settings, { coinId: 'bitcoin', timeframe }, now, 3)
  await using web = await serve({ database: freshDatabase, engine })
  const { body } = await get(web.url, `/api/gaps?coin=bitcoin&timeframe=1h&from=${toIso(midnight)}`)
  expect(body.gaps).toMatchObject([
    { coinId: 'bitcoin', timeframe: '1h', candles: 3, cause: expect.any(String) },
  ])
  expect((await get(web.url, '/api/alerts')).body).toEqual({ alerts: [] })
  expect((await get(web.url, '/api/database')).body).toMatchObject({
    newest: null,
    samples: [],
    slowStatements: null,
  })
})

test('the next retention is told as the command would: what goes by then, how much, and what becomes of it', async ({
  freshDatabase,
  engine,
}) => {
  const { pool } = freshDatabase
  const coinId = await aCoin(pool)
  await freshData(pool, coinId)
  await someCandles(pool, coinId, daysAgo(9), 20)
  await someCandles(pool, coinId, daysAgo(7), 30)
  await someCandles(pool, coinId, daysAgo(3), 100)
  await pool.query('analyze')
  await using web = await serve({ database: freshDatabase, engine }, { clock: systemClock })
  const { status, body } = await get(web.url, '/api/retention')
  expect(status).toBe(200)
  expect(body).toMatchObject({ refusal: null, unbounded: [], holds: [], asOf: body.nextRun })
  expect(body.nextRun).toMatch(/T00:30:00\.000Z$/)
  const partition = (name: string) => body.partitions.find((one: { name: string }) => one.name === name)
  expect(partition(minutePartition(9))).toMatchObject({ rows: 20, ending: 'drop', decision: 'goes' })
  // Kept until the midnight before that run, which is half an hour away at the least.
  const keptUntil = toIso(daysAgo(-1))
  const decision = keptUntil <= body.nextRun ? 'goes' : 'stays'
  expect(partition(minutePartition(7))).toMatchObject({ rows: 30, keptUntil, decision })
  expect(partition(minutePartition(3))).toMatchObject({ rows: 100, decision: 'stays' })
})

test('each job is reported with its last run and its next, and the archive in sum', async ({
  freshDatabase,
  engine,
}) => {
  const { pool } = freshDatabase
  await storeOrdinaryDay(pool, settings, now)
  await storeRun(pool, { job: 'enforce-retention', startedAt: plus(now, -hour), end: failed('no room') })
  await pool.query(`
    insert into archives (id, table_name, partition_name, range_from, range_to, state, place, file_name, columns, row_count,
      bytes, sha256, checksums, created_at, verified_at)
    select gen_random_uuid(), 'ohlcv_data_1h', 'leaf_' || n, '2023-01-01', '2023-02-01', state, 'file:///tmp/', 'file-' || n, '[]',
      100, 1000, '', '{}', timestamp '2024-02-01' + n * interval '1 day', timestamp '2024-02-02' + n * interval '1 day'
    from unnest(array['verified', 'dropped', 'written', 'discarded']) with ordinality as given (state, n)`)
  await using web = await serve({ database: freshDatabase, engine })
  const { body } = await get(web.url, '/api/maintenance')
  const job = (name: string) => body.jobs.find((one: { job: string }) => one.job === name)
  expect(job('enforce-retention')).toMatchObject({
    schedules: 1,
    nextRun: '2024-03-02T00:30:00.000Z',
    lastRun: { startedAt: toIso(plus(now, -hour)), status: 'failed', error: 'no room', tookMs: 700 },
  })
  expect(job('backfill-candles')).toMatchObject({ schedules: 0, nextRun: null, lastRun: { status: 'done' } })
  expect(job('sync-coins')).toMatchObject({ lastRun: null })
  expect(body.archives).toEqual({
    files: 2,
    lastCheck: null,
    rows: 200,
    bytes: 2_000,
    unverified: 1,
    newest: { name: 'leaf_2', rows: 100, bytes: 1_000, createdAt: '2024-02-03T00:00:00.000Z' },
    lastVerifiedAt: '2024-02-04T00:00:00.000Z',
    longestUnreadAt: '2024-02-03T00:00:00.000Z',
  })
})

test('a day of the database’s samples comes as the averages of short stretches, with the limits beside them', async ({
  freshDatabase,
  engine,
}) => {
  await freshDatabase.pool.query(
    `insert into database_samples (sampled_at, average_query_ms, ping_ms, connections_active, connections_idle,
       connections_waiting, connections_max, database_bytes, disk_free_bytes, counters)
     select $1::timestamp - n * interval '1 minute', case when n % 2 = 0 then 4 else 2 end, 1, 2, 3, 0, 100, 2e9 - n * 1e6, 7.2e9, '{}'
     from generate_series(1, 1500) as n`,
    [toIso(now)],
  )
  await using web = await serve({ database: freshDatabase, engine })
  const { body } = await get(web.url, '/api/database')
  expect(body.stepSeconds).toBe(600)
  expect(body.samples.length).toBeLessThan(150)
  expect(body.samples[5]).toMatchObject({ averageQueryMs: 3, cacheHitRatio: null, connectionsIdle: 3 })
  expect(body.newest).toMatchObject({ averageQueryMs: 2, diskFreeBytes: 7.2e9 })
  expect(body.daysUntilFull).toBe(5)
  expect(body.limits).toMatchObject({ averageQueryMs: 1_000, cacheHitRatio: 0.9, daysUntilFull: 14 })
})

test('what a source is at is reported with its progress', async ({ freshDatabase }) => {
  const { pool, url } = freshDatabase
  await settle(pool, settings, now)
  const own = await openTestEngine(url)
  const steps = new EventEmitter()
  const reported = once(steps, 'reported')
  try {
    await own
      .queue('binance')
      .add('backfill-candles', { coinId: 'pepe', timeframe: '1m', source: 'binance', evil: 1 })
    await own.openWorker(
      'binance',
      async (job) => {
        await job.updateProgress({ done: 300, total: 900 })
        const end = once(steps, 'end')
        steps.emit('reported')
        await end
        return {}
      },
      { concurrency: 1 },
    )
    await reported
    await using web = await serve({ database: freshDatabase, engine: own })
    const { body } = await get(web.url, '/api/sources')
    expect(body.sources).toMatchObject([
      {
        source: 'binance',
        wantedCandles: expect.any(Number),
        running: [
          {
            job: 'backfill-candles',
            subject: { coinId: 'pepe', timeframe: '1m', source: 'binance' },
            progress: { done: 300, total: 900 },
          },
        ],
      },
    ])
  } finally {
    steps.emit('end')
    await own.close()
  }
})

test('a source that ccxt reads is reported with the jobs of its queue', async ({ freshDatabase }) => {
  const { pool, url } = freshDatabase
  await settle(pool, settings, now)
  const source = 'ccxt:bitvavo'
  await inTransaction(pool, async (tx) => {
    await upsertCoin(tx.db, 'monero', { symbol: 'XMR', name: 'Monero' }, now)
    await trackMarket(tx, { coinId: 'monero', source, symbol: 'XMR/EUR' }, now)
  })
  const own = await openTestEngine(url)
  try {
    await own.queue('ccxt-bitvavo').add(
      'backfill-candles',
      {
        source,
        symbol: 'XMR/EUR',
        coinId: 'monero',
        timeframe: '1h',
        from: '2024-02-01T00:00:00Z',
        to: '2024-02-02T00:00:00Z',
      },
      { priority: 10, timestamp: plus(now, -40_000) },
    )
    await using web = await serve({ database: freshDatabase, engine: own })
    const { status, body } = await get(web.url, '/api/sources')
    expect(status).toBe(200)
    expect(body.sources.find((one: { source: string }) => one.source === source)).toMatchObject({
      source,
      allowedPointsPerSecond: null,
      running: [],
      backfill: { jobsLeft: 1, totalCandles: 24 },
    })
  } finally {
    await own.close()
  }
})

test('a backfill is reported with its candles, rate, requests and end, whichever process enqueued it', async ({
  freshDatabase,
}) => {
  const { pool, url } = freshDatabase
  await settle(pool, settings, now)
  const own = await openTestEngine(url)
  const chunk = (day: number) => ({
    source: 'binance',
    symbol: 'PEPEUSDT',
    coinId: 'pepe',
    timeframe: '1m',
    from: `2024-02-0${day}T00:00:00Z`,
    to: `2024-02-0${day + 1}T00:00:00Z`,
  })
  try {
    for (const day of [3, 4, 5])
      await own
        .queue('binance')
        .add('backfill-candles', chunk(day), { priority: 10, timestamp: plus(now, -40_000) })
    await own.queue('binance').add('ingest-candles', { source: 'binance', timeframe: '1m' }, { priority: 1 })
    for (const [day, secondsAgo] of [
      [1, 30],
      [2, 10],
    ] as const) {
      await storeRun(pool, {
        job: 'backfill-candles',
        payload: chunk(day),
        startedAt: plus(now, -secondsAgo * 1_000),
        end: done({ received: 1_440, new: 1_440, unchanged: 0, quarantined: 0, requests: 2 }),
      })
    }
    await using web = await serve({ database: freshDatabase, engine: own })
    const { body } = await get(web.url, '/api/sources')
    expect(body.sources[0].backfill).toEqual({
      startedAt: toIso(plus(now, -40_000)),
      jobsLeft: 3,
      doneCandles: 2 * 1_440,
      totalCandles: 5 * 1_440,
      candlesPerSecond: 72,
      requests: 4,
      plannedRequests: expect.any(Number),
      endsAt: toIso(plus(now, 60_000)),
    })
    expect(body.sources[0].backfill.plannedRequests).toBeGreaterThanOrEqual(4 + 3 * 2)
  } finally {
    await own.close()
  }
})

test('what is long is sent in fewer bytes to whoever can read it, events too', async ({
  freshDatabase,
  engine,
}) => {
  await storeOrdinaryDay(freshDatabase.pool, settings, now)
  await using web = await serve({ database: freshDatabase, engine })
  const headers = { 'accept-encoding': 'gzip' }
  for (const path of ['/api/status', '/assets/status.css', '/assets/status.js']) {
    const [plain, packed] = [await open(`${web.url}${path}`), await open(`${web.url}${path}`, { headers })]
    expect([path, plain.headers['content-encoding'], packed.headers['content-encoding']]).toEqual([
      path,
      undefined,
      'gzip',
    ])
    const sent = await buffer(packed)
    expect(gunzipSync(sent).toString()).toBe(await text(plain))
    expect(Number(packed.headers['content-length'])).toBe(sent.length)
  }
  const stream = await open(`${web.url}/api/events`, { headers })
  expect(stream.headers['content-encoding']).toBe('gzip')
  let events = ''
  for await (const piece of stream.pipe(createGunzip()).setEncoding('utf8')) {
    events += piece
    if (events.includes('"overall"')) break
  }
  expect(events).toMatch(/^retry: \d+\n\nevent: status\ndata: \{"generatedAt":/)
})

test.for([
  ['/api/coverage', 400, 'timeframe is none of'],
  ['/api/coverage?timeframe=1m&from=yesterday', 400, 'from is not a date'],
  ['/api/coverage?timeframe=1m&from=2000-01-01', 400, 'days apart'],
  ['/api/coverage?timeframe=1m&from=2024-03-02&to=2024-03-01', 400, 'from is not before to'],
  ['/api/coverage?timeframe=1m&timeframe=1h', 400, 'timeframe is none of'],
  ['/api/candles', 400, 'coin is missing: it must be a text; timeframe is none of 1m'],
  ['/api/candles?coin=bitcoin&timeframe=1m&points=5000', 400, 'points is not a whole number from 10 to 2000'],
  ['/api/candles?coin=bitcoin&timeframe=1m&points=1e3', 400, 'points is not a whole number from 10 to 2000'],
  ['/api/candles?coin=bitcoin&timeframe=1m&points=', 400, 'points is not a whole number from 10 to 2000'],
  [`/api/candles?coin=${'b'.repeat(51)}&timeframe=1m`, 400, 'coin is not a coin id such as "bitcoin"'],
  ['/api/candles?coin=a&coin=b&timeframe=1m', 400, 'coin is a list, not a text'],
  ['/api/gaps?coin=bitcoin&timefarme=1m', 400, 'the query has no "timefarme". Did you mean "timeframe"?'],
  ['/api/candles?coin=bitcoin&timeframe=1m&evil=1', 400, 'the query has no "evil". There is coin, timeframe'],
  ["/api/candles?coin=';drop table coins&timeframe=1m", 404, 'is tracked'],
] as const)('%s is refused with %i and the reason', async ([path, status, message], { database, engine }) => {
  await using web = await serve({ database, engine })
  const refused = await get(web.url, path)
  expect(refused).toEqual({ status, body: { error: expect.stringContaining(message) } })
})

test('a coin of any name is asked for, and told of, by its name', async ({ freshDatabase, engine }) => {
  const { pool } = freshDatabase
  const ids = names.map((name) => name.toLowerCase()).filter((id) => coinId.safeParse(id).success)
  expect(ids.length).toBe(names.length)
  await inTransaction(pool, async (tx) => {
    for (const id of ids) {
      await upsertCoin(tx.db, id, { symbol: id, name: id }, now)
      await trackMarket(tx, { coinId: id, source: 'binance', symbol: id }, now)
    }
  })
  await using web = await serve({ database: freshDatabase, engine })
  for (const coin of ids) {
    const query = new URLSearchParams({ coin, timeframe: '1h' })
    expect(await get(web.url, `/api/candles?${query}`)).toMatchObject({ status: 200 })
    const { body } = await get(web.url, `/api/gaps?${query}`)
    expect(new Set(body.gaps.map((gap: { coinId: string }) => gap.coinId))).toEqual(new Set([coin]))
  }
  const { body } = await get(web.url, '/api/coverage?timeframe=1h')
  expect(body.coins.map((one: { coinId: string }) => one.coinId).toSorted()).toEqual(ids.toSorted())
  const { text: page } = await ask(`${web.url}/`)
  const requests = [
    ...page.matchAll(/<script type="application\/json" data-request="([^"]*)">([^<]*)<\/script>/g),
  ]
  expect(requests.length).toBeGreaterThan(5)
  const status = JSON.parse(requests.find(([, request]) => request === '/api/status')?.[2] ?? '')
  expect([...new Set(status.series.map((one: { coinId: string }) => one.coinId))].toSorted()).toEqual(
    ids.toSorted(),
  )
})

test('every answer carries the version of what applications read, refusals too, and nothing else does', async ({
  freshDatabase,
  engine,
}) => {
  await using web = await serve({ database: freshDatabase, engine })
  const versionOf = async (path: string) => (await ask(`${web.url}${path}`)).headers['x-api-version']
  const paths = [
    '/api/status',
    '/api/alerts',
    '/api/retention?fresh',
    '/api/candles?points=1',
    '/api/nothing',
  ]
  for (const path of paths) expect([path, await versionOf(path)]).toEqual([path, 'v1'])
  expect([await versionOf('/'), await versionOf('/healthz')]).toEqual([undefined, undefined])
  const { rows } = await freshDatabase.pool.query(`select to_regnamespace('api_v1') is not null as stands`)
  expect(rows).toEqual([{ stands: true }])
})
