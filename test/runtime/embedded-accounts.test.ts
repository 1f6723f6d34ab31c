import { chown, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { findPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import {
  test as base,
  cloneCheckout,
  idOf,
  isRoot,
  kill,
  openHere,
  pidOf,
  query,
  startUser,
} from './embedded-fixture.ts'

/** Programs are copied there and run, which a folder in memory may refuse. */
const test = base.extend('parent', { scope: 'worker' }, tmpdir())

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
