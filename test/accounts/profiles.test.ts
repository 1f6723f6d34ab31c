import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ProfileFields, readProfile, writeProfile } from '../../src/accounts/profiles.ts'
import { registerUser } from '../../src/accounts/users.ts'
import { Unreadable } from '../../src/encryption/unreadable.ts'
import { InvalidInput } from '../../src/fault.ts'
import { createTestDatabase, servers, type TestDatabase } from '../support/database.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { aUser, reachOf } from './reaching.ts'

describe.each(servers)('profiles on $server', ({ clusterUrl }) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(clusterUrl)
  })
  afterAll(() => database.drop())

  const written = {
    displayName: 'Ada · 愛 \u0000',
    avatarUrl: '',
    preferences: { theme: 'dark', coins: ['bitcoin'] },
  }

  test('are read as they were written, and stored encrypted', async () => {
    const deps = reachOf(database.pool)
    const id = await registerUser(deps, aUser())
    expect(await readProfile(deps, id)).toBeUndefined()
    await writeProfile(deps, id, written)
    const now = deps.clock.now()
    expect(await readProfile(deps, id)).toEqual({ ...written, createdAt: now, updatedAt: now })
    const { rows } = await database.superuser.query(
      'select display_name, avatar_url from profiles where id = $1',
      [id],
    )
    expect(Object.values(rows[0])).toEqual(Array(2).fill(expect.stringMatching(/^new\.[\w-]{38,}$/)))
  })

  test('are replaced whole, and keep the time at which they were made', async () => {
    const deps = reachOf(database.pool)
    const id = await registerUser(deps, aUser())
    await writeProfile(deps, id, written)
    const clock = fixedClock('2024-06-01T00:00:00Z')
    await writeProfile({ ...deps, clock }, id, {
      displayName: null,
      avatarUrl: 'https://x/1',
      preferences: null,
    })
    expect(await readProfile(deps, id)).toEqual({
      displayName: null,
      avatarUrl: 'https://x/1',
      preferences: null,
      createdAt: deps.clock.now(),
      updatedAt: clock.now(),
    })
  })

  test('need a user and a text that fits', async () => {
    const deps = reachOf(database.pool)
    const id = await registerUser(deps, aUser())
    await expect(writeProfile(deps, randomUUID(), written)).rejects.toThrow(/there is no user/)
    const tooLong = writeProfile(deps, id, { ...written, avatarUrl: 'x'.repeat(151) })
    await expect(tooLong).rejects.toThrow(InvalidInput)
    await expect(tooLong).rejects.toThrow('profiles.avatar_url has 151 bytes, and 150 fit')
    expect(await readProfile(deps, id)).toBeUndefined()
  })

  test('that the database would not take are refused before it is asked, and nothing of them is repeated', async () => {
    const nowhere = reachOf(new Pool({ host: '127.0.0.1', port: 1 }))
    const itself: { canary?: unknown } = {}
    itself.canary = itself
    const { displayName: _, ...nameless } = written
    const { preferences: __, ...careless } = written
    const refusals: readonly (readonly [object, string])[] = [
      [nameless, 'displayName is not a text'],
      [careless, 'preferences is no JSON'],
      [{ ...written, preferences: undefined }, 'preferences is no JSON'],
      [{ ...written, preferences: itself }, 'preferences is no JSON'],
      [{ ...written, preferences: 1n }, 'preferences is no JSON'],
      [{ ...written, preferences: ['canary\0'] }, 'preferences holds a NUL or half of a character'],
      [{ ...written, preferences: { 'canary\ud800': 1 } }, 'preferences holds a NUL or half of a character'],
      [{ ...written, preferences: '\\\udfff canary' }, 'preferences holds a NUL or half of a character'],
    ]
    for (const [profile, message] of refusals) {
      const writing = writeProfile(nowhere, randomUUID(), profile as ProfileFields)
      await expect(writing).rejects.toThrow(InvalidInput)
      await expect(writing).rejects.toThrow(message)
      await expect(writing).rejects.not.toThrow('canary')
    }
  })

  test('may prefer what only looks like a NUL or half of a character', async () => {
    const deps = reachOf(database.pool)
    const id = await registerUser(deps, aUser())
    const preferences = { '\\u0000': '\\\\ud800 \u0001', face: '😀' }
    await writeProfile(deps, id, { ...written, preferences })
    expect(await readProfile(deps, id)).toMatchObject({ preferences })
  })

  test('of which a value was copied from another user are refused, by their place', async () => {
    const deps = reachOf(database.pool)
    const [mine, theirs] = [await registerUser(deps, aUser()), await registerUser(deps, aUser())]
    await writeProfile(deps, mine, written)
    await writeProfile(deps, theirs, written)
    await database.superuser.query(
      'update profiles set display_name = (select display_name from profiles where id = $1) where id = $2',
      [mine, theirs],
    )
    await expect(readProfile(deps, theirs)).rejects.toThrow(Unreadable)
    await expect(readProfile(deps, theirs)).rejects.toThrow(
      `profiles.display_name of row ${theirs} was changed`,
    )
    await expect(readProfile(deps, mine)).resolves.toMatchObject({ displayName: written.displayName })
  })
})
