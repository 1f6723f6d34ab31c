import { createServer } from 'node:net'
import { sql } from 'drizzle-orm'
import { describe, expect } from 'vitest'
import { Misconfigured, Unavailable } from '../../../src/fault.ts'
import { minute, second } from '../../../src/market/instant.ts'
import { freePort } from '../../../src/runtime/free-port.ts'
import { readSettings } from '../../../src/settings.ts'
import { copyInto } from '../../../src/store/candles/copy.ts'
import { shareOf } from '../../../src/store/connection/pool-share.ts'
import { type BoundedPool, openPool, type PoolSettings } from '../../../src/store/pool.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { proxyTo } from '../../queue/proxy.ts'
import { test as base } from '../../support/database.ts'
import { pidOf } from '../loading.ts'

type Open = (settings?: Partial<PoolSettings>, url?: string) => BoundedPool

/** `open` opens a pool on the file's database, or elsewhere, that is closed after the sentence. */
const test = base.extend('open', ({ databaseUrl }, { onCleanup }): Open => {
  const pools: BoundedPool[] = []
  onCleanup(async () => {
    for (const pool of pools) if (!pool.ended) await pool.close()
  })
  return (settings = {}, url = databaseUrl) => {
    // Sentences end sessions on purpose; the next use of the pool tells.
    const pool = openPool(url, { ...readSettings({}).database, ...settings }, () => {})
    pools.push(pool)
    return pool
  }
})

const never = (pool: BoundedPool) => inTransaction(pool, ({ client }) => client.query('select pg_sleep(60)'))

describe('the pool', () => {
  test('is as the schema document says', ({ open }) => {
    expect(open().options).toMatchObject({
      min: 5,
      max: 50,
      connectionTimeoutMillis: 30 * second,
      idleTimeoutMillis: 10 * minute,
      keepAlive: true,
    })
  })

  test('closes what nobody used for the idle timeout, down to the fewest it keeps', async ({ open }) => {
    const pool = open({ minConnections: 2, maxConnections: 5, idleTimeout: 10 })
    const clients = await Promise.all(Array.from({ length: 5 }, () => pool.connect()))
    const removed = new Promise<void>((resolve) => {
      let count = 0
      pool.on('remove', () => {
        count += 1
        if (count === 3) resolve()
      })
    })
    for (const client of clients) client.release()
    await removed
    expect([pool.totalCount, pool.idleCount]).toEqual([2, 2])
  })

  test('has sessions in UTC with ISO dates, whatever the database is set to, and under its own name', async ({
    open,
    freshDatabase: { url, pool: direct },
  }) => {
    const name = new URL(url).pathname.slice(1)
    await direct.query(`alter database ${name} set timezone = 'Asia/Kolkata'`)
    await direct.query(`alter database ${name} set datestyle = 'German'`)
    const pool = open({}, url)
    const { rows } = await pool.query<{ kind: string; moment: string }>(
      `select current_setting('application_name') as name, '2024-03-01T00:30:00Z'::timestamptz::timestamp::text as moment`,
    )
    expect(rows).toEqual([{ name: 'beacon', moment: '2024-03-01 00:30:00' }])
  })

  test('says when all its connections stay in use, and which settings help', async ({ open }) => {
    const pool = open({ maxConnections: 1, connectionTimeout: 500 })
    const client = await pool.connect()
    try {
      const late = databaseOf(pool).execute('select 1')
      await expect(late).rejects.toThrow(Unavailable)
      await expect(late).rejects.toThrow(
        'all 1 connections to the database stayed in use for 500 ms: raise database.maxConnections, or lower queue.concurrency',
      )
    } finally {
      client.release()
    }
    expect((await databaseOf(pool).execute('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('lends no more than a share of its connections to those who only read, in the order they came', async ({
    open,
  }) => {
    const pool = open({ maxConnections: 3 })
    const share = shareOf(pool, 1)
    const first = await share.connect()
    const order: string[] = []
    const second = share.connect().then((client) => {
      order.push('second')
      client.release()
    })
    const third = databaseOf(share)
      .execute('select 1')
      .then(() => order.push('third'))
    // The others of the pool are free all the while.
    expect((await databaseOf(pool).execute('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(order).toEqual([])
    first.release()
    await Promise.all([second, third])
    expect(order).toEqual(['second', 'third'])
  })

  test('says that the database is busy when its share stays in use', async ({ open }) => {
    const share = shareOf(open({ connectionTimeout: 200 }), 1)
    const client = await share.connect()
    await expect(share.connect()).rejects.toThrow('the database is busy: nothing was answered within 200 ms')
    client.release()
    const next = await share.connect()
    next.release()
  })

  test('tells a server that is not there from one that never answers', async ({
    open,
    databaseUrl,
    onTestFinished,
  }) => {
    const nobody = new URL(databaseUrl)
    nobody.port = String(await freePort(0))
    const refused = databaseOf(open({}, nobody.href)).execute('select 1')
    await expect(refused).rejects.toThrow(Unavailable)
    await expect(refused).rejects.toThrow(/^the database cannot be reached: connect ECONNREFUSED/)

    const mute = createServer().listen(Number(nobody.port), '127.0.0.1')
    onTestFinished(() => void mute.close())
    const silent = databaseOf(open({ connectionTimeout: 100 }, nobody.href)).execute('select 1')
    await expect(silent).rejects.toThrow(Unavailable)
    await expect(silent).rejects.toThrow(/^the database did not answer within 100 ms/)
  })

  test('tells a server that takes no more connections from one that refuses the login', async ({
    open,
    databaseUrl,
    pool: direct,
  }) => {
    const role = `crowd_${process.pid}`
    await direct.query(`create role ${role} login password 'crowd' connection limit 0`)
    const url = new URL(databaseUrl)
    url.username = role
    url.password = 'crowd'
    try {
      const full = inTransaction(open({}, url.href), async () => 0)
      await expect(full).rejects.toThrow(Unavailable)
      await expect(full).rejects.toThrow(/takes no more connections.*raise its max_connections, or lower/)
      url.password = 'wrong'
      const refused = inTransaction(open({}, url.href), async () => 0)
      await expect(refused).rejects.toThrow(Misconfigured)
      await expect(refused).rejects.toThrow('PostgreSQL refuses the password in DATABASE_URL: correct it')
    } finally {
      await direct.query(`drop role ${role}`)
    }
  })
})

describe('a statement', () => {
  const statementTimeout = { answer: 200, load: 5 * minute, maintenance: 60 * minute }
  const limits = `select current_setting('statement_timeout') as statement,
    current_setting('idle_in_transaction_session_timeout') as idle`

  test('that takes too long is given up, and the setting is named', async ({ open }) => {
    const pool = open({ statementTimeout })
    for (const sleep of [() => never(pool), () => databaseOf(pool).execute('select pg_sleep(60)')]) {
      const slow = sleep()
      await expect(slow).rejects.toThrow(Unavailable)
      await expect(slow).rejects.toThrow(
        'the database needed more than 200 ms for one statement: raise database.statementTimeout.answer',
      )
    }
  })

  test('may take as long as its purpose says, in its transaction alone', async ({ open }) => {
    const pool = open({ statementTimeout, maxConnections: 2 })
    const limitsFor = (purpose?: 'load' | 'maintenance') =>
      inTransaction(pool, async ({ client }) => (await client.query(limits)).rows[0], purpose)
    expect(await limitsFor()).toEqual({ statement: '200ms', idle: '1min' })
    expect(await limitsFor('load')).toEqual({ statement: '5min', idle: '1min' })
    expect(await limitsFor('maintenance')).toEqual({ statement: '1h', idle: '1min' })
    expect((await databaseOf(pool).execute(limits)).rows).toEqual([{ statement: '200ms', idle: '1min' }])
    expect((await pool.query(limits)).rows).toEqual([{ statement: '0', idle: '0' }])
  })

  test('that somebody cancels is not taken for one that was too slow', async ({ open, pool: direct }) => {
    const cancelled = inTransaction(open(), async ({ client }) => {
      const pid = await pidOf(client)
      const sleeping = client.query('select pg_sleep(60)')
      const cancelling = expect
        .poll(async () => {
          const { rows } = await direct.query(
            `select pg_cancel_backend(pid) from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'`,
            [pid],
          )
          return rows.length
        })
        .toBe(1)
      await Promise.all([sleeping, cancelling])
    })
    await expect(cancelled).rejects.toThrow(Unavailable)
    await expect(cancelled).rejects.toThrow(/canceling statement due to user request/)
  })

  test('of the pool as a database is all or nothing', async ({ open }) => {
    const db = databaseOf(open({ maxConnections: 2 }))
    await db.execute('create table halves (n int)')
    await expect(
      db.execute(sql`insert into halves select 1 / n from generate_series(-1, 1) as n`),
    ).rejects.toThrow()
    expect((await db.execute('select * from halves')).rows).toEqual([])
  })
})

test('a transaction in which nothing happens is ended by the server', async ({ open }) => {
  const idle = inTransaction(open({ idleInTransactionTimeout: 20 }), async ({ client }) => {
    await new Promise((resolve) => client.once('error', resolve))
    await client.query('select 1')
  })
  await expect(idle).rejects.toThrow(Unavailable)
})

describe.concurrent('a connection that died silently', () => {
  /** Everything is answered in time, or is not answered any more. */
  const impatient = {
    connectionTimeout: 600,
    idleInTransactionTimeout: 300,
    statementTimeout: { answer: 300, load: 300, maintenance: 300 },
  }
  const silently = test.extend('proxy', async ({ databaseUrl }, { onCleanup }) => {
    const proxy = await proxyTo(databaseUrl)
    await proxy.open()
    onCleanup(proxy.close)
    return proxy
  })

  silently(
    'is given up at the next use, and another takes its place',
    async ({ open, proxy, databaseUrl }) => {
      const pool = open({ ...impatient, maxConnections: 1 }, proxy.urlTo(databaseUrl))
      const db = databaseOf(pool)
      await db.execute('select 1')
      proxy.silence()
      const lost = db.execute('select 1')
      await expect(lost).rejects.toThrow(Unavailable)
      await expect(lost).rejects.toThrow('the database connection was lost: nothing came over it for 600 ms')
      expect((await db.execute('select 1 as one')).rows).toEqual([{ one: 1 }])
    },
  )

  silently('is given up in the middle of a transaction', async ({ open, proxy, databaseUrl }) => {
    const pool = open(impatient, proxy.urlTo(databaseUrl))
    const reading = inTransaction(pool, async ({ client }) => {
      proxy.silence()
      await client.query('select 1')
    })
    await expect(reading).rejects.toThrow('nothing came over it for 900 ms')
    const writing = inTransaction(pool, async (tx) => {
      await tx.client.query('create temporary table silent (word text) on commit drop')
      proxy.silence()
      await copyInto(tx, 'silent', ['word'], ['hello'])
    })
    await expect(writing).rejects.toThrow(Unavailable)
  })

  silently(
    'is cut when the pool is closed, so that the process can end',
    async ({ open, proxy, databaseUrl }) => {
      const pool = open(impatient, proxy.urlTo(databaseUrl))
      const { cut } = await inTransaction(pool, async ({ client }) => ({
        cut: new Promise((resolve) => client.once('end', () => resolve('cut'))),
      }))
      proxy.silence()
      await pool.close()
      expect(await cut).toBe('cut')
    },
  )
})
