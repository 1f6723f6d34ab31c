import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { InvalidInput, Malformed } from '../../src/fault.ts'
import { exportFormats } from '../../src/files/formats/formats.ts'
import { planFile } from '../../src/files/import/import-plan.ts'
import { isDataFile } from '../../src/files/import/open-file.ts'
import { filesAt } from '../../src/files/import/source-file.ts'
import { zipOf } from '../../src/replay/zip.ts'
import { aRequest as anExport, aSeriesOf, exportThem } from './exporting.ts'
import {
  aFile,
  aRequest,
  aTrackedCoin,
  binanceHeader,
  binanceLines,
  hours,
  importFile,
  linesOf,
  now,
  storedLines,
  test,
} from './importing.ts'

const candles = hours(30)

describe('a file of', () => {
  test('Binance is loaded zipped or not, with milliseconds or microseconds, with a header or none', async ({
    pool,
    folder,
    importing,
    coin,
  }) => {
    const parts = [candles.slice(0, 10), candles.slice(10, 20), candles.slice(20)]
    const contents = [
      binanceLines(parts[0] ?? [], 'ms'),
      binanceHeader + binanceLines(parts[1] ?? [], 'us'),
      binanceLines(parts[2] ?? [], 'us'),
    ]
    const zip = zipOf('ETHUSDT-1h-2024-03.csv', contents[1] ?? '')
    const sha256 = createHash('sha256').update(zip).digest('hex')
    await aFile(folder, 'ETHUSDT-1h-2024-03.zip.CHECKSUM', `${sha256}  ETHUSDT-1h-2024-03.zip\n`)
    for (const path of [
      await aFile(folder, 'ETHUSDT-1h-2024-03-01.csv', contents[0] ?? ''),
      await aFile(folder, 'ETHUSDT-1h-2024-03.zip', zip),
      await aFile(folder, 'ETHUSDT-1h-2024-03-02.csv.gz', gzipSync(contents[2] ?? '')),
    ])
      expect(await importFile(importing, aRequest(), path)).toMatchObject({ received: 10, new: 10 })
    expect(await storedLines(pool, coin.id)).toEqual(linesOf(candles))
  })

  test('Kraken is recognised by its name and its seconds', async ({ pool, folder, importing, coin }) => {
    const lines = candles.map(({ time, values }) => [time / 1_000, ...values, 7].join(','))
    const path = await aFile(folder, 'ETHUSD_60.csv', lines.join('\n'))
    const { series } = await planFile(importing, aRequest(), path)
    expect(series).toMatchObject([{ new: 30, target: { series: { source: 'kraken', timeframe: '1h' } } }])
    await importFile(importing, aRequest(), path)
    expect(await storedLines(pool, coin.id)).toEqual(linesOf(candles))
  })

  test('CryptoDataDownload is loaded newest first, with its own names for columns', async ({
    pool,
    folder,
    importing,
    coin,
  }) => {
    const lines = candles.toReversed().map(({ time, values: [open, high, low, close, volume] }, index) => {
      const unix = index % 2 === 0 ? `${time / 1_000}.0` : time
      return `${unix},2024-03-01 00:00:00,ETHUSDT,${open},${high},${low},${close},${volume},99.5,4`
    })
    const head =
      'https://www.CryptoDataDownload.com\nUnix,Date,Symbol,Open,High,Low,Close,Volume ETH,Volume USDT,tradecount'
    const path = await aFile(folder, 'any.csv', [head, ...lines].join('\r\n'))
    await importFile(importing, aRequest({ coin, timeframe: '1h' }), path)
    expect(await storedLines(pool, coin.id)).toEqual(linesOf(candles))
  })

  test('other columns is read by their names or places', async ({ pool, folder, importing, coin }) => {
    const half = candles.slice(0, 15)
    const rows = (of: typeof candles) =>
      of.map(({ time, values: [open, ...rest] }) =>
        [...rest, open, `"${new Date(time).toISOString().slice(0, 19).replace('T', ' ')}"`].join(','),
      )
    const named = await aFile(folder, 'named.csv', ['h,l,c,v,o,"when, UTC"', ...rows(half)].join('\n'))
    const placed = await aFile(folder, 'placed.csv', rows(candles.slice(15)).join('\n'))
    const chosen = { coin, timeframe: '1h' } as const
    await expect(importFile(importing, aRequest(chosen), named)).rejects.toThrow(InvalidInput)
    await expect(importFile(importing, aRequest(chosen), named)).rejects.toThrow(
      /columns of named\.csv are unknown/,
    )
    const byName = { time: 'when, UTC', open: 'o', high: 'h', low: 'l', close: 'c', volume: 'v' }
    await importFile(importing, aRequest({ ...chosen, mapping: byName }), named)
    const byPlace = { time: '6', open: '5', high: '1', low: '2', close: '3', volume: '4' }
    await importFile(importing, aRequest({ ...chosen, mapping: byPlace }), placed)
    expect(await storedLines(pool, coin.id)).toEqual(linesOf(candles))
  })

  test('freqtrade is loaded from its JSON, and from Feather as pandas compresses it', async ({
    pool,
    folder,
    importing,
    coin,
  }) => {
    const json = JSON.stringify(candles.map(({ time, values }) => [time, ...values.map(Number)]))
    await importFile(importing, aRequest(), await aFile(folder, 'ETH_USDT-1h.json', json))
    expect(await storedLines(pool, coin.id)).toEqual(linesOf(candles))
    const feather = fileURLToPath(new URL('fixtures/ETH_USDT-1h.feather', import.meta.url))
    expect(await importFile(importing, aRequest(), feather)).toMatchObject({ new: 48, quarantined: 0 })
    const stored = await storedLines(pool, coin.id)
    expect(stored[0]).toBe(
      '1h 2019-12-02 12:00 148.91000000 149.40000000 147.47000000 149.07000000 10454.91240000',
    )
    expect(stored[47]).toBe(
      '1h 2019-12-04 11:00 145.91000000 146.46000000 145.20000000 145.55000000 15086.79719000',
    )
    const cut = await aFile(folder, 'ETH_USDT-1h.json', json.slice(0, -1))
    await expect(importFile(importing, aRequest(), cut)).rejects.toThrow(/not a complete array/)
  })

  test('our own export gives back every digit in each format, and no filled candle', async ({
    pool,
    folder,
    importing,
    coin,
  }) => {
    const kept = candles.filter((_, index) => index !== 12)
    await importFile(
      importing,
      aRequest({ coin }),
      await aFile(folder, 'ETHUSDT-1h-2024-03.csv', binanceLines(kept, 'ms')),
    )
    const other = await aTrackedCoin(pool)
    const exporting = { pool, settings: importing.settings, now, signal: new AbortController().signal }
    const range = { from: undefined, to: candles.at(-1)?.time as typeof now }
    for (const format of exportFormats.filter((one) => one !== 'json')) {
      const out = `${folder}/all.${format}`
      const series = [aSeriesOf(coin.id, '1h'), aSeriesOf(other.id, '1h')]
      await exportThem(exporting, anExport(series, out, { format, range, gaps: 'fill', mayReplace: true }))
      await pool.query('delete from ohlcv_data where coin_id = $1', [coin.id])
      await pool.query('delete from candle_coverage where coin_id = $1', [coin.id])
      const { series: planned, skipped } = await planFile(importing, aRequest(), out)
      expect(planned).toMatchObject([{ rows: 28, new: 28, rejected: 0 }])
      expect(skipped).toEqual({ others: 0, marked: 1 })
      await importFile(importing, aRequest(), out)
      expect(await storedLines(pool, coin.id), format).toEqual(linesOf(kept.slice(0, -1)))
    }
    const hive = `${folder}/hive`
    await exportThem(
      exporting,
      anExport([aSeriesOf(coin.id, '1h')], hive, { layout: 'hive', format: 'parquet', range }),
    )
    // The manifest beside the file is none of its data.
    const [path = '', ...others] = await filesAt([hive], isDataFile)
    expect([path, others]).toEqual([`${hive}/coin_id=${coin.id}/timeframe=1h/candles.parquet`, []])
    expect(await importFile(importing, aRequest(), path)).toMatchObject({ unchanged: 28, new: 0 })
  })
})

describe('a file is refused with nothing stored', () => {
  test('where it is of another market, timeframe or coin than it is imported as', async ({
    pool,
    folder,
    importing,
    coin,
  }) => {
    const lines = binanceLines(candles, 'ms')
    const plain = candles.map(({ time, values }) => [time, ...values].join(',')).join('\n')
    const header = 'timestamp,open,high,low,close,volume\n'
    const other = await aFile(folder, 'BTCUSDT-1h-2024-03.csv', lines)
    const own = await aFile(folder, 'ETHUSDT-1h-2024-03.csv', lines)
    const untold = await aFile(folder, 'untold.csv', header + plain)
    const foreign = await aFile(
      folder,
      'foreign.csv',
      `coin_id,timeframe,${header}dogecoin,1h,${plain.split('\n')[0]}`,
    )
    const refused = (request: Parameters<typeof aRequest>[0], path: string) =>
      expect(importFile(importing, aRequest(request), path)).rejects.toThrow
    await refused(
      { coin },
      other,
    )(/BTCUSDT-1h-2024-03\.csv is of the market BTCUSDT, and coin-.* is ETHUSDT on binance/)
    await refused({ coin, timeframe: '1d' }, own)(/has 1h candles: leave --timeframe 1d out/)
    await refused({ coin, timeframe: '1m' }, untold)(/are 1h apart, not 1m/)
    await refused({ coin, timeframe: '1d' }, untold)(/holds no 1d candles: 28 of 30 rows/)
    await refused({ coin }, untold)(/the timeframe of .*untold\.csv is unknown: name it/)
    await refused({ timeframe: '1h' }, untold)(/the coin of .*untold\.csv is unknown: name it/)
    await refused({ coin, timeframe: '1h', source: 'okx' }, untold)(/has no market on okx\. Add one with/)
    await refused({}, foreign)(/candles of dogecoin, which is not tracked/)
    expect(await storedLines(pool, coin.id)).toEqual([])
  })

  test('where it is damaged', async ({ pool, folder, importing, coin }) => {
    const zip = zipOf('ETHUSDT-1h-2024-03.csv', binanceLines(candles, 'ms'))
    const path = await aFile(folder, 'ETHUSDT-1h-2024-03.zip', zip)
    const load = () => importFile(importing, aRequest(), path)
    await aFile(folder, 'ETHUSDT-1h-2024-03.zip.CHECKSUM', `${'0'.repeat(64)}  ETHUSDT-1h-2024-03.zip\n`)
    await expect(load()).rejects.toThrow(/differs from its checksum/)
    await aFile(folder, 'ETHUSDT-1h-2024-03.zip.CHECKSUM', '')
    await expect(load()).rejects.toThrow(Malformed)
    const cut = await aFile(folder, 'cut.zip', zip.subarray(0, -4))
    await expect(importFile(importing, aRequest({ coin }), cut)).rejects.toThrow(
      /cannot be unpacked: the .* cut/,
    )
    // The CRC-32 of the content, in the zip's directory.
    const at = zip.lastIndexOf('PK\x01\x02') + 16
    zip.writeUInt8(zip.readUInt8(at) ^ 1, at)
    const damaged = await aFile(folder, 'damaged.zip', zip)
    await expect(importFile(importing, aRequest({ coin }), damaged)).rejects.toThrow(/CRC-32 differs/)
    expect(await storedLines(pool, coin.id)).toEqual([])
  })
})
