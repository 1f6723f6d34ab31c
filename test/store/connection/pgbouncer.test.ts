import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Misconfigured, Unavailable } from '../../../src/fault.ts'
import { toDecimal } from '../../../src/market/decimal.ts'
import { registerSchedules } from '../../../src/queue/schedule.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { announceRoles, hasWorkers } from '../../../src/runtime/presence.ts'
import { readSettings } from '../../../src/settings.ts'
import { readCandles } from '../../../src/store/candles.ts'
import { readMigrations } from '../../../src/store/migrations/files.ts'
import { migrateUp } from '../../../src/store/migrations.ts'
import { withPartitions } from '../../../src/store/partitions/partition-cache.ts'
import { openPool } from '../../../src/store/pool.ts'
import { loadPrices, readLatestPrices } from '../../../src/store/prices.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { aJob, promised, recordingLog, TestFleet } from '../../queue/fleet.ts'
import { test as base, createEmptyDatabase, createTestDatabase, ownersUrlOf } from '../../support/database.ts'
import { hasPgbouncer, openPgbouncer } from '../../support/pgbouncer.ts'
import { aBatch, aCoin, aSeries, candlesIn, load, minutes, start } from '../loading.ts'

/** Fewer than there are clients, so that they have to share. */
const serverConnections = 3

const test = base
  .extend('bouncer', { scope: 'file' }, async ({ clusterUrl }, { onCleanup }) => {
    const bouncer = await openPgbouncer(ownersUrlOf(clusterUrl), serverConnections)
    onCleanup(bouncer.close)
    return bouncer
  })
  // Its sessions begin in a zone that is not ours.
  .extend('abroad', { scope: 'file' }, async ({ bouncer }, { onCleanup }) => {
    const database = await createTestDatabase()
    const name = new URL(database.url).pathname.slice(1)
    await database.pool.query(`alter database ${name} set timezone = 'Asia/Kolkata'`)
    const settings = { ...readSettings({}).database, maxConnections: 8 }
    const pool = openPool(bouncer.urlTo(database.url), settings, () => {})
    onCleanup(async () => {
      await pool.close()
      await database.drop()
    })
    return { pool, direct: database.pool, url: bouncer.urlTo(database.url) }
  })

const everyClient = <T>(work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: 8 }, (_, index) => work(index)))

/** Transactions that hold a lock for longer than a statement stay open: their sessions wait for the client. */
const openTransactions = async (direct: Pool): Promise<number> => {
  const { rows } = await direct.query<{ count: number }>(`
    select count(*)::integer as count from pg_stat_activity
    where datname = current_database() and state like 'idle in transaction%'`)
  return rows[0]?.count ?? 0
}

describe.runIf(hasPgbouncer)('behind PgBouncer in transaction mode', () => {
  test('five migrate at once, and each step is applied once', async ({ bouncer, onTestFinished }) => {
    const database = await createEmptyDatabase()
    onTestFinished(database.drop)
    const done = await Promise.all(Array.from({ length: 5 }, () => migrateUp(bouncer.urlTo(database.url))))
    const all = (await readMigrations()).map(({ name }) => name)
    expect(done.flat().toSorted()).toEqual(all)
    expect(await openTransactions(database.pool)).toBe(0)
  })

  test('more clients than server connections load candles, and every one is stored once', async ({
    abroad,
  }) => {
    const { pool, direct } = abroad
    const series = await aSeries(direct)
    const batches = Array.from({ length: 8 }, (_, index) => candlesIn(minutes(index * 50, index * 50 + 100)))
    const accountings = await everyClient((index) => load(pool, aBatch(series, batches[index] ?? [])))
    const counted = (kind: 'new' | 'unchanged') => accountings.reduce((sum, one) => sum + one[kind], 0)
    expect([counted('new'), counted('unchanged')]).toEqual([450, 350])
    expect(await readCandles(databaseOf(pool), series, minutes(0, 1_000), 1_000)).toEqual(
      candlesIn(minutes(0, 450)),
    )
    const { rows } = await direct.query(
      `select count(*)::integer as sessions from pg_stat_activity
       where datname = current_database() and application_name = 'beacon'`,
    )
    expect(rows[0]?.sessions).toBeGreaterThan(0)
    expect(rows[0]?.sessions).toBeLessThanOrEqual(serverConnections)
  })

  test('prices are loaded and read', async ({ abroad: { pool, direct } }) => {
    const coinIds = await everyClient(() => aCoin(direct))
    const price = { market: 'COINUSDT', timestamp: start, price: toDecimal('1.50000000') }
    const table = { name: 'market_data', length: 'day' } as const
    const deps = { pool, partitions: new Map(), lockTimeoutMs: 2_000 }
    const added = await Promise.all(
      coinIds.map((coinId) =>
        withPartitions(deps, table, [start], () =>
          inTransaction(pool, (tx) => loadPrices(tx, [{ coinId, price }]), 'load'),
        ),
      ),
    )
    expect(added).toEqual(coinIds.map(() => 1))
    const latest = await readLatestPrices(databaseOf(pool), coinIds)
    expect(latest.map(({ price: stored }) => stored)).toEqual(coinIds.map(() => '1.50000000'))
  })

  test('every session speaks UTC, although the server does not', async ({ abroad: { pool } }) => {
    const zone = `select current_setting('TimeZone') as zone, pg_sleep(0.02)`
    const zones = await everyClient(async () => (await pool.query<{ zone: string }>(zone)).rows[0]?.zone)
    expect(zones).toEqual(zones.map(() => 'UTC'))
  })

  test('what a transaction sets for itself is seen by no other', async ({ abroad: { pool } }) => {
    const setting = `select current_setting('app.user_id', true) as user, current_setting('statement_timeout') as bound`
    const own = await everyClient((index) =>
      inTransaction(pool, async ({ client }) => {
        await client.query(`select set_config('app.user_id', $1, true)`, [`user ${index}`])
        return (await client.query(setting)).rows[0]
      }),
    )
    expect(own).toEqual(own.map((_, index) => ({ user: `user ${index}`, bound: '30s' })))
    const after = await everyClient(async () => (await pool.query(setting)).rows[0])
    // A setting that was once made local is empty afterwards, or was never made at all.
    for (const { user, bound } of after) expect([user ?? '', bound]).toEqual(['', '0'])
  })

  test('a statement that takes too long is given up', async ({ abroad, onTestFinished }) => {
    const { database } = readSettings({})
    const statementTimeout = { ...database.statementTimeout, answer: 50 }
    const pool = openPool(abroad.url, { ...database, statementTimeout }, () => {})
    onTestFinished(() => pool.close())
    const slow = databaseOf(pool).execute('select pg_sleep(60)')
    await expect(slow).rejects.toThrow('raise database.statementTimeout.answer')
  })

  test('a client that finds no server connection in time is told so', async ({ abroad, onTestFinished }) => {
    const { database } = readSettings({})
    const pool = openPool(abroad.url, { ...database, connectionTimeout: 500 }, () => {})
    onTestFinished(() => pool.close())
    const open = promised()
    const begun = Array.from({ length: serverConnections }, () => promised())
    const holders = begun.map(({ keep }) =>
      inTransaction(abroad.pool, async () => {
        keep()
        await open.promise
      }),
    )
    try {
      await Promise.all(begun.map(({ promise }) => promise))
      const waiting = databaseOf(pool).execute('select 1')
      await expect(waiting).rejects.toThrow(Unavailable)
      await expect(waiting).rejects.toThrow('the database did not answer within 500 ms')
    } finally {
      open.keep()
      await Promise.all(holders)
    }
  })

  test('workers show themselves as long as they live', async ({ abroad: { pool, url } }) => {
    const presence = await announceRoles(url, ['worker'], 'redis', recordingLog())
    await everyClient(() => databaseOf(pool).execute('select 1'))
    expect(await hasWorkers(pool, 'redis')).toBe(true)
    await presence.release()
    await expect.poll(() => hasWorkers(pool, 'redis')).toBe(false)
  })

  describe('the queue', () => {
    const fleet = new TestFleet('postgres')

    test('has its schedule written once, and no lock stays behind', async ({ abroad: { url, direct } }) => {
      const engine = await fleet.open()
      const queue = fleet.freshQueue()
      const job = aJob({
        queueOf: () => queue,
        schedules: () => [
          { id: 'say_hello', pattern: '5 0 1 1 *', payload: { text: 'hello' }, whenMissed: 'skip' },
        ],
      })
      const settings = readSettings({})
      const options = {
        engine,
        queues: [queue],
        jobs: [job],
        settings,
        coins: [],
        databaseUrl: url,
        now: systemClock.now(),
        log: fleet.log,
      }
      await everyClient(() => registerSchedules(options))
      expect(fleet.reported('schedule.written')).toHaveLength(2)
      // A session that ended releases its locks when the server gets round to it.
      await expect.poll(() => openTransactions(direct)).toBe(0)
    })

    test('refuses to stand there itself, and says where else', async ({ abroad: { url } }) => {
      const opening = fleet.open({ databaseUrl: url, redisUrl: undefined })
      await expect(opening).rejects.toThrow(Misconfigured)
      await expect(opening).rejects.toThrow(
        'the queue cannot stand behind a connection pooler such as PgBouncer: set REDIS_URL, or give the address of PostgreSQL itself in DATABASE_URL',
      )
    })
  })
})
