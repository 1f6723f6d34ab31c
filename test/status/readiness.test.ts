import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { jobs, queues } from '../../jobs/catalog.ts'
import { minute, plus, second, toIso } from '../../src/market/instant.ts'
import type { Engine } from '../../src/queue/engine.ts'
import { pauseQueue, resumeQueue } from '../../src/queue/overview.ts'
import { idleQueues } from '../../src/queue/progress.ts'
import { lastDue, registerSchedules } from '../../src/queue/schedule.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { announceRoles } from '../../src/runtime/presence.ts'
import { readReadiness } from '../../src/status/readiness/readiness.ts'
import type { ReadinessDeps } from '../../src/status/readiness/readiness-deps.ts'
import { listCoins } from '../../src/store/coins.ts'
import { serverStateOf } from '../../src/store/connection/server-state.ts'
import { openPool } from '../../src/store/pool.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { engines, type TestDatabase, test } from '../support/database.ts'
import { settle } from '../web/sample.ts'
import { now as longAgo, openTestEngine, settingsFor, silent } from '../web/serving.ts'

const settings = settingsFor()

/** A process that has been up for long. */
const reachOf = (pool: Pool, engine: Engine): ReadinessDeps => ({
  settings,
  pool,
  engine,
  jobs,
  clock: systemClock,
  log: silent,
  upSinceMs: Number.NEGATIVE_INFINITY,
})

/** A run of the last time that the job's schedule was due, as its worker records it. */
async function record(pool: Pool, job: string, payload: object, error?: string): Promise<void> {
  const endedAt = toIso(systemClock.now())
  await pool.query(
    `insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at, finished_at, error)
     values ($1::uuid, $2, 'any', $1::text, 1, $3, $4, $5, $5, $6)`,
    [randomUUID(), job, payload, error === undefined ? 'done' : 'failed', endedAt, error],
  )
}

const minutely = { source: 'binance', timeframe: '1m' }

/** Every schedule that is due every few minutes has just run. */
async function recordAll(pool: Pool): Promise<void> {
  await record(pool, 'ingest-prices', {})
  await record(pool, 'retry-retention', {})
  await record(pool, 'ingest-candles', minutely)
  await record(pool, 'ingest-candles', { ...minutely, timeframe: '5m' })
  await record(pool, 'retry-retention', {})
}

async function standingSchedule({ pool, url }: TestDatabase, engine: Engine): Promise<void> {
  await settle(pool, settings, longAgo)
  const coins = await listCoins(databaseOf(pool))
  await registerSchedules({
    engine,
    jobs,
    queues,
    settings,
    coins,
    databaseUrl: url,
    now: systemClock.now(),
    log: silent,
  })
}

describe('readiness checks progress', () => {
  test('a schedule of the last minutes whose run has not ended is named', async ({ freshDatabase }) => {
    const engine = await openTestEngine(freshDatabase.url)
    try {
      await standingSchedule(freshDatabase, engine)
      const workOf = async () => (await readReadiness(reachOf(freshDatabase.pool, engine))).work
      await recordAll(freshDatabase.pool)
      expect(await workOf()).toEqual({ ok: true })
      const starting = { ...reachOf(freshDatabase.pool, engine), upSinceMs: performance.now() }
      await freshDatabase.pool.query(`delete from ingest_runs where payload ->> 'timeframe' = '1m'`)
      const due = toIso(lastDue('1 * * * * *', plus(systemClock.now(), -90 * second)))
      expect(await workOf()).toEqual({
        ok: false,
        reason: expect.stringMatching(/^ingest-candles binance 1m has not ended since it was due at \S+Z$/),
      })
      expect(JSON.stringify(await workOf())).toContain(due.slice(0, 16))
      expect((await readReadiness(starting)).work).toEqual({ ok: true })
      // Somebody has paused it, and knows.
      await pauseQueue(engine, 'binance')
      expect(await workOf()).toEqual({ ok: true })
      await resumeQueue(engine, 'binance')
    } finally {
      await engine.close()
    }
  })

  test('a schedule that was due before any worker was there is not missed', async ({ freshDatabase }) => {
    const { pool, url } = freshDatabase
    const engine = await openTestEngine(url)
    try {
      await standingSchedule(freshDatabase, engine)
      const workOf = async () => (await readReadiness(reachOf(pool, engine))).work
      expect(await workOf()).toMatchObject({ ok: false })
      const worker = await announceRoles(url, ['worker'], engine.kind, silent)
      expect(await workOf()).toEqual({ ok: true })
      await worker.release()
      expect(await workOf()).toMatchObject({ ok: false })
    } finally {
      await engine.close()
    }
  })

  test('a source that fails is no reason, and a database that refuses the rows is one', async ({
    freshDatabase,
  }) => {
    const engine = await openTestEngine(freshDatabase.url)
    try {
      await standingSchedule(freshDatabase, engine)
      const { pool } = freshDatabase
      await recordAll(pool)
      const workOf = async () => (await readReadiness(reachOf(pool, engine))).work
      await record(pool, 'ingest-candles', minutely, 'binance answered /api/v3/klines with HTTP 503')
      expect(await workOf()).toEqual({ ok: true })
      const full =
        'the database could not do it now: could not extend file "base/1/2": No space left on device'
      await record(pool, 'ingest-candles', minutely, full)
      expect(await workOf()).toEqual({
        ok: false,
        reason: 'ingest-candles binance 1m fails: the disk of PostgreSQL is full',
      })
    } finally {
      await engine.close()
    }
  })
})

describe.each(engines)('on %s', (kind) => {
  test('a queue in which no heartbeat ends is named, unless it is paused', async ({ freshDatabase }) => {
    const engine = await openTestEngine(freshDatabase.url, kind)
    try {
      await standingSchedule(freshDatabase, engine)
      const now = systemClock.now()
      expect(await idleQueues(engine, ['binance', 'maintenance'], now)).toEqual([])
      const later = plus(now, 3 * minute)
      await pauseQueue(engine, 'maintenance')
      expect(await idleQueues(engine, ['binance', 'maintenance'], later)).toEqual([
        { queue: 'binance', lateMs: expect.any(Number) },
      ])
    } finally {
      await resumeQueue(engine, 'maintenance')
      await engine.close()
    }
  })
})

test('a server that became read-only is reported, left, and used again once it takes writes', async ({
  freshDatabase,
}) => {
  const { url, pool: direct } = freshDatabase
  const engine = await openTestEngine(url)
  const pool = openPool(url, settings.database, () => {})
  const name = new URL(url).pathname.slice(1)
  const readOnly = {
    ok: false,
    reason: 'PostgreSQL takes no writes: it is a replica, or default_transaction_read_only is on',
  }
  try {
    const before = await readReadiness(reachOf(pool, engine))
    expect([before.database, before.queue]).toEqual([{ ok: true }, { ok: true }])
    // Of the sessions that begin from now on.
    await direct.query(`alter database ${name} set default_transaction_read_only = on`)
    await direct.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name like 'beacon%'`,
      [name],
    )
    await expect
      .poll(async () => {
        const { database, queue } = await readReadiness(reachOf(pool, engine))
        return [database, queue]
      })
      .toEqual([readOnly, readOnly])
    await direct.query('set default_transaction_read_only = off')
    await direct.query('begin read write')
    await direct.query(`rollback`)
    await resetReadOnly(direct, name)
    await expect
      .poll(async () => {
        const { database, queue } = await readReadiness(reachOf(pool, engine))
        return [database, queue]
      })
      .toEqual([{ ok: true }, { ok: true }])
  } finally {
    await pool.close()
    await engine.close()
  }
})

test('a query that is cut because its server became read-only fails with that reason', async ({
  freshDatabase,
}) => {
  const pool = openPool(freshDatabase.url, settings.database, () => {})
  const client = await pool.connect()
  client.on('error', () => {})
  try {
    const changed = client.query('set default_transaction_read_only = on')
    const cut = client.query('select pg_sleep(3600)').catch((error: unknown) => error)
    await changed
    expect(serverStateOf(await cut)).toBe(
      'PostgreSQL takes no writes: it is a replica, or default_transaction_read_only is on',
    )
  } finally {
    client.release(true)
    await pool.close()
  }
})

/** A session that began before may still write. */
async function resetReadOnly(pool: Pool, name: string): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('set default_transaction_read_only = off')
    await client.query(`alter database ${name} reset default_transaction_read_only`)
  } finally {
    client.release()
  }
}
