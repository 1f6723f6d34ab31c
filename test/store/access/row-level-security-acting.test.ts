import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { test as base, describe, expect } from 'vitest'
import { InvalidInput, Misconfigured } from '../../../src/fault.ts'
import { asMaintenance, withLogin, withUser } from '../../../src/store/acting.ts'
import type { Transaction } from '../../../src/store/transaction.ts'
import { ownersUrlOf, servers, test as withDatabase } from '../../support/database.ts'
import { hasPgbouncer, openPgbouncer } from '../../support/pgbouncer.ts'
import { aPerson, aRowOf, firstRowOf, type Person } from './row-level-security-rows.ts'
import { createLogin, createOwnedDatabase, insertInto, openPoolOf } from './row-level-security-stage.ts'

/** `pool` has one connection, as the owner of the tables; `alice` and `bob` are there, each with an account and a position. */
const tests = servers.map(({ server, clusterUrl }) => ({
  server,
  test: base
    .extend('clusterUrl', { scope: 'worker' }, clusterUrl)
    .extend('database', { scope: 'file' }, async ({ clusterUrl }, { onCleanup }) => {
      const database = await createOwnedDatabase(clusterUrl)
      onCleanup(database.drop)
      return database
    })
    .extend('people', { scope: 'file' }, async ({ database }) => {
      const people = { alice: aPerson(), bob: aPerson() }
      for (const person of Object.values(people)) await settle(database.ownersPool, person)
      return people
    })
    .extend('alice', ({ people }) => people.alice)
    .extend('bob', ({ people }) => people.bob)
    .extend('pool', async ({ database }, { onCleanup }) => {
      const pool = openPoolOf(database.owner.urlOf(database.url), { max: 1 })
      onCleanup(() => pool.end())
      return pool
    }),
}))

const addressOf = ({ id }: Person) => `key.${id}`

/** A new user arrives in the same way in which they come back. */
const settle = (pool: Pool, person: Person) =>
  withUser(pool, person.id, async ({ client }) => {
    for (const row of [
      insertInto('users', { ...aRowOf('users', person), email: addressOf(person) }),
      insertInto('trading_accounts', firstRowOf('trading_accounts', person)),
      insertInto('positions', aRowOf('positions', person)),
    ]) {
      await client.query(row.text, [...(row.values ?? [])])
    }
  })

async function usersSeen({ db }: Transaction): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(sql`select id from users`)
  return rows.map(({ id }) => id)
}

/** What a connection out of the pool would do for whoever takes it next. */
async function stateOf(pool: Pool) {
  const { rows } = await pool.query(
    `select current_user = session_user as is_itself, current_user_id() as user_id,
       coalesce(current_setting('app.login_email', true), '') as login_email, (select count(*)::integer from users) as users`,
  )
  return rows[0]
}

const nobody = { is_itself: true, user_id: null, login_email: '', users: 0 }

describe.each(tests)('on $server', ({ test }) => {
  describe('a transaction of a user', () => {
    test('sees and writes what is theirs', async ({ pool, alice }) => {
      await withUser(pool, alice.id, async (tx) => {
        expect(await usersSeen(tx)).toEqual([alice.id])
        const { rowCount } = await tx.db.execute(sql`update positions set amount = 2`)
        expect(rowCount).toBe(1)
      })
    })

    test('binds a login that no policy binds, such as a superuser', async ({ database, alice, bob }) => {
      expect(await withUser(database.pool, alice.id, usersSeen)).toEqual([alice.id])
      expect(await withLogin(database.pool, [addressOf(bob)], usersSeen)).toEqual([bob.id])
      const reading = asMaintenance(database.pool, ({ db }) => db.execute(sql`select password from users`))
      await expect(reading).rejects.toThrow('permission denied for table users')
    })

    test('gives back what the work gives', async ({ pool, alice }) => {
      expect(await withUser(pool, alice.id.toUpperCase(), usersSeen)).toEqual([alice.id])
    })

    test('leaves nothing of itself on the connection', async ({ pool, alice }) => {
      expect(await stateOf(pool)).toEqual(nobody)
      await withUser(pool, alice.id, usersSeen)
      expect(await stateOf(pool)).toEqual(nobody)
      const failed = withUser(pool, alice.id, async () => Promise.reject(new Error('on purpose')))
      await expect(failed).rejects.toThrow('on purpose')
      expect(await stateOf(pool)).toEqual(nobody)
      expect(pool.totalCount).toBe(1)
    })

    test('that fails keeps nothing of what it wrote', async ({ pool, alice }) => {
      const failed = withUser(pool, alice.id, async ({ db }) => {
        await db.execute(sql`delete from positions`)
        throw new Error('on purpose')
      })
      await expect(failed).rejects.toThrow('on purpose')
      const { rows } = await withUser(pool, alice.id, ({ db }) => db.execute(sql`select from positions`))
      expect(rows).toHaveLength(1)
    })

    test('is of that user alone while others wait for the same connection', async ({ pool, alice, bob }) => {
      const turns = Array.from({ length: 20 }, (_, turn) => (turn % 2 === 0 ? alice : bob).id)
      expect(await Promise.all(turns.map((id) => withUser(pool, id, usersSeen)))).toEqual(
        turns.map((id) => [id]),
      )
    })

    test('stays theirs when another begins within it', async ({ database, alice, bob }) => {
      await withUser(database.ownersPool, alice.id, async (outer) => {
        expect(await withUser(database.ownersPool, bob.id, usersSeen)).toEqual([bob.id])
        expect(await usersSeen(outer)).toEqual([alice.id])
      })
    })

    test('stays theirs after a savepoint that was taken back', async ({ pool, alice }) => {
      await withUser(pool, alice.id, async (tx) => {
        await tx.client.query('savepoint before')
        await expect(tx.client.query('select * from nowhere')).rejects.toThrow('does not exist')
        await tx.client.query('rollback to savepoint before')
        expect(await usersSeen(tx)).toEqual([alice.id])
      })
    })

    test('that its work ends too early acts for nobody from there on', async ({ pool, alice }) => {
      await withUser(pool, alice.id, async (tx) => {
        await tx.client.query('commit')
        expect(await usersSeen(tx)).toEqual([])
      })
      expect(await stateOf(pool)).toEqual(nobody)
    })

    test('does not hear what somebody has set for the session', async ({ pool, alice, bob }) => {
      await pool.query(
        `select set_config('app.user_id', $1, false), set_config('app.login_email', $2, false)`,
        [bob.id, addressOf(bob)],
      )
      expect(await withUser(pool, alice.id, usersSeen)).toEqual([alice.id])
      expect(await withLogin(pool, [addressOf(alice)], usersSeen)).toEqual([alice.id])
    })

    test('who is not there sees nothing', async ({ pool }) => {
      expect(await withUser(pool, randomUUID(), usersSeen)).toEqual([])
    })

    test.for([
      '',
      'alice',
      "' or true --",
      '00000000-0000-0000-0000-00000000000',
      '{00000000-0000-0000-0000-000000000000}',
    ])('is refused for an id that is none: "%s"', async (id, { pool }) => {
      const refused = withUser(pool, id, usersSeen)
      await expect(refused).rejects.toThrow(InvalidInput)
      await expect(refused).rejects.toThrow('pass the id of a row of users')
      expect(pool.totalCount).toBe(0)
    })
  })

  describe('a transaction before a login', () => {
    test('reads the rows that bear one of the addresses, and nothing else of anybody', async ({
      pool,
      alice,
      bob,
    }) => {
      expect(await withLogin(pool, ['other.form', addressOf(alice)], usersSeen)).toEqual([alice.id])
      const both = await withLogin(pool, [addressOf(bob), addressOf(alice)], usersSeen)
      expect(both.toSorted()).toEqual([alice.id, bob.id].toSorted())
      const { rows } = await withLogin(pool, [addressOf(alice)], ({ db }) =>
        db.execute(sql`select from trading_accounts`),
      )
      expect(rows).toEqual([])
    })

    test.for([
      ['a part of the address', (address: string) => address.slice(0, -1)],
      ['more than the address', (address: string) => `${address}0`],
      ['the address in other letters', (address: string) => address.toUpperCase()],
    ] as const)('finds nobody by %s', async ([, change], { pool, alice }) => {
      expect(await withLogin(pool, [change(addressOf(alice))], usersSeen)).toEqual([])
    })

    test.for([
      sql`update users set last_login = now()`,
      sql`delete from users`,
      sql`select id from users for update`,
    ])('does not write (sentence %#)', async (statement, { pool, alice }) => {
      const met = await withLogin(pool, [addressOf(alice)], ({ db }) => db.execute(statement))
      expect(met.rowCount).toBe(0)
    })

    test.for([[[]], [['']], [['a,b']], [['me@example.org']], [['fine', 'not fine']]] as const)(
      'is refused for what is no encrypted address, without telling it: %j',
      async ([addresses], { pool }) => {
        const refused = withLogin(pool, addresses, usersSeen)
        await expect(refused).rejects.toThrow(InvalidInput)
        await expect(refused).rejects.not.toThrow('example')
      },
    )
  })

  test('upkeep reaches all users, and says for nobody that it acts for them', async ({
    pool,
    alice,
    bob,
  }) => {
    const [seen, userId] = await asMaintenance(pool, async (tx) => [
      await usersSeen(tx),
      (await tx.client.query(`select current_setting('app.user_id') as id`)).rows[0],
    ])
    expect(seen).toEqual(expect.arrayContaining([alice.id, bob.id]))
    expect(userId).toEqual({ id: '' })
    expect(await stateOf(pool)).toEqual(nobody)
  })

  describe('a login', () => {
    test('that may not take the role is told what to grant, and works as soon as it is', async ({
      database,
      clusterUrl,
      alice,
      onTestFinished,
    }) => {
      const login = await createLogin(clusterUrl)
      onTestFinished(login.drop)
      const pool = openPoolOf(login.urlOf(database.url), { max: 1 })
      onTestFinished(() => pool.end())
      const refused = withUser(pool, alice.id, usersSeen)
      await expect(refused).rejects.toThrow(Misconfigured)
      const remedy = `grant beacon_app to ${login.name}`
      await expect(refused).rejects.toThrow(
        `the login ${login.name} may not act as beacon_app: let an administrator run "${remedy}"`,
      )
      await expect(asMaintenance(pool, usersSeen)).rejects.toThrow(`grant beacon_upkeep to ${login.name}`)
      await database.pool.query(remedy)
      expect(await withUser(pool, alice.id, usersSeen)).toEqual([alice.id])
      expect(pool.totalCount).toBe(1)
    })

    test('that may act for users only cannot become anybody else', async ({
      database,
      clusterUrl,
      alice,
      onTestFinished,
    }) => {
      const login = await createLogin(clusterUrl, 'in role beacon_app')
      onTestFinished(login.drop)
      const pool = openPoolOf(login.urlOf(database.url), { max: 1 })
      onTestFinished(() => pool.end())
      for (const role of [
        'beacon_upkeep',
        'beacon_ingest',
        'beacon_readonly',
        database.owner.name,
        'beacon',
      ]) {
        const becoming = withUser(pool, alice.id, ({ client }) => client.query(`set local role ${role}`))
        await expect(becoming).rejects.toThrow(`permission denied to set role "${role}"`)
      }
      const becoming = pool.query(`set session authorization ${database.owner.name}`)
      await expect(becoming).rejects.toThrow('permission denied')
      const unbound = withUser(pool, alice.id, async (tx) => {
        await tx.client.query('set local row_security = off')
        return usersSeen(tx)
      })
      await expect(unbound).rejects.toThrow('query would be affected by row-level security policy')
    })
  })
})

describe.runIf(hasPgbouncer)('behind PgBouncer in transaction mode', () => {
  withDatabase(
    'users share connections of the server, and none finds another on them',
    async ({ clusterUrl, freshDatabase, onTestFinished }) => {
      const bouncer = await openPgbouncer(ownersUrlOf(clusterUrl), 2)
      onTestFinished(bouncer.close)
      const pool = openPoolOf(bouncer.urlTo(freshDatabase.url), { max: 8 })
      onTestFinished(() => pool.end())
      const [alice, bob] = [aPerson(), aPerson()]
      for (const person of [alice, bob]) await settle(pool, person)
      const turns = Array.from({ length: 40 }, (_, turn) => (turn % 2 === 0 ? alice : bob).id)
      expect(await Promise.all(turns.map((id) => withUser(pool, id, usersSeen)))).toEqual(
        turns.map((id) => [id]),
      )
      const states = await Promise.all(turns.map(() => stateOf(pool)))
      expect(states).toEqual(turns.map(() => nobody))
    },
  )
})
