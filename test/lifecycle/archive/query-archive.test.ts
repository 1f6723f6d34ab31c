import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../../src/fault.ts'
import { archivePartition } from '../../../src/lifecycle/archive/archive-partition.ts'
import { archiveRows } from '../../../src/lifecycle/archive/archive-rows.ts'
import { queryArchive } from '../../../src/lifecycle/archive/query-archive.ts'
import { restoreArchive } from '../../../src/lifecycle/archive/restore-archive.ts'
import { day, plus } from '../../../src/market/instant.ts'
import { readSettings } from '../../../src/settings.ts'
import { ensurePartitions } from '../../../src/store/create-partitions.ts'
import { candleTable } from '../../../src/store/partitions.ts'
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
  .extend('reach', ({ pool, folder }) => reachOf(pool, readSettings({ BEACON_DATA_DIR: folder }), now))

describe('a query', () => {
  test('sees archived and live candles as one table, each once, exactly', async ({ pool, reach, folder }) => {
    const [archived, live] = [await aMonth(pool, 30), await aMonth(pool, 20)]
    await archivePartition(reach, archived)
    await deleteAsRetention(reach, archived)
    const { columns, rows } = await queryArchive(
      reach,
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
    reach,
  }) => {
    const [partly, wholly] = [await aMonth(pool, 30), await aMonth(pool, 30)]
    const count = async ({ coinId }: typeof partly) => {
      const { rows } = await queryArchive(
        reach,
        `select count(*), count(*) filter (close = 7) from ohlcv_data where coin_id = '${coinId}'`,
      )
      return rows
    }
    for (const month of [partly, wholly]) {
      const archive = await archivePartition(reach, month)
      await deleteAsRetention(reach, month)
      if (month === wholly) await restoreArchive(reach, archive)
    }
    // As a backfill of long ago does, with --force.
    await ensurePartitions(pool, candleTable('1h', 'month'), [partly], 2_000)
    await addCandles(pool, partly.coinId, partly.range.from, 3)
    await pool.query('update ohlcv_data set close = 7 where coin_id = $1', [partly.coinId])
    expect(await count(partly)).toEqual([['30', '3']])
    expect(await count(wholly)).toEqual([['30', '0']])
    // The few are archived too, and the newer of two values counts.
    await archivePartition(reach, partly)
    await deleteAsRetention(reach, partly)
    expect(await count(partly)).toEqual([['30', '3']])
  })

  test('sees notifications with their UUIDs, NULLs and line ends, archived and live', async ({
    pool,
    reach,
  }) => {
    const userId = await aUserWithNotifications(pool, 10, plus(now, -91 * day))
    const { signal } = new AbortController()
    const query = `select id, title, read_at is null as unread, source_type is null as bare, message = '' as silent from notifications where user_id = '${userId}' order by created_at`
    const live = await queryArchive(reach, query)
    await archiveRows({ ...reach, signal }, { table: 'notifications', by: 'created_at' }, 90 * day)
    expect(await queryArchive(reach, query)).toEqual(live)
    expect(live.rows.length).toBe(10)
    expect(live.rows[1]?.slice(1)).toEqual(['a\\b\t"it\'s", \n2', false, true, false])
    expect(live.rows[4]?.slice(2)).toEqual([true, true, true])
  })

  test('that DuckDB does not understand is told of in its words', async ({ reach }) => {
    const asking = queryArchive(reach, 'select nonsense from coins')
    await expect(asking).rejects.toThrow(InvalidInput)
    await expect(asking).rejects.toThrow(/DuckDB refused the query: .*nonsense/)
  })
})
