import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Banned, RateLimited, Unavailable } from '../../src/fault.ts'
import { unlimitedBudget } from '../../src/http/budget.ts'
import type { HttpRequest, SendOptions } from '../../src/http/request.ts'
import { countRequests } from '../../src/metrics/counted-requests.ts'
import { countedRuns } from '../../src/metrics/counted-runs.ts'
import { type Counters, openCounters } from '../../src/metrics/counters.ts'
import { readFleetCounters } from '../../src/store/runs/fleet-counters.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { recordingLog } from '../queue/fleet.ts'
import { StandingClock } from '../replay/playing.ts'
import { now } from '../store/loading.ts'
import { test } from '../support/database.ts'

const open = (pool: Pool, log = recordingLog(), clock = new StandingClock(now)): Counters =>
  openCounters({ pool, clock, log })

/** What the fleet has counted, a line each. */
async function counted(pool: Pool): Promise<Record<string, number>> {
  const counts = await readFleetCounters(databaseOf(pool))
  return Object.fromEntries(
    counts.map(({ name, labels, value }) => [
      [name, ...Object.entries(labels).map(([label, text]) => `${label}=${text}`)].join(' '),
      value,
    ]),
  )
}

test.beforeEach(async ({ pool }) => {
  await pool.query('delete from fleet_counters')
})

const live = { source: 'binance', lane: 'live' } as const

describe('what processes count', () => {
  test('is added up for the fleet, whichever of them counted it', async ({ pool }) => {
    const [one, other] = [open(pool), open(pool)]
    one.add('budgetPoints', live, 20)
    one.add('budgetPoints', live, 2)
    // The same labels, written down in another order.
    other.add('budgetPoints', { lane: 'live', source: 'binance' }, 3)
    other.add('budgetPoints', { ...live, lane: 'backfill' })
    await Promise.all([one.flush(), other.flush()])
    await one.flush()
    expect(await counted(pool)).toEqual({
      'beacon_budget_points_total lane=backfill source=binance': 1,
      'beacon_budget_points_total lane=live source=binance': 25,
    })
  })

  test('survives a process that begins anew', async ({ pool }) => {
    for (let start = 0; start < 2; start += 1) {
      const counters = open(pool)
      counters.add('pauses', { source: 'okx', kind: 'banned' })
      await counters.flush()
    }
    expect(await counted(pool)).toEqual({ 'beacon_source_pauses_total kind=banned source=okx': 2 })
  })

  test('waits while the database is away, and is not lost', async ({ pool }) => {
    const log = recordingLog()
    const counters = open(pool, log)
    await pool.query('alter table fleet_counters rename to away')
    counters.add('budgetPoints', live, 5)
    await counters.flush()
    expect(log.events.map(({ level, event }) => [level, event])).toEqual([['warn', 'metrics.not-written']])
    counters.add('budgetPoints', live, 1)
    await pool.query('alter table away rename to fleet_counters')
    await counters.flush()
    expect(await counted(pool)).toEqual({ 'beacon_budget_points_total lane=live source=binance': 6 })
  })

  test('fills every bucket of a histogram that holds the value', async ({ pool }) => {
    const counters = open(pool)
    for (const seconds of [0.5, 4, 90]) counters.observe('runDuration', { task: 'refresh-views' }, seconds)
    await counters.flush()
    const name = 'beacon_job_run_duration_seconds'
    expect(await counted(pool)).toEqual({
      [`${name}_bucket le=0.5 task=refresh-views`]: 1,
      [`${name}_bucket le=1 task=refresh-views`]: 1,
      [`${name}_bucket le=5 task=refresh-views`]: 2,
      [`${name}_bucket le=15 task=refresh-views`]: 2,
      [`${name}_bucket le=60 task=refresh-views`]: 2,
      [`${name}_bucket le=300 task=refresh-views`]: 3,
      [`${name}_bucket le=1800 task=refresh-views`]: 3,
      [`${name}_sum task=refresh-views`]: 94.5,
      [`${name}_count task=refresh-views`]: 3,
    })
  })
})

const request: HttpRequest = {
  source: 'binance',
  baseUrl: 'http://127.0.0.1',
  standIns: [],
  path: '/',
  query: {},
  weight: 2,
  rateLimits: [{ points: 100, perMs: 1_000 }],
  classify: () => undefined,
}
const sending: SendOptions = { lane: 'live', signal: new AbortController().signal }

test('a request is counted by what came of it, and timed from when the budget let it out', async ({
  pool,
}) => {
  const clock = new StandingClock(now)
  const counters = open(pool, recordingLog(), clock)
  const counting = countRequests(counters, clock)
  let fault: Error | undefined
  const budget = counting.budget({
    ...unlimitedBudget,
    take: async () => {
      clock.move(3_000)
      if (fault instanceof RateLimited && !(fault instanceof Banned)) throw fault
    },
  })
  const http = counting.http({
    get: async (asked, { lane, signal }) => {
      await budget.take(asked, lane, signal)
      clock.move(400)
      if (fault) throw fault
      return { status: 200, headers: {}, text: '', answeredAt: now }
    },
    download: async () => {
      throw new Unavailable('not asked here')
    },
  })
  await http.get(request, sending)
  const faults = [
    new Unavailable('it is away'),
    new Banned('it has had enough', 60_000),
    new RateLimited('the budget says no', 60_000),
    new TypeError('a bug'),
  ]
  for (fault of faults) await expect(http.get(request, sending)).rejects.toThrow(fault)
  await counters.flush()
  expect(await counted(pool)).toMatchObject({
    'beacon_source_requests_total source=binance outcome=ok': 1,
    'beacon_source_requests_total source=binance outcome=unavailable': 1,
    'beacon_source_requests_total source=binance outcome=banned': 1,
    'beacon_source_requests_total source=binance outcome=held-back': 1,
    'beacon_source_requests_total source=binance outcome=error': 1,
    'beacon_source_request_duration_seconds_count source=binance': 4,
    'beacon_source_request_duration_seconds_sum source=binance': 1.6,
    'beacon_budget_points_total lane=live source=binance': 8,
    'beacon_budget_wait_seconds_total lane=live source=binance': 15,
  })
})

test('a run is counted by its end, and its rows by what became of them', async ({ pool }) => {
  const clock = new StandingClock(now)
  const counters = open(pool, recordingLog(), clock)
  let runs = 0
  const recorder = countedRuns(
    {
      started: async () => {
        runs += 1
        return `run-${runs}`
      },
      finished: async () => undefined,
    },
    counters,
    clock,
  )
  const run = async (job: string, payload: object, end: Parameters<typeof recorder.finished>[1]) => {
    const id = await recorder.started({ job, queue: 'binance', jobId: job, payload, attempt: 1 })
    clock.move(500)
    await recorder.finished(id, end)
  }
  const candles = { source: 'binance', timeframe: '1m' }
  const rows = { received: 10, new: 6, revised: 1, unchanged: 3, quarantined: 0 }
  await run('ingest-candles', candles, { outcome: rows, willRetry: false })
  await run('backfill-candles', candles, { outcome: rows, willRetry: false })
  const prices = { received: 9, new: 6, unchanged: 0, withoutPrice: 2, confirming: 1 }
  await run('ingest-prices', {}, { outcome: prices, willRetry: false })
  // It counts something else by the same word.
  await run('refresh-views', { view: 'daily_price_summary' }, { outcome: { new: 4 }, willRetry: false })
  await run('ingest-candles', candles, { fault: new Unavailable('away'), willRetry: true })
  await run('ingest-candles', candles, { fault: new Unavailable('away'), willRetry: false })
  await counters.flush()
  const counts = Object.entries(await counted(pool))
  const isOf = (name: string) => counts.filter(([line]) => line.startsWith(`${name} `))
  expect(Object.fromEntries(isOf('beacon_candles_total'))).toEqual({
    'beacon_candles_total result=new source=binance timeframe=1m': 12,
    'beacon_candles_total result=revised source=binance timeframe=1m': 2,
    'beacon_candles_total result=unchanged source=binance timeframe=1m': 6,
  })
  expect(Object.fromEntries(isOf('beacon_prices_total'))).toEqual({
    'beacon_prices_total result=new': 6,
    'beacon_prices_total result=without-price': 2,
    'beacon_prices_total result=confirming': 1,
  })
  expect(Object.fromEntries(isOf('beacon_job_runs_total'))).toEqual({
    'beacon_job_runs_total task=backfill-candles queue=binance status=done': 1,
    'beacon_job_runs_total task=ingest-candles queue=binance status=done': 1,
    'beacon_job_runs_total task=ingest-candles queue=binance status=failed': 1,
    'beacon_job_runs_total task=ingest-candles queue=binance status=to-be-tried-again': 1,
    'beacon_job_runs_total task=ingest-prices queue=binance status=done': 1,
    'beacon_job_runs_total task=refresh-views queue=binance status=done': 1,
  })
  expect(Object.fromEntries(isOf('beacon_job_run_duration_seconds_sum'))).toMatchObject({
    'beacon_job_run_duration_seconds_sum task=ingest-candles': 1.5,
  })
})
