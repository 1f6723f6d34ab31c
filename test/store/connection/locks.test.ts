import { DatabaseError, Pool, type PoolClient } from 'pg'
import { describe, expect } from 'vitest'
import { Unavailable } from '../../../src/fault.ts'
import { announceRoles, hasWorkers } from '../../../src/runtime/presence.ts'
import { alone } from '../../../src/store/alone.ts'
import { takeLocks } from '../../../src/store/locks.ts'
import { inTransaction } from '../../../src/store/transaction.ts'
import { promised, recordingLog } from '../../queue/fleet.ts'
import { createTestDatabase, servers, test as withDatabase } from '../../support/database.ts'
import { createLogin, roles } from '../access/row-level-security-stage.ts'

const tests = servers.map(({ server, clusterUrl }) => ({
  server,
  test: withDatabase
    .extend('clusterUrl', { scope: 'worker' }, clusterUrl)
    .extend('database', { scope: 'file' }, async ({ clusterUrl }, { onCleanup }) => {
      const database = await createTestDatabase(clusterUrl)
      onCleanup(database.drop)
      return database
    })
    // What the hub logs in as.
    .extend('hub', async ({ database, clusterUrl }, { onCleanup }) => {
      const login = await createLogin(clusterUrl, 'in role beacon_app')
      const pool = openPoolAs(login.urlOf(database.url))
      onCleanup(async () => {
        await pool.end()
        await login.drop()
      })
      return pool
    }),
}))

function openPoolAs(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: 3 })
  pool.on('error', () => {})
  return pool
}

describe.each(tests)('on $server', ({ test }) => {
  test('transactions that want the same locks in another order take turns', async ({ pool }) => {
    const names = ['b', 'a', 'c', 'a']
    const order: string[] = []
    const once = (label: string, wanted: readonly string[]) =>
      inTransaction(pool, async ({ db }) => {
        await takeLocks(db, wanted)
        order.push(`${label} begins`)
        await db.execute('select pg_sleep(0.01)')
        order.push(`${label} ends`)
      })
    await Promise.all([
      once('1', names),
      once('2', names.toReversed()),
      once('3', ['c', 'd']),
      once('4', ['d', 'c']),
    ])
    for (let at = 0; at < order.length; at += 2)
      expect(order[at + 1]).toBe(order[at]?.replace('begins', 'ends'))
  })

  test('transactions that want different locks do not wait for each other', async ({ pool }) => {
    await inTransaction(pool, ({ db }) => takeLocks(db, ['north', 'south']))
    await inTransaction(pool, async ({ db }) => {
      await takeLocks(db, ['north'])
      await inTransaction(pool, (other) => takeLocks(other.db, ['south']))
    })
  })

  test('work that runs alone is refused to a second process, and not to one of another name', async ({
    pool,
  }) => {
    const open = promised()
    const begun = promised()
    const first = alone(pool, 'retention', 'busy', async () => {
      begun.keep()
      await open.promise
      return 'done'
    })
    await begun.promise
    await expect(alone(pool, 'retention', 'it runs already', async () => 'never')).rejects.toThrow(
      new Unavailable('it runs already'),
    )
    expect(await alone(pool, 'archive', 'busy', async () => 'beside it')).toBe('beside it')
    open.keep()
    expect(await first).toBe('done')
    expect(await alone(pool, 'retention', 'busy', async () => 'after it')).toBe('after it')
  })

  test('the roles of users and analysts can neither see nor take a lock', async ({
    database: { superuser },
  }) => {
    const statements = ['locks', 'worker_presence'].flatMap((table) => [
      `select from ${table}`,
      `insert into ${table} values ('retention')`,
      `delete from ${table}`,
      `lock table ${table} in access share mode`,
      `lock table ${table} in row exclusive mode`,
      `lock table ${table} in access exclusive mode`,
    ])
    const client = await superuser.connect()
    try {
      for (const role of roles.filter((name) => name !== 'beacon_ingest'))
        for (const statement of statements)
          expect(await refusalOf(client, role, statement), `${role}: ${statement}`).toBe('42501')
    } finally {
      client.release()
    }
  })

  test('a session of the hub cannot pretend to be a worker', async ({ pool, databaseUrl, hub }) => {
    const session = await hub.connect()
    await session.query('begin')
    await session.query(`select pg_advisory_xact_lock_shared(hashtextextended('beacon:workers:postgres', 0))`)
    expect(await hasWorkers(pool, 'postgres')).toBe(false)
    const presence = await announceRoles(databaseUrl, ['worker'], 'postgres', recordingLog())
    expect([await hasWorkers(pool, 'postgres'), await hasWorkers(pool, 'redis')]).toEqual([true, false])
    await presence.release()
    await expect.poll(() => hasWorkers(pool, 'postgres')).toBe(false)
    await session.query('rollback')
    session.release()
  })

  test('an address is claimed by one transaction at a time, and leaves no trace', async ({ pool, hub }) => {
    const [first, second] = [await hub.connect(), await hub.connect()]
    await first.query('begin')
    await second.query('begin')
    await first.query(`select lock_addresses('{k1.abc,k2.abc}')`)
    await second.query(`select lock_addresses('{k1.other}')`)
    const waiting = second.query(`select lock_addresses('{k2.abc,k1.abc}')`)
    await someoneWaits(pool)
    await first.query('commit')
    await waiting
    await second.query('commit')
    first.release()
    second.release()
    const { rows } = await pool.query(`select name from locks where name like '%abc%'`)
    expect(rows).toEqual([])
  })
})

async function someoneWaits(pool: Pool): Promise<void> {
  await expect
    .poll(async () => {
      const { rowCount } = await pool.query(
        `select from pg_locks where not granted and locktype = 'transactionid'`,
      )
      return rowCount
    })
    .toBe(1)
}

async function refusalOf(client: PoolClient, role: string, statement: string): Promise<string | undefined> {
  await client.query('begin')
  try {
    await client.query(`set local role ${role}`)
    await client.query(statement)
    return undefined
  } catch (error) {
    return error instanceof DatabaseError ? error.code : String(error)
  } finally {
    await client.query('rollback')
  }
}
