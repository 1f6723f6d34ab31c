import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../../src/fault.ts'
import { archivePartition, discardSuperseded } from '../../../src/lifecycle/archive/archive-partition.ts'
import { archiveRows } from '../../../src/lifecycle/archive/archive-rows.ts'
import { DamagedArchive } from '../../../src/lifecycle/archive/damaged-archive.ts'
import { queryArchive } from '../../../src/lifecycle/archive/query-archive.ts'
import { restoreArchive } from '../../../src/lifecycle/archive/restore-archive.ts'
import { day, plus } from '../../../src/market/instant.ts'
import { readSettings } from '../../../src/settings.ts'
import { listArchives } from '../../../src/store/lifecycle/archives.ts'
import { listPartitions } from '../../../src/store/lifecycle/list-partitions.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { candleTable } from '../../../src/store/partitions.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import {
  addCandles,
  aMonth,
  aUserWithNotifications,
  test as base,
  deleteAsRetention,
  now,
  reachOf,
} from './archiving.ts'

/** Every file of the archive is read, so all sentences share one folder. */
const test = base
  .extend('folder', { scope: 'file' }, async ({ database: _ }, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-query-'))
    onCleanup(() => rm(folder, { recursive: true }))
    return folder
  })
  .extend('deps', ({ pool, folder }) => reachOf(pool, readSettings({ BEACON_DATA_DIR: folder }), now))

describe('a query', () => {
  test('sees archived and live candles as one table, each once, exactly', async ({ pool, deps, folder }) => {
    const [archived, live] = [await aMonth(pool, 30), await aMonth(pool, 20)]
    await archivePartition(deps, archived)
    await deleteAsRetention(deps, archived)
    const { columns, rows } = await queryArchive(
      deps,
      `select coin_id, count(*) as candles, min(timestamp) as first, max(open) as most, sum(volume) as volume
       from ohlcv_data where coin_id in ('${archived.coinId}', '${live.coinId}') group by coin_id order by count(*) desc`,
    )
    expect(columns).toEqual(['coin_id', 'candles', 'first', 'most', 'volume'])
    const dayOf = ({ range }: typeof live) => `${new Date(range.from).toISOString().slice(0, 10)} 00:00:00`
    expect(rows).toEqual([
      [archived.coinId, '30', dayOf(archived), '29.00000001', '29999999999999999999999564.99999970'],
      [live.coinId, '20', dayOf(live), '19.00000001', '19999999999999999999999809.99999980'],
    ])
    expect(await readdir(join(folder, 'archive-drafts'))).toEqual([])
  })

  test('sees a row once that is in the table and in a file, as it is in the table', async ({
    pool,
    deps,
  }) => {
    const [partly, wholly] = [await aMonth(pool, 30), await aMonth(pool, 30)]
    const count = async ({ coinId }: typeof partly) => {
      const { rows } = await queryArchive(
        deps,
        `select count(*), count(*) filter (close = 7) from ohlcv_data where coin_id = '${coinId}'`,
      )
      return rows
    }
    for (const month of [partly, wholly]) {
      const archive = await archivePartition(deps, month)
      await deleteAsRetention(deps, month)
      if (month === wholly) await restoreArchive(deps, archive)
    }
    // As a backfill of long ago does, with --force.
    await ensurePartitions(pool, candleTable('1h', 'month'), [partly], 2_000)
    await addCandles(pool, partly.coinId, partly.range.from, 3)
    await pool.query('update ohlcv_data set close = 7 where coin_id = $1', [partly.coinId])
    expect(await count(partly)).toEqual([['30', '3']])
    expect(await count(wholly)).toEqual([['30', '0']])
    // The few are archived too, and the newer of two values counts.
    await archivePartition(deps, partly)
    await deleteAsRetention(deps, partly)
    expect(await count(partly)).toEqual([['30', '3']])
  })

  test('sees notifications with their UUIDs, NULLs and line ends, archived and live', async ({
    pool,
    deps,
  }) => {
    const userId = await aUserWithNotifications(pool, 10, plus(now, -91 * day))
    const { signal } = new AbortController()
    const query = `select id, title, read_at is null as unread, source_type is null as bare, message = '' as silent from notifications where user_id = '${userId}' order by created_at`
    const live = await queryArchive(deps, query)
    await archiveRows({ ...deps, signal }, { table: 'notifications', by: 'created_at' }, 90 * day)
    expect(await queryArchive(deps, query)).toEqual(live)
    expect(live.rows.length).toBe(10)
    expect(live.rows[1]?.slice(1)).toEqual(['a\\b\t"it\'s", \n2', false, true, false])
    expect(live.rows[4]?.slice(2)).toEqual([true, true, true])
  })

  test('that DuckDB does not understand is told of in its words', async ({ deps }) => {
    const asking = queryArchive(deps, 'select nonsense from coins')
    await expect(asking).rejects.toThrow(InvalidInput)
    await expect(asking).rejects.toThrow(/DuckDB refused the query: .*nonsense/)
  })

  test('counts a row once that was restored into partitions of another length', async ({
    freshDatabase: { pool },
    folder,
  }) => {
    const settings = readSettings({ BEACON_DATA_DIR: folder })
    const hourly = settings.timeframes['1h']
    if (!hourly) throw new Error('1h is not configured')
    const daily = {
      ...settings,
      timeframes: { ...settings.timeframes, '1h': { ...hourly, partition: 'day' as const } },
    }
    const month = await aMonth(pool, 60)
    await deleteAsRetention(reachOf(pool, settings, now), month)
    const [archive] = await listArchives(databaseOf(pool))
    if (!archive) throw new Error('nothing was archived')
    const deps = reachOf(pool, daily, now)
    const count = async () => (await queryArchive(deps, 'select count(*), sum(volume) from ohlcv_data')).rows
    const before = await count()
    await restoreArchive(deps, archive)
    expect(await count()).toEqual(before)
    // Days go to files of their own once nothing holds them, and the month's file is read no more.
    const days = await listPartitions(pool, ['ohlcv_data_1h'])
    expect(days).toHaveLength((month.range.to - month.range.from) / day)
    await pool.query('update ohlcv_data set volume = volume - 1 where timestamp = $1', [
      new Date(month.range.from),
    ])
    const changed = await count()
    for (const [index, one] of days.entries()) {
      await deleteAsRetention(deps, one)
      if (index % 6 === 0) expect(await count()).toEqual(changed)
    }
    await discardSuperseded(deps)
    const left = await listArchives(databaseOf(pool))
    expect(left).toHaveLength(days.length)
    expect(left.map(({ id }) => id)).not.toContain(archive.id)
    expect(await count()).toEqual(changed)
  })

  test('restores the newer file of the same time first, so that no answer changes', async ({
    freshDatabase: { pool },
    folder,
  }) => {
    const deps = reachOf(pool, readSettings({ BEACON_DATA_DIR: folder }), now)
    const month = await aMonth(pool, 30)
    await deleteAsRetention(deps, month)
    await ensurePartitions(pool, candleTable('1h', 'month'), [month], 2_000)
    await addCandles(pool, month.coinId, month.range.from, 3)
    await pool.query('update ohlcv_data set close = 7')
    await deleteAsRetention(deps, month)
    const [older, newer] = await listArchives(databaseOf(pool))
    if (!older || !newer) throw new Error('there are not two files')
    const query = 'select count(*), count(*) filter (close = 7) from ohlcv_data'
    expect((await queryArchive(deps, query)).rows).toEqual([['30', '3']])
    expect(await restoreArchive(deps, older)).toMatchObject({ restored: 27, kept: 3, also: [newer.id] })
    expect((await queryArchive(deps, query)).rows).toEqual([['30', '3']])
  })

  test.for([
    ['with one byte changed', 'flip', /has other bytes than were written.*: put back a copy of it/],
    ['that was swapped for that of another month', 'swap', /: put back a copy of it/],
    ['that is missing', 'remove', /is not in .*: put it back there/],
  ] as const)(
    'fails for a file %s, and only where it reads that file',
    async ([, damage, words], { freshDatabase: { pool }, folder }) => {
      const deps = reachOf(pool, readSettings({ BEACON_DATA_DIR: folder }), now)
      const [month, other] = [await aMonth(pool, 20), await aMonth(pool, 30)]
      for (const one of [month, other]) await deleteAsRetention(deps, one)
      const archives = await listArchives(databaseOf(pool))
      const pathOf = (name: string) =>
        join(folder, 'archive', archives.find((one) => one.partition === name)?.fileName ?? '')
      const all = 'select count(*) from ohlcv_data'
      expect((await queryArchive(deps, all)).rows).toEqual([['50']])
      if (damage === 'flip') {
        const bytes = await readFile(pathOf(month.name))
        const middle = Math.floor(bytes.length / 2)
        bytes[middle] = (bytes[middle] ?? 0) ^ 1
        await writeFile(pathOf(month.name), bytes)
      } else if (damage === 'swap') await copyFile(pathOf(other.name), pathOf(month.name))
      else await rm(pathOf(month.name))
      await expect(queryArchive(deps, all)).rejects.toThrow(DamagedArchive)
      await expect(queryArchive(deps, all)).rejects.toThrow(words)
      const from = new Date(other.range.from).toISOString()
      const ofOther = `select count(*) from ohlcv_data where timestamp >= '${from}'`
      expect((await queryArchive(deps, ofOther)).rows).toEqual([['30']])
      expect((await queryArchive(deps, `${all} where timeframe = '1m'`)).rows).toEqual([['0']])
    },
  )
})
