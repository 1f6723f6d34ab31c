import { once } from 'node:events'
import { createServer } from 'node:net'
import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { jobs, queues } from '../../jobs/catalog.ts'
import { hour, minute, plus } from '../../src/market/instant.ts'
import { openEngine } from '../../src/queue/engine.ts'
import { registerSchedules } from '../../src/queue/schedule.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readReadiness } from '../../src/status/readiness/readiness.ts'
import { listCoins, trackMarket } from '../../src/store/coins.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { recordingLog } from '../queue/fleet.ts'
import { proxyTo } from '../queue/proxy.ts'
import { engines, redisUrl } from '../support/database.ts'
import { ask } from './asking.ts'
import { settle } from './sample.ts'
import { now, serve as serveAt, settingsFor, silent, test } from './serving.ts'

/** By the machine's own clock, which the database's is compared with. */
const serve = (...[deps, options = {}]: Parameters<typeof serveAt>) => {
  const { pool } = deps.database
  const parts = {
    settings: settingsFor(),
    pool,
    engine: deps.engine,
    jobs,
    log: silent,
    clock: systemClock,
    ...options,
  }
  return serveAt(deps, {
    ...options,
    readiness: () => readReadiness({ ...parts, upSinceMs: performance.now() }),
  })
}

const readiness = async (url: string) => {
  const { status, text } = await ask(`${url}/readyz`)
  return { status, ...JSON.parse(text) }
}

test('the process lives', async ({ database, engine }) => {
  await using web = await serve({ database, engine })
  const { status, text } = await ask(`${web.url}/healthz`)
  expect([status, JSON.parse(text)]).toEqual([200, { status: 'ok' }])
})

test('it is ready once the schedule of the followed coins stands', async ({ database, engine }) => {
  const settings = settingsFor()
  await settle(database.pool, settings, now)
  const coins = await listCoins(databaseOf(database.pool))
  const count = jobs.flatMap((job) => job.schedules?.(settings, coins) ?? []).length
  await using web = await serve({ database, engine })
  expect(await readiness(web.url)).toEqual({
    status: 'not ready',
    checks: {
      database: { ok: true },
      queue: { ok: true },
      schedule: {
        ok: false,
        reason: `${count} schedules of ${count} not registered: start a process with the scheduler role`,
      },
      work: { ok: true },
      clock: { ok: true },
    },
  })
  await registerSchedules({
    engine,
    jobs,
    queues,
    settings,
    coins,
    databaseUrl: database.url,
    now: systemClock.now(),
    log: silent,
  })
  const ready = await readiness(web.url)
  expect(ready.checks.schedule).toEqual({ ok: true })
  expect((await ask(`${web.url}/readyz`)).status).toBe(200)
  // Its schedule will stand once the scheduler has seen it.
  const added = { coinId: 'bitcoin', source: 'okx', symbol: 'BTC-USDT' }
  await inTransaction(database.pool, (tx) => trackMarket(tx, added, plus(systemClock.now(), -minute)))
  expect((await readiness(web.url)).status).toBe('ok')
})

test('a database that is gone is told without its address', async ({ engine, onTestFinished }) => {
  const pool = new Pool({ connectionString: 'postgres://user:secret@127.0.0.1:1/nowhere' })
  onTestFinished(() => pool.end())
  await using web = await serve({ database: { pool }, engine })
  const { status, text } = await ask(`${web.url}/readyz`)
  expect(status).toBe(503)
  expect(JSON.parse(text).checks.database).toEqual({ ok: false, reason: 'the database does not answer' })
  expect(text).not.toMatch(/secret|127\.0\.0\.1/)
})

test('a database that never answers is reported when the limit of the check is over, before the connection gives up', async ({
  engine,
  onTestFinished,
}) => {
  const silentServer = createServer().listen(0, '127.0.0.1')
  await once(silentServer, 'listening')
  const address = silentServer.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const pool = new Pool({
    connectionString: `postgres://127.0.0.1:${port}/nowhere`,
    connectionTimeoutMillis: 6_000,
  })
  pool.on('error', () => {})
  onTestFinished(async () => {
    await pool.end()
    silentServer.close()
  })
  const log = recordingLog()
  await using web = await serve({ database: { pool }, engine }, { log })
  const { status, checks } = await readiness(web.url)
  expect(log.events).toContainEqual({
    level: 'warn',
    event: 'health.not-ready',
    fields: { check: 'database', reason: 'the database does not answer within 4 s' },
  })
  expect(status).toBe('not ready')
  expect(checks.database.ok).toBe(false)
  expect(checks.queue).toEqual({ ok: true })
})

describe.concurrent.each(engines)('a queue on %s', (kind) => {
  test('that does not answer is reported, and its schedule with it', async ({ database }) => {
    const proxy = await proxyTo(kind === 'redis' ? (redisUrl ?? '') : database.url)
    await proxy.open()
    const engine = await openEngine({
      databaseUrl: kind === 'redis' ? database.url : proxy.urlTo(database.url),
      redisUrl: kind === 'redis' ? proxy.urlTo(redisUrl ?? '') : undefined,
      log: silent,
      clock: systemClock,
    })
    try {
      await using web = await serve({ database, engine })
      expect((await readiness(web.url)).checks.queue).toEqual({ ok: true })
      await proxy.close()
      const { status, checks } = await readiness(web.url)
      expect(status).toBe('not ready')
      expect(checks).toMatchObject({
        database: { ok: true },
        queue: { ok: false, reason: expect.stringMatching(/^the queue does not answer/) },
      })
    } finally {
      await proxy.close()
      await engine.close()
    }
  })
})

test('a clock that is not the database’s is told, ahead and behind', async ({ database, engine }) => {
  for (const [offMs, direction] of [
    [hour, 'ahead of'],
    [-2 * minute, 'behind'],
  ] as const) {
    await using web = await serve(
      { database, engine },
      { clock: { now: () => plus(systemClock.now(), offMs) } },
    )
    const { status, checks } = await readiness(web.url)
    expect(status).toBe('not ready')
    expect(checks.clock.reason).toMatch(
      new RegExp(`^this machine's clock is (3600|120) s ${direction} the database's: set both by NTP$`),
    )
  }
})
