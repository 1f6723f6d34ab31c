import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { adoptArchives } from '../../../src/lifecycle/archive/adopt-archives.ts'
import { archivePartition } from '../../../src/lifecycle/archive/archive-partition.ts'
import { archiveRows } from '../../../src/lifecycle/archive/archive-rows.ts'
import { queryArchive } from '../../../src/lifecycle/archive/query-archive.ts'
import { restoreArchive } from '../../../src/lifecycle/archive/restore-archive.ts'
import { day, plus } from '../../../src/market/instant.ts'
import { readSettings } from '../../../src/settings.ts'
import { listArchives } from '../../../src/store/lifecycle/archives.ts'
import { migrateDown } from '../../../src/store/migrations.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { startS3Server } from '../../support/s3-server.ts'
import {
  addCandles,
  aMonth,
  aUserWithNotifications,
  deleteAsRetention,
  held,
  now,
  reachOf,
  test,
} from './archiving.ts'

const countOf = (coinId: string): string => `select count(*) from ohlcv_data where coin_id = '${coinId}'`

describe('adopting files', () => {
  test('writes the manifest as it was, also in an empty database, and their rows can be restored', async ({
    freshDatabase,
    database,
    settings,
  }) => {
    const there = reachOf(database.pool, settings, now)
    const month = await aMonth(database.pool)
    const before = await held(database.pool, month.coinId)
    await archivePartition(there, month)
    await deleteAsRetention(there, month)
    const [known] = await listArchives(databaseOf(database.pool))
    const here = reachOf(freshDatabase.pool, settings, now)
    expect(await adoptArchives(here, true)).toMatchObject([{ outcome: 'adopted', id: known?.id, rows: 50 }])
    expect(await listArchives(databaseOf(freshDatabase.pool))).toEqual([])
    await adoptArchives(here, false)
    const [adopted] = await listArchives(databaseOf(freshDatabase.pool))
    // What each series must be is counted by the next check.
    const own = { sequence: 0, droppedAt: 0, isCounted: false }
    expect({ ...adopted, ...own }).toEqual({ ...known, ...own })
    expect(await queryArchive(here, countOf(month.coinId))).toMatchObject({ rows: [['50']] })
    expect(await adoptArchives(here, false)).toMatchObject([{ outcome: 'known' }])
    await freshDatabase.pool.query(
      `insert into coins (id, symbol, name, created_at, updated_at) values ($1, 'C', 'C', now(), now())`,
      [month.coinId],
    )
    if (!adopted) throw new Error('nothing was adopted')
    await restoreArchive(here, adopted)
    expect(await held(freshDatabase.pool, month.coinId)).toEqual(before)
  })

  test('counts a row once that is in the table too, and the later of two files', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const deps = reachOf(pool, settings, now)
    const month = await aMonth(pool, 30)
    await deleteAsRetention(deps, month)
    await ensurePartitions(pool, { name: 'ohlcv_data_1h', length: 'month' }, [month], 2_000)
    await addCandles(pool, month.coinId, month.range.from, 3)
    await pool.query('update ohlcv_data set close = 7')
    await deleteAsRetention(reachOf(pool, settings, plus(now, day)), month)
    const query = `select count(*), count(*) filter (close = 7) from ohlcv_data`
    expect(await queryArchive(deps, query)).toMatchObject({ rows: [['30', '3']] })
    await pool.query('delete from archives; delete from summary_days')
    await adoptArchives(deps, false)
    expect(await queryArchive(deps, query)).toMatchObject({ rows: [['30', '3']] })
    const { rows: days } = await pool.query('select candles from summary_days order by day')
    expect(days).toEqual([{ candles: 24 }, { candles: 6 }])
  })

  test('refuses a copy, a damaged file and one of somebody else, and adopts the others', async ({
    freshDatabase: { pool },
    settings,
    dataDir,
  }) => {
    const deps = reachOf(pool, settings, now)
    const [whole, damaged] = [await aMonth(pool), await aMonth(pool)]
    for (const month of [whole, damaged]) await deleteAsRetention(deps, month)
    const [first, second] = await listArchives(databaseOf(pool))
    const pathOf = (name = '') => join(dataDir, 'archive', name)
    await copyFile(pathOf(first?.fileName), pathOf('ohlcv_data_1h/zz-copy.parquet'))
    const bytes = await readFile(pathOf(second?.fileName))
    await mkdir(pathOf('theirs'))
    await writeFile(pathOf('theirs/notes.parquet'), 'hello')
    await writeFile(pathOf('ohlcv_data_1h/cut.parquet.draft'), 'PAR1')
    await pool.query('delete from archives')
    // In the rows, their statistics, the facts and the last byte: every hundredth or so.
    for (
      let at = 4;
      at < bytes.length;
      at = at === bytes.length - 1 ? bytes.length : Math.min(at + 97, bytes.length - 1)
    ) {
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ 1
      await writeFile(pathOf(second?.fileName), flipped)
      const outcomes = await adoptArchives(deps, true)
      expect([at, outcomes.map(({ outcome }) => outcome).toSorted()]).toEqual([
        at,
        ['adopted', 'refused', 'refused', 'refused'],
      ])
    }
    await adoptArchives(deps, false)
    expect(await listArchives(databaseOf(pool))).toMatchObject([{ id: first?.id, written: first?.written }])
    await writeFile(pathOf(second?.fileName), bytes)
    expect((await adoptArchives(deps, false)).filter(({ outcome }) => outcome === 'adopted')).toHaveLength(1)
  })

  test('reads files of rows that were archived one by one, and of an S3 store page by page', async ({
    freshDatabase: { pool },
    dataDir,
  }) => {
    await using s3 = await startS3Server()
    for (const [name, value] of Object.entries(s3.credentials)) vi.stubEnv(name, value)
    onTestFinished(() => void vi.unstubAllEnvs())
    const settings = readSettings({ BEACON_DATA_DIR: dataDir, ARCHIVE_URL: s3.url })
    const deps = reachOf(pool, settings, now)
    await aUserWithNotifications(pool, 10, plus(now, -91 * day))
    for (let months = 0; months < 3; months += 1) await deleteAsRetention(deps, await aMonth(pool, 5))
    const { signal } = new AbortController()
    await archiveRows({ ...deps, signal }, { table: 'notifications', by: 'created_at' }, 90 * day)
    const query = 'select count(*) from notifications'
    expect(await queryArchive(deps, query)).toMatchObject({ rows: [['10']] })
    await pool.query('delete from archives')
    expect(await queryArchive(deps, query)).toMatchObject({ rows: [['0']] })
    expect(await adoptArchives(deps, false)).toHaveLength(5)
    expect(await queryArchive(deps, query)).toMatchObject({ rows: [['10']] })
  })
})

test('no migration takes the manifest away while files are recorded', async ({ freshDatabase, settings }) => {
  const { pool, url } = freshDatabase
  await deleteAsRetention(reachOf(pool, settings, now), await aMonth(pool, 5))
  await expect(migrateDown(url, { to: '0012' })).rejects.toThrow(/records 1 file, .*beacon archive adopt/)
  // Nothing was undone.
  const { rows } = await pool.query('select count(*)::integer as count from archives')
  expect(rows).toEqual([{ count: 1 }])
  await pool.query('delete from archives')
  expect(await migrateDown(url, { to: '0012' })).toContain('0013_archives')
})
