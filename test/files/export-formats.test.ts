import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tableFromIPC, util } from 'apache-arrow'
import { expect } from 'vitest'
import { aMonth } from '../lifecycle/archive/archiving.ts'
import { aRequest, aSeriesOf, askDuckDb, exportThem, linesOf, test } from './exporting.ts'

const wanted = `select coin_id, timeframe, timestamp, open, high, low, close, volume`

test('CSV, JSON lines and Parquet are read by DuckDB with every digit', async ({
  pool,
  exporting,
  folder,
}) => {
  const { coinId } = await aMonth(pool, 50)
  const series = [aSeriesOf(coinId, '1h')]
  for (const format of ['csv', 'jsonl', 'parquet'] as const)
    await exportThem(exporting, aRequest(series, join(folder, `a.${format}`), { format }))
  const { rows } = await pool.query(
    `select coin_id, timeframe, to_char(timestamp, 'YYYY-MM-DD HH24:MI:SS') as timestamp, open, high, low, close, volume
     from ohlcv_data where coin_id = $1 order by timestamp`,
    [coinId],
  )
  const stored = rows.map((row) => Object.values(row).map(String))
  const decimals = `{coin_id: 'varchar', timeframe: 'varchar', timestamp: 'timestamp', open: 'decimal(24,8)',
    high: 'decimal(24,8)', low: 'decimal(24,8)', close: 'decimal(24,8)', volume: 'decimal(32,8)'}`
  const readers = [
    `read_csv('${folder}/a.csv', columns = ${decimals})`,
    `read_json('${folder}/a.jsonl', format = 'newline_delimited', columns = ${decimals})`,
    `read_parquet('${folder}/a.parquet')`,
  ]
  for (const reader of readers) expect(await askDuckDb(`${wanted} from ${reader}`)).toEqual(stored)
  const types = await askDuckDb(`select distinct typeof(open), typeof(volume) from ${readers[2]}`)
  expect(types).toEqual([['DECIMAL(24,8)', 'DECIMAL(32,8)']])
  expect(JSON.parse((await linesOf(join(folder, 'a.jsonl')))[0] ?? '')).toMatchObject({
    coin_id: coinId,
    timestamp: expect.stringMatching(/^\d{4}-\d{2}-01T00:00:00Z$/),
    open: '0.00000001',
  })
})

test('Feather holds decimals and times exactly', async ({ pool, exporting, folder }) => {
  const { coinId } = await aMonth(pool, 50)
  const out = join(folder, 'a.feather')
  await exportThem(exporting, aRequest([aSeriesOf(coinId, '1h')], out, { format: 'feather', gaps: 'mark' }))
  const table = tableFromIPC(await readFile(out))
  expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'coin_id Utf8',
    'timeframe Utf8',
    'timestamp Timestamp<MICROSECOND, UTC>',
    ...['open', 'high', 'low', 'close'].map((name) => `${name} Decimal[24e+8]`),
    'volume Decimal[32e+8]',
    'gap Utf8',
  ])
  const first = table.get(0)
  const unscaled = (name: string) => util.BN.new(first?.[name], true).toString()
  expect([unscaled('open'), unscaled('high'), unscaled('volume')]).toEqual([
    '1',
    '999999999999999999999999',
    '99999999999999999999999999999999',
  ])
  expect([first?.coin_id, first?.gap]).toEqual([coinId, null])
  expect(table.get(50)?.open).toBeNull()
  expect(table.get(50)?.gap).toBe('no-trades')
})

test('a Hive layout has the key in the names of its folders, which DuckDB reads', async ({
  pool,
  exporting,
  folder,
}) => {
  const [one, other] = [await aMonth(pool, 5), await aMonth(pool, 7)]
  const series = [aSeriesOf(one.coinId, '1h'), aSeriesOf(other.coinId, '1h'), aSeriesOf(one.coinId, '1d')]
  await exportThem(exporting, aRequest(series, folder, { layout: 'hive', format: 'parquet' }))
  const counted = await askDuckDb(
    `select coin_id, timeframe, count(*) from read_parquet('${folder}/*/*/*.parquet', hive_partitioning = true)
     group by all order by 3`,
  )
  expect(counted).toEqual([
    [one.coinId, '1h', '5'],
    [other.coinId, '1h', '7'],
  ])
})

test('freqtrade reads a file for each pair and timeframe', async ({ pool, exporting, folder }) => {
  const { coinId, range } = await aMonth(pool, 4)
  for (const format of ['feather', 'json'] as const)
    await exportThem(
      exporting,
      aRequest([aSeriesOf(coinId, '1h', 'ETH')], folder, { layout: 'freqtrade', format, mayReplace: true }),
    )
  const table = tableFromIPC(await readFile(join(folder, 'ETH_USDT-1h.feather')))
  expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'date Timestamp<MILLISECOND, UTC>',
    ...['open', 'high', 'low', 'close', 'volume'].map((name) => `${name} Float64`),
  ])
  const text = await readFile(join(folder, 'ETH_USDT-1h.json'), 'utf8')
  expect(text.split('\n')[0]).toBe(
    `[[${range.from},0.00000001,9999999999999999.99999999,0.00000000,1.10000000,999999999999999999999999.99999999],`,
  )
  const rows = table.toArray().map((row) => Object.values(row?.toJSON() ?? {}).map(Number))
  expect(rows).toEqual(JSON.parse(text))
  expect(rows).toHaveLength(4)
})
