import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, vi } from 'vitest'
import { Misconfigured, Unavailable } from '../../../src/fault.ts'
import { archivePartition } from '../../../src/lifecycle/archive/archive-partition.ts'
import { restoreArchive } from '../../../src/lifecycle/archive/restore-archive.ts'
import { openStorage } from '../../../src/lifecycle/archive/storage.ts'
import { verifyArchive } from '../../../src/lifecycle/archive/verify-archive.ts'
import { readSettings } from '../../../src/settings.ts'
import { isTrusted, listArchives } from '../../../src/store/lifecycle/archives.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { startS3Server } from '../../support/s3-server.ts'
import { aMonth, test as base, deleteAsRetention, held, now, reachOf } from './archiving.ts'

/** An archive in a bucket. The client reads the credentials where every tool of AWS does. */
const test = base
  .extend('s3', async ({ database: _ }, { onCleanup }) => {
    const server = await startS3Server()
    for (const [name, value] of Object.entries(server.credentials)) vi.stubEnv(name, value)
    onCleanup(async () => {
      vi.unstubAllEnvs()
      await server[Symbol.asyncDispose]()
    })
    return server
  })
  .extend('settings', ({ s3, dataDir }) => readSettings({ BEACON_DATA_DIR: dataDir, ARCHIVE_URL: s3.url }))
  .extend('deps', ({ pool, settings }) => reachOf(pool, settings, now))

const fileName = 'ohlcv_data_1h/a.parquet'

describe('an archive in a bucket', () => {
  test('holds a partition, gives it back, and leaves nothing on this machine', async ({
    pool,
    deps,
    settings,
    s3,
    dataDir,
  }) => {
    const month = await aMonth(pool)
    const before = await held(pool, month.coinId)
    const archive = await archivePartition(deps, month)
    expect([...s3.objects.keys()]).toEqual([`hub/${archive.fileName}`])
    expect(archive.place).not.toContain(s3.credentials.AWS_SECRET_ACCESS_KEY)
    expect(await deleteAsRetention(deps, month)).toBeUndefined()
    await verifyArchive(settings, archive)
    await restoreArchive(deps, archive)
    expect(await held(pool, month.coinId)).toEqual(before)
    expect(await readdir(join(dataDir, 'archive-drafts'))).toEqual([])
  })

  test('takes a large file in parts, each again when it was lost', async ({ settings, s3 }) => {
    const storage = await openStorage(settings)
    const content = randomBytes(20_000_000)
    await writeFile(await storage.draftOf(fileName), content)
    const lost = new Set(['partNumber=2', 'partNumber=3'])
    s3.fault.of = (request) => {
      const part = [...lost].find((one) => request.includes(one))
      if (part === undefined) return undefined
      lost.delete(part)
      return part === 'partNumber=2' ? 'server-error' : 'reset'
    }
    await storage.publish(fileName)
    expect(s3.requests.filter((request) => /^PUT .*partNumber=/.test(request)).length).toBeGreaterThan(4)
    const kept = await storage.withFile(fileName, (path) => readFile(path))
    expect(kept.equals(content)).toBe(true)
    storage.close()
  })

  test('has no part of an upload that was cut off once its file is removed', async ({ settings, s3 }) => {
    const storage = await openStorage(settings)
    s3.uploads.set('left-behind', { key: `hub/${fileName}`, parts: new Map() })
    await storage.remove(fileName)
    expect([...s3.uploads]).toEqual([])
    storage.close()
  })

  test.for([
    ['fails all the time', 'server-error', Unavailable, /try again later/],
    ['says that the credentials have expired', 'expired', Misconfigured, /AWS_ACCESS_KEY_ID/],
    ['keeps another file than it was given', 'lost-bytes', Unavailable, /was removed, and no row was/],
  ] as const)('that %s keeps the partition', async ([, wrong, kind, words], { pool, deps, s3 }) => {
    const month = await aMonth(pool)
    s3.fault.of = (request) => (request.startsWith('PUT ') ? wrong : undefined)
    const archiving = archivePartition(deps, month)
    await expect(archiving).rejects.toThrow(kind)
    await expect(archiving).rejects.toThrow(words)
    const unread = (await listArchives(databaseOf(pool))).filter(({ partition }) => partition === month.name)
    expect(unread.filter(isTrusted)).toEqual([])
    s3.fault.of = () => undefined
    const archive = await archivePartition(deps, month)
    const archives = await listArchives(databaseOf(pool))
    expect(archives.filter(({ partition }) => partition === month.name)).toEqual([archive])
    expect([...s3.objects.keys()]).toEqual([`hub/${archive.fileName}`])
  })

  test('that cannot be reached, or is not there, says so', async ({ pool, dataDir, s3 }) => {
    const month = await aMonth(pool)
    const at = (url: string) =>
      reachOf(pool, readSettings({ BEACON_DATA_DIR: dataDir, ARCHIVE_URL: url }), now)
    const nowhere = 's3://beacon-archive/hub?endpoint=http://127.0.0.1:1&region=eu-test-1'
    await expect(archivePartition(at(nowhere), month)).rejects.toThrow(/cannot be reached/)
    const other = s3.url.replace('beacon-archive', 'another-bucket')
    await expect(archivePartition(at(other), month)).rejects.toThrow(/there is no bucket/)
  })

  test('may be moved to a folder', async ({ pool, deps, s3, dataDir }) => {
    const archive = await archivePartition(deps, await aMonth(pool))
    const moved = readSettings({ BEACON_DATA_DIR: dataDir })
    const storage = await openStorage(moved)
    await writeFile(await storage.draftOf(archive.fileName), s3.objects.get(`hub/${archive.fileName}`) ?? '')
    await storage.publish(archive.fileName)
    s3.objects.clear()
    await verifyArchive(moved, archive)
  })
})
