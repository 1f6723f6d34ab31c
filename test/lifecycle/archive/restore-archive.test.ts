import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../../src/fault.ts'
import { archivePartition } from '../../../src/lifecycle/archive/archive-partition.ts'
import { DamagedArchive } from '../../../src/lifecycle/archive/damaged-archive.ts'
import { restoreArchive, restoreBeside } from '../../../src/lifecycle/archive/restore-archive.ts'
import { day, plus } from '../../../src/market/instant.ts'
import { archivesWithCandles } from '../../../src/store/lifecycle/archives/archived-coverage.ts'
import { type Archive, findArchive, readRestoredRanges } from '../../../src/store/lifecycle/archives.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { candleTable } from '../../../src/store/partitions.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { at } from '../../store/loading.ts'
import {
  addCandles,
  aMonth,
  test as base,
  deleteAsRetention,
  held,
  later,
  now,
  reachOf,
} from './archiving.ts'

/** A month that is in the archive alone. */
const test = base.extend('archived', async ({ pool, deps }) => {
  const month = await aMonth(pool)
  const before = await held(pool, month.coinId)
  const archive = await archivePartition(deps, month)
  await deleteAsRetention(deps, month)
  return { month, before, archive }
})

describe('restoring a partition', () => {
  test('brings every row back, and what the ledger said of it', async ({ pool, deps, archived }) => {
    const { month, before, archive } = archived
    const outcome = await restoreArchive(deps, archive)
    expect(outcome).toMatchObject({
      table: 'ohlcv_data_1h',
      restored: 50,
      unchanged: 0,
      kept: 0,
      orphaned: 0,
    })
    expect(await held(pool, month.coinId)).toEqual(before)
  })

  test('is what candles of another coin need before they can be quarantined', async ({
    pool,
    deps,
    archived,
  }) => {
    const { month, archive } = archived
    const db = databaseOf(pool)
    const from = { coinId: month.coinId, source: 'binance', to: month.range.to }
    expect(await archivesWithCandles(db, from)).toEqual([archive.id])
    expect(await archivesWithCandles(db, { ...from, to: month.range.from })).toEqual([])
    expect(await archivesWithCandles(db, { ...from, from: month.range.to, to: now })).toEqual([])
    expect(await archivesWithCandles(db, { ...from, source: 'okx' })).toEqual([])
    await restoreArchive(deps, archive)
    expect(await archivesWithCandles(db, from)).toEqual([])
  })

  test('changes nothing the second time', async ({ pool, deps, archived }) => {
    const { month, before, archive } = archived
    await restoreArchive(deps, archive)
    expect(await restoreArchive(deps, archive)).toMatchObject({ restored: 0, unchanged: 50, kept: 0 })
    expect(await held(pool, month.coinId)).toEqual(before)
  })

  test('leaves what has come meanwhile as it is', async ({ pool, deps, archived }) => {
    const { month, before, archive } = archived
    await ensurePartitions(pool, candleTable('1h', 'month'), [month], 2_000)
    await addCandles(pool, month.coinId, month.range.from, 1)
    await pool.query('update ohlcv_data set close = 2 where coin_id = $1', [month.coinId])
    const [newer] = (await held(pool, month.coinId)).rows
    expect(await restoreArchive(deps, archive)).toMatchObject({ restored: 49, unchanged: 0, kept: 1 })
    expect((await held(pool, month.coinId)).rows).toEqual([newer, ...before.rows.slice(1)])
  })

  test('keeps it from retention for a while, which then needs no other file', async ({
    pool,
    deps,
    settings,
    archived,
  }) => {
    const { month, archive } = archived
    await restoreArchive(deps, archive)
    const restored = await readRestoredRanges(databaseOf(pool), now)
    expect(restored.find(({ range }) => range.from === month.range.from)).toEqual({
      table: month.table,
      range: month.range,
      until: at('2024-09-08T00:30:00Z'),
    })
    expect(await readRestoredRanges(databaseOf(pool), later)).toEqual([])
    expect(await deleteAsRetention(reachOf(pool, settings, later), month)).toBeUndefined()
    const after = await findArchive(databaseOf(pool), archive.id)
    expect(after).toMatchObject({ state: 'dropped', restored: [] })
    expect(after.sequence).toBeGreaterThan(archive.sequence)
  })

  test('refuses a damaged file, and puts nothing back', async ({ pool, deps, dataDir, archived }) => {
    const { month, archive } = archived
    await truncate(join(dataDir, 'archive', archive.fileName), 100)
    await expect(restoreArchive(deps, archive)).rejects.toThrow(DamagedArchive)
    expect(await held(pool, month.coinId)).toEqual({ rows: [], coverage: [] })
  })

  test('refuses an archive that was never finished', async ({ deps, archived }) => {
    const unfinished: Archive = { ...archived.archive, state: 'writing' }
    await expect(restoreArchive(deps, unfinished)).rejects.toThrow(InvalidInput)
  })
})

describe('restoring beside the table', () => {
  test('makes a table of the same rows, and leaves the live one alone', async ({ pool, deps, archived }) => {
    const { month, before, archive } = archived
    expect(await restoreBeside(deps, archive, 'beside')).toBe(50)
    const { rows } = await pool.query<{ row: string }>(
      'select beside::text as row from beside order by timestamp',
    )
    expect(rows.map(({ row }) => row)).toEqual(before.rows)
    expect(await held(pool, month.coinId)).toEqual({ rows: [], coverage: [] })
    const granted = await pool.query(`select from pg_class, aclexplode(relacl) where relname = 'beside'`)
    expect(granted.rows.length).toBe(0)
    await expect(restoreBeside(deps, archive, 'beside')).rejects.toThrow(/there is a table beside already/)
  })

  test.for(['public.x', 'a"b', 'x; drop table coins', ''])(
    'refuses %j as a name',
    async (name, { deps, archived }) => {
      await expect(restoreBeside(deps, archived.archive, name)).rejects.toThrow(InvalidInput)
    },
  )
})

test('what is held back is held until a day that lies ahead', async ({ deps, archived }) => {
  const { until } = await restoreArchive(deps, archived.archive)
  expect(until).toBe(plus(now, 7 * day))
})
