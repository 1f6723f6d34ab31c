import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { chmod, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, expect, test } from 'vitest'
import { openReplayExchange } from '../../src/replay/exchange.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { findPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import { commandsIn } from '../cli/support/beacon.ts'
import { exchangeVariables, writeConfig } from '../cli/support/site.ts'
import { eventually } from '../support/eventually.ts'
import { eventsOf, expectGracefulStop, getJson, untilReady } from './ready.ts'

/** A disk of 256 MB; undefined where we may not mount one. */
function mountSmallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'beacon-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    rmSync(folder, { recursive: true })
    process.stderr.write('no disk may be mounted, which needs root: the test of a full disk is left out\n')
    return undefined
  }
}

const disk = mountSmallDisk()
afterAll(() => {
  if (disk === undefined) return
  execFileSync('umount', ['-l', disk])
  rmSync(disk, { recursive: true })
})

/** Takes all room that is left on the disk. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'w')
  const block = Buffer.alloc(1_024 * 1_024)
  try {
    for (;;) await file.write(block)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  } finally {
    await file.close()
  }
}

/** Writes to the write-ahead log until it cannot be written any more, and the server ends of that. */
async function exhaustLog(dataDir: string): Promise<void> {
  const [password, port] = await Promise.all(
    ['password', 'port'].map((name) => readFile(join(dataDir, 'postgres', name), 'utf8')),
  )
  const client = new Client({ connectionString: `postgresql://beacon:${password}@127.0.0.1:${port}/beacon` })
  client.on('error', () => {})
  await client.connect()
  const write = () =>
    client.query(
      `select pg_logical_emit_message(false, 'test', repeat('x', 8000000)) from generate_series(1, 40)`,
    )
  await expect(write()).rejects.toThrow()
}

test.skipIf(disk === undefined)(
  'a disk that was full has room again: the reason is reported meanwhile, and the daemon goes on by itself',
  async () => {
    const folder = disk ?? ''
    await chmod(folder, 0o711)
    const dataDir = join(folder, 'data')
    mkdirSync(dataDir)
    const exchange = await openReplayExchange({ clock: systemClock })
    const commands = commandsIn({
      ...exchangeVariables(exchange),
      BEACON_CONFIG: await writeConfig(folder, 'track: [bitcoin]\n'),
      BEACON_DATA_DIR: dataDir,
      BEACON_HTTP_PORT: '0',
    })
    try {
      const daemon = commands.start('start')
      const url = await untilReady(daemon)
      const filler = join(folder, 'filler')
      await fill(filler)
      await exhaustLog(dataDir)
      await eventually(
        async () => JSON.stringify((await getJson(url, '/readyz')).body).includes('its disk is full'),
        true,
      )
      const whileFull = await commands.run('coins list')
      expect(whileFull.code).toBe(1)
      expect(whileFull.stderr).toMatch(
        /^error: PostgreSQL does not start \(.*No space left on device\): see .*server\.log, or set DATABASE_URL\n$/,
      )
      await rm(filler)
      await eventually(async () => (await getJson(url, '/readyz')).status, 200, 60_000)
      expect(eventsOf(daemon).map(({ event }) => event)).toContain('embedded.restarted')
      await expectGracefulStop(daemon, 'SIGTERM')
    } finally {
      await commands.killAll()
      const server = await findPostmaster(join(dataDir, 'postgres/data'))
      if (server) process.kill(server.pid, 'SIGQUIT')
      await exchange.close()
    }
  },
  180_000,
)
