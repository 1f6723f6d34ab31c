import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Misconfigured } from '../../../src/fault.ts'
import { openEngine } from '../../../src/queue/engine.ts'
import { enqueue } from '../../../src/queue/enqueue.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { openServer } from '../../../src/runtime/database.ts'
import { waitFor } from '../../../src/runtime/embedded/wait.ts'
import { announceRoles, hasWorkers } from '../../../src/runtime/presence.ts'
import { Releases } from '../../../src/runtime/release.ts'
import { readSettings } from '../../../src/settings.ts'
import { upsertCoin } from '../../../src/store/coins.ts'
import { openClient } from '../../../src/store/connection/open-client.ts'
import { migrateUp } from '../../../src/store/migrations.ts'
import { openPool } from '../../../src/store/pool.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { aJob, TestFleet } from '../../queue/fleet.ts'
import { proxyTo } from '../../queue/proxy.ts'
import { installedPostgres } from '../../support/database.ts'
import { openPostgresPair, type PostgresPair } from '../../support/postgres-pair.ts'

const minutely = { timeout: 60_000, interval: 100 }

// pg_basebackup is not among the bundled programs.
describe.skipIf(!installedPostgres)('a primary and its streaming replica', () => {
  const fleet = new TestFleet('postgres')
  const releases = new Releases()
  let pair: PostgresPair

  beforeAll(async () => {
    pair = await openPostgresPair(installedPostgres?.binDir ?? '')
    releases.push(() => pair.close())
    await pair.primary.query('create database beacon')
    await migrateUp(pair.primary.url('beacon'))
    const copied = async () =>
      (await pair.replica.query(`select 1 from pg_database where datname = 'beacon'`))[0]
    await waitFor(copied, 30_000)
  })
  afterAll(() => releases.release())

  const write = (pool: ReturnType<typeof openPool>, id: string) =>
    inTransaction(pool, async ({ db }) => {
      await upsertCoin(db, id, { symbol: id, name: id }, systemClock.now())
    })
  const settings = readSettings({}).database

  test('a replica alone is refused with one message', async () => {
    const url = pair.replica.url('beacon')
    const opening = openServer(
      {
        settings: readSettings({ DATABASE_URL: url }),
        log: fleet.log,
        clock: systemClock,
        releases,
        signal: new AbortController().signal,
      },
      60_000,
    )
    await expect(opening).rejects.toThrow(
      new Misconfigured(
        `PostgreSQL at 127.0.0.1:${pair.replica.port} takes no writes: it is a replica, or default_transaction_read_only is on: DATABASE_URL must name the primary`,
      ),
    )
    await expect(
      openEngine({ databaseUrl: url, log: fleet.log, clock: systemClock, waitMs: 0 }),
    ).rejects.toThrow(/takes no writes/)
  })

  test('every kind of connection finds the primary, whichever host is named first', async () => {
    const url = pair.url('beacon')
    const client = await openClient(url, { applicationName: 'test', connectionTimeoutMs: 5_000 })
    expect(client.port).toBe(pair.primary.port)
    await client.end()
    const byParameters = `postgresql://beacon@/beacon?host=127.0.0.1,127.0.0.1&port=${pair.replica.port},${pair.primary.port}`
    const other = await openClient(byParameters, { applicationName: 'test', connectionTimeoutMs: 5_000 })
    expect(other.port).toBe(pair.primary.port)
    await other.end()
    expect(await migrateUp(url)).toEqual([])
  })

  test('the replica that is promoted is followed by pool, queue and presence, and old connections are left', async () => {
    const url = pair.url('beacon')
    const engine = await fleet.open({ databaseUrl: url })
    const pool = openPool(url, settings, () => {})
    releases.push(() => pool.close())
    const proxy = await proxyTo(pair.primary.url())
    releases.push(() => proxy.close())
    await proxy.open()
    const behindOneAddress = openPool(proxy.urlTo(pair.primary.url('beacon')), settings, () => {})
    releases.push(() => behindOneAddress.close())
    const queue = fleet.freshQueue()
    const done: string[] = []
    const job = aJob({
      queueOf: () => queue,
      run: async (_context, { text }) => {
        done.push(text)
        return {}
      },
    })
    await fleet.work(engine, { queue, jobs: [job], lockDurationMs: 4_000, stalledIntervalMs: 2_000 })
    await enqueue(engine, job, [{ text: 'before' }])
    await expect.poll(() => done, minutely).toContain('before')
    await write(pool, 'before')
    await write(behindOneAddress, 'behind')
    const presence = await announceRoles(url, ['worker'], 'redis', fleet.log)
    releases.push(() => presence.release())
    expect(await hasWorkers(pool, 'redis')).toBe(true)

    await pair.replica.query('select pg_promote()')
    // It stays and answers, as the demoted one of a cloud does, and takes no writes any more.
    await pair.primary.query('alter system set default_transaction_read_only = on')
    await pair.primary.query('select pg_reload_conf()')
    await expect
      .poll(() => write(behindOneAddress, 'refused').catch(String), minutely)
      .toMatch(/read-only|takes no writes/)
    proxy.leadTo(pair.replica.url())

    let count = 0
    const written = async (one: typeof pool) => {
      count += 1
      await write(one, `after-${count}`)
      const { rows } = await databaseOf(one).execute<{ port: number }>('select inet_server_port() as port')
      return rows[0]?.port
    }
    await expect.poll(() => written(pool).catch(String), minutely).toBe(pair.replica.port)
    await expect.poll(() => written(behindOneAddress).catch(String), minutely).toBe(pair.replica.port)
    await expect.poll(() => engine.check().then(() => 'takes writes', String), minutely).toBe('takes writes')
    await expect
      .poll(() => enqueue(engine, job, [{ text: 'after' }]).then(() => 'taken', String), minutely)
      .toBe('taken')
    await expect.poll(() => done, minutely).toContain('after')
    await expect.poll(() => hasWorkers(pool, 'redis').catch(String), minutely).toBe(true)
    await pair.primary.stop()
    expect(await written(pool)).toBe(pair.replica.port)
  })
})
