import { expect } from 'vitest'
import { minute, toIso } from '../../src/market/instant.ts'
import { listOpenIncidents } from '../../src/store/incidents.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { halfPast } from '../replay/playing.ts'
import { plus } from '../support/at.ts'
import { done, failed, storeRun } from '../web/sample.ts'
import { test as base, openTestEngine } from '../web/serving.ts'
import { receive, watch } from './watching.ts'

const test = base.extend('ownEngine', async ({ freshDatabase: { url } }, { onCleanup }) => {
  const engine = await openTestEngine(url)
  onCleanup(engine.close)
  return engine
})

const retentionFails = {
  job: 'enforce-retention',
  queue: 'maintenance',
  startedAt: plus(halfPast, -minute),
  end: failed('a view holds the partition'),
}

test('an alert of a failed job tells its cause, jobs, times, count and a link, and is over when the job succeeds', async ({
  freshDatabase: { pool },
  ownEngine: engine,
}) => {
  await using receiver = await receive(200)
  const { monitor, clock } = watch(
    { pool, engine },
    receiver.url,
    {},
    { pageUrl: 'https://hub.example.com/beacon' },
  )
  await storeRun(pool, retentionFails)
  await monitor.check()
  clock.move(minute)
  await monitor.check()
  const messages = () =>
    receiver.reported.map(({ body }) => JSON.parse(body)).filter(({ key }) => key.startsWith('run.'))
  expect(messages()).toEqual([
    {
      event: 'opened',
      id: expect.any(String),
      key: 'run.failed a view holds the partition',
      message: expect.stringMatching(/^enforce-retention failed at 2.*: a view holds the partition\.$/),
      cause: 'a view holds the partition',
      jobs: ['enforce-retention'],
      firstAt: toIso(plus(halfPast, -minute + 700)),
      lastAt: toIso(plus(halfPast, -minute + 700)),
      failures: 1,
      link: 'https://hub.example.com/beacon/#runs',
      openedAt: toIso(plus(halfPast, minute)),
    },
  ])
  await storeRun(pool, { ...retentionFails, startedAt: plus(halfPast, minute) })
  clock.move(minute)
  await monitor.check()
  const [open] = (await listOpenIncidents(databaseOf(pool))).filter(({ key }) => key.startsWith('run.'))
  expect(open?.details).toMatchObject({ failures: 2, lastAt: toIso(plus(halfPast, minute + 700)) })
  await storeRun(pool, { ...retentionFails, startedAt: plus(halfPast, 2 * minute), end: done({}) })
  clock.move(minute)
  await monitor.check()
  expect(messages().at(-1)).toMatchObject({ event: 'resolved', failures: 2 })
})

test('an open alert outlives a restart of the daemon, although a start may take its time', async ({
  freshDatabase: { pool },
  ownEngine: engine,
}) => {
  const { monitor, clock } = watch({ pool, engine }, undefined)
  const keys = async () => (await listOpenIncidents(databaseOf(pool))).map(({ key }) => key)
  await pool.query(`
    insert into coins (id, symbol, name, created_at, updated_at) values ('bitcoin', 'BTC', 'Bitcoin', '2024-01-01', '2024-01-01');
    insert into instruments (coin_id, source, symbol, preference, tracked_from)
    values ('bitcoin', 'binance', 'BTCUSDT', 0, '2020-01-01')`)
  await monitor.check()
  clock.move(minute)
  await monitor.check()
  expect(await keys()).toContain('series.empty')
  const { monitor: restarted } = watch({ pool, engine }, undefined, { clock, startedAt: clock.now() })
  clock.move(minute)
  await restarted.check()
  expect(await keys()).toContain('series.empty')
})

test('what cannot be read closes no alert', async ({ freshDatabase: { pool }, ownEngine: engine }) => {
  const banned = async () => [{ source: 'binance', kind: 'banned', leftMs: 60_000 } as const]
  const { monitor, clock } = watch({ pool, engine }, undefined, { pauses: banned })
  const keys = async () => (await listOpenIncidents(databaseOf(pool))).map(({ key }) => key)
  await monitor.check()
  clock.move(minute)
  await monitor.check()
  expect(await keys()).toEqual(expect.arrayContaining(['queue.no-workers', 'source.banned binance']))
  const broken = {
    ...engine,
    queue: () => {
      throw new Error('gone')
    },
  }
  const pauses = () => Promise.reject(new Error('gone'))
  const { monitor: blind } = watch({ pool, engine: broken }, undefined, { clock, pauses })
  clock.move(minute)
  await blind.check()
  expect(await keys()).toEqual(expect.arrayContaining(['queue.no-workers', 'source.banned binance']))
  const { monitor: seeing } = watch({ pool, engine }, undefined, { clock })
  clock.move(minute)
  await seeing.check()
  expect(await keys()).not.toContain('source.banned binance')
})
