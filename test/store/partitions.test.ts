import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Misconfigured, Unavailable } from '../../src/fault.ts'
import { type Instant, plus, toIso } from '../../src/market/instant.ts'
import { type Timeframe, timeframeMs, timeframes } from '../../src/market/timeframe.ts'
import { readSettings } from '../../src/settings.ts'
import { readCandles } from '../../src/store/candles.ts'
import { listPartitions, measurePartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { partitionsAheadOf, readPartitionsAhead } from '../../src/store/lifecycle/partitions-ahead.ts'
import { migrateDown, migrateUp } from '../../src/store/migrations.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { type PartitionCache, withPartitions } from '../../src/store/partitions/partition-cache.ts'
import {
  candleTable,
  partitionAt,
  partitionedTables,
  partitionsAhead,
  partitionsOf,
} from '../../src/store/partitions.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'
import {
  aBatch,
  aCandle,
  aCoin,
  aSeries,
  at,
  candlesIn,
  load,
  loadCandles,
  minutes,
  start,
  waiting,
} from './loading.ts'

const prices = (length: 'day' | 'month' | 'year') => ({ name: 'market_data', length })
const minuteTable = candleTable('1m', 'day')
const range = (from: string, to: string) => ({ from: at(from), to: at(to) })

describe('the leaf of an instant', () => {
  test.for([
    ['day', '2024-02-29T23:59:59.999Z', 'market_data_y2024m02d29', '2024-02-29', '2024-03-01'],
    ['day', '2024-03-01T00:00:00Z', 'market_data_y2024m03d01', '2024-03-01', '2024-03-02'],
    ['day', '2025-12-31T12:00:00Z', 'market_data_y2025m12d31', '2025-12-31', '2026-01-01'],
    // Nights on which clocks of other zones jump.
    ['day', '2026-03-29T01:30:00Z', 'market_data_y2026m03d29', '2026-03-29', '2026-03-30'],
    ['day', '2026-10-25T01:30:00Z', 'market_data_y2026m10d25', '2026-10-25', '2026-10-26'],
    ['month', '2024-02-29T00:00:00Z', 'market_data_y2024m02', '2024-02-01', '2024-03-01'],
    ['month', '2023-02-28T23:59:59Z', 'market_data_y2023m02', '2023-02-01', '2023-03-01'],
    ['month', '2025-12-31T23:59:59Z', 'market_data_y2025m12', '2025-12-01', '2026-01-01'],
    ['year', '2024-12-31T23:59:59Z', 'market_data_y2024', '2024-01-01', '2025-01-01'],
    ['year', '2025-01-01T00:00:00Z', 'market_data_y2025', '2025-01-01', '2026-01-01'],
    ['year', '2000-02-29T00:00:00Z', 'market_data_y2000', '2000-01-01', '2001-01-01'],
  ] as const)('of a %s at %s is %s', ([length, instant, name, from, to]) => {
    expect(partitionAt(prices(length), at(instant))).toEqual({ name, range: range(from, to) })
  })

  test('is one of those that a range touches, and no more', () => {
    const names = (from: string, to: string) =>
      partitionsOf(prices('day'), range(from, to)).map(({ name }) => name)
    expect(names('2024-02-28T12:00Z', '2024-03-01T00:00Z')).toEqual([
      'market_data_y2024m02d28',
      'market_data_y2024m02d29',
    ])
    expect(names('2024-03-01T00:00Z', '2024-03-01T00:01Z')).toEqual(['market_data_y2024m03d01'])
    expect(names('2024-03-01T00:00Z', '2024-03-01T00:00Z')).toEqual([])
  })

  test('is followed by those that will be needed', () => {
    const names = partitionsAhead(prices('month'), at('2025-11-30T23:59Z'), 2).map(({ name }) => name)
    expect(names).toEqual(['market_data_y2025m11', 'market_data_y2025m12', 'market_data_y2026m01'])
  })

  test.for(timeframes)('of %s candles has a name that PostgreSQL does not cut off', (timeframe) => {
    expect(partitionAt(candleTable(timeframe, 'day'), start).name.length).toBeLessThan(64)
  })
})

const leafPartitions = async (pool: Pool, table: string) =>
  (await listPartitions(pool, [table])).map(({ name }) => name)
const planOf = (...days: string[]) => days.map((day) => partitionAt(minuteTable, at(day)))

describe('making partitions', () => {
  test('makes what is missing, once, with the bounds that the catalog then tells', async ({
    freshDatabase: { pool },
  }) => {
    const plans = planOf('2024-02-29', '2024-03-01')
    expect(await ensurePartitions(pool, minuteTable, plans, 2_000)).toEqual(plans.map(({ name }) => name))
    expect(await ensurePartitions(pool, minuteTable, plans, 2_000)).toEqual([])
    expect(await listPartitions(pool, ['ohlcv_data_1m'])).toMatchObject(plans)
  })

  test('gives a leaf all that its parent promises', async ({ freshDatabase: { pool } }) => {
    const plan = partitionAt(minuteTable, start)
    await ensurePartitions(pool, minuteTable, [plan], 2_000)
    const { rows } = await pool.query(
      `select contype, count(*)::integer as count from pg_constraint
       where conrelid = $1::regclass and contype in ('p', 'f', 'c') group by contype order by contype`,
      [plan.name],
    )
    expect(rows).toEqual([
      { contype: 'c', count: 2 },
      { contype: 'f', count: 1 },
      { contype: 'p', count: 1 },
    ])
  })

  test('waits neither for a reader nor for a writer of the table', async ({ freshDatabase: { pool } }) => {
    const coin = await aCoin(pool)
    await ensurePartitions(pool, minuteTable, planOf('2024-03-01'), 2_000)
    const [reader, writer] = [await pool.connect(), await pool.connect()]
    await reader.query('begin; select count(*) from ohlcv_data')
    await writer.query('begin')
    await writer.query(
      `insert into ohlcv_data (coin_id, timestamp, timeframe, open, high, low, close, volume)
       values ($1, '2024-03-01', '1m', 1, 1, 1, 1, 1)`,
      [coin],
    )
    // The lock timeout would end the first wait, and eight of them the test.
    expect(await ensurePartitions(pool, minuteTable, planOf('2024-03-02'), 100)).toHaveLength(1)
    const quarter = candleTable('15m', 'day')
    expect(await ensurePartitions(pool, quarter, [partitionAt(quarter, start)], 100)).toHaveLength(1)
    await writer.query('commit')
    await reader.query('commit')
    for (const client of [reader, writer]) client.release()
    const { rows } = await pool.query('select count(*)::integer as count from ohlcv_data')
    expect(rows).toEqual([{ count: 1 }])
  })

  test('by eight sessions at once makes each leaf once', async ({ freshDatabase: { pool, url } }) => {
    const plans = partitionsOf(minuteTable, range('2024-03-01', '2024-03-21'))
    const sessions = Array.from({ length: 8 }, () => new Pool({ connectionString: url, max: 2 }))
    try {
      const made = await Promise.all(
        sessions.map((session) => ensurePartitions(session, minuteTable, plans, 10_000)),
      )
      expect(made.flat().toSorted()).toEqual(plans.map(({ name }) => name))
    } finally {
      await Promise.all(sessions.map((session) => session.end()))
    }
    expect(await listPartitions(pool, ['ohlcv_data_1m'])).toMatchObject(plans)
  })

  test('under a lock that is held gives up in time, with a fault worth another try', async ({
    freshDatabase: { pool },
  }) => {
    await ensurePartitions(pool, minuteTable, planOf('2024-03-01'), 2_000)
    const holder = await pool.connect()
    // It takes the leaves that are there as well.
    await holder.query('begin; lock table ohlcv_data_1m')
    const held = ensurePartitions(pool, minuteTable, planOf('2024-03-01', '2024-03-02'), 10)
    await expect(held).rejects.toThrow(Unavailable)
    await expect(held).rejects.toThrow(/ohlcv_data_1m_y2024m03d02.*lock/)
    await holder.query('rollback')
    holder.release()
    expect(await leafPartitions(pool, 'ohlcv_data_1m')).toEqual(['ohlcv_data_1m_y2024m03d01'])
  })

  test('tries again until a lock is let go of', async ({ freshDatabase: { pool } }) => {
    const holder = await pool.connect()
    await holder.query('begin; lock table ohlcv_data_1m')
    const making = ensurePartitions(pool, minuteTable, planOf('2024-03-01'), 200)
    await waiting(pool, 1)
    await holder.query('rollback')
    holder.release()
    expect(await making).toEqual(['ohlcv_data_1m_y2024m03d01'])
  })

  test('heals a hole', async ({ freshDatabase: { pool } }) => {
    const plans = partitionsAhead(minuteTable, start, 2)
    const names = await ensurePartitions(pool, minuteTable, plans, 2_000)
    await pool.query(`drop table ${names[1]}`)
    expect(await ensurePartitions(pool, minuteTable, plans, 2_000)).toEqual([names[1]])
    expect(await leafPartitions(pool, 'ohlcv_data_1m')).toEqual(names)
  })

  test('names the statement that finishes an interrupted detach', async ({ freshDatabase: { pool } }) => {
    const [plan] = planOf('2024-03-01')
    if (!plan) throw new Error('there is no plan')
    await ensurePartitions(pool, minuteTable, [plan], 2_000)
    const reader = await pool.connect()
    await reader.query('begin; select count(*) from ohlcv_data')
    const theirs = await pool.connect()
    await theirs.query(`set lock_timeout = '50ms'`)
    const detaching = theirs.query(`alter table ohlcv_data_1m detach partition ${plan.name} concurrently`)
    await expect(detaching).rejects.toThrow('lock timeout')
    for (const client of [reader, theirs]) client.release(true)
    const making = ensurePartitions(pool, minuteTable, [plan], 2_000)
    await expect(making).rejects.toThrow(Misconfigured)
    await expect(making).rejects.toThrow(
      `alter table public.ohlcv_data_1m detach partition public.${plan.name} finalize`,
    )
  })

  test('refuses a stray table in the place of a leaf, by its name', async ({ freshDatabase: { pool } }) => {
    await pool.query('create table ohlcv_data_1m_y2024m03d01 (id int)')
    const making = ensurePartitions(pool, minuteTable, planOf('2024-03-01'), 2_000)
    await expect(making).rejects.toThrow(Misconfigured)
    await expect(making).rejects.toThrow('ohlcv_data_1m_y2024m03d01')
  })

  test('of another length than before fills what those that are there leave free', async ({
    freshDatabase: { pool },
  }) => {
    await ensurePartitions(pool, minuteTable, planOf('2024-03-01', '2024-03-05'), 2_000)
    const monthly = candleTable('1m', 'month')
    await ensurePartitions(pool, monthly, [partitionAt(monthly, start)], 2_000)
    expect(await listPartitions(pool, ['ohlcv_data_1m'])).toMatchObject([
      { name: 'ohlcv_data_1m_y2024m03d01', range: range('2024-03-01', '2024-03-02') },
      {
        name: 'ohlcv_data_1m_y2024m03_from_20240302t000000',
        range: range('2024-03-02', '2024-03-05'),
      },
      { name: 'ohlcv_data_1m_y2024m03d05', range: range('2024-03-05', '2024-03-06') },
      {
        name: 'ohlcv_data_1m_y2024m03_from_20240306t000000',
        range: range('2024-03-06', '2024-04-01'),
      },
    ])
    expect(await ensurePartitions(pool, minuteTable, planOf('2024-03-07'), 2_000)).toEqual([])
  })

  test.for(['15m', '30m', '4h'] satisfies Timeframe[])(
    'gives the timeframe %s, which came with the configuration, its branch',
    async (timeframe, { freshDatabase: { pool } }) => {
      const series = await aSeries(pool, { timeframe })
      const candles = candlesIn(range('2024-03-01', '2024-03-02'), timeframe)
      expect(await load(pool, aBatch(series, candles))).toMatchObject({ new: candles.length })
      expect(await readCandles(databaseOf(pool), series, range('2024-03-01', '2024-03-02'), 1_000)).toEqual(
        candles,
      )
      expect(await leafPartitions(pool, `ohlcv_data_${timeframe}`)).toEqual([
        `ohlcv_data_${timeframe}_y2024m03d01`,
      ])
    },
  )
})

const insertFlat = (pool: Pool, table: string, coin: string, timeframe: Timeframe, openTime: Instant) =>
  pool.query(
    `insert into ${table} (coin_id, timestamp, timeframe, open, high, low, close, volume)
     values ($1, $2, $3, 1, 1, 1, 1, 1)`,
    [coin, toIso(openTime), timeframe],
  )

/** The branches of ohlcv_data, each with what its open times must be. */
async function alignments(pool: Pool): Promise<Record<string, string>> {
  const { rows } = await pool.query<{ name: string; definition: string }>(
    `select conrelid::regclass::text as name, pg_get_constraintdef(pg_constraint.oid) as definition
     from pg_constraint join pg_inherits on inhrelid = conrelid
     where inhparent = 'ohlcv_data'::regclass and conname = conrelid::regclass || '_aligned'`,
  )
  return Object.fromEntries(rows.map(({ name, definition }) => [name, definition]))
}

describe('a candle off the grid of its timeframe', () => {
  test.for(timeframes)('is refused by the leaf of %s, however it comes', async (timeframe, { pool }) => {
    const coin = await aCoin(pool)
    const table = candleTable(timeframe, 'day')
    const plan = partitionAt(table, start)
    await ensurePartitions(pool, table, [plan], 2_000)
    for (const off of [1, 1_000, timeframeMs[timeframe] / 2, timeframeMs[timeframe] - 1]) {
      for (const door of ['ohlcv_data', table.name, plan.name]) {
        const writing = insertFlat(pool, door, coin, timeframe, plus(start, off))
        await expect(writing).rejects.toThrow(`${table.name}_aligned`)
      }
    }
    expect(await insertFlat(pool, 'ohlcv_data', coin, timeframe, start)).toMatchObject({ rowCount: 1 })
  })

  test('is refused as well by a branch that is older than this rule', async ({
    freshDatabase: { url, pool },
  }) => {
    const quarter = candleTable('15m', 'day')
    await ensurePartitions(pool, quarter, [partitionAt(quarter, start)], 2_000)
    const rules = await alignments(pool)
    expect(Object.keys(rules).toSorted()).toEqual(
      ['1d', '1h', '1m', '5m', '15m'].map((name) => `ohlcv_data_${name}`).toSorted(),
    )
    await migrateDown(url, { to: '0004' })
    expect(await alignments(pool)).toEqual({})
    const coin = await aCoin(pool)
    await insertFlat(pool, 'ohlcv_data', coin, '15m', start)
    await migrateUp(url)
    expect(await alignments(pool)).toEqual(rules)
    const writing = insertFlat(pool, 'ohlcv_data', coin, '15m', plus(start, 1_000))
    await expect(writing).rejects.toThrow('ohlcv_data_15m_aligned')
  })
})

describe('how far rows have a leaf to go to', () => {
  const now = at('2024-03-01T12:00Z')
  const ahead = (...days: string[]) =>
    partitionsAheadOf(
      ['ohlcv_data_1m'],
      planOf(...days).map(({ range: held }) => ({ table: 'ohlcv_data_1m', range: held })),
      now,
    )

  test.for([
    [['2024-02-29', '2024-03-01', '2024-03-02', '2024-03-03'], '2024-03-04', 2.5],
    [['2024-03-01', '2024-03-03'], '2024-03-02', 0.5],
    [['2024-02-29', '2024-03-02'], '2024-03-01T12:00Z', 0],
    [[], '2024-03-01T12:00Z', 0],
  ] as const)('with %o is %s, %f days ahead', ([days, coveredTo, daysAhead]) => {
    expect(ahead(...days)).toEqual([{ table: 'ohlcv_data_1m', coveredTo: at(coveredTo), daysAhead }])
  })

  test('is read of every table that the settings speak of', async ({ freshDatabase: { pool } }) => {
    const settings = readSettings({})
    await ensurePartitions(pool, minuteTable, planOf('2024-03-01'), 2_000)
    const read = await readPartitionsAhead(pool, settings, now)
    expect(read.map(({ table, daysAhead }) => [table, daysAhead])).toEqual(
      partitionedTables(settings).map(({ name }) => [name, name === 'ohlcv_data_1m' ? 0.5 : 0]),
    )
  })
})

describe('the list of partitions', () => {
  test('believes the catalog and not a name', async ({ freshDatabase: { pool } }) => {
    await pool.query(
      `create table old_candles partition of ohlcv_data_1m for values from ('2019-12-30') to ('2020-01-03 06:00')`,
    )
    expect(await listPartitions(pool, ['ohlcv_data_1m', 'market_data'])).toMatchObject([
      {
        table: 'ohlcv_data_1m',
        name: 'old_candles',
        range: range('2019-12-30', '2020-01-03T06:00Z'),
        estimatedRows: 0,
      },
    ])
  })

  test('distinguishes one without bounds in time from the others', async ({ freshDatabase: { pool } }) => {
    await pool.query(`
      create table everything_else partition of ohlcv_data_1m default;
      create table long_ago partition of ohlcv_data_1m for values from (minvalue) to ('2000-01-01')`)
    const { bounded, unbounded } = await measurePartitions(databaseOf(pool), ['ohlcv_data_1m'])
    expect(bounded).toEqual([])
    expect(
      unbounded.map(({ name, bounds }) => ({ name, bounds })).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    ).toEqual([
      { name: 'everything_else', bounds: 'DEFAULT' },
      { name: 'long_ago', bounds: "FOR VALUES FROM (MINVALUE) TO ('2000-01-01 00:00:00')" },
    ])
  })

  test('of nothing is empty', async ({ pool }) => {
    expect(await listPartitions(pool, [])).toEqual([])
  })
})

const seen = (cache: PartitionCache) =>
  [...cache.values()].flatMap(({ partitions }) => partitions.map(({ name }) => name))

describe('a write that needs partitions', () => {
  const dropped = async (pool: Pool) => {
    await ensurePartitions(pool, minuteTable, planOf('2024-03-01'), 2_000)
    await pool.query('drop table ohlcv_data_1m_y2024m03d01')
  }

  test('makes a leaf again that was dropped since it was seen', async ({ freshDatabase: { pool } }) => {
    const series = await aSeries(pool)
    const partitions: PartitionCache = new Map()
    const instants: Instant[] = [start]
    const deps = { pool, partitions, lockTimeoutMs: 2_000 }
    const write = () =>
      withPartitions(deps, minuteTable, instants, () =>
        inTransaction(pool, (tx) => loadCandles(tx, aBatch(series, [aCandle(start)]))),
      )
    await write()
    await dropped(pool)
    expect(seen(partitions)).toEqual(['ohlcv_data_1m_y2024m03d01'])
    expect(await write()).toMatchObject({ new: 1 })
    expect(await leafPartitions(pool, 'ohlcv_data_1m')).toEqual(['ohlcv_data_1m_y2024m03d01'])
  })

  test('asks the catalog once for each leaf', async ({ freshDatabase: { pool } }) => {
    const partitions: PartitionCache = new Map()
    const deps = { pool, partitions, lockTimeoutMs: 2_000 }
    const instants = [start, minutes(1, 2).from, plus(start, 86_400_000)]
    await withPartitions(deps, minuteTable, instants, async () => {})
    expect(await leafPartitions(pool, 'ohlcv_data_1m')).toEqual(seen(partitions))
    await dropped(pool)
    await withPartitions(deps, minuteTable, instants, async () => {})
    expect(await leafPartitions(pool, 'ohlcv_data_1m')).toEqual(['ohlcv_data_1m_y2024m03d02'])
  })

  test('fails of anything else at once', async ({ freshDatabase: { pool } }) => {
    let writes = 0
    const write = () => {
      writes += 1
      return inTransaction(pool, ({ client }) =>
        client.query(`insert into candle_coverage values ('a', '1m', 'b', 'wrong', '{}', now())`),
      )
    }
    const deps = { pool, partitions: new Map(), lockTimeoutMs: 2_000 }
    await expect(withPartitions(deps, minuteTable, [start], write)).rejects.toThrow(/state/)
    expect(writes).toBe(1)
  })
})
