import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { processIdentity } from '../../src/runtime/embedded/process.ts'
import { openHere, pidOf, query, startUser, test } from './embedded-fixture.ts'

describe('a new server', () => {
  test('is a durable UTF-8 cluster in UTC that only this machine can deps, with a password', async ({
    dir,
  }) => {
    const server = await openHere(dir)
    const names = [
      'server_encoding',
      'TimeZone',
      'data_checksums',
      'fsync',
      'synchronous_commit',
      'full_page_writes',
    ]
    const deps = ['listen_addresses', 'unix_socket_directories', 'password_encryption', 'max_connections']
    const settings = [...names, ...deps].map((name) => `current_setting('${name}') as "${name}"`)
    expect(
      await query(server.url, `select current_database() as database, current_user as role, ${settings}`),
    ).toEqual([
      {
        database: 'beacon',
        role: 'beacon',
        server_encoding: 'UTF8',
        TimeZone: 'UTC',
        data_checksums: 'on',
        fsync: 'on',
        synchronous_commit: 'on',
        full_page_writes: 'on',
        listen_addresses: '127.0.0.1',
        unix_socket_directories: '',
        password_encryption: 'scram-sha-256',
        max_connections: '200',
      },
    ])
    expect(await query(server.url, 'select datcollate from pg_database')).toContainEqual({ datcollate: 'C' })
    expect(await readFile(join(dir, 'postgres/server.log'), 'utf8')).toContain('ready to accept connections')
    await server.release()
  })

  test('has a generated password in a file that others cannot read, and takes no other', async ({ dir }) => {
    const server = await openHere(dir)
    const { password } = new URL(server.url)
    expect(password).toMatch(/^[\w-]{32}$/)
    expect(await readFile(join(dir, 'postgres/password'), 'utf8')).toBe(password)
    expect((await stat(join(dir, 'postgres/password'))).mode & 0o777).toBe(0o600)
    const wrong = new URL(server.url)
    wrong.password = 'postgres'
    await expect(query(wrong.href, 'select')).rejects.toThrow('password authentication failed')
    await server.release()
  })

  test('is made again when the one who made it was killed in the middle', async ({ dir }) => {
    const killed = startUser(join(dir, 'postgres'))
    const madeHalf = async () =>
      (await readdir(dir, { recursive: true })).some((name) => name.includes('data-new-'))
    await expect.poll(madeHalf, { interval: 5, timeout: 20_000 }).toBe(true)
    await killed.kill()
    const server = await openHere(dir)
    expect(server.startedHere).toBe(true)
    expect((await readdir(join(dir, 'postgres'))).filter((name) => name.startsWith('data'))).toEqual(['data'])
    await server.release()
  })
})

describe('its users', () => {
  test('share one server when they open it at once, and the last one out stops it', async ({ dir }) => {
    const users = [1, 2, 3].map(() => startUser(join(dir, 'postgres')))
    const answers = await Promise.all(users.map((user) => user.opened()))
    expect(new Set(answers.map(({ url }) => url)).size).toBe(1)
    expect(answers.filter(({ startedHere }) => startedHere)).toHaveLength(1)
    // The one that started it leaves first.
    const inOrder = users.toSorted((_, b) => (answers[users.indexOf(b)]?.startedHere ? 1 : -1))
    for (const user of inOrder) {
      expect(await query(answers[0]?.url ?? '', 'select 1 as alive')).toEqual([{ alive: 1 }])
      await user.release()
    }
    expect(await pidOf(dir)).toBeUndefined()
    expect(users.map((user) => user.stderr())).toEqual(['', '', ''])
  })

  test('may be several in one process', async ({ dir }) => {
    const [first, second] = await Promise.all([openHere(dir), openHere(dir)])
    expect([first, second].filter(({ startedHere }) => startedHere)).toHaveLength(1)
    await first.release()
    expect(await query(second.url, 'select 1 as alive')).toEqual([{ alive: 1 }])
    await second.release()
    expect(await pidOf(dir)).toBeUndefined()
  })

  test('may release twice, and open again afterwards with the same url and data', async ({
    usedDir: dir,
  }) => {
    const first = await openHere(dir)
    await query(first.url, 'create table kept as select 7 as value')
    await Promise.all([first.release(), first.release()])
    await first.release()
    expect(await pidOf(dir)).toBeUndefined()
    const again = await openHere(dir)
    expect(again.startedHere).toBe(true)
    expect(again.url).toBe(first.url)
    expect(await query(again.url, 'select value from kept')).toEqual([{ value: 7 }])
    await again.release()
  })

  test('killed without a word leave a server that the next one adopts and stops', async ({
    usedDir: dir,
  }) => {
    const killed = startUser(join(dir, 'postgres'))
    await killed.opened()
    const pid = await pidOf(dir)
    await killed.kill()
    const next = startUser(join(dir, 'postgres'))
    expect(await next.opened()).toMatchObject({ startedHere: false })
    expect(await pidOf(dir)).toBe(pid)
    await next.release()
    expect(await pidOf(dir)).toBeUndefined()
    expect(next.stderr()).toBe('')
  })

  test('pressing Ctrl-C do not end the server under the work that is still closing', async ({
    usedDir: dir,
  }) => {
    const user = startUser(join(dir, 'postgres'), { detached: true })
    const { url } = await user.opened()
    // What a terminal does: the signal goes to every process of the group.
    process.kill(-user.pid, 'SIGINT')
    await expect.poll(() => processIdentity(user.pid)).toBeUndefined()
    expect(await query(url, 'select 1 as alive')).toEqual([{ alive: 1 }])
    await (await openHere(dir)).release()
    expect(await pidOf(dir)).toBeUndefined()
  })
})
