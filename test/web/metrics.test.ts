import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { jobs } from '../../jobs/catalog.ts'
import { Banned } from '../../src/fault.ts'
import { openFleet } from '../../src/fleet.ts'
import type { Pause } from '../../src/http/pauses.ts'
import { minute, plus, toInstant } from '../../src/market/instant.ts'
import { counted } from '../../src/metrics/counted.ts'
import { openCounters } from '../../src/metrics/counters.ts'
import { openReplayExchange } from '../../src/replay/exchange.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { announceRoles } from '../../src/runtime/presence.ts'
import { Releases } from '../../src/runtime/release.ts'
import { baseUrlVariables } from '../../src/settings/base-url-variable.ts'
import { binance } from '../../src/sources/binance.ts'
import { toHttpRequest } from '../../src/sources/source.ts'
import { readDatabaseFigures } from '../../src/store/figures/database-figures.ts'
import { writeSample } from '../../src/store/figures/database-samples.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { collectors } from '../../src/web/metrics/catalog.ts'
import { documentedMetrics } from '../ground/metrics-page.ts'
import { recordingLog } from '../queue/fleet.ts'
import { ask, basic } from './asking.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { type Exposition, readExposition, valueIn } from './exposition.ts'
import { storeOrdinaryDay, storeSeries } from './sample.ts'
import { now, serve, settingsFor, silent, standing, test as withEngine } from './serving.ts'

const settings = settingsFor()

/** A server with an ordinary day behind it; the sentences that use it make it less ordinary, one after the other. */
const test = withEngine.extend('web', { scope: 'file' }, async ({ database, engine }, { onCleanup }) => {
  await storeOrdinaryDay(database.pool, settings, now)
  const pauses = async (): Promise<Pause[]> => [{ source: 'okx', kind: 'slow-down', leftMs: 7_000 }]
  const web = await serve({ database, engine }, { pauses })
  onCleanup(web.close)
  return web
})

const scrape = async (url: string): Promise<Exposition> => readExposition((await ask(`${url}/metrics`)).text)

/** One of everything that is counted. */
async function countSomething(pool: Pool): Promise<void> {
  const counters = openCounters({ pool, clock: standing, log: silent })
  counters.add('requests', { source: 'binance', outcome: 'ok' }, 43)
  counters.add('budgetPoints', { source: 'binance', lane: 'live' }, 86)
  counters.add('budgetWait', { source: 'binance', lane: 'live' }, 1.5)
  counters.add('pauses', { source: 'binance', kind: 'slow-down' })
  counters.add('runs', { task: 'ingest-candles', queue: 'binance', status: 'done' }, 7)
  counters.add('candles', { source: 'binance', timeframe: '1m', result: 'new' }, 600)
  counters.add('prices', { result: 'new' }, 6)
  counters.observe('requestDuration', { source: 'binance' }, 0.3)
  counters.observe('runDuration', { task: 'ingest-candles' }, 2)
  await counters.flush()
}

/** Two samples of the database, the second with what is per minute. */
async function sampleDatabase(pool: Pool): Promise<void> {
  for (const ago of [2, 1]) {
    const figures = { ...(await readDatabaseFigures(databaseOf(pool))), diskFreeBytes: 5_000_000 }
    const counters = Object.fromEntries(
      Object.entries(figures.counters).map(([name, value]) => [
        name,
        typeof value === 'number' ? value + 10 / ago : value,
      ]),
    )
    await writeSample(
      pool,
      plus(now, -ago * minute),
      { ...figures, counters: { ...figures.counters, ...counters } },
      toInstant(0),
    )
  }
}

const bucketOf = /_(?:bucket|sum|count)$/

/** Type and labels of each metric, as they stand in an answer. */
function shapeOf({ types, samples }: Exposition): Record<string, string> {
  const labels = new Map<string, Set<string>>()
  for (const sample of samples) {
    const bare = sample.name.replace(bucketOf, '')
    const name = types.get(bare) === 'histogram' ? bare : sample.name
    const found = labels.get(name) ?? new Set<string>()
    for (const label of Object.keys(sample.labels)) if (label !== 'le') found.add(label)
    labels.set(name, found)
  }
  return Object.fromEntries(
    [...types].map(([name, type]) => [name, describeMetric(name, type, [...(labels.get(name) ?? ['?'])])]),
  )
}

/** Those of Node.js have labels that depend on what the process happens to do. */
const describeMetric = (name: string, type: string, labels: readonly string[]): string =>
  name.startsWith('beacon_') ? `${type} by ${labels.toSorted().join(', ')}` : type

describe('the metrics', () => {
  test('are those that are documented, each with its type and labels', async ({ web, pool }) => {
    await countSomething(pool)
    await sampleDatabase(pool)
    const answer = await ask(`${web.url}/metrics`)
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    const exposed = readExposition(answer.text)
    const documented = Object.fromEntries(
      documentedMetrics.map(({ name, type, labels }) => [name, describeMetric(name, type, labels)]),
    )
    expect(shapeOf(exposed)).toEqual(documented)
    expect(exposed.samples.filter(({ value }) => Number.isNaN(value))).toEqual([])

    const of = (name: string, labels?: Record<string, string>) => valueIn(exposed, name, labels)
    const hourly = { source: 'binance', timeframe: '1h' }
    expect(of('beacon_series', { ...hourly, state: 'fresh' })).toBe(6)
    expect(of('beacon_candles_behind_seconds', hourly)).toBe(34 * 60 + 20)
    expect(of('beacon_price_age_seconds')).toBe(42)
    expect(of('beacon_markets', { source: 'binance', state: 'unlisted' })).toBe(6)
    expect(of('beacon_markets', { source: 'coinpaprika', state: 'unlisted' })).toBeUndefined()
    expect(of('beacon_source_stopped', { source: 'okx', kind: 'slow-down' })).toBe(1)
    expect(of('beacon_source_stop_left_seconds', { source: 'okx' })).toBe(7)
    // 6,000 a minute, of which eight in ten are ours.
    expect(of('beacon_budget_allowed_points_per_second', { source: 'binance' })).toBe(80)
    // Two days after the one that runs.
    expect(of('beacon_partitions_ahead_seconds', { table: 'ohlcv_data_1m' })).toBe(
      (Date.parse('2024-03-04T00:00Z') - now) / 1_000,
    )
    expect(of('beacon_job_last_success_duration_seconds', { task: 'refresh-views' })).toBe(1.871)
    expect(of('beacon_source_requests_total', { source: 'binance', outcome: 'ok' })).toBe(43)
    const buckets = exposed.samples.filter(
      ({ name, labels }) =>
        name === 'beacon_job_run_duration_seconds_bucket' && labels.task === 'ingest-candles',
    )
    expect(buckets.map(({ labels, value }) => [labels.le, value])).toEqual([
      ['0.1', 0],
      ['0.5', 0],
      ['1', 0],
      ['5', 1],
      ['15', 1],
      ['60', 1],
      ['300', 1],
      ['1800', 1],
      ['+Inf', 1],
    ])
  })

  test('have units in their names, and never a coin or a market in their labels', () => {
    const gauges = collectors.flatMap(({ gauges: all }) => Object.entries(all))
    const all = [
      ...Object.values(counted).map((one) => [one.name, one.labels, 'buckets' in one] as const),
      ...gauges.map(([name, { labels }]) => [name, labels, false] as const),
    ]
    const labels = new Set(all.flatMap(([, own]) => [...own]))
    expect(['coin', 'coinId', 'market', 'symbol', 'id'].filter((label) => labels.has(label))).toEqual([])
    const counters = Object.values(counted).filter((one) => !('buckets' in one))
    expect(counters.filter(({ name }) => !name.endsWith('_total'))).toEqual([])
    expect(all.filter(([name, , isHistogram]) => isHistogram && !name.endsWith('_seconds'))).toEqual([])
    expect(
      all.filter(([name]) => !/^beacon_[a-z_]+$/.test(name) || /_(?:ms|minutes|kb|mb)(?:_|$)/.test(name)),
    ).toEqual([])
  })

  test('tell of what lags, and of a fleet without workers', async ({ web, pool, databaseUrl }) => {
    await pool.query(`delete from candle_coverage where coin_id = 'pepe' and timeframe = '5m'`)
    await storeSeries(pool, settings, { coinId: 'pepe', timeframe: '5m' }, now, 12)
    const exposed = await scrape(web.url)
    const series = { source: 'binance', timeframe: '5m' }
    expect(valueIn(exposed, 'beacon_series', { ...series, state: 'stale' })).toBe(1)
    expect(valueIn(exposed, 'beacon_candles_missing', series)).toBe(12)
    expect(valueIn(exposed, 'beacon_candles_behind_seconds', series)).toBe(64 * 60 + 20)
    expect(valueIn(exposed, 'beacon_workers_present')).toBe(0)
    const presence = await announceRoles(databaseUrl, ['worker'], 'postgres', silent)
    const busy = await scrape(web.url)
    await presence.release()
    expect(valueIn(busy, 'beacon_workers_present')).toBe(1)
  })

  test('are as many for a thousand series as for one', async ({ web, pool }) => {
    const before = await scrape(web.url)
    await pool.query(`
      insert into coins (id, symbol, name, created_at, updated_at)
      select 'coin-' || number, 'C' || number, 'Coin', now(), now() from generate_series(1, 250) as number`)
    await pool.query(`
      insert into instruments (coin_id, source, symbol, preference, tracked_from)
      select id, 'binance', symbol || 'USDT', 0, '2024-03-01' from coins where id like 'coin-%'`)
    const after = await scrape(web.url)
    const ours = ({ samples }: Exposition) => samples.filter(({ name }) => name.startsWith('beacon_'))
    expect(ours(after).length).toBe(ours(before).length)
    expect(valueIn(after, 'beacon_series', { source: 'binance', timeframe: '1m', state: 'empty' })).toBe(250)
  })

  test('say which of them cannot be read, and tell the others', async ({ engine }) => {
    const log = recordingLog()
    const pauses = () => Promise.reject(new Error('connect ECONNREFUSED'))
    const gone = new Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/nothing' })
    await using web = await serve({ database: { pool: gone }, engine }, { pauses, log })
    const exposed = await scrape(web.url)
    const up = exposed.samples.filter(({ name }) => name === 'beacon_collector_up')
    expect(up.filter(({ value }) => value === 1).map(({ labels }) => labels.collector)).toEqual([
      'allowance',
      'process',
    ])
    expect(up.length).toBe(collectors.length + 1)
    // Nothing is known of it, which is not the same as nothing.
    expect(valueIn(exposed, 'beacon_workers_present')).toBeUndefined()
    expect(exposed.types.get('beacon_workers_present')).toBe('gauge')
    expect(valueIn(exposed, 'process_start_time_seconds')).toBeGreaterThan(0)
    const complaints = log.events.filter(({ event }) => event === 'metrics.unavailable')
    expect(complaints).toHaveLength(up.length - 2)
    expect(complaints[0]?.level).toBe('warn')
    await gone.end()
  })

  test('are behind the password, as the page is', async ({ database, engine }) => {
    const variables = { BEACON_HTTP_PASSWORD: 'correct horse' }
    await using web = await serve({ database, engine }, { variables })
    expect((await ask(`${web.url}/metrics`)).status).toBe(401)
    const headers = basic('correct horse', 'prometheus')
    expect((await ask(`${web.url}/metrics`, { headers })).status).toBe(200)
  })
})

test('a ban is an event in the log, a metric and a banner on the page', async ({ freshDatabase, engine }) => {
  const releases = new Releases()
  const faults = [
    { source: 'binance', when: 'always', fault: { name: 'banned', retryAfterSeconds: 120 } } as const,
  ]
  const exchange = await openReplayExchange({ clock: systemClock, faults })
  releases.push(() => exchange.close())
  try {
    const log = recordingLog()
    const asked = settingsFor(baseUrlVariables(exchange.urls))
    const signal = new AbortController().signal
    const database = { url: freshDatabase.url, pool: freshDatabase.pool }
    const fleet = await openFleet(
      { settings: asked, database, log, clock: systemClock, releases, signal },
      10_000,
    )
    const { listing } = binance
    const request = toHttpRequest(binance, listing.request(), asked.environment.baseUrls)
    const sending = { lane: 'live', signal } as const
    await expect(fleet.context.http.get(request, sending)).rejects.toThrow(Banned)
    // Nobody asks again until it is over.
    await expect(fleet.context.http.get(request, sending)).rejects.toThrow('rate-limits us')
    expect(exchange.requests).toHaveLength(1)

    expect(log.events).toContainEqual({
      level: 'warn',
      event: 'source.banned',
      fields: expect.objectContaining({ source: 'binance', kind: 'banned' }),
    })

    const web = await serve(
      { database: freshDatabase, engine },
      { pauses: fleet.pauses, flushCounts: fleet.flushCounts, clock: systemClock, jobs },
    )
    releases.push(() => web.close())
    const exposed = await scrape(web.url)
    expect(valueIn(exposed, 'beacon_source_stopped', { source: 'binance', kind: 'banned' })).toBe(1)
    expect(valueIn(exposed, 'beacon_source_stopped', { source: 'okx', kind: 'banned' })).toBe(0)
    const leftSeconds = valueIn(exposed, 'beacon_source_stop_left_seconds', { source: 'binance' })
    expect(leftSeconds).toBeGreaterThan(60)
    expect(leftSeconds).toBeLessThanOrEqual(120)
    expect(valueIn(exposed, 'beacon_source_pauses_total', { source: 'binance', kind: 'banned' })).toBe(1)
    const requests = (outcome: string) =>
      valueIn(exposed, 'beacon_source_requests_total', { source: 'binance', outcome })
    expect([requests('banned'), requests('held-back')]).toEqual([1, 1])

    if (browserPath === undefined) return
    const browser = await openBrowser()
    releases.push(() => browser.close())
    await using visited = await visit(browser)
    await visited.page.goto(web.url)
    const banners = visited.page.getByRole('list', { name: 'Sources that are not asked now' })
    await banners.getByText('binance has banned our address').waitFor()
  } finally {
    await releases.release()
  }
})
