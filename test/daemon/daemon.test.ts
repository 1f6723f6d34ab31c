import { describe, expect, test } from 'vitest'
import { queues } from '../../jobs/catalog.ts'
import { day, hour, type Instant, minute, plus, toInstant, toIso } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { ceilTo, floorTo, type Timeframe } from '../../src/market/timeframe.ts'
import { openEngine } from '../../src/queue/engine.ts'
import type { FaultPlan } from '../../src/replay/faults.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openLog } from '../../src/runtime/log.ts'
import { sources } from '../../src/sources/catalog.ts'
import {
  countAt,
  differences,
  openSite,
  type Site,
  servedLines,
  shortJobs,
  storedLines,
} from '../cli/support/site.ts'
import { engines } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { expectGracefulStop, getJson, untilReady } from './ready.ts'

const symbols = { bitcoin: 'BTCUSDT', ethereum: 'ETHUSDT' }
const histories = { '1m': 2 * hour, '5m': 6 * hour, '1h': 2 * day, '1d': 6 * day } satisfies Partial<
  Record<Timeframe, number>
>
const config = `
track: [bitcoin, ethereum]
candles: { settleDelay: 1 s }
timeframes:
  1m: { history: 2 hours }
  5m: { history: 6 hours }
  1h: { history: 2 days }
  1d: { history: 6 days }
prices: { every: 1 minute }
`

/** What is not as the exchange serves it, of everything that had closed by then. */
async function wrongBy(site: Site, then: Instant): Promise<string[]> {
  const wrong: string[] = []
  for (const [coinId, symbol] of Object.entries(symbols)) {
    for (const timeframe of ['1m', '5m', '1h', '1d'] as const) {
      // The far end moves on as the test runs: half of the history is certainly wanted all the time.
      const range = {
        from: ceilTo(timeframe, plus(then, -histories[timeframe] / 2)),
        to: floorTo(timeframe, then),
      }
      const lines = await storedLines(site, coinId, timeframe)
      const inside = lines.filter((line) => line >= toIso(range.from) && line < toIso(range.to))
      wrong.push(...differences(inside, servedLines(symbol, timeframe, range)))
    }
  }
  return wrong
}

const untilWhole = (site: Site, then: Instant) => eventually(() => wrongBy(site, then), [])

/** What stands in the queues to be run again and again, without when it will be. */
async function schedulesOf({ variables }: Site): Promise<Record<string, string[]>> {
  const { DATABASE_URL: databaseUrl = '', REDIS_URL: redisUrl } = variables
  const log = openLog({ level: 'silent', pretty: false })
  const engine = await openEngine({ databaseUrl, ...(redisUrl ? { redisUrl } : {}), log, clock: systemClock })
  try {
    const found: Record<string, string[]> = {}
    for (const queue of queues) {
      const schedulers = await engine.queue(queue).getJobSchedulers(0, -1)
      found[queue] = schedulers.map(({ key, pattern, every }) => `${key} ${pattern ?? every}`).toSorted()
    }
    return found
  } finally {
    await engine.close()
  }
}

/** Of every source that a coin has a market on, what it lists is looked at once a day. */
const looksAtListings = Object.values(sources)
  .filter(({ listing }) => listing !== undefined)
  .map(({ id }) => `beacon.sync-instruments_${id} 50 17 3 * * *`)

const wantedSchedules = {
  // Nothing is read from the other sources.
  ...Object.fromEntries(queues.map((queue) => [queue, []])),
  binance: [
    'beacon.heartbeat 15000',
    'beacon.ingest-candles_binance_1d 1 0 0 * * *',
    'beacon.ingest-candles_binance_1h 1 0 * * * *',
    'beacon.ingest-candles_binance_1m 1 * * * * *',
    'beacon.ingest-candles_binance_5m 1 */5 * * * *',
    'beacon.repair-gaps_binance 23 37 * * * *',
  ],
  coingecko: [
    'beacon.heartbeat 15000',
    'beacon.ingest-prices 20 */1 * * * *',
    'beacon.sync-coins 50 20 1 * * *',
  ],
  maintenance: [
    'beacon.check-archive 30 3 * * 0',
    'beacon.enforce-retention 30 0 * * *',
    'beacon.ensure-partitions 40 0 * * * *',
    'beacon.heartbeat 15000',
    'beacon.refresh-views_daily_price_summary 5 0 * * *',
    'beacon.refresh-views_daily_price_summary_outdated 35 * * * *',
    'beacon.retry-retention 25 2-57/5 * * * *',
    ...looksAtListings.toSorted(),
  ],
}

/** As if nobody had been there since then: neither candles nor a record of runs. */
async function forgetSince({ database: { pool } }: Site, since: Instant): Promise<void> {
  const first = `date_bin(timeframe::interval, $1::timestamp, '1970-01-01')`
  await pool.query(`delete from ohlcv_data where timestamp >= ${first}`, [toIso(since)])
  await pool.query(`update candle_coverage set ranges = ranges - tsmultirange(tsrange(${first}, null))`, [
    toIso(since),
  ])
  await pool.query('delete from ingest_runs where started_at >= $1', [toIso(since)])
}

/**
 * The runs that are done for the tick of a minute, and how often the exchange was asked for a market's newest minutes while
 * they ran. A tick is known by the id of its job: on a busy machine it may run after the next one is due.
 */
async function countWork({ exchange, database: { pool } }: Site, { from, to }: Range) {
  const { rows: runs } = await pool.query<{ began: string; ended: string }>(
    `select extract(epoch from started_at) * 1000 as began, extract(epoch from finished_at) * 1000 as ended
     from ingest_runs where job = 'ingest-candles' and payload ->> 'timeframe' = '1m' and status = 'done'
       and substring(job_id from '[0-9]+$')::bigint >= $1 and substring(job_id from '[0-9]+$')::bigint < $2`,
    [from, to],
  )
  const asked = exchange.requests.filter(
    ({ at, path }) =>
      path.includes('symbol=BTCUSDT') &&
      path.includes('interval=1m') &&
      runs.some(({ began, ended }) => at >= Number(began) && at <= Number(ended)),
  )
  return { asked: asked.length, runs: runs.length }
}

describe.concurrent.each(engines)('the daemon on %s', (engine) => {
  test('brings everything in, shares the work with a second one, and catches up what it missed', async () => {
    await using site = await openSite({ engine, config })
    const first = site.start('start')
    const url = await untilReady(first)
    await untilWhole(site, systemClock.now())
    expect(await getJson(url, '/readyz')).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(await schedulesOf(site)).toEqual(wantedSchedules)

    const second = site.start('start')
    await untilReady(second)
    const minuteAfter = plus(floorTo('1m', systemClock.now()), minute)
    const tick = { from: minuteAfter, to: plus(minuteAfter, minute) }
    await eventually(() => countWork(site, tick), { asked: 1, runs: 1 }, 75_000)
    await untilWhole(site, minuteAfter)
    expect(await schedulesOf(site)).toEqual(wantedSchedules)

    const [prices, statusText, status] = await site.runLines(['prices --json', 'status', 'status --json'])
    // In the order of their market capitalisations, which changes with the day.
    expect(
      JSON.parse(prices?.stdout ?? '')
        .prices.map(({ coinId }: { coinId: string }) => coinId)
        .toSorted(),
    ).toEqual(['bitcoin', 'ethereum'])
    expect(JSON.parse(prices?.stdout ?? '').prices).toMatchObject(
      Array.from({ length: 2 }, () => ({ price: expect.stringMatching(/^\d+\.\d{8}$/) })),
    )
    expect(statusText?.stdout).toContain('Workers: running.')
    expect(JSON.parse(status?.stdout ?? '')).toMatchObject({ process: { hasWorkers: true } })

    await Promise.all([expectGracefulStop(first, 'SIGTERM'), expectGracefulStop(second, 'SIGTERM')])
    expect(await countWork(site, tick)).toEqual({ asked: 1, runs: 1 })

    await site.flushRedis()
    await forgetSince(site, toInstant(minuteAfter - hour))
    const scheduler = site.start('start --roles scheduler')
    const worker = site.start('start --roles worker')
    expect([await untilReady(scheduler), await untilReady(worker)]).toEqual([undefined, undefined])
    await untilWhole(site, minuteAfter)
    expect(await schedulesOf(site)).toEqual(wantedSchedules)
    await Promise.all([expectGracefulStop(scheduler, 'SIGTERM'), expectGracefulStop(worker, 'SIGTERM')])
  }, 240_000)
})

const backfill = 'backfill bitcoin --timeframe 1m --from 2024-03-01 --to 2024-03-15 --force --no-archive'
const fortnight = { from: toInstant(Date.UTC(2024, 2, 1)), to: toInstant(Date.UTC(2024, 2, 15)) }

/** Where that page begins of each of the first four jobs of 5,000 candles. */
const pagesOf = (page: number): Instant[] =>
  [0, 1, 2, 3].map((job) => plus(fortnight.from, (5_000 * job + 1_000 * page) * minute))

/** There those jobs stand still. */
const stallsAtPage = (page: number): FaultPlan =>
  pagesOf(page).map((from) => ({
    query: { startTime: String(from) },
    when: 'always',
    fault: { name: 'stall' },
  }))

const untilStalled = ({ exchange }: Site, count: number) =>
  eventually(() => exchange.requests.filter(({ fault }) => fault === 'stall').length, count)

describe.concurrent.each(engines)('a backfill that daemons work for, on %s', (engine) => {
  test('outlives one that is killed, and is finished by the command when the next is stopped', async () => {
    await using site = await openSite({ engine, config: shortJobs })
    site.exchange.setFaults(stallsAtPage(2))
    const killed = site.start('start --roles worker')
    await untilReady(killed)
    const [detached] = await site.runLines([`${backfill} --detach`])
    expect(detached).toMatchObject({
      code: 0,
      stdout: '5 jobs in the queue; the daemon works on them.\n',
    })
    await untilStalled(site, 4)
    // What has come does not wait in memory for what does not come.
    const lastBefore = pagesOf(2).map((from) => plus(from, -minute))
    await eventually(() => countAt(site, lastBefore), 4)
    await killed.stop('SIGKILL')

    site.exchange.setFaults(stallsAtPage(3))
    const stopped = site.start('start --roles worker')
    await untilReady(stopped)
    const command = site.start(backfill)
    await untilStalled(site, 8)
    site.exchange.setFaults([])
    // Each of its jobs waits for an answer that will never come.
    await expectGracefulStop(stopped, 'SIGTERM')
    expect(await command.ended).toMatchObject({ code: 0 })
    const served = servedLines('BTCUSDT', '1m', fortnight)
    expect(differences(await storedLines(site, 'bitcoin', '1m'), served)).toEqual([])
  }, 240_000)
})
