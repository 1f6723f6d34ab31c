import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type ApiConnectionFields,
  addApiConnection,
  listApiConnections,
  readApiConnection,
  removeApiConnection,
  updateApiConnection,
} from '../../src/accounts/api-connections.ts'
import { registerUser } from '../../src/accounts/users.ts'
import { Unreadable } from '../../src/encryption/unreadable.ts'
import { InvalidInput } from '../../src/fault.ts'
import { createTestDatabase, servers, type TestDatabase } from '../support/database.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { aUser, reachOf } from './reaching.ts'

const aConnection = (more: Partial<ApiConnectionFields> = {}): ApiConnectionFields => ({
  provider: 'kraken',
  name: 'my account',
  status: 'active',
  permissions: ['read', 'trade'],
  apiKey: 'the key',
  apiSecret: 'the secret',
  passphrase: null,
  ...more,
})

describe.each(servers)('API connections on $server', ({ clusterUrl }) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(clusterUrl)
  })
  afterAll(() => database.drop())

  test('are read as they were added, and their secrets stored encrypted', async () => {
    const deps = reachOf(database.pool)
    const user = await registerUser(deps, aUser())
    const connection = aConnection({ passphrase: '' })
    const id = await addApiConnection(deps, user, connection)
    const times = { createdAt: deps.clock.now(), updatedAt: deps.clock.now() }
    expect(await readApiConnection(deps, user, id.toUpperCase())).toEqual({ ...connection, id, ...times })
    const { rows } = await database.superuser.query(
      'select api_key, api_secret, passphrase from api_connections where id = $1',
      [id],
    )
    expect(Object.values(rows[0])).toEqual(Array(3).fill(expect.stringMatching(/^new\.[\w-]{38,}$/)))
  })

  test('are listed without their secrets, the oldest first', async () => {
    const deps = reachOf(database.pool)
    const user = await registerUser(deps, aUser())
    const later = { ...deps, clock: fixedClock('2024-06-01T00:00:00Z') }
    const second = await addApiConnection(later, user, aConnection({ name: 'second', permissions: null }))
    const first = await addApiConnection(deps, user, aConnection({ name: 'first' }))
    const listed = await listApiConnections(deps, user)
    expect(listed.map(({ id, name, permissions }) => [id, name, permissions])).toEqual([
      [first, 'first', ['read', 'trade']],
      [second, 'second', null],
    ])
    expect(Object.keys(listed[0] ?? {}).sort()).toEqual(
      ['id', 'provider', 'name', 'createdAt', 'updatedAt', 'permissions', 'status'].sort(),
    )
  })

  test('change in what is named, and in nothing else', async () => {
    const deps = reachOf(database.pool)
    const user = await registerUser(deps, aUser())
    const id = await addApiConnection(deps, user, aConnection())
    const before = await readApiConnection(deps, user, id)
    const clock = fixedClock('2024-06-01T00:00:00Z')
    const changes: readonly Partial<ApiConnectionFields>[] = [
      { apiKey: 'another key', passphrase: 'now there is one' },
      { apiSecret: null, permissions: null },
      { provider: 'okx', name: 'renamed', status: 'revoked', permissions: ['read'] },
      {},
    ]
    let expected = { ...before, updatedAt: clock.now() }
    for (const change of changes) {
      await updateApiConnection({ ...deps, clock }, user, id, change)
      expected = { ...expected, ...change }
      expect(await readApiConnection(deps, user, id)).toEqual(expected)
    }
  })

  test('are gone once they are removed', async () => {
    const deps = reachOf(database.pool)
    const user = await registerUser(deps, aUser())
    const id = await addApiConnection(deps, user, aConnection())
    await removeApiConnection(deps, user, id)
    expect(await listApiConnections(deps, user)).toEqual([])
    await expect(removeApiConnection(deps, user, id)).rejects.toThrow(/has no API connection/)
  })

  test("another's are neither read, listed, changed nor removed", async () => {
    const deps = reachOf(database.pool)
    const [mine, theirs] = [await registerUser(deps, aUser()), await registerUser(deps, aUser())]
    const id = await addApiConnection(deps, theirs, aConnection())
    for (const wrongId of [id, randomUUID(), 'no id']) {
      const refusals = [
        () => readApiConnection(deps, mine, wrongId),
        () => updateApiConnection(deps, mine, wrongId, { name: 'mine now' }),
        () => removeApiConnection(deps, mine, wrongId),
      ]
      for (const refusal of refusals) {
        await expect(refusal).rejects.toThrow(InvalidInput)
        await expect(refusal).rejects.toThrow(/has no API connection/)
      }
    }
    expect(await listApiConnections(deps, mine)).toEqual([])
    expect(await readApiConnection(deps, theirs, id)).toMatchObject(aConnection())
  })

  test('that do not fit are refused before anything is written, and nothing of them is repeated', async () => {
    const deps = reachOf(database.pool)
    const user = await registerUser(deps, aUser())
    const id = await addApiConnection(deps, user, aConnection())
    const before = await readApiConnection(deps, user, id)
    const wrong: readonly (readonly [Partial<ApiConnectionFields>, string])[] = [
      [{ apiKey: 'canary'.repeat(26) }, 'api_connections.api_key has 156 bytes, and 150 fit'],
      [{ apiSecret: 'canary'.repeat(26) }, 'api_connections.api_secret has 156 bytes'],
      [{ passphrase: 'canary'.repeat(26) }, 'api_connections.passphrase has 156 bytes'],
      [{ apiKey: '' }, 'apiKey is empty'],
      [{ provider: 'canary\0' }, 'provider holds a NUL or half of a character'],
      [{ name: '\udc00canary' }, 'name holds a NUL or half of a character'],
      [{ permissions: ['read', 'canary\0'] }, 'permissions.1 holds a NUL or half of a character'],
      [{ provider: 'canary'.repeat(9) }, 'provider is longer than 50 characters'],
      [{ name: '', status: 'canary'.repeat(4) }, 'name is empty; status is longer than 20 characters'],
    ]
    for (const [more, message] of wrong) {
      for (const refusal of [
        () => addApiConnection(deps, user, aConnection(more)),
        () => updateApiConnection(deps, user, id, more),
      ]) {
        await expect(refusal).rejects.toThrow(InvalidInput)
        await expect(refusal).rejects.toThrow(message)
        await expect(refusal).rejects.not.toThrow('canary')
      }
    }
    expect(await listApiConnections(deps, user)).toHaveLength(1)
    expect(await readApiConnection(deps, user, id)).toEqual(before)
    await expect(addApiConnection(deps, randomUUID(), aConnection())).rejects.toThrow(/there is no user/)
  })

  test('whose secrets were exchanged are refused, by their place', async () => {
    const deps = reachOf(database.pool)
    const user = await registerUser(deps, aUser())
    const [one, other] = [
      await addApiConnection(deps, user, aConnection()),
      await addApiConnection(deps, user, aConnection()),
    ]
    await database.superuser.query('update api_connections set api_key = api_secret where id = $1', [one])
    await database.superuser.query(
      'update api_connections set api_secret = (select api_secret from api_connections where id = $1) where id = $2',
      [one, other],
    )
    await expect(readApiConnection(deps, user, one)).rejects.toThrow(Unreadable)
    await expect(readApiConnection(deps, user, one)).rejects.toThrow(`api_connections.api_key of row ${one}`)
    await expect(readApiConnection(deps, user, other)).rejects.toThrow(
      `api_connections.api_secret of row ${other}`,
    )
  })
})
