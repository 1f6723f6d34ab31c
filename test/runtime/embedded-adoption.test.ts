import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished } from 'vitest'
import { Misconfigured } from '../../src/fault.ts'
import { findPackage, majorVersion } from '../../src/runtime/embedded/binaries.ts'
import { pidFileOf } from '../../src/runtime/embedded/postmaster.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { kill, log, openHere, pidOf, query, startUser, test } from './embedded-fixture.ts'

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
    await (await openEmbeddedPostgres({ dataDir: join(dir, 'elsewhere'), log })).release()
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

  test('a system without the C library of the programs is refused', async () => {
    // Not in memory, where a program may be refused for that alone.
    const folder = await mkdtemp(join(tmpdir(), 'beacon-program-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const program = join(folder, 'program')
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
