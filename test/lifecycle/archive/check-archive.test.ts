import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { checkArchive as jobOf } from '../../../jobs/check-archive.ts'
import { checkArchive } from '../../../src/lifecycle/archive/check-archive.ts'
import { restoreArchive } from '../../../src/lifecycle/archive/restore-archive.ts'
import { hour, toIso } from '../../../src/market/instant.ts'
import type { Settings } from '../../../src/settings.ts'
import { readLastCheck } from '../../../src/store/digests/archive-checks.ts'
import { listArchives } from '../../../src/store/lifecycle/archives.ts'
import { listPartitions } from '../../../src/store/lifecycle/list-partitions.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { keptReport, startWorking } from '../../ingest/working.ts'
import { aBatch, aCandle, aCoin, at, load } from '../../store/loading.ts'
import { plus } from '../../support/at.ts'
import { deleteAsRetention, now, reachOf, test } from './archiving.ts'

const first = at('2024-03-01T00:00:00Z')

/** A day of hourly candles, loaded as every load does it. */
async function aDay(pool: Pool, close = '11.00000000') {
  const coinId = await aCoin(pool)
  const series = { coinId, timeframe: '1h', source: 'binance' } as const
  const candles = Array.from({ length: 24 }, (_, hours) => aCandle(plus(first, hours * hour), { close }))
  await load(pool, aBatch(series, candles))
  return { coinId, series }
}

const check = (pool: Pool, settings: Settings, coinIds: readonly string[], parts = {}) =>
  checkArchive(
    { ...reachOf(pool, settings, now), signal: new AbortController().signal },
    { coinIds, isWhole: true, accept: false, ...parts },
  )

describe('a check of rows and files', () => {
  test('finds nothing after loads, revisions, archiving and restoring, without counting anything anew', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const { coinId, series } = await aDay(pool)
    await load(
      pool,
      aBatch(series, [aCandle(first, { close: '10.5' }), aCandle(plus(first, 5 * hour), { close: '9.5' })]),
    )
    const sound = { problems: [], counted: 0 }
    expect(await check(pool, settings, [coinId])).toMatchObject({ ...sound, liveRows: 24, archivedRows: 0 })
    for (const one of await listPartitions(pool, ['ohlcv_data_1h']))
      await deleteAsRetention(reachOf(pool, settings, now), one)
    expect(await check(pool, settings, [coinId])).toMatchObject({
      ...sound,
      liveRows: 0,
      archivedRows: 24,
      files: 1,
    })
    const [archive] = await listArchives(databaseOf(pool))
    if (!archive) throw new Error('nothing was archived')
    await restoreArchive(reachOf(pool, settings, now), archive)
    expect(await check(pool, settings, [coinId])).toMatchObject({
      ...sound,
      liveRows: 24,
      archivedRows: 0,
      files: 0,
    })
  })

  test.for([
    ['a lost row', 'delete from ohlcv_data where timestamp = $1', '23 candles where 24 were written'],
    [
      'another digit',
      'update ohlcv_data set volume = volume + 0.00000001 where timestamp = $1',
      'other values',
    ],
    [
      'two values swapped',
      `update ohlcv_data set open = close, close = open where timestamp = $1`,
      'other values',
    ],
  ] as const)(
    'finds %s, until somebody accepts it',
    async ([, damage, words], { freshDatabase: { pool }, settings }) => {
      const { coinId } = await aDay(pool)
      const other = await aDay(pool)
      await pool.query(damage.replace('$1', `'${toIso(plus(first, 3 * hour))}' and coin_id = '${coinId}'`))
      const { problems } = await check(pool, settings, [coinId, other.coinId])
      expect(problems).toMatchObject([
        { where: `${coinId} 1h 2024-03-01`, problem: expect.stringContaining(words) },
      ])
      await check(pool, settings, [coinId], { isWhole: false, accept: true })
      expect(await check(pool, settings, [coinId, other.coinId])).toMatchObject({ problems: [] })
    },
  )

  test('finds a damaged file, and one whose rows are not those that were loaded', async ({
    freshDatabase: { pool },
    settings,
    dataDir,
  }) => {
    const { coinId } = await aDay(pool)
    // Written behind the back of every load, and archived so.
    await pool.query('update ohlcv_data set close = 11.5 where timestamp = $1', [toIso(first)])
    for (const one of await listPartitions(pool, ['ohlcv_data_1h']))
      await deleteAsRetention(reachOf(pool, settings, now), one)
    const [archive] = await listArchives(databaseOf(pool))
    const fileName = archive?.fileName ?? ''
    const { problems } = await check(pool, settings, [coinId])
    expect(problems).toMatchObject([
      { where: expect.stringContaining(`${fileName}, ${coinId} from 2024-03-01 00:00`) },
    ])
    const path = join(dataDir, 'archive', fileName)
    const bytes = await readFile(path)
    bytes[200] = (bytes[200] ?? 0) ^ 1
    await writeFile(path, bytes)
    expect((await check(pool, settings, [coinId])).problems).toMatchObject([
      { where: fileName, problem: expect.stringContaining('other bytes than were written') },
    ])
  })

  test('counts what nothing is known of, and compares it from then on', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const { coinId, series } = await aDay(pool)
    await pool.query('update candle_digests set (rows, sum_high, sum_low) = (null, null, null)')
    await load(pool, aBatch(series, [aCandle(plus(first, 24 * hour))]))
    expect(await check(pool, settings, [coinId])).toMatchObject({ problems: [], counted: 1 })
    await pool.query('delete from ohlcv_data where timestamp = $1', [toIso(first)])
    expect((await check(pool, settings, [coinId])).problems).toHaveLength(1)
  })
})

test('the weekly job checks everything and keeps what it found', async ({ freshDatabase: { pool } }) => {
  await using working = await startWorking(pool, { now })
  await aDay(pool)
  await pool.query('delete from ohlcv_data where timestamp = $1', [toIso(first)])
  const report = keptReport()
  expect(await jobOf.run(working.context, {}, report)).toMatchObject({ liveRows: 23, problems: 1 })
  expect(report.lines).toEqual([expect.stringContaining('23 candles where 24 were written')])
  expect(await readLastCheck(databaseOf(pool))).toMatchObject({
    liveRows: 23,
    problems: [{}],
    coinIds: undefined,
  })
})
