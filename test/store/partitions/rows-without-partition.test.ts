import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Misconfigured, Unavailable } from '../../../src/fault.ts'
import { hour, minute } from '../../../src/market/instant.ts'
import { readCandles } from '../../../src/store/candles.ts'
import { readCoverage, type Series } from '../../../src/store/coverage.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { throwIfUnplaced } from '../../../src/store/partitions/leave-out.ts'
import { withPartitions } from '../../../src/store/partitions/partition-cache.ts'
import { candleTable, partitionAt } from '../../../src/store/partitions.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { plus } from '../../support/at.ts'
import { test } from '../../support/database.ts'
import { aBatch, aCandle, aSeries, at, candlesIn, minutes, now, start } from '../loading.ts'
import { interruptDetaching, loadAs, runStatement } from './hand-made.ts'

const minuteTable = candleTable('1m', 'day')
const twoDays = minutes(0, 48 * 60)

const stored = (pool: Pool, series: Series) => readCandles(databaseOf(pool), series, twoDays, 10_000)
const coverage = async (pool: Pool, series: Series) =>
  (await readCoverage(databaseOf(pool), series, twoDays)).map(({ state, range }) => [state, range])

const messageOf = (unplaced: Parameters<typeof throwIfUnplaced>[0]): string => {
  try {
    throwIfUnplaced(unplaced, 'candle')
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return ''
}

const fiveToFive = `for values from ('2024-03-01 05:00') to ('2024-03-02 05:00')`

describe('rows without a partition', () => {
  test('are left out where a detaching was interrupted, until the statement of the message has run', async ({
    freshDatabase: { pool },
  }) => {
    await pool.query(`create table by_hand partition of ohlcv_data_1m ${fiveToFive}`)
    await interruptDetaching(pool, 'ohlcv_data_1m', 'by_hand')
    const [series, other] = [await aSeries(pool), await aSeries(pool)]
    const whole = aBatch(series, candlesIn(twoDays))
    const early = aBatch(other, candlesIn(minutes(0, 60)))
    const cache = new Map()
    const { accounting, unplaced } = await loadAs(pool, [whole, early], cache)
    expect([accounting.received, accounting.new]).toEqual([1_500, 1_500])
    const [before, after] = [minutes(0, 300), minutes(1_740, 2_880)]
    expect(await coverage(pool, series)).toEqual([
      ['stored', before],
      ['stored', after],
    ])
    expect(await stored(pool, series)).toEqual([...candlesIn(before), ...candlesIn(after)])
    expect(await stored(pool, other)).toHaveLength(60)
    expect(messageOf(unplaced)).toBe(
      `1,440 candles were not stored, of ${series.coinId} 1m from 2024-03-01 05:00 to 2024-03-02 05:00: ` +
        `detaching partition public.by_hand (FOR VALUES FROM ('2024-03-01 05:00:00') TO ('2024-03-02 05:00:00')) from ohlcv_data_1m was interrupted, and its range stays taken until it is finished; ` +
        'run: alter table public.ohlcv_data_1m detach partition public.by_hand finalize',
    )
    await runStatement(pool, messageOf(unplaced), /run: (.*)$/)
    expect(await loadAs(pool, [whole], cache)).toMatchObject({
      accounting: { new: 1_440, unchanged: 1_440 },
      unplaced: [],
    })
  })

  test.for([
    ['attaching it', /attach it: (.*?); or/],
    ['renaming it', /rename it: (.*)$/],
  ] as const)(
    'are left out where a table has the name of their partition, until %s',
    async ([, remedy], { freshDatabase: { pool } }) => {
      await pool.query('create table ohlcv_data_1m_y2024m03d01 (like ohlcv_data_1m including all)')
      const series = await aSeries(pool)
      const whole = aBatch(series, candlesIn(twoDays))
      const { unplaced } = await loadAs(pool, [whole])
      expect(await stored(pool, series)).toEqual(candlesIn(minutes(1_440, 2_880)))
      expect(messageOf(unplaced)).toContain(
        'table public.ohlcv_data_1m_y2024m03d01 exists and is not attached',
      )
      await runStatement(pool, messageOf(unplaced), remedy)
      expect(await loadAs(pool, [whole])).toMatchObject({ accounting: { new: 1_440 }, unplaced: [] })
    },
  )

  test.for([
    ['view', 'create view ohlcv_data_1m_y2024m03d01 as select 1 as one', /exists and is no table/],
    ['sequence', 'create sequence ohlcv_data_1m_y2024m03d01', /exists and is no table/],
    [
      'partition of another table',
      `create table ohlcv_data_1m_y2024m03d01 partition of ohlcv_data_5m for values from ('2024-03-01') to ('2024-03-02')`,
      /is a partition of ohlcv_data_5m/,
    ],
  ] as const)(
    'are left out where a %s has the name, until it is renamed',
    async ([, statement, fact], { freshDatabase: { pool } }) => {
      await pool.query(statement)
      const series = await aSeries(pool)
      const whole = aBatch(series, candlesIn(minutes(0, 5)))
      const { unplaced } = await loadAs(pool, [whole])
      expect(messageOf(unplaced)).toMatch(fact)
      expect(await coverage(pool, series)).toEqual([])
      await runStatement(pool, messageOf(unplaced), /rename it: (.*)$/)
      expect(await loadAs(pool, [whole])).toMatchObject({ accounting: { new: 5 }, unplaced: [] })
    },
  )

  test('are left out where our role may not make one, and those with one are stored', async ({
    freshDatabase: { pool, url, superuser },
  }) => {
    const series = await aSeries(pool)
    await ensurePartitions(pool, minuteTable, [partitionAt(minuteTable, start)], 2_000)
    const role = `loader_${process.pid}`
    await superuser.query(`create role ${role} login password 'loader'`)
    await pool.query(`grant select, insert, update, delete on all tables in schema public to ${role}`)
    const address = new URL(url)
    address.username = role
    address.password = 'loader'
    const own = new Pool({ connectionString: address.href, max: 2 })
    try {
      const { unplaced } = await loadAs(own, [aBatch(series, candlesIn(twoDays))])
      expect(messageOf(unplaced)).toMatch(/permission denied.*beacon partitions ensure/)
      expect(await stored(pool, series)).toEqual(candlesIn(minutes(0, 1_440)))
    } finally {
      await own.end()
      await superuser.query(`drop owned by ${role}`)
      await superuser.query(`drop role ${role}`)
    }
  })

  test('are left out where a partition is partitioned itself and lacks one, with its range', async ({
    freshDatabase: { pool },
  }) => {
    await pool.query(
      `create table by_hand partition of ohlcv_data_1m ${fiveToFive} partition by list (coin_id);
       create table by_hand_of_nobody partition of by_hand for values in ('nobody')`,
    )
    const series = await aSeries(pool)
    const whole = aBatch(series, candlesIn(twoDays))
    const { unplaced } = await loadAs(pool, [whole])
    expect(messageOf(unplaced)).toMatch(/^1,440 candles .* public\.by_hand, .* is partitioned itself/)
    expect(await stored(pool, series)).toHaveLength(1_440)
    await pool.query('create table by_hand_of_others partition of by_hand default')
    expect(await loadAs(pool, [whole])).toMatchObject({ accounting: { new: 1_440 }, unplaced: [] })
  })

  test('are worth another try where only a lock was in the way', async ({ freshDatabase: { pool } }) => {
    const series = await aSeries(pool)
    await ensurePartitions(pool, minuteTable, [partitionAt(minuteTable, start)], 2_000)
    const holder = await pool.connect()
    // Attaching wants it, and writing does not.
    await holder.query('begin; lock table ohlcv_data_1m in share update exclusive mode')
    try {
      const written: number[] = []
      const deps = { pool, partitions: new Map(), lockTimeoutMs: 10 }
      const obstacles = await withPartitions(deps, minuteTable, [start, at('2024-03-02')], async (places) => {
        written.push(places.partitions.length)
        return places.obstacles
      })
      expect(written).toEqual([1])
      expect(obstacles.map(({ fault }) => fault)).toEqual([expect.any(Unavailable)])
    } finally {
      await holder.query('rollback')
      holder.release()
    }
    expect(await loadAs(pool, [aBatch(series, candlesIn(twoDays))])).toMatchObject({ unplaced: [] })
  })

  test('stay missing, and every other row of the answer is stored or quarantined', async ({
    freshDatabase: { pool },
  }) => {
    await pool.query(
      `create table by_hand partition of ohlcv_data_1m for values from ('2024-03-01 00:01:30') to ('2024-03-01 00:03:30')`,
    )
    await interruptDetaching(pool, 'ohlcv_data_1m', 'by_hand')
    const series = await aSeries(pool)
    const rejected = [
      { raw: 'late', reason: 'high < low', openTime: minutes(1, 2).from },
      { raw: 'blocked', reason: 'high < low', openTime: minutes(3, 4).from },
      { raw: 'undated', reason: 'no time' },
      { raw: 'future', reason: 'opens in the future', openTime: plus(now, 5 * hour) },
    ]
    const answered = minutes(0, 6)
    const candles = [0, 2, 5].map((index) => aCandle(plus(start, index * minute)))
    const { accounting } = await loadAs(pool, [aBatch(series, candles, { answered, rejected })])
    expect(accounting).toMatchObject({ received: 5, new: 2, quarantined: 3 })
    expect(await coverage(pool, series)).toEqual([
      ['stored', minutes(0, 1)],
      ['refused', minutes(1, 2)],
      ['no-trades', minutes(4, 5)],
      ['stored', minutes(5, 6)],
    ])
  })
})

describe('the branch of a timeframe', () => {
  const quarter = { timeframe: '15m' } as const
  const hours = minutes(0, 5 * 60)

  test('that is one plain table takes all candles', async ({ freshDatabase: { pool } }) => {
    await pool.query(`create table ohlcv_data_15m partition of ohlcv_data for values in ('15m')`)
    const series = await aSeries(pool, quarter)
    const candles = candlesIn(hours, '15m')
    expect(await loadAs(pool, [aBatch(series, candles)])).toMatchObject({ unplaced: [] })
    expect(await stored(pool, series)).toEqual(candles)
  })

  test.for([
    [
      'another name',
      `create table fifteen partition of ohlcv_data for values in ('15m') partition by range (timestamp)`,
      /run: (alter table public.fifteen rename to ohlcv_data_15m)/,
    ],
    [
      'nothing to do with ohlcv_data',
      'create table ohlcv_data_15m (like ohlcv_data including all) partition by range (timestamp)',
      /attach it: (.*?); or/,
    ],
  ] as const)(
    'that has %s is reported with the statement that helps',
    async ([, statement, remedy], { freshDatabase: { pool } }) => {
      await pool.query(statement)
      const series = await aSeries(pool, quarter)
      const batch = aBatch(series, candlesIn(hours, '15m'))
      const { unplaced } = await loadAs(pool, [batch])
      expect(() => throwIfUnplaced(unplaced, 'candle')).toThrow(Misconfigured)
      await runStatement(pool, messageOf(unplaced), remedy)
      expect(await loadAs(pool, [batch])).toMatchObject({ accounting: { new: 20 }, unplaced: [] })
    },
  )
})
