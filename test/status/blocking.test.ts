import { Client, type Pool } from 'pg'
import { describe, expect } from 'vitest'
import { jobs, queues } from '../../jobs/catalog.ts'
import { Monitor } from '../../src/monitoring/monitor.ts'
import { blockingMessage, readBlockingSessions } from '../../src/store/figures/blocking-sessions.ts'
import { listOpenIncidents } from '../../src/store/incidents.ts'
import { openPool } from '../../src/store/pool.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import {
  createTestDatabase,
  installedPostgres,
  type TestDatabase,
  test as withDatabase,
} from '../support/database.ts'
import { ask } from '../web/asking.ts'
import { settle } from '../web/sample.ts'
import { allReady, now, openTestEngine, serve, settingsFor, silent, standing } from '../web/serving.ts'

const settings = settingsFor()

/** Sessions of another program; all of them end with the test. */
async function anotherSession(url: string, onCleanup: (end: () => Promise<void>) => void): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: 'psql' })
  client.on('error', () => {})
  await client.connect()
  onCleanup(() => client.end())
  return client
}

/** `ours` is a pool as the daemon's; `other` another program's session. */
const test = withDatabase
  .extend('ours', async ({ freshDatabase }, { onCleanup }) => {
    const pool = openPool(freshDatabase.url, settings.database, () => {}, 'beacon daemon')
    onCleanup(() => pool.close())
    return pool
  })
  .extend('other', ({ freshDatabase }, { onCleanup }) => anotherSession(freshDatabase.url, onCleanup))

const writeCandle = (pool: Pool): Promise<unknown> =>
  inTransaction(pool, ({ db }) => db.execute('lock table ohlcv_data in row exclusive mode'), 'load')

const blockersOf = (pool: Pool) => readBlockingSessions(databaseOf(pool), 0)

describe('a session of another program that ours wait for', () => {
  test('is named with what ends it, and is gone when it ends', async ({ ours, other }) => {
    await other.query('begin')
    await other.query('lock table ohlcv_data in share mode')
    const { rows } = await other.query<{ pid: number; user: string }>(
      'select pg_backend_pid() as pid, current_user as user',
    )
    const [{ pid, user } = { pid: 0, user: '' }] = rows
    const writing = writeCandle(ours)
    await expect.poll(() => blockersOf(ours)).toHaveLength(1)
    const [session] = await blockersOf(ours)
    expect(session).toMatchObject({ pid, user, application: 'psql', waiting: 1 })
    expect(session?.query).toContain('pg_backend_pid')
    expect(blockingMessage(session ?? ({} as never))).toMatch(
      new RegExp(
        `^Session ${pid} of ${user} \\(psql\\) blocks a session of beacon\\. End it with: select pg_terminate_backend\\(${pid}\\)\\. ` +
          'It has done so for \\d+ s, in a transaction since \\S+Z; its last statement: select ',
      ),
    )
    await databaseOf(ours).execute(session?.remedy ?? '')
    await writing
    expect(await blockersOf(ours)).toEqual([])
  })

  test('is the one at the head of the line, not one that itself waits', async ({
    freshDatabase,
    ours,
    other,
    onTestFinished,
  }) => {
    await other.query('begin')
    await other.query('lock table ohlcv_data in share mode')
    const head = (await other.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid
    const between = await anotherSession(freshDatabase.url, onTestFinished)
    await between.query('begin')
    const altering = between.query('lock table ohlcv_data in access exclusive mode').catch(() => undefined)
    await expect
      .poll(async () => (await freshDatabase.pool.query(`select 1 from pg_locks where not granted`)).rowCount)
      .toBe(1)
    const writing = writeCandle(ours)
    await expect.poll(async () => (await blockersOf(ours)).map(({ pid }) => pid)).toEqual([head])
    await other.query('rollback')
    await altering
    await between.query('rollback')
    await writing
  })

  test('may be one of the hub, whose name begins as ours do', async ({ ours, other }) => {
    await other.query(`begin; set local application_name = 'beacon-hub'; lock table ohlcv_data in share mode`)
    const writing = writeCandle(ours)
    await expect
      .poll(async () => (await blockersOf(ours)).map(({ application }) => application))
      .toEqual(['beacon-hub'])
    await other.query('rollback')
    await writing
  })

  test('is never one of ours', async ({ ours }) => {
    await inTransaction(ours, async ({ db }) => {
      await db.execute('lock table ohlcv_data in share mode')
      const writing = writeCandle(ours)
      await expect
        .poll(async () => (await databaseOf(ours).execute('select 1 from pg_locks where not granted')).rows)
        .toHaveLength(1)
      expect(await blockersOf(ours)).toEqual([])
      await db.execute('rollback')
      await writing
    })
  })

  test('is an alert at the next check and the message of the status, whatever table it has locked', async ({
    freshDatabase,
    ours,
    other,
  }) => {
    await settle(freshDatabase.pool, settings, now)
    const engine = await openTestEngine(freshDatabase.url)
    const deps = {
      settings,
      engine,
      pauses: async () => [],
      readiness: async () => allReady,
      jobs,
      queues,
      clock: standing,
      log: silent,
      startedAt: undefined,
      version: '0.0.0',
      serverIsHere: false,
      pool: ours,
    }
    await using web = await serve({ database: { pool: ours }, engine })
    try {
      await other.query('begin')
      // What the status reads first.
      await other.query('lock table coins in access exclusive mode')
      const writing = databaseOf(ours)
        .execute('select 1 from coins')
        .catch(() => undefined)
      const { status, text } = await ask(`${web.url}/api/status`)
      expect([status, JSON.parse(text).error]).toEqual([
        503,
        expect.stringMatching(/^Session \d+ of .* End it with: select pg_terminate_backend/),
      ])
      const monitor = new Monitor(deps)
      const opened = async () => {
        await monitor.checkObstacles()
        return (await listOpenIncidents(databaseOf(ours))).map(({ key }) => key.replace(/\d+$/, 'PID'))
      }
      await expect.poll(opened, { timeout: 30_000, interval: 500 }).toEqual(['database.blocked PID'])
      await other.query('rollback')
      await writing
      expect(await opened()).toEqual([])
    } finally {
      await engine.close()
    }
  })
})

describe.skipIf(!installedPostgres)('a prepared transaction', () => {
  test('that was left open is named with the statement that ends it', async ({ onTestFinished }) => {
    const database: TestDatabase = await createTestDatabase(installedPostgres?.url)
    onTestFinished(() => database.drop())
    const ours = openPool(database.url, settings.database, () => {}, 'beacon daemon')
    onTestFinished(() => ours.close())
    await database.pool.query(`begin; lock table ohlcv_data in share mode; prepare transaction 'left behind'`)
    const writing = writeCandle(ours)
    await expect.poll(() => blockersOf(ours)).toHaveLength(1)
    const [session] = await blockersOf(ours)
    expect(session?.remedy).toBe(`rollback prepared 'left behind'`)
    await database.pool.query(session?.remedy ?? '')
    await writing
  })
})
