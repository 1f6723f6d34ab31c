import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { archivePartition } from '../../src/lifecycle/archive/archive-partition.ts'
import { DamagedArchive } from '../../src/lifecycle/archive/damaged-archive.ts'
import { restoreArchive } from '../../src/lifecycle/archive/restore-archive.ts'
import { hour, plus } from '../../src/market/instant.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { candleTable } from '../../src/store/partitions.ts'
import { addCandles, aMonth, deleteAsRetention } from '../lifecycle/archive/archiving.ts'
import { somePrices } from '../lifecycle/retaining.ts'
import { aCoin, at } from '../store/loading.ts'
import { aRequest, aSeriesOf, exportThem, linesOf, test } from './exporting.ts'

const isoOf = (instant: number): string => new Date(instant).toISOString().replace('.000Z', 'Z')

describe('an export', () => {
  test('has archived and live candles as one set, in the order of time', async ({
    pool,
    exporting,
    folder,
    deps,
  }) => {
    const month = await aMonth(pool, 30)
    const request = (name: string) => aRequest([aSeriesOf(month.coinId, '1h')], join(folder, name))
    await exportThem(exporting, request('live.csv'))
    const archive = await archivePartition(deps, month)
    await deleteAsRetention(deps, month)
    await exportThem(exporting, request('archived.csv'))
    // As a backfill of long ago does: three of the archived candles are in the table again.
    await ensurePartitions(pool, candleTable('1h', 'month'), [month], 2_000)
    await addCandles(pool, month.coinId, plus(month.range.from, 5 * hour), 3)
    await pool.query('update ohlcv_data set close = 7 where coin_id = $1', [month.coinId])
    await exportThem(exporting, request('both.csv'))
    await restoreArchive(deps, archive)
    await exportThem(exporting, request('restored.csv'))

    const live = await linesOf(join(folder, 'live.csv'))
    expect(live).toHaveLength(31)
    expect(live[0]).toBe('coin_id,timeframe,timestamp,open,high,low,close,volume')
    expect(live[2]).toBe(
      `${month.coinId},1h,${isoOf(month.range.from + hour)},1.00000001,9999999999999998.99999999,0.00000000,2.10000000,999999999999999999999998.99999999`,
    )
    expect(await linesOf(join(folder, 'archived.csv'))).toEqual(live)
    const both = await linesOf(join(folder, 'both.csv'))
    expect(both.map((line) => line.split(',')[2])).toEqual(live.map((line) => line.split(',')[2]))
    expect(both.filter((line) => line.includes(',7.00000000,'))).toHaveLength(3)
    expect(both.toSpliced(6, 3)).toEqual(live.toSpliced(6, 3))
    expect(await linesOf(join(folder, 'restored.csv'))).toEqual(both)
  })

  test('begins and ends within its range, and ends with the last closed candle', async ({
    pool,
    exporting,
    folder,
  }) => {
    const { coinId, range } = await aMonth(pool, 30)
    const out = join(folder, 'a.csv')
    const [from, to] = [plus(range.from, hour + 1), plus(range.from, 4 * hour)]
    const { manifest } = await exportThem(
      exporting,
      aRequest([aSeriesOf(coinId, '1h')], out, { range: { from, to } }),
    )
    const times = (await linesOf(out)).slice(1).map((line) => line.split(',')[2])
    expect(times).toEqual([2, 3].map((hours) => isoOf(range.from + hours * hour)))
    expect(manifest.files[0]?.series).toMatchObject([{ rows: 2, missing: 0, gaps: [], sources: ['binance'] }])
    const early = { ...exporting, now: plus(range.from, 2.5 * hour) }
    await exportThem(early, aRequest([aSeriesOf(coinId, '1h')], join(folder, 'b.csv')))
    expect(await linesOf(join(folder, 'b.csv'))).toHaveLength(3)
  })

  test('has a manifest with the SHA-256 of each file, and each gap with its cause', async ({
    pool,
    exporting,
    folder,
  }) => {
    const { coinId, range, covered } = await aMonth(pool, 10)
    await pool.query(
      `delete from ohlcv_data where coin_id = $1 and timestamp = $2::timestamp + interval '3 hours'`,
      [coinId, isoOf(range.from)],
    )
    const { manifest, path } = await exportThem(
      exporting,
      aRequest([aSeriesOf(coinId, '1h')], folder, {
        layout: 'series',
        range: { from: range.from, to: plus(covered.to, hour) },
      }),
    )
    const content = await readFile(join(folder, `${coinId}-1h.csv`))
    const [file] = manifest.files
    expect(path).toBe(join(folder, 'manifest.json'))
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(JSON.parse(JSON.stringify(manifest)))
    expect(file).toMatchObject({
      path: `${coinId}-1h.csv`,
      rows: 9,
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    })
    expect(file?.series[0]?.gaps).toEqual([
      // The coverage has it as stored: nothing is known of why it is not there.
      {
        from: expect.stringContaining('T03:00'),
        to: expect.stringContaining('T04:00'),
        candles: 1,
        cause: 'unknown',
      },
      {
        from: expect.stringContaining('T10:00'),
        to: expect.stringContaining('T11:00'),
        candles: 1,
        cause: 'no-trades',
      },
    ])
  })

  test('marks or fills missing candles and never touches the table', async ({ pool, exporting, folder }) => {
    const { coinId, range, covered } = await aMonth(pool, 3)
    const stored = () =>
      pool.query('select * from ohlcv_data where coin_id = $1 order by timestamp', [coinId])
    const before = await stored()
    const wanted = { from: plus(range.from, -hour), to: plus(covered.to, hour) }
    for (const gaps of ['mark', 'fill'] as const)
      await exportThem(
        exporting,
        aRequest([aSeriesOf(coinId, '1h')], join(folder, `${gaps}.csv`), { gaps, range: wanted }),
      )
    const shown = async (name: string) =>
      (await linesOf(join(folder, name))).map((line) => line.split(',').slice(3).join(','))
    const candles = before.rows.map(({ open, high, low, close, volume }) =>
      [open, high, low, close, volume, ''].join(','),
    )
    const head = 'open,high,low,close,volume,gap'
    expect(await shown('mark.csv')).toEqual([
      head,
      expect.stringMatching(/^,,,,,[a-z-]+$/),
      ...candles,
      ',,,,,no-trades',
    ])
    // Before the first candle there is nothing to fill with.
    const close = before.rows.at(-1)?.close
    expect(await shown('fill.csv')).toEqual([
      head,
      ...candles,
      `${close},${close},${close},${close},0.00000000,no-trades`,
    ])
    expect((await stored()).rows).toEqual(before.rows)
  })

  test('overwrites nothing without --replace, and leaves nothing behind where it fails', async ({
    pool,
    exporting,
    folder,
    deps,
  }) => {
    const month = await aMonth(pool, 30)
    const request = aRequest([aSeriesOf(month.coinId, '1h')], join(folder, 'a.csv'))
    await writeFile(request.out, 'mine')
    await expect(exportThem(exporting, request)).rejects.toThrow(InvalidInput)
    await expect(exportThem(exporting, request)).rejects.toThrow(/a\.csv exists: add --replace/)
    expect(await readFile(request.out, 'utf8')).toBe('mine')
    const replacing = { ...request, mayReplace: true }
    const stopped = { ...exporting, signal: AbortSignal.abort() }
    await expect(exportThem(stopped, replacing)).rejects.toThrow(/stopped/)
    expect(await readdir(folder)).toEqual(['a.csv'])
    const archive = await archivePartition(deps, month)
    await deleteAsRetention(deps, month)
    const file = join(exporting.settings.environment.dataDir, 'archive', archive.fileName)
    await writeFile(file, (await readFile(file)).fill(0, 100, 120))
    await expect(exportThem(exporting, replacing)).rejects.toThrow(DamagedArchive)
    expect(await readdir(folder)).toEqual(['a.csv'])
    expect(await readFile(request.out, 'utf8')).toBe('mine')
  })

  test('has prices and daily prices too', async ({ pool, exporting, folder }) => {
    const coinId = await aCoin(pool)
    const first = at('2024-03-01T00:00:00Z')
    await somePrices(pool, coinId, first, 4)
    await pool.query(
      `insert into market_data_daily (coin_id, day, open, high, low, close, average_price, samples, first_at, last_at)
       values ($1, '2024-02-28', 1, 2, 0.5, 1.5, 1.25, 3, '2024-02-28 00:00:00.000001', '2024-02-28 10:00')`,
      [coinId],
    )
    for (const table of ['prices', 'market_data_daily'] as const)
      await exportThem(
        exporting,
        aRequest([aSeriesOf(coinId, undefined)], join(folder, `${table}.csv`), { table }),
      )
    const prices = await linesOf(join(folder, 'prices.csv'))
    expect(prices[0]).toBe(
      'coin_id,timestamp,price,market_cap,volume_24h,change_24h,rank,circulating_supply,max_supply',
    )
    expect(prices.slice(1, 3)).toEqual([
      `${coinId},2024-03-01T00:00:00Z,10.00000000,5000.50,1000.25,,1,,`,
      `${coinId},2024-03-01T00:05:00Z,17.00000001,,1001.25,,,,`,
    ])
    expect(prices).toHaveLength(5)
    expect((await linesOf(join(folder, 'market_data_daily.csv'))).at(1)).toBe(
      `${coinId},2024-02-28,1.00000000,2.00000000,0.50000000,1.50000000,1.25000000,,,,,,3,2024-02-28T00:00:00.000001Z,2024-02-28T10:00:00Z`,
    )
  })

  test('refuses formats that a layout does not have', async ({ exporting, folder }) => {
    const series = [aSeriesOf('bitcoin', '1h'), aSeriesOf('other', '1h')]
    const refused = (parts: Parameters<typeof aRequest>[2]) =>
      expect(exportThem(exporting, aRequest(series, folder, parts))).rejects.toThrow
    await refused({ layout: 'freqtrade', format: 'csv' })(/choose feather or json/)
    await refused({ layout: 'freqtrade', format: 'json', gaps: 'fill' })(/no column that marks gaps/)
    await refused({ layout: 'series', format: 'json' })(/choose csv or parquet or jsonl or feather/)
    await refused({ layout: 'freqtrade', format: 'json' })(/bitcoin and other would share the file/)
    expect(await readdir(folder)).toEqual([])
  })
})
