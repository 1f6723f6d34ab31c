import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { z } from 'zod'
import { archivePartition } from '../../../src/lifecycle/archive/archive-partition.ts'
import { readSettings } from '../../../src/settings.ts'
import { readArchiveSummary } from '../../../src/store/lifecycle/archives/archive-summary.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { commandsIn } from '../../cli/support/beacon.ts'
import { aMonth, deleteAsRetention, held, now, reachOf, test } from './archiving.ts'

const listed = z.object({
  archives: z.array(z.object({ id: z.string(), state: z.string(), rows: z.number(), partition: z.string() })),
})

test('beacon archive shows, checks, asks and puts back what is in files', async ({
  freshDatabase,
  dataDir,
}) => {
  const { pool, url } = freshDatabase
  const deps = reachOf(pool, readSettings({ BEACON_DATA_DIR: dataDir }), now)
  const month = await aMonth(pool)
  const before = await held(pool, month.coinId)
  const { id, fileName } = await archivePartition(deps, month)
  await deleteAsRetention(deps, month)
  const { runLines } = commandsIn({ DATABASE_URL: url, BEACON_DATA_DIR: dataDir })
  const start = id.slice(0, 8)
  // A line is cut at its spaces; SQL does not mind tabs.
  const query = 'select coin_id, count(*) as candles from ohlcv_data group by all'.replaceAll(' ', '\t')
  const [list, table, verify, beside, asked, restored, again, unknown, wrong] = await runLines([
    'archive list --json',
    'archive list',
    `archive verify ${start} --json`,
    `archive restore ${start} --into side --json`,
    `archive query ${query} --json`,
    `archive restore ${start}`,
    `archive restore ${id} --json`,
    'archive restore ffffffff',
    'archive query select',
  ])
  expect(listed.parse(JSON.parse(list?.stdout ?? ''))).toEqual({
    archives: [{ id, state: 'dropped', rows: 50, partition: month.name }],
  })
  expect(table?.stdout).toContain(`${month.name}`)
  expect(verify).toMatchObject({ code: 0, stderr: `${fileName} is sound\n` })
  expect(JSON.parse(beside?.stdout ?? '')).toEqual({ table: 'side', rows: 50 })
  expect(JSON.parse(asked?.stdout ?? '')).toEqual({
    columns: ['coin_id', 'candles'],
    rows: [{ coin_id: month.coinId, candles: '50' }],
  })
  expect(restored?.stdout).toMatch(
    /^Put 50 rows back into ohlcv_data_1h\.\nRetention leaves them alone until/,
  )
  expect(JSON.parse(again?.stdout ?? '')).toMatchObject({ restored: 0, unchanged: 50 })
  expect(unknown).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('beacon archive list shows the ids'),
  })
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('DuckDB refused the query') })
  expect(await held(pool, month.coinId)).toEqual(before)
  const lastVerified = async () => (await readArchiveSummary(databaseOf(pool))).lastVerifiedAt
  // It was written at an instant long past, and read back just now.
  const readBackAt = await lastVerified()
  expect(readBackAt).toBeGreaterThan(now)
  await truncate(join(dataDir, 'archive', fileName), 10)
  const [damaged] = await runLines(['archive verify'])
  expect(damaged).toMatchObject({ code: 1, stderr: expect.stringContaining(`${fileName} has 10 bytes`) })
  expect(await lastVerified()).toBe(readBackAt)
})
