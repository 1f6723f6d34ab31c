import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { hour } from '../../../src/market/instant.ts'
import { readCandles } from '../../../src/store/candles.ts'
import { readCoverage, type Series } from '../../../src/store/coverage.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { withPartitions } from '../../../src/store/partitions/partition-cache.ts'
import { candleTable, partitionAt } from '../../../src/store/partitions.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { plus } from '../../support/at.ts'
import { test } from '../../support/database.ts'
import { aBatch, aSeries, at, candlesIn, minutes, start } from '../loading.ts'
import { boundsOf, loadAs, rowsIn } from './hand-made.ts'

const minuteTable = candleTable('1m', 'day')
const twoDays = minutes(0, 48 * 60)

const stored = (pool: Pool, series: Series) => readCandles(databaseOf(pool), series, twoDays, 10_000)
const coverage = async (pool: Pool, series: Series) =>
  (await readCoverage(databaseOf(pool), series, twoDays)).map(({ state, range }) => [state, range])

const fiveToFive = `for values from ('2024-03-01 05:00') to ('2024-03-02 05:00')`

describe('a partition that somebody else has made', () => {
  test.for([
    ['of another name', 'public.by_hand'],
    ['in another schema', '"Other schema"."By hand"'],
    ['of the name that we would give to another', 'public.ohlcv_data_1m_y2024m03d01'],
  ] as const)(
    '%s takes the rows of its time, and others are made around it',
    async ([, name], { freshDatabase: { pool } }) => {
      await pool.query('create schema "Other schema"')
      await pool.query(`create table ${name} partition of ohlcv_data_1m ${fiveToFive}`)
      const series = await aSeries(pool)
      const { accounting, unplaced } = await loadAs(pool, [aBatch(series, candlesIn(twoDays))])
      expect([accounting.new, unplaced]).toEqual([2_880, []])
      expect(await stored(pool, series)).toEqual(candlesIn(twoDays))
      expect(await coverage(pool, series)).toEqual([['stored', twoDays]])
      expect(await boundsOf(pool, 'ohlcv_data_1m')).toEqual([
        `public.ohlcv_data_1m_y2024m03d01_from_20240301t000000 FOR VALUES FROM ('2024-03-01 00:00:00') TO ('2024-03-01 05:00:00')`,
        `${name} FOR VALUES FROM ('2024-03-01 05:00:00') TO ('2024-03-02 05:00:00')`,
        `public.ohlcv_data_1m_y2024m03d02_from_20240302t050000 FOR VALUES FROM ('2024-03-02 05:00:00') TO ('2024-03-03 00:00:00')`,
      ])
      expect(await rowsIn(pool, name, 'public.ohlcv_data_1m_y2024m03d01_from_20240301t000000')).toEqual([
        1_440, 300,
      ])
    },
  )

  test('several times within one day leaves no minute without one', async ({ freshDatabase: { pool } }) => {
    for (const [name, from, to] of [
      ['a', '02:00', '03:00'],
      ['b', '03:00', '03:01'],
      ['c', '10:30', '11:00'],
    ] as const) {
      await pool.query(
        `create table ${name} partition of ohlcv_data_1m for values from ('2024-03-01 ${from}') to ('2024-03-01 ${to}')`,
      )
    }
    const series = await aSeries(pool)
    const candles = candlesIn(minutes(0, 1_440))
    expect(await loadAs(pool, [aBatch(series, candles)])).toMatchObject({ unplaced: [] })
    expect(await stored(pool, series)).toEqual(candles)
    expect(await rowsIn(pool, 'a', 'b', 'c')).toEqual([60, 1, 30])
  })

  test('without a beginning or an end takes all before or after it', async ({ freshDatabase: { pool } }) => {
    await pool.query(
      `create table history partition of ohlcv_data_1m for values from (minvalue) to ('2024-03-01 12:00');
       create table future partition of ohlcv_data_1m for values from ('2024-03-02') to ('infinity');
       create table end_of_time partition of ohlcv_data_1m for values from ('infinity') to (maxvalue)`,
    )
    const series = await aSeries(pool)
    const candles = candlesIn(twoDays)
    expect(await loadAs(pool, [aBatch(series, candles)])).toMatchObject({ unplaced: [] })
    expect(await stored(pool, series)).toEqual(candles)
    expect(await rowsIn(pool, 'history', 'future')).toEqual([720, 1_440])
  })

  test('keeps what belongs to it when two partitions have each other´s name', async ({
    freshDatabase: { pool },
  }) => {
    const [first, second] = ['2024-03-01', '2024-03-02'].map((day) => partitionAt(minuteTable, at(day)))
    if (!first || !second) throw new Error('there are two days')
    await ensurePartitions(pool, minuteTable, [first, second], 2_000)
    await pool.query(
      `alter table ${first.name} rename to swapping; alter table ${second.name} rename to ${first.name};
       alter table swapping rename to ${second.name}`,
    )
    const series = await aSeries(pool)
    expect(await loadAs(pool, [aBatch(series, candlesIn(minutes(0, 3)))])).toMatchObject({ unplaced: [] })
    expect(await rowsIn(pool, first.name, second.name)).toEqual([0, 3])
  })

  test('that takes the place of one that this process has seen is found by its bounds', async ({
    freshDatabase: { pool },
  }) => {
    const cache = new Map()
    const series = await aSeries(pool)
    await loadAs(pool, [aBatch(series, candlesIn(minutes(0, 3)))], cache)
    await pool.query(
      `drop table ohlcv_data_1m_y2024m03d01;
       create table ohlcv_data_1m_y2024m03d01 partition of ohlcv_data_1m
       for values from ('2024-03-01 00:00') to ('2024-03-01 00:05')`,
    )
    const batch = aBatch(await aSeries(pool), candlesIn(minutes(0, 10)))
    expect(await loadAs(pool, [batch], cache)).toMatchObject({ accounting: { new: 10 }, unplaced: [] })
    expect(await rowsIn(pool, 'ohlcv_data_1m_y2024m03d01')).toEqual([5])
  })
})

describe('a DEFAULT partition', () => {
  test('with rows of a day takes the others of that day too; other days get partitions', async ({
    freshDatabase: { pool },
  }) => {
    await pool.query('create table leftovers partition of ohlcv_data_1m default')
    const series = await aSeries(pool)
    await pool.query(`insert into ohlcv_data values ($1, '2024-03-01 12:00', '1m', 10, 12, 9, 11, 100)`, [
      series.coinId,
    ])
    const candles = candlesIn(twoDays)
    const loading = loadAs(pool, [aBatch(series, candles)])
    expect(await loading).toMatchObject({ accounting: { new: 2_879, unchanged: 1 }, unplaced: [] })
    expect(await stored(pool, series)).toEqual(candles)
    expect(await coverage(pool, series)).toEqual([['stored', twoDays]])
    expect(await rowsIn(pool, 'leftovers', 'ohlcv_data_1m_y2024m03d02')).toEqual([1_440, 1_440])
  })
})

test('many sessions at once make partitions around one that is being made by hand', async ({
  freshDatabase: { pool, url },
}) => {
  const series = await Promise.all(Array.from({ length: 6 }, () => aSeries(pool)))
  const sessions = series.map(() => new Pool({ connectionString: url, max: 2 }))
  const byHand = pool.query(`create table by_hand partition of ohlcv_data_1m ${fiveToFive}`)
  try {
    const loaded = await Promise.all(
      sessions.map((session, index) =>
        loadAs(session, [aBatch(series[index] as Series, candlesIn(twoDays))]),
      ),
    )
    expect(loaded.map(({ accounting, unplaced }) => [accounting.new, unplaced])).toEqual(
      series.map(() => [2_880, []]),
    )
  } finally {
    await byHand.catch(() => undefined)
    await Promise.all(sessions.map((session) => session.end()))
  }
  for (const one of series) expect(await stored(pool, one)).toEqual(candlesIn(twoDays))
})

test('a load in the same process does not ask the catalog again', async ({ freshDatabase: { pool } }) => {
  const deps = { pool, partitions: new Map(), lockTimeoutMs: 2_000 }
  const instants = [start, plus(start, 5 * hour)]
  await withPartitions(deps, minuteTable, instants, async () => {})
  await pool.query('drop table ohlcv_data_1m_y2024m03d01')
  const seen = await withPartitions(deps, minuteTable, instants, async ({ partitions }) => partitions)
  expect(seen.map(({ name }) => name)).toEqual(['ohlcv_data_1m_y2024m03d01'])
  const gone = inTransaction(pool, ({ client }) =>
    client.query(`select 'ohlcv_data_1m_y2024m03d01'::regclass`),
  )
  await expect(gone).rejects.toThrow(/does not exist/)
})
