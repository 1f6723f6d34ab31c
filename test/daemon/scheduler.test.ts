import { describe, expect } from 'vitest'
import { queues } from '../../jobs/catalog.ts'
import { day, type Instant, minute, plus, toInstant } from '../../src/market/instant.ts'
import type { Engine } from '../../src/queue/engine.ts'
import { checkSchedules } from '../../src/scheduler.ts'
import { readSettings } from '../../src/settings.ts'
import { trackMarket, unfollowCoin, upsertCoin } from '../../src/store/coins.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { recordingLog } from '../queue/fleet.ts'
import { type TestDatabase, test as withDatabase } from '../support/database.ts'
import { openTestEngine } from '../web/serving.ts'

const noon = toInstant(Date.parse('2024-03-01T12:00:00Z'))

const test = withDatabase.extend('engine', async ({ freshDatabase }, { onCleanup }) => {
  const engine = await openTestEngine(freshDatabase.url)
  onCleanup(engine.close)
  return engine
})

type Scene = Readonly<{ freshDatabase: TestDatabase; engine: Engine }>

const check = ({ freshDatabase: { pool, url }, engine }: Scene, now: Instant, checkedAt?: Instant) =>
  checkSchedules(
    {
      engine,
      context: { clock: { now: () => now }, log: recordingLog(), settings: readSettings({}), pool },
    },
    url,
    checkedAt,
  )

const follow = ({ freshDatabase: { pool } }: Scene, coinId: string, market: string, now: Instant) =>
  inTransaction(pool, async (tx) => {
    const [source = '', symbol = ''] = market.split(':')
    await upsertCoin(tx.db, coinId, { symbol: coinId, name: coinId }, now)
    await trackMarket(tx, { coinId, source, symbol }, now)
  })

/** The sources with a schedule of candles. */
async function scheduled({ engine }: Scene): Promise<string[]> {
  const found: string[] = []
  for (const queue of queues) {
    const schedulers = await engine.queue(queue).getJobSchedulers(0, -1)
    if (schedulers.some(({ name }) => name === 'ingest-candles')) found.push(queue)
  }
  return found
}

/** The ids of the runs that wait to be done once, now. */
async function caughtUp({ engine }: Scene): Promise<string[]> {
  const found: string[] = []
  for (const queue of queues) {
    const jobs = await engine.queue(queue).getJobs(['waiting', 'prioritized'])
    found.push(...jobs.flatMap(({ id }) => (id?.startsWith('ingest-candles') ? [id] : [])))
  }
  return found.toSorted()
}

const runsOf = (source: string) =>
  ['1d', '1h', '1m', '5m'].map((timeframe) => `ingest-candles_${source}_${timeframe}`)

/** As if a worker had done all that waits. */
async function workedOff(scene: Scene, now: Instant): Promise<void> {
  const db = databaseOf(scene.freshDatabase.pool)
  for (const id of await caughtUp(scene)) {
    const [job = '', source = '', timeframe] = id.split('_')
    const payload = { source, timeframe }
    const run = await startRun(db, { job, queue: source, jobId: id, attempt: 1, payload, startedAt: now })
    await finishRun(db, run, { status: 'done', outcome: {} }, now)
    await scene.engine.queue(source).remove(id)
  }
}

describe('the scheduler', () => {
  test('gives a source its schedule and its first run once a coin is read from it, and takes it back', async ({
    freshDatabase,
    engine,
  }) => {
    const scene = { freshDatabase, engine }
    await check(scene, noon)
    expect(await scheduled(scene)).toEqual([])
    await follow(scene, 'bitcoin', 'okx:BTC-USDT', plus(noon, minute))
    await check(scene, plus(noon, 3 * minute), noon)
    expect(await scheduled(scene)).toEqual(['okx'])
    expect(await caughtUp(scene)).toEqual(runsOf('okx'))
    await inTransaction(freshDatabase.pool, (tx) => unfollowCoin(tx, 'bitcoin', plus(noon, 4 * minute)))
    await check(scene, plus(noon, 6 * minute), plus(noon, 3 * minute))
    expect(await scheduled(scene)).toEqual([])
  })

  test('runs a source at once for a coin that came after its last run, and once only', async ({
    freshDatabase,
    engine,
  }) => {
    const scene = { freshDatabase, engine }
    await follow(scene, 'bitcoin', 'binance:BTCUSDT', plus(noon, -day))
    await check(scene, noon)
    await workedOff(scene, noon)
    await check(scene, plus(noon, minute), noon)
    expect(await caughtUp(scene)).toEqual([])
    // Its day's candles would otherwise come at midnight.
    const addedAt = plus(noon, 2 * minute)
    await follow(scene, 'ethereum', 'binance:ETHUSDT', addedAt)
    await check(scene, plus(noon, 4 * minute), plus(noon, minute))
    expect(await caughtUp(scene)).toEqual(runsOf('binance'))
    await workedOff(scene, plus(noon, 4 * minute))
    await check(scene, plus(noon, 4.5 * minute), plus(noon, 4 * minute))
    expect(await caughtUp(scene)).toEqual([])
  })

  test('that start together, and one later, have what was missed done once between them', async ({
    freshDatabase,
    engine,
  }) => {
    const { pool, url } = freshDatabase
    const engines = await Promise.all([1, 2, 3].map(() => openTestEngine(url)))
    try {
      const scenes = engines.map((one) => ({ freshDatabase, engine: one }))
      await Promise.all(scenes.map((scene) => check(scene, noon)))
      const waiting = await engine.queue('maintenance').getJobs(['waiting', 'prioritized', 'delayed'])
      const refreshes = waiting.filter(({ id }) => id === 'refresh-views_daily_price_summary')
      expect(refreshes).toHaveLength(1)
      // Done and gone from its queue while another starts: the record of runs tells, whatever the queue forgets.
      const payload = { view: 'daily_price_summary' }
      const [one] = refreshes
      const run = await startRun(databaseOf(pool), {
        job: 'refresh-views',
        queue: 'maintenance',
        jobId: one?.id ?? '',
        attempt: 1,
        payload,
        startedAt: noon,
      })
      await finishRun(databaseOf(pool), run, { status: 'done', outcome: {} }, noon)
      await one?.remove()
      await Promise.all(scenes.map((scene) => check(scene, plus(noon, minute))))
      const later = await engine.queue('maintenance').getJobs(['waiting', 'prioritized', 'delayed'])
      expect(later.filter(({ id }) => id === 'refresh-views_daily_price_summary')).toEqual([])
    } finally {
      await Promise.all(engines.map((one) => one.close()))
    }
  })
})
