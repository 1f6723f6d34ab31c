import type { Pool, PoolClient, QueryConfig } from 'pg'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { addApiConnection, readApiConnection } from '../../src/accounts/api-connections.ts'
import { readProfile, writeProfile } from '../../src/accounts/profiles.ts'
import { countToRotate, rotateKeys } from '../../src/accounts/rotation.ts'
import { findLogin, readEmail, registerUser } from '../../src/accounts/users.ts'
import { encryptedColumns } from '../../src/encryption/encrypted-columns.ts'
import { encrypt } from '../../src/encryption/encrypted-value.ts'
import type { KeyRing } from '../../src/encryption/key-ring.ts'
import { withUser } from '../../src/store/acting.ts'
import { ringOf } from '../encryption/rings.ts'
import { createTestDatabase, servers, type TestDatabase } from '../support/database.ts'
import { aUser, reachOf } from './reaching.ts'

const [old, both, newOnly] = [ringOf('old'), ringOf('new', 'old'), ringOf('new')]

/** The same pool, on which something happens right after the first query that holds the text. */
function afterQuery(pool: Pool, text: string, happen: () => Promise<unknown>): Pool {
  let happened = false
  const watched = (client: PoolClient): PoolClient => {
    const query = async (config: QueryConfig | string, values?: unknown[]) => {
      const result = await client.query(config, values)
      if (!happened && typeof config === 'object' && config.text.includes(text)) {
        happened = true
        await happen()
      }
      return result
    }
    return new Proxy(client, { get: (target, key) => (key === 'query' ? query : Reflect.get(target, key)) })
  }
  const connect = async () => watched(await pool.connect())
  return new Proxy(pool, { get: (target, key) => (key === 'connect' ? connect : Reflect.get(target, key)) })
}

describe.each(servers)('rotating keys on $server', ({ clusterUrl }) => {
  let database: TestDatabase
  beforeEach(async () => {
    await database?.drop()
    database = await createTestDatabase(clusterUrl)
  })
  afterAll(() => database.drop())

  /** One with a profile and an API connection: five values, and one column that is empty. */
  const aWholeUser = async (ring: KeyRing) => {
    const deps = reachOf(database.pool, ring)
    const user = aUser()
    const id = await registerUser(deps, user)
    await writeProfile(deps, id, { displayName: user.email, avatarUrl: 'https://x', preferences: null })
    const connection = { provider: 'p', name: 'n', status: 's', permissions: null, passphrase: null }
    const secrets = { apiKey: `key of ${user.email}`, apiSecret: `secret of ${user.email}` }
    const connectionId = await addApiConnection(deps, id, { ...connection, ...secrets })
    const read = async (ring: KeyRing) => {
      const deps = reachOf(database.pool, ring)
      const { apiKey, apiSecret } = await readApiConnection(deps, id, connectionId)
      const profile = await readProfile(deps, id)
      expect((await findLogin(deps, user.email))?.id).toBe(id)
      return [await readEmail(deps, id), profile?.displayName, profile?.avatarUrl, apiKey, apiSecret]
    }
    const values = [user.email, user.email, 'https://x', secrets.apiKey, secrets.apiSecret]
    return { id, email: user.email, connectionId, read, values }
  }

  const sumOf = ({ columns }: Awaited<ReturnType<typeof rotateKeys>>) => ({
    rotated: columns.reduce((sum, { rotated }) => sum + rotated, 0),
    left: columns.reduce((sum, { left }) => sum + left, 0),
    remaining: columns.reduce((sum, { remaining }) => sum + remaining, 0),
  })

  test('everything is under the first key then, batch by batch, and the old key is not needed', async () => {
    const users = [
      await aWholeUser(old),
      await aWholeUser(old),
      await aWholeUser(both),
      await aWholeUser(old),
    ]
    expect(await countToRotate(database.pool, both)).toBe(15)
    const progress: number[] = []
    const rotation = await rotateKeys(database.pool, both, {
      batchRows: 2,
      onProgress: (done) => progress.push(done),
    })
    expect(rotation.columns.map(({ table, column, rotated }) => [`${table}.${column}`, rotated])).toEqual([
      ['users.email', 3],
      ['profiles.display_name', 3],
      ['profiles.avatar_url', 3],
      ['api_connections.api_key', 3],
      ['api_connections.api_secret', 3],
      ['api_connections.passphrase', 0],
    ])
    expect(progress).toEqual([2, 3, 7, 9, 13, 15])
    for (const user of users) expect(await user.read(newOnly)).toEqual(user.values)
    expect(sumOf(await rotateKeys(database.pool, both))).toEqual({ rotated: 0, left: 0, remaining: 0 })
  })

  test('one that was told to stop ends between two batches, and the next goes on from there', async () => {
    const users = [await aWholeUser(old), await aWholeUser(old), await aWholeUser(old)]
    const stop = new AbortController()
    const options = { batchRows: 1, signal: stop.signal, onProgress: () => stop.abort() }
    expect(sumOf(await rotateKeys(database.pool, both, options))).toEqual({
      rotated: 1,
      left: 0,
      remaining: 14,
    })
    for (const user of users) expect(await user.read(both)).toEqual(user.values)
    expect(sumOf(await rotateKeys(database.pool, both))).toEqual({ rotated: 14, left: 0, remaining: 0 })
    for (const user of users) expect(await user.read(newOnly)).toEqual(user.values)
  })

  test('a dry run tells the same and changes nothing', async () => {
    const user = await aWholeUser(old)
    const planned = await rotateKeys(database.pool, both, { dryRun: true })
    expect(sumOf(planned)).toEqual({ rotated: 5, left: 0, remaining: 0 })
    expect(await user.read(old)).toEqual(user.values)
    expect(await rotateKeys(database.pool, both)).toEqual(planned)
  })

  test('what cannot be read is told by its place and left; the rest is done', async () => {
    const [spoilt, whole] = [await aWholeUser(old), await aWholeUser(old)]
    const foreign = await aWholeUser(ringOf('lost'))
    await database.superuser.query(`update profiles set display_name = 'canary' where id = $1`, [spoilt.id])
    const rotation = await rotateKeys(database.pool, both, { batchRows: 1 })
    expect(sumOf(rotation)).toEqual({ rotated: 9, left: 6, remaining: 0 })
    const messages = rotation.problems.map(({ why }) => why)
    expect(messages).toContainEqual(
      expect.stringMatching(`profiles.display_name of row ${spoilt.id} is not an encrypted value`),
    )
    // Of a key that is not there, once: putting it back helps all of its values.
    expect(messages).toHaveLength(1)
    expect(rotation.lackedKeys).toEqual([{ keyId: 'lost', values: 5 }])
    expect(JSON.stringify(rotation)).not.toContain('canary')
    expect(await whole.read(newOnly)).toEqual(whole.values)
    expect(await foreign.read(ringOf('lost'))).toEqual(foreign.values)
    expect(sumOf(await rotateKeys(database.pool, ringOf('new', 'old', 'lost')))).toMatchObject({
      rotated: 5,
      left: 1,
    })
  })

  test('an address that two users have under two keys is told of, and no other has to wait for it', async () => {
    const [first, second] = [await aWholeUser(old), await aWholeUser(old)]
    // This process does not know the old key, and so cannot see that the address is taken.
    const double = await registerUser(reachOf(database.pool, newOnly), aUser({ email: first.email }))
    const rotation = await rotateKeys(database.pool, both)
    expect(sumOf(rotation)).toEqual({ rotated: 9, left: 1, remaining: 0 })
    expect(rotation.problems[0]?.why).toMatch(
      `users.email of row ${first.id} is the address of row ${double} too`,
    )
    expect(await second.read(newOnly)).toEqual(second.values)
  })

  test.each([
    { batchRows: 10, rotated: 5, left: 2 },
    { batchRows: 1, rotated: 6, left: 1 },
  ])(
    'an address under two old keys is told of, dry or not, $batchRows in a batch',
    async ({ batchRows, ...counts }) => {
      const first = await aWholeUser(old)
      const double = await registerUser(
        reachOf(database.pool, ringOf('older')),
        aUser({ email: first.email }),
      )
      const other = aUser()
      const single = await registerUser(reachOf(database.pool, ringOf('older')), other)
      const ring = ringOf('new', 'old', 'older')
      const ids = [first.id, double].toSorted()
      const placed = counts.left === 2 ? ids : ids.slice(1)
      for (const dryRun of [true, false]) {
        const rotation = await rotateKeys(database.pool, ring, { batchRows, dryRun })
        expect(sumOf(rotation)).toEqual({ ...counts, remaining: 0 })
        expect(rotation.problems.map(({ rowId }) => rowId)).toEqual(placed)
        for (const { rowId, why } of rotation.problems) {
          const other = rowId === double ? first.id : double
          expect(why).toMatch(`users.email of row ${rowId} is the address of row ${other} too`)
        }
      }
      expect(await readEmail(reachOf(database.pool, newOnly), single)).toBe(other.email)
      await database.superuser.query('delete from users where id = $1', [double])
      await rotateKeys(database.pool, ring)
      expect(await first.read(newOnly)).toEqual(first.values)
    },
  )

  test('a row that another rotation has just written is no double of itself', async () => {
    const users = [await aWholeUser(old), await aWholeUser(old)]
    // The other one ends between what this one reads of users, and its look for doubles.
    const pool = afterQuery(database.pool, '"email" from "users"', () => rotateKeys(database.pool, both))
    const rotation = await rotateKeys(pool, both)
    expect(rotation.problems).toEqual([])
    expect(sumOf(rotation)).toEqual({ rotated: 0, left: 0, remaining: 0 })
    for (const user of users) expect(await user.read(newOnly)).toEqual(user.values)
  })

  test('what somebody writes meanwhile is not lost, and the other values of the row are encrypted anew', async () => {
    const user = await aWholeUser(old)
    const waitingForLocks = async () => {
      const { rows } = await database.superuser.query<{ waiting: number }>(`
        select count(*)::integer as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`)
      return rows[0]?.waiting
    }
    let rotating: ReturnType<typeof rotateKeys> | undefined
    await withUser(database.pool, user.id, async ({ client }) => {
      // Locked, as by whoever is about to change it.
      await client.query('select from api_connections where id = $1 for update', [user.connectionId])
      rotating = rotateKeys(database.pool, both)
      await expect.poll(waitingForLocks).toBe(1)
      const value = encrypt(old, encryptedColumns.apiKey, user.connectionId, 'written meanwhile')
      await client.query('update api_connections set api_key = $1 where id = $2', [value, user.connectionId])
    })
    expect(sumOf((await rotating) ?? { columns: [], problems: [], lackedKeys: [] })).toEqual({
      rotated: 4,
      left: 0,
      remaining: 1,
    })
    const { apiKey, apiSecret } = await readApiConnection(
      reachOf(database.pool, both),
      user.id,
      user.connectionId,
    )
    expect([apiKey, apiSecret]).toEqual(['written meanwhile', user.values[4]])
    expect(sumOf(await rotateKeys(database.pool, both))).toEqual({ rotated: 1, left: 0, remaining: 0 })
    expect(await user.read(newOnly)).toEqual(user.values.with(3, 'written meanwhile'))
  })
})
