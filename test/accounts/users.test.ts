import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AddressTaken,
  changeEmail,
  findLogin,
  readEmail,
  registerUser,
  setStanding,
} from '../../src/accounts/users.ts'
import { Unreadable } from '../../src/encryption/unreadable.ts'
import { InvalidInput } from '../../src/fault.ts'
import { withUser } from '../../src/store/acting.ts'
import { ringOf } from '../encryption/rings.ts'
import { createTestDatabase, servers, type TestDatabase } from '../support/database.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { aUser, reachOf } from './reaching.ts'

describe.each(servers)('users on $server', ({ clusterUrl }) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(clusterUrl)
  })
  afterAll(() => database.drop())

  const storedUser = async (id: string) => {
    const { rows } = await database.superuser.query(
      'select *, updated_at::text as changed from users where id = $1',
      [id],
    )
    return rows[0]
  }

  test('who registers logs in with the address in any spelling, and it is stored encrypted', async () => {
    const deps = reachOf(database.pool)
    const id = await registerUser(deps, aUser({ email: ' Ada@Example.org' }))
    expect(await findLogin(deps, 'ADA@example.ORG ')).toEqual({
      id,
      passwordHash: '$argon2id$hash',
      status: 'active',
      tier: 'free',
    })
    expect(await readEmail(deps, id)).toBe('ada@example.org')
    expect((await storedUser(id)).email).toMatch(/^new\.[\w-]+$/)
  })

  test('tier and status are set by whoever runs the hub, and not by the application', async () => {
    const deps = reachOf(database.pool)
    const id = await registerUser(deps, aUser({ email: 'eve@example.org' }))
    await setStanding(deps, id, { tier: 'pro' })
    await setStanding(deps, id, { status: 'suspended' })
    expect(await findLogin(deps, 'eve@example.org')).toMatchObject({ tier: 'pro', status: 'suspended' })
    for (const statement of [`update users set tier = 'gold'`, `update users set status = 'active'`]) {
      const changing = withUser(database.pool, id, ({ db }) => db.execute(statement))
      await expect(changing).rejects.toThrow('permission denied for table users')
    }
    await expect(setStanding(deps, randomUUID(), { tier: 'pro' })).rejects.toThrow('there is no user')
    await expect(setStanding(deps, id, { tier: '' })).rejects.toThrow('tier is empty')
  })

  test('nobody logs in with an address that is not registered, or is none', async () => {
    const deps = reachOf(database.pool)
    await registerUser(deps, aUser())
    for (const email of ['nobody@example.org', '', '@', 'a b@c', `${'x'.repeat(5_000)}@example.org`]) {
      expect(await findLogin(deps, email)).toBeUndefined()
    }
  })

  test('an address is refused a second time, under whichever key the first was written', async () => {
    const user = aUser()
    await registerUser(reachOf(database.pool, ringOf('old')), user)
    for (const ring of [ringOf('old'), ringOf('new', 'old'), ringOf('newest', 'new', 'old')]) {
      const again = { ...user, email: user.email.toUpperCase() }
      await expect(registerUser(reachOf(database.pool, ring), again)).rejects.toThrow(AddressTaken)
    }
  })

  test('of many who register an address at once under different keys, one has it', async () => {
    const user = aUser()
    const rings = [ringOf('new', 'old'), ringOf('old', 'new')]
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => registerUser(reachOf(database.pool, rings[index % 2]), user)),
    )
    const refusals = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    expect(refusals).toHaveLength(7)
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(AddressTaken)
  })

  test('a login is found under every key of the ring', async () => {
    const [first, second] = [aUser(), aUser()]
    const old = await registerUser(reachOf(database.pool, ringOf('old')), first)
    const newer = await registerUser(reachOf(database.pool, ringOf('new')), second)
    const deps = reachOf(database.pool, ringOf('newest', 'new', 'old'))
    expect((await findLogin(deps, first.email))?.id).toBe(old)
    expect((await findLogin(deps, second.email))?.id).toBe(newer)
  })

  test('a changed address is the one to log in with, and the former is free', async () => {
    const user = aUser()
    const id = await registerUser(reachOf(database.pool), user)
    const later = { ...reachOf(database.pool), clock: fixedClock('2024-05-18T00:00:00Z') }
    await changeEmail(later, id, 'Moved@example.org')
    expect((await findLogin(later, 'moved@example.org'))?.id).toBe(id)
    expect(await findLogin(later, user.email)).toBeUndefined()
    expect((await storedUser(id)).changed).toBe('2024-05-18 00:00:00')
    await expect(registerUser(later, user)).resolves.not.toBe(id)
  })

  test('an address is not taken from another, but the own one can be written anew', async () => {
    const [mine, theirs] = [aUser(), aUser()]
    const id = await registerUser(reachOf(database.pool, ringOf('old')), mine)
    await registerUser(reachOf(database.pool, ringOf('old')), theirs)
    const deps = reachOf(database.pool)
    await expect(changeEmail(deps, id, theirs.email)).rejects.toThrow(AddressTaken)
    await changeEmail(deps, id, mine.email)
    expect((await storedUser(id)).email).toMatch(/^new\./)
  })

  test('what cannot be an address or a hash is refused before the database is asked', async () => {
    const nowhere = reachOf(new Pool({ host: '127.0.0.1', port: 1 }))
    const refusals: readonly (readonly [object, string])[] = [
      [{ email: 'canary' }, 'the email is no address such as name@example.org'],
      [{ email: `canary${'x'.repeat(150)}@x` }, 'the text for users.email has 158 bytes, and 150 fit'],
      [{ email: 'cana\udc00ry@x' }, 'half of a character'],
      [{ passwordHash: '' }, 'passwordHash is empty'],
      [{ passwordHash: 'canary\0' }, 'passwordHash holds a NUL or half of a character'],
      [{ tier: 'canary' }, 'the input has no "tier"'],
    ]
    for (const [more, message] of refusals) {
      const registering = registerUser(nowhere, aUser(more))
      await expect(registering).rejects.toThrow(InvalidInput)
      await expect(registering).rejects.toThrow(message)
      await expect(registering).rejects.not.toThrow('canary')
    }
  })

  test('a user who is not there has no address, and gets none', async () => {
    const deps = reachOf(database.pool)
    await expect(readEmail(deps, randomUUID())).rejects.toThrow(/there is no user/)
    await expect(changeEmail(deps, randomUUID(), 'free@example.org')).rejects.toThrow(/there is no user/)
  })

  test('an address that was tampered with is refused, by its place', async () => {
    const deps = reachOf(database.pool)
    const id = await registerUser(deps, aUser())
    await database.superuser.query(
      `update users set email = overlay(email placing 'AAAA' from 30) where id = $1`,
      [id],
    )
    await expect(readEmail(deps, id)).rejects.toThrow(Unreadable)
    await expect(readEmail(deps, id)).rejects.toThrow(`users.email of row ${id} was changed`)
  })

  test('a login reads the index, and of users nothing else', async () => {
    const { pool, superuser, url, drop } = await createTestDatabase(clusterUrl)
    try {
      const user = aUser()
      await registerUser(reachOf(pool), user)
      await superuser.query(`
        insert into users (email, password, created_at, updated_at, status, tier)
        select 'old.' || md5(n::text) || md5(n::text || 'x'), '-', now(), now(), 'active', 'free'
        from generate_series(1, 3000) as n`)
      await superuser.query('analyze users')
      const own = new Pool({ connectionString: url, max: 1 })
      const logins = 50
      for (let login = 0; login < logins; login += 1)
        await findLogin({ ...reachOf(pool), pool: own }, user.email)
      // What a connection has read is counted for sure once it is closed.
      await own.end()
      const scansOf = async (statement: string) =>
        Number((await superuser.query<{ scans: string }>(statement)).rows[0]?.scans)
      await expect
        .poll(() =>
          scansOf(
            `select idx_scan as scans from pg_stat_user_indexes where indexrelname = 'idx_users_email'`,
          ),
        )
        .toBeGreaterThanOrEqual(logins)
      const sequential = await scansOf(
        `select seq_scan as scans from pg_stat_user_tables where relname = 'users'`,
      )
      expect(sequential).toBeLessThan(logins / 2)
    } finally {
      await drop()
    }
  })
})
