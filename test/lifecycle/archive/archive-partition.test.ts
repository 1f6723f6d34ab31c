import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Misconfigured } from '../../../src/fault.ts'
import { archivePartition } from '../../../src/lifecycle/archive/archive-partition.ts'
import { DamagedArchive } from '../../../src/lifecycle/archive/damaged-archive.ts'
import { verifyArchive } from '../../../src/lifecycle/archive/verify-archive.ts'
import { type Archive, listArchives, recordArchived } from '../../../src/store/lifecycle/archives.ts'
import type { Proof } from '../../../src/store/lifecycle/safekeeping.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { names } from '../../support/names.ts'
import { addCandles, aMonth, deleteAsRetention, deleteProven, held, test } from './archiving.ts'

const fileOf = (dataDir: string, { fileName }: Archive): string => join(dataDir, 'archive', fileName)

const statesOf = async (pool: Pool, partition: string): Promise<string[]> => {
  const archives = await listArchives(databaseOf(pool))
  return archives.filter((one) => one.partition === partition).map(({ state }) => state)
}

describe('archiving a partition', () => {
  test('writes a file that DuckDB reads, value by value and type by type', async ({
    pool,
    deps,
    dataDir,
  }) => {
    const month = await aMonth(pool)
    const archive = await archivePartition(deps, month)
    expect(archive).toMatchObject({ state: 'verified', written: { content: { rows: 50 } } })
    const path = fileOf(dataDir, archive)
    const duck = await (await DuckDBInstance.create()).connect()
    const types = await duck.runAndReadAll(`describe select * from '${path}'`)
    expect(types.getRowsJson().map(([name, type]) => [name, type])).toEqual([
      ['coin_id', 'VARCHAR'],
      ['timestamp', 'TIMESTAMP'],
      ['timeframe', 'VARCHAR'],
      ...['open', 'high', 'low', 'close'].map((name) => [name, 'DECIMAL(24,8)']),
      ['volume', 'DECIMAL(32,8)'],
    ])
    const rows = await duck.runAndReadAll(`select * from '${path}' order by timestamp`)
    const wanted = await pool.query({
      text: 'select coin_id, timestamp::text, timeframe, open, high, low, close, volume from ohlcv_data where coin_id = $1 order by timestamp',
      values: [month.coinId],
      rowMode: 'array',
    })
    expect(rows.getRowsJson()).toEqual(wanted.rows)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('lets the partition go, and puts it into the file alone', async ({ pool, deps, settings }) => {
    const month = await aMonth(pool)
    const archive = await archivePartition(deps, month)
    expect(await deleteAsRetention(deps, month)).toBeUndefined()
    expect(await statesOf(pool, month.name)).toEqual(['dropped'])
    expect(await held(pool, month.coinId)).toEqual({ rows: [], coverage: [] })
    await verifyArchive(settings, archive)
  })

  test('of coins of any name is whole', async ({ pool, deps, settings }) => {
    for (const name of names) {
      const month = await aMonth(pool, 2, name)
      const archive = await archivePartition(deps, month)
      expect(await deleteAsRetention(deps, month)).toBeUndefined()
      await verifyArchive(settings, archive)
      expect(await held(pool, month.coinId)).toEqual({ rows: [], coverage: [] })
    }
  })

  test('of one that holds nothing is a file as well', async ({ pool, deps }) => {
    const month = await aMonth(pool, 0)
    const archive = await archivePartition(deps, month)
    expect(archive.written?.content.rows).toBe(0)
    expect(await deleteAsRetention(deps, month)).toBeUndefined()
  })

  test('happens once while nothing changes, and anew when something did', async ({ pool, deps, dataDir }) => {
    const month = await aMonth(pool)
    const first = await archivePartition(deps, month)
    expect((await archivePartition(deps, month)).id).toBe(first.id)
    await addCandles(pool, month.coinId, month.covered.to, 1)
    const second = await archivePartition(deps, month)
    expect(second.written?.content.rows).toBe(51)
    expect(await readdir(join(dataDir, 'archive', month.table))).toEqual([second.fileName.split('/')[1]])
    expect(await statesOf(pool, month.name)).toEqual(['verified'])
  })

  test.for([
    ['a row that came late', 'insert'],
    ['a value that changed', 'update'],
  ] as const)('keeps the partition for %s', async ([, change], { pool, deps }) => {
    const month = await aMonth(pool)
    const archive = await archivePartition(deps, month)
    if (change === 'insert') await addCandles(pool, month.coinId, month.covered.to, 1)
    else
      await pool.query(
        'update ohlcv_data set close = close + 0.00000001 where coin_id = $1 and timestamp = $2',
        [month.coinId, new Date(month.range.from).toISOString()],
      )
    const before = await held(pool, month.coinId)
    const stale: Proof = (db, at) => recordArchived(db, month, archive, at)
    expect(await deleteProven(deps, month, [stale])).toMatch(/changed since it was archived/)
    expect(await held(pool, month.coinId)).toEqual(before)
    expect(await deleteAsRetention(deps, month)).toBeUndefined()
  })

  test('by two processes at once is done by one of them', async ({ pool, deps }) => {
    const month = await aMonth(pool)
    const outcomes = await Promise.allSettled([1, 2].map(() => archivePartition(deps, month)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(1)
    expect(await statesOf(pool, month.name)).toEqual(['verified'])
  })

  test('keeps the partition where the folder cannot be used', async ({ pool, deps, dataDir }) => {
    const month = await aMonth(pool)
    await writeFile(join(dataDir, 'archive'), 'a file in its place')
    await expect(archivePartition(deps, month)).rejects.toThrow(Misconfigured)
    expect(await statesOf(pool, month.name)).toEqual(['writing'])
  })
})

describe('a damaged file', () => {
  const damages: readonly (readonly [string, (path: string) => Promise<void>])[] = [
    ['cut short', (path) => stat(path).then(({ size }) => truncate(path, size - 1))],
    ['empty', (path) => truncate(path, 0)],
    ['with one bit turned', turnOneBit],
  ]

  test.for(damages)(
    '%s is told of, and never lets a partition go',
    async ([, damage], { pool, deps, settings, dataDir }) => {
      const month = await aMonth(pool)
      const archive = await archivePartition(deps, month)
      await damage(fileOf(dataDir, archive))
      await expect(verifyArchive(settings, archive)).rejects.toThrow(DamagedArchive)
      const another = await archivePartition(deps, month)
      expect(another.id).not.toBe(archive.id)
      await verifyArchive(settings, another)
      expect(await statesOf(pool, month.name)).toEqual(['verified'])
    },
  )

  test.for(damages)(
    '%s right after it was written is removed',
    async ([, damage], { pool, deps, dataDir }) => {
      const month = await aMonth(pool)
      const spoiling = {
        ...deps,
        steps: async (name: string) => {
          if (name !== 'published') return
          const [file = ''] = await readdir(join(dataDir, 'archive', month.table))
          await damage(join(dataDir, 'archive', month.table, file))
        },
      }
      await expect(archivePartition(spoiling, month)).rejects.toThrow(/it was removed, and no row was/)
      expect(await statesOf(pool, month.name)).toEqual([])
      expect(await readdir(join(dataDir, 'archive', month.table))).toEqual([])
    },
  )

  test('that is gone is told of', async ({ pool, deps, settings }) => {
    const archive = await archivePartition(deps, await aMonth(pool))
    await expect(
      verifyArchive(settings, { ...archive, fileName: 'ohlcv_data_1h/other.parquet' }),
    ).rejects.toThrow(/is not in .*put it back/)
  })
})

async function turnOneBit(path: string): Promise<void> {
  const bytes = await readFile(path)
  const middle = Math.floor(bytes.length / 2)
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await writeFile(path, bytes)
}
