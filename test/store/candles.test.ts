import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Unavailable } from '../../src/fault.ts'
import type { Candle } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { toIso } from '../../src/market/instant.ts'
import { type AlignedRange, intersect, type Range } from '../../src/market/range.ts'
import {
  type Accounting,
  addAccounting,
  type CandleBatch,
  loadBatches,
  nothingReceived,
  readCandles,
} from '../../src/store/candles.ts'
import { readCoverage, type Series } from '../../src/store/coverage.ts'
import { readPartitions, receiving } from '../../src/store/partitions/catalog.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionsOf } from '../../src/store/partitions.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { names } from '../support/names.ts'
import { scriptFile } from '../support/scripts.ts'
import {
  aBatch,
  aCandle,
  aCoin,
  aSeries,
  at,
  candlesIn,
  endSession,
  load,
  loadCandles,
  minutes,
  now,
  pidOf,
  start,
  waiting,
} from './loading.ts'

const day = { from: start, to: plus(start, 86_400_000) }

const stored = (pool: Pool, series: Series) => readCandles(databaseOf(pool), series, day, 10_000)
const coverage = (pool: Pool, series: Series) => readCoverage(databaseOf(pool), series, day)

/** Everything that the daemon knows of a series, down to when it was written. */
async function coverageLines(pool: Pool, { coinId }: Series) {
  const tables = ['ohlcv_data', 'candle_coverage', 'candle_revisions', 'quarantined_rows']
  const rows = await Promise.all(
    tables.map((table) =>
      pool.query(
        `select t.*, t.ctid::text, t.xmin::text${table === 'ohlcv_data' ? ', t.xmax::text' : ''} from ${table} as t where coin_id = $1 order by t::text`,
        [coinId],
      ),
    ),
  )
  return rows.map((result) => result.rows)
}

const unusable = (openTime = start) => ({
  raw: [openTime, 'NaN'],
  reason: 'open is not a decimal string',
  openTime,
})

test('candles of a coin and a market of any name are stored, changed and told under them', async ({
  pool,
}) => {
  for (const name of names) {
    const series = await aSeries(pool, { coinId: await aCoin(pool, name) })
    const candles = candlesIn(minutes(0, 3))
    const parts = { symbol: name, rejected: [{ raw: name, reason: name, openTime: plus(start, 180_000) }] }
    await load(pool, aBatch(series, candles, { ...parts, answered: minutes(0, 4) }))
    const changed = candles.map((candle) => ({ ...candle, volume: toDecimal('7.00000000') }))
    expect(await load(pool, aBatch(series, changed, { ...parts, answered: minutes(0, 4) }))).toMatchObject({
      revised: 3,
    })
    expect(await stored(pool, series)).toEqual(changed)
    expect(await coverage(pool, series)).toContainEqual({
      range: minutes(0, 3),
      state: 'stored',
      source: 'binance',
    })
    const { rows } = await pool.query('select market, reason from quarantined_rows where coin_id = $1', [
      series.coinId,
    ])
    expect(rows).toEqual([{ market: name, reason: name }])
  }
})

describe('loading an answer', () => {
  test('stores its candles digit by digit', async ({ pool }) => {
    const series = await aSeries(pool)
    const digits = {
      open: '9999999999999999.99999999',
      high: '9999999999999999.99999999',
      low: '0.00000001',
      close: '0.12345678',
      volume: '999999999999999999999999.99999999',
    }
    const candles = [
      aCandle(start, digits),
      aCandle(plus(start, 60_000), { low: '0.00000000', volume: '0.00000000' }),
    ]
    expect(await load(pool, aBatch(series, candles))).toEqual({ ...nothingReceived, received: 2, new: 2 })
    expect(await stored(pool, series)).toEqual(candles)
  })

  test('again changes nothing, not even when it was last written or locked; a rejected row is counted', async ({
    pool,
  }) => {
    const series = await aSeries(pool)
    const answer = aBatch(series, candlesIn(minutes(0, 100)), {
      answered: minutes(0, 120),
      rejected: [unusable(minutes(110, 111).from)],
    })
    await load(pool, answer)
    const [candles, known, revised] = await coverageLines(pool, series)
    const again = await load(pool, { ...answer, now: plus(now, 60_000) })
    expect(again).toEqual({ received: 101, new: 0, revised: 0, unchanged: 100, quarantined: 1 })
    expect(await coverageLines(pool, series)).toEqual([
      candles,
      known,
      revised,
      [expect.objectContaining({ times_seen: 2 })],
    ])
  })

  test('replaces a value that its exchange has changed, and keeps the one before', async ({ pool }) => {
    const series = await aSeries(pool)
    await load(pool, aBatch(series, candlesIn(minutes(0, 3))))
    const changed = aCandle(minutes(1, 2).from, { close: '11.50000000', volume: '101.00000000' })
    const correction = aBatch(series, [aCandle(start), changed])
    expect(await load(pool, correction)).toEqual({
      received: 2,
      new: 0,
      revised: 1,
      unchanged: 1,
      quarantined: 0,
    })
    expect((await stored(pool, series))[1]).toEqual(changed)
    const { rows } = await pool.query('select * from candle_revisions where coin_id = $1', [series.coinId])
    expect(rows).toMatchObject([
      {
        timeframe: '1m',
        source: 'binance',
        run_id: correction.runId,
        old_close: '11.00000000',
        new_close: '11.50000000',
        old_volume: '100.00000000',
        new_volume: '101.00000000',
        old_open: '10.00000000',
        new_open: '10.00000000',
      },
    ])
  })

  test('knows 1.5 and 1.50 as the same number', async ({ pool }) => {
    const series = await aSeries(pool)
    await load(pool, aBatch(series, [aCandle(start)]))
    const shorter = aCandle(start, { open: '10', high: '12.0', low: '9', close: '11', volume: '100' })
    expect(await load(pool, aBatch(series, [shorter]))).toMatchObject({ revised: 0, unchanged: 1 })
  })

  test('leaves what the batch does not speak of', async ({ pool }) => {
    const [mine, other] = [await aSeries(pool), await aSeries(pool)]
    await load(pool, aBatch(other, candlesIn(minutes(0, 5))))
    await load(pool, aBatch({ ...mine, timeframe: '5m' }, candlesIn(minutes(0, 10), '5m')))
    await load(pool, aBatch(mine, [aCandle(start, { close: '9.50000000' })]))
    expect(await stored(pool, other)).toEqual(candlesIn(minutes(0, 5)))
    expect(await stored(pool, { ...mine, timeframe: '5m' })).toEqual(candlesIn(minutes(0, 10), '5m'))
  })

  test('keeps a row that is not trusted aside, once, with its reason and its digits', async ({ pool }) => {
    const series = await aSeries(pool)
    const raw = [start, '1.0', '0.9\u0000', "'; drop table coins; --"]
    const answer = aBatch(series, [], {
      answered: minutes(0, 1),
      rejected: [{ raw, reason: 'high 0.9 is below', openTime: start }],
    })
    expect(await load(pool, answer)).toEqual({ ...nothingReceived, received: 1, quarantined: 1 })
    await load(pool, answer)
    const { rows } = await pool.query('select * from quarantined_rows where coin_id = $1', [series.coinId])
    expect(rows).toMatchObject([
      {
        source: 'binance',
        market: 'COINUSDT',
        timeframe: '1m',
        reason: 'high 0.9 is below',
        run_id: answer.runId,
      },
    ])
    expect(JSON.parse(rows[0]?.raw)).toEqual(raw)
    expect(await coverage(pool, series)).toMatchObject([{ state: 'refused', range: minutes(0, 1) }])
  })

  test('resolves the earlier state of a candle at once: its later state is stored, and nothing is missing', async ({
    pool,
  }) => {
    const series = await aSeries(pool)
    const note = { raw: ['earlier'], reason: 'superseded', openTime: start, isSuperseded: true } as const
    const answer = aBatch(series, candlesIn(minutes(0, 2)), { rejected: [note] })
    expect(await load(pool, answer)).toMatchObject({ received: 3, new: 2, quarantined: 1 })
    expect(await coverage(pool, series)).toMatchObject([{ state: 'stored', range: minutes(0, 2) }])
    const { rows } = await pool.query(
      'select resolution, resolved_by from quarantined_rows where coin_id = $1',
      [series.coinId],
    )
    expect(rows).toEqual([{ resolution: 'superseded', resolved_by: 'beacon' }])
  })

  test('counts a rejected row as unchanged where its candle was accepted, to the digit, and only there', async ({
    pool,
  }) => {
    const series = await aSeries(pool)
    const [accepted, other] = [minutes(3, 4).from, minutes(4, 5).from]
    await load(pool, aBatch(series, [aCandle(accepted), aCandle(other, { volume: '100.00000001' })]))
    const rowOf = (openTime: typeof accepted) => ({
      raw: [openTime],
      reason: 'cut short',
      openTime,
      acceptable: aCandle(openTime, { close: '11.0' }),
    })
    const again = aBatch(series, [], { answered: minutes(0, 8), rejected: [rowOf(accepted), rowOf(other)] })
    expect(await load(pool, again)).toEqual({ received: 2, new: 0, revised: 0, unchanged: 1, quarantined: 1 })
    const { rows } = await pool.query('select timestamp from quarantined_rows where coin_id = $1', [
      series.coinId,
    ])
    expect(rows).toHaveLength(1)
    expect(await coverage(pool, series)).toMatchObject([
      { state: 'no-trades', range: minutes(0, 3) },
      { state: 'stored', range: minutes(3, 5) },
      { state: 'no-trades', range: minutes(5, 8) },
    ])
  })

  test('rounds what has more decimals than the table exactly as PostgreSQL would, and counts it', async ({
    pool,
  }) => {
    const series = await aSeries(pool)
    const long = ['1.000000005', '1.0000000049999', '1.999999995', '0.123456784999', '8.00000000500']
    const rows = long.map((close, index) => ({
      raw: close,
      candle: { ...aCandle(minutes(index, index + 1).from, { low: '0.00000000' }), close: toDecimal(close) },
    }))
    const checked = checkCandles(rows, { timeframe: '1m', range: minutes(0, 5), now })
    expect(checked).toMatchObject({ roundedValues: long.length, rejected: [] })
    await load(pool, aBatch(series, checked.candles))
    const { rows: expected } = await pool.query(
      'select value::numeric::decimal(24, 8) as close from unnest($1::text[]) with ordinality as t(value, place) order by place',
      [long],
    )
    expect((await stored(pool, series)).map(({ close }) => ({ close }))).toEqual(expected)
  })

  test('finds its candles across partitions', async ({ pool }) => {
    const series = await aSeries(pool)
    const midnight = { from: minutes(1_430, 1_440).from, to: minutes(1_440, 1_450).to }
    expect(await load(pool, aBatch(series, candlesIn(midnight)))).toMatchObject({ new: 20 })
    expect(await load(pool, aBatch(series, candlesIn(midnight)))).toMatchObject({ unchanged: 20 })
    expect(await readCandles(databaseOf(pool), series, midnight, 100)).toEqual(candlesIn(midnight))
    expect(await readCandles(databaseOf(pool), series, midnight, 3)).toEqual(candlesIn(midnight).slice(-3))
  })

  test('serves several series in one transaction, one after the other', async ({ pool }) => {
    const [one, two] = [await aSeries(pool), await aSeries(pool)]
    await load(pool, aBatch(one, candlesIn(minutes(0, 1))))
    const accounting = await inTransaction(pool, async (tx) => [
      await loadCandles(tx, aBatch(one, candlesIn(minutes(0, 3)))),
      await loadCandles(tx, aBatch(two, candlesIn(minutes(2, 4)))),
    ])
    expect(accounting).toMatchObject([
      { new: 2, unchanged: 1 },
      { new: 2, unchanged: 0 },
    ])
    expect(await stored(pool, two)).toEqual(candlesIn(minutes(2, 4)))
  })
})

const minuteTable = candleTable('1m', 'day')

/** All that a test writes lies in these. */
const partitionsIn = async (pool: Pool, range: Range) =>
  receiving(await readPartitions(databaseOf(pool), [minuteTable.name])).filter(
    (partition) => intersect(partition.range, range) !== undefined,
  )

const twoDays = { from: start, to: plus(start, 2 * 86_400_000) }

/** As jobs do it: many answers in one transaction, straight into the leaves. */
async function loadTogether(pool: Pool, batches: readonly CandleBatch[]): Promise<Accounting[]> {
  await ensurePartitions(pool, minuteTable, partitionsOf(minuteTable, twoDays), 2_000)
  const partitions = await partitionsIn(pool, twoDays)
  return inTransaction(pool, (tx) => loadBatches(tx, batches, partitions))
}

/** Rows that another program has written, without a word to the ledger. */
const writeBeside = (pool: Pool, { coinId }: Series, candles: readonly Candle[]) =>
  pool.query(
    `insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume)
     select $1, '1m', openTime, 10, 12, 9, close, 100
     from unnest($2::timestamp[], $3::numeric[]) as candle (openTime, close)`,
    [coinId, candles.map(({ openTime }) => toIso(openTime)), candles.map(({ close }) => close)],
  )

describe('answers written together', () => {
  test('are accounted one by one, in the order they were given', async ({ pool }) => {
    const [one, two, three] = [await aSeries(pool), await aSeries(pool), await aSeries(pool)]
    await load(pool, aBatch(one, candlesIn(minutes(0, 10))))
    const refused = aBatch(three, [], {
      answered: minutes(0, 5),
      rejected: [unusable()],
    })
    const changed = [...candlesIn(minutes(0, 9)), aCandle(minutes(9, 10).from, { close: '9.50000000' })]
    expect(
      await loadTogether(pool, [
        refused,
        aBatch(two, candlesIn(minutes(1_400, 1_500))),
        aBatch(one, [...changed, ...candlesIn(minutes(10, 12))]),
      ]),
    ).toEqual([
      { ...nothingReceived, received: 1, quarantined: 1 },
      { ...nothingReceived, received: 100, new: 100 },
      { ...nothingReceived, received: 12, new: 2, revised: 1, unchanged: 9 },
    ])
    const all = await readCandles(databaseOf(pool), two, twoDays, 10_000)
    expect(all).toEqual(candlesIn(minutes(1_400, 1_500)))
    expect((await stored(pool, one)).map(({ close }) => close)[9]).toBe('9.50000000')
    expect(await coverage(pool, three)).toMatchObject([
      { state: 'refused', range: minutes(0, 1) },
      { state: 'no-trades', range: minutes(1, 5) },
    ])
  })

  test('of one series are one range of coverage, and where they overlap the later one counts', async ({
    pool,
  }) => {
    const series = await aSeries(pool)
    const corrected = aCandle(minutes(59, 60).from, { close: '9.50000000' })
    const pages = [
      aBatch(series, candlesIn(minutes(0, 30))),
      aBatch(series, candlesIn(minutes(30, 60))),
      aBatch(series, [corrected, ...candlesIn(minutes(60, 90))]),
    ]
    expect(await loadTogether(pool, pages)).toMatchObject([{ new: 30 }, { new: 30 }, { new: 30, revised: 1 }])
    expect(await coverage(pool, series)).toMatchObject([{ state: 'stored', range: minutes(0, 90) }])
    expect((await stored(pool, series))[59]).toEqual(corrected)
  })

  test('again leave every row as it was, in whatever order they come', async ({ pool }) => {
    const series = await Promise.all(Array.from({ length: 4 }, () => aSeries(pool)))
    const batches = series.map((one) => aBatch(one, candlesIn(minutes(0, 50))))
    await loadTogether(pool, batches)
    const before = await Promise.all(series.map((one) => coverageLines(pool, one)))
    expect(await loadTogether(pool, batches.toReversed())).toMatchObject(
      batches.map(() => ({ unchanged: 50 })),
    )
    expect(await Promise.all(series.map((one) => coverageLines(pool, one)))).toEqual(before)
  })

  test('of many timeframes find their tables', async ({ pool }) => {
    const series = await aSeries(pool)
    const hourly = { ...series, timeframe: '1h' } as const
    const table = candleTable('1h', 'month')
    await ensurePartitions(pool, table, partitionsOf(table, day), 2_000)
    const hours = candlesIn(day, '1h')
    const batches = [aBatch(hourly, hours), aBatch(series, candlesIn(minutes(0, 5))), aBatch(hourly, hours)]
    expect(await loadTogether(pool, batches)).toMatchObject([{ new: 24 }, { new: 5 }, { unchanged: 24 }])
  })
})

describe('a stretch of changed candles', () => {
  const changedIn = (range: AlignedRange) =>
    candlesIn(range).map(({ openTime }) => aCandle(openTime, { close: '9.5' }))

  /** Of an hour all but its middle minute. */
  const aroundTheMiddle = [...changedIn(minutes(0, 30)), ...changedIn(minutes(31, 90))]

  async function expectChanged(pool: Pool, series: Series, loaded: Promise<unknown>) {
    expect(await loaded).toMatchObject([{ received: 89, new: 0, revised: 89, unchanged: 0 }])
    const closes = (await stored(pool, series)).map(({ close }) => close)
    expect(closes).toEqual(
      Array.from({ length: 100 }, (_, at) => (at === 30 || at >= 90 ? '11.00000000' : '9.50000000')),
    )
    const { rows } = await pool.query(
      `select count(*)::integer as revisions, min(old_close) as old, max(new_close) as new, min(run_id::text) as run
       from candle_revisions where coin_id = $1`,
      [series.coinId],
    )
    expect(rows).toMatchObject([{ revisions: 89, old: '11.00000000', new: '9.50000000' }])
  }

  test('replaces what was there, and nothing that the answer does not speak of', async ({ pool }) => {
    const series = await aSeries(pool)
    await loadTogether(pool, [aBatch(series, candlesIn(minutes(0, 100)))])
    await expectChanged(pool, series, loadTogether(pool, [aBatch(series, aroundTheMiddle)]))
  })

  test('is changed too where the role may not delete', async ({ pool, superuser, databaseUrl }) => {
    const series = await aSeries(pool)
    await loadTogether(pool, [aBatch(series, candlesIn(minutes(0, 100)))])
    const role = `updater_${process.pid}`
    await superuser.query(`create role ${role} login password 'updater'`)
    await superuser.query(`grant select, insert, update on all tables in schema public to ${role}`)
    const url = new URL(databaseUrl)
    url.username = role
    url.password = 'updater'
    const own = new Pool({ connectionString: url.href, max: 1 })
    try {
      const partitions = await partitionsIn(pool, day)
      const loaded = inTransaction(own, (tx) =>
        loadBatches(tx, [aBatch(series, aroundTheMiddle)], partitions),
      )
      await expectChanged(pool, series, loaded)
    } finally {
      await own.end()
      await superuser.query(`drop owned by ${role}`)
      await superuser.query(`drop role ${role}`)
    }
  })
})

describe('candles that are there although the ledger does not know', () => {
  test.for([
    ['straight into the leaves', true],
    ['through the table', false],
  ] as const)('are found when they are loaded %s, and nothing is lost', async ([, named], { pool }) => {
    const series = await aSeries(pool)
    await prepareDay(pool)
    const [equal, other] = [aCandle(minutes(3, 4).from), aCandle(minutes(5, 6).from, { close: '9.5' })]
    await writeBeside(pool, series, [equal, other])
    const batch = aBatch(series, candlesIn(minutes(0, 10)))
    const second = aBatch(await aSeries(pool), candlesIn(minutes(0, 10)))
    const partitions = named ? await partitionsIn(pool, day) : []
    const accountings = await inTransaction(pool, (tx) => loadBatches(tx, [batch, second], partitions))
    expect(accountings).toMatchObject([{ new: 8, revised: 1, unchanged: 1 }, { new: 10 }])
    expect(await stored(pool, series)).toEqual(candlesIn(minutes(0, 10)))
    expect(await coverage(pool, series)).toMatchObject([{ state: 'stored', range: minutes(0, 10) }])
    const { rows } = await pool.query('select old_close from candle_revisions where coin_id = $1', [
      series.coinId,
    ])
    expect(rows).toEqual([{ old_close: '9.50000000' }])
  })

  test('are waited for while their writer has not committed', async ({ pool }) => {
    const series = await aSeries(pool)
    await prepareDay(pool)
    const other = await pool.connect()
    await other.query('begin')
    await other.query(
      `insert into ohlcv_data (coin_id, timestamp, timeframe, open, high, low, close, volume)
       values ($1, '2024-03-01 00:01', '1m', 1, 1, 1, 1, 1)`,
      [series.coinId],
    )
    const loading = load(pool, aBatch(series, candlesIn(minutes(0, 3))))
    await waiting(pool, 1)
    await other.query('commit')
    other.release()
    expect(await loading).toMatchObject({ new: 2, revised: 1 })
    expect(await stored(pool, series)).toEqual(candlesIn(minutes(0, 3)))
  })
})

test('a leaf is not detached while it is written to by its own name', async ({ freshDatabase: { pool } }) => {
  const series = await aSeries(pool)
  await prepareDay(pool)
  const one = 'ohlcv_data_1m_y2024m03d01'
  const partitions = await partitionsIn(pool, day)
  const detach = `alter table ohlcv_data_1m detach partition ${one} concurrently`
  let detaching: Promise<unknown> = Promise.resolve()
  await inTransaction(pool, async (tx) => {
    await loadBatches(tx, [aBatch(series, candlesIn(minutes(0, 3)))], partitions)
    detaching = pool.query(detach)
    await waiting(pool, 1)
  })
  await detaching
  // It is written to by nobody any more, although it is still there and would take the row.
  const late = inTransaction(pool, (tx) =>
    loadBatches(tx, [aBatch(series, candlesIn(minutes(5, 6)))], partitions),
  )
  await expect(late).rejects.toThrow('no partition of relation')
  const { rows } = await pool.query(`select count(*)::integer as candles from ${one}`)
  expect(rows).toEqual([{ candles: 3 }])
})

describe('what interrupts a load', () => {
  /** Neither a candle nor a word about one. */
  async function expectNothing(pool: Pool, series: Series) {
    expect(await coverageLines(pool, series)).toEqual([[], [], [], []])
  }

  test('takes the candles and their coverage away together', async ({ pool }) => {
    const series = await aSeries(pool)
    await prepareDay(pool)
    const failing = inTransaction(pool, async (tx) => {
      await loadCandles(tx, aBatch(series, candlesIn(minutes(0, 50)), { rejected: [aRefusal] }))
      throw new Error('out of ideas')
    })
    await expect(failing).rejects.toThrow('out of ideas')
    await expectNothing(pool, series)
  })

  test('by ending its session before the commit leaves nothing, and the next try is a first one', async ({
    pool,
  }) => {
    const series = await aSeries(pool)
    await prepareDay(pool)
    const batch = aBatch(series, candlesIn(minutes(0, 500)))
    const ended = inTransaction(pool, async (tx) => {
      await loadCandles(tx, batch)
      await endSession(pool, await pidOf(tx.client))
    })
    await expect(ended).rejects.toThrow(Unavailable)
    await expectNothing(pool, series)
    expect(await load(pool, batch)).toMatchObject({ new: 500, unchanged: 0 })
    expect(await coverage(pool, series)).toMatchObject([{ state: 'stored', range: minutes(0, 500) }])
  })

  test('by ending its session in the middle of the merge leaves nothing', async ({ pool }) => {
    const series = await aSeries(pool)
    await prepareDay(pool)
    const other = await pool.connect()
    await other.query('begin')
    await other.query(
      `insert into ohlcv_data (coin_id, timestamp, timeframe, open, high, low, close, volume)
       values ($1, '2024-03-01 00:10', '1m', 1, 1, 1, 1, 1)`,
      [series.coinId],
    )
    const blocked = expect(load(pool, aBatch(series, candlesIn(minutes(0, 100))))).rejects.toThrow(
      Unavailable,
    )
    await waiting(pool, 1)
    await other.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    await blocked
    await other.query('rollback')
    other.release()
    await expectNothing(pool, series)
  })

  test('by a limit on the time of a statement is worth another try', async ({ pool }) => {
    const series = await aSeries(pool)
    await prepareDay(pool)
    const slow = inTransaction(pool, async ({ client, ...tx }) => {
      await client.query(`set local statement_timeout = '20ms'`)
      await loadCandles({ client, ...tx }, aBatch(series, candlesIn(minutes(0, 10))))
      await client.query('select pg_sleep(60)')
    })
    await expect(slow).rejects.toThrow(Unavailable)
    await expectNothing(pool, series)
  })
})

const prepareDay = (pool: Pool) => {
  const table = candleTable('1m', 'day')
  return ensurePartitions(pool, table, partitionsOf(table, day), 2_000)
}

const aRefusal = unusable(minutes(60, 61).from)

describe('loads side by side', () => {
  test('of overlapping stretches of one series count every candle as new exactly once', async ({ pool }) => {
    const series = await aSeries(pool)
    await prepareDay(pool)
    const stretches = Array.from({ length: 12 }, (_, index) => minutes(index * 50, index * 50 + 200))
    const loads = await Promise.all(stretches.map((range) => load(pool, aBatch(series, candlesIn(range)))))
    const total = loads.reduce<Accounting>(addAccounting, nothingReceived)
    expect(total).toEqual({ received: 2_400, new: 750, revised: 0, unchanged: 1_650, quarantined: 0 })
    expect(await stored(pool, series)).toEqual(candlesIn(minutes(0, 750)))
    expect(await coverage(pool, series)).toEqual([
      { state: 'stored', source: 'binance', range: minutes(0, 750) },
    ])
  })

  test('of many series in opposite orders never wait for each other in a circle', async ({ pool }) => {
    const series = await Promise.all(Array.from({ length: 8 }, () => aSeries(pool)))
    await prepareDay(pool)
    const loadAll = async (order: readonly Series[]) => {
      let total: Accounting = nothingReceived
      for (const one of order)
        total = addAccounting(total, await load(pool, aBatch(one, candlesIn(minutes(0, 120)))))
      return total
    }
    const [forth, back] = await Promise.all([loadAll(series), loadAll(series.toReversed())])
    expect(addAccounting(forth, back)).toMatchObject({ new: 8 * 120, unchanged: 8 * 120, revised: 0 })
  })

  test('of many series in one transaction each, in opposite orders, all get through', async ({ pool }) => {
    const series = await Promise.all(Array.from({ length: 12 }, () => aSeries(pool)))
    const batches = series.map((one) => aBatch(one, candlesIn(minutes(0, 60))))
    const orders = [batches, batches.toReversed(), batches, batches.toReversed()]
    const loads = await Promise.all(orders.map((order) => loadTogether(pool, order)))
    const total = loads.flat().reduce<Accounting>(addAccounting, nothingReceived)
    expect(total).toMatchObject({ new: 12 * 60, unchanged: 3 * 12 * 60, revised: 0 })
  })

  test('of two series in one transaction each, in opposite orders, end one of the two with a fault worth another try', async ({
    pool,
  }) => {
    const [one, two] = [await aSeries(pool), await aSeries(pool)]
    await prepareDay(pool)
    const both = (first: Series, second: Series, firstDone: () => Promise<void>) =>
      inTransaction(pool, async (tx) => {
        await loadCandles(tx, aBatch(first, candlesIn(minutes(0, 5))))
        await firstDone()
        await loadCandles(tx, aBatch(second, candlesIn(minutes(0, 5))))
      })
    const meet = meeting(2)
    const outcomes = await Promise.allSettled([both(one, two, meet), both(two, one, meet)])
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(failures).toEqual([expect.any(Unavailable)])
    expect(await stored(pool, one)).toEqual(candlesIn(minutes(0, 5)))
    expect(await stored(pool, two)).toEqual(candlesIn(minutes(0, 5)))
  })
})

/** Everybody waits until so many have come. */
function meeting(people: number): () => Promise<void> {
  let come = 0
  let open: () => void = () => undefined
  const all = new Promise<void>((resolve) => {
    open = resolve
  })
  return () => {
    come += 1
    if (come === people) open()
    return all
  }
}

describe('the foreign key of the coin', () => {
  const unknown: Series = { coinId: 'nobody-knows', timeframe: '1m', source: 'binance' }

  test('holds for a coin that nobody knows, also after one that is known in the same transaction', async ({
    pool,
  }) => {
    const known = await aSeries(pool)
    await ensurePartitions(pool, candleTable('1m', 'day'), partitionsOf(candleTable('1m', 'day'), day), 2_000)
    await expect(load(pool, aBatch(unknown, candlesIn(minutes(0, 3))))).rejects.toThrow()
    const both = inTransaction(pool, async (tx) => {
      await loadCandles(tx, aBatch(known, candlesIn(minutes(0, 3))))
      await loadCandles(tx, aBatch(unknown, candlesIn(minutes(0, 3))))
    })
    await expect(both).rejects.toThrow()
    expect(await stored(pool, known)).toEqual([])
  })

  test('is checked again by the server once the load is over', async ({ pool }) => {
    await load(pool, aBatch(await aSeries(pool), candlesIn(minutes(0, 3))))
    const { rows } = await pool.query('show session_replication_role')
    expect(rows).toEqual([{ session_replication_role: 'origin' }])
  })

  test('keeps the coin from being deleted while its candles are loaded', async ({ pool }) => {
    const series = await aSeries(pool)
    let deletion: Promise<unknown> = Promise.resolve()
    await load(pool, aBatch(series, candlesIn(minutes(0, 1))))
    await inTransaction(pool, async (tx) => {
      await loadCandles(tx, aBatch(series, candlesIn(minutes(1, 3))))
      const other = await pool.connect()
      deletion = other
        .query('delete from coins where id = $1', [series.coinId])
        .finally(() => other.release())
      deletion.catch(() => undefined)
      await waiting(pool, 1)
    })
    await expect(deletion).rejects.toThrow(/violates foreign key constraint/)
    expect((await stored(pool, series)).length).toBe(3)
  })

  test('does its work where the role may not let it rest', async ({ pool, superuser, databaseUrl }) => {
    const role = `loader_${process.pid}`
    await superuser.query(`create role ${role} login password 'loader'`)
    await superuser.query(`grant all on all tables in schema public to ${role}`)
    const url = new URL(databaseUrl)
    url.username = role
    url.password = 'loader'
    const own = new Pool({ connectionString: url.href, max: 2 })
    try {
      const series = await aSeries(pool)
      await ensurePartitions(
        pool,
        candleTable('1m', 'day'),
        partitionsOf(candleTable('1m', 'day'), day),
        2_000,
      )
      const batch = aBatch(series, candlesIn(minutes(0, 3)))
      expect(await inTransaction(own, (tx) => loadCandles(tx, batch))).toMatchObject({ new: 3 })
      const refused = inTransaction(own, (tx) => loadCandles(tx, aBatch(unknown, candlesIn(minutes(0, 3)))))
      await expect(refused).rejects.toThrow()
    } finally {
      await own.end()
      await superuser.query(`drop owned by ${role}`)
      await superuser.query(`drop role ${role}`)
    }
  })
})

describe('the tables themselves', () => {
  test.for([
    ['a high that is no number', { high: 'NaN' }],
    ['an open that is no number', { open: 'NaN' }],
    ['a low that is no number', { low: 'NaN' }],
    ['all four no numbers', { open: 'NaN', high: 'NaN', low: 'NaN', close: 'NaN' }],
    ['a volume that is no number', { volume: 'NaN' }],
    ['a high below the low', { high: '8', low: '9' }],
    ['an open above the high', { open: '13' }],
    ['a close below the low', { close: '8' }],
    ['a negative low', { low: '-1' }],
    ['a negative volume', { volume: '-0.00000001' }],
    ['an endless high', { high: 'Infinity' }],
    ['a price too large', { high: '10000000000000000' }],
  ] as const)('refuse %s, whoever writes it', async ([, wrong], { pool }) => {
    await prepareDay(pool)
    const coin = await aCoin(pool)
    const row = { open: '10', high: '12', low: '9', close: '11', volume: '100', ...wrong }
    const insert = pool.query(
      `insert into ohlcv_data (coin_id, timestamp, timeframe, open, high, low, close, volume)
       values ($1, '2024-03-01', '1m', $2, $3, $4, $5, $6)`,
      [coin, row.open, row.high, row.low, row.close, row.volume],
    )
    await expect(insert).rejects.toThrow(/ohlcv_data_sane|numeric field overflow/)
  })

  test('refuse a candle of a coin that nobody knows', async ({ pool }) => {
    const unknown: Series = { coinId: 'nobody', timeframe: '1m', source: 'binance' }
    await expect(load(pool, aBatch(unknown, [aCandle(start)]))).rejects.toThrow()
    expect(await coverageLines(pool, unknown)).toEqual([[], [], [], []])
  })
})

describe('the zone', () => {
  const openTime = at('2024-02-29T18:31:00Z')

  const textOf = async (pool: Pool, { coinId }: Series) => {
    const { rows } = await pool.query(`select timestamp::text from ohlcv_data where coin_id = $1`, [coinId])
    return rows
  }

  test('of a session does not move an open time, nor a partition', async ({ pool, databaseUrl }) => {
    const series = await aSeries(pool)
    const abroad = new Pool({ connectionString: databaseUrl, options: '-c TimeZone=Asia/Kolkata', max: 2 })
    try {
      await load(abroad, aBatch(series, [aCandle(openTime)]))
      expect(await load(pool, aBatch(series, [aCandle(openTime)]))).toMatchObject({ unchanged: 1 })
      const around = { from: plus(openTime, -60_000), to: plus(openTime, 60_000) }
      expect(await readCandles(databaseOf(abroad), series, around, 10)).toEqual([aCandle(openTime)])
      expect(await readCoverage(databaseOf(abroad), series, around)).toEqual(
        await readCoverage(databaseOf(pool), series, around),
      )
    } finally {
      await abroad.end()
    }
    expect(await textOf(pool, series)).toEqual([{ timestamp: '2024-02-29 18:31:00' }])
  })

  test('of a process does not move an open time', async ({ pool, databaseUrl }) => {
    const series = await aSeries(pool)
    await promisify(execFile)(
      process.execPath,
      [scriptFile('store/loading-process'), databaseUrl, series.coinId, String(openTime)],
      {
        env: { ...process.env, TZ: 'Asia/Kolkata', PGTZ: 'Asia/Kolkata' },
      },
    )
    expect(await textOf(pool, series)).toEqual([{ timestamp: '2024-02-29 18:31:00' }])
    expect(await load(pool, aBatch(series, [aCandle(openTime)]))).toMatchObject({ unchanged: 1 })
  })
})
