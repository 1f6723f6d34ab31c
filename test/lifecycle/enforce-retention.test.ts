import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { enforceRetention } from '../../jobs/enforce-retention.ts'
import { ensurePartitions } from '../../jobs/ensure-partitions.ts'
import { Aborted, Misconfigured } from '../../src/fault.ts'
import { readRetentionPlan } from '../../src/lifecycle/retention-plan.ts'
import { day, hour, minute, toIso } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { readCoverage } from '../../src/store/coverage.ts'
import { listArchives } from '../../src/store/lifecycle/archives.ts'
import { listHolds } from '../../src/store/lifecycle/partition-holds.ts'
import { candleTable, partitionAt } from '../../src/store/partitions.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { keptReport, startWorking } from '../ingest/working.ts'
import { aBatch, aCandle, aCoin, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import {
  daysAgo,
  freshData,
  minutePartition,
  partitionsNow,
  pricePartition,
  retain,
  retry,
  someCandles,
  somePrices,
} from './retaining.ts'

/** What the hourly job does first of all. */
async function ensureAhead(pool: Pool, settings: Settings): Promise<void> {
  await using working = await startWorking(pool, { now: systemClock.now(), settings: () => settings })
  await ensurePartitions.run(working.context, {}, keptReport())
}

/** The ledger of a coin's 1m candles, as text; its rows without a range do not show. */
const coverage = async (pool: Pool, coinId: string) =>
  (
    await readCoverage(databaseOf(pool), { coinId, timeframe: '1m' }, { from: daysAgo(100), to: daysAgo(-1) })
  ).map(({ state, range }) => `${state} ${toIso(range.from)} ${toIso(range.to)}`)

const daily = async (pool: Pool, coinId: string) =>
  (
    await pool.query(
      `select day::text, open, high, low, close, average_price, samples, finalized_at is not null as resolved
       from market_data_daily where coin_id = $1 order by day`,
      [coinId],
    )
  ).rows

describe('a run of retention', () => {
  test('drops old candles with all that is known of them, and rolls old prices up', async ({
    freshDatabase: { pool },
  }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    await someCandles(pool, coinId, daysAgo(9), 30)
    await someCandles(pool, coinId, daysAgo(7), 10)
    await somePrices(pool, coinId, daysAgo(32), 50)
    // A correction, a row that was refused, and a stretch without trades where there is no leaf at all.
    const old = { coinId, timeframe: '1m', source: 'binance' } as const
    await load(pool, aBatch(old, [aCandle(daysAgo(9), { high: '13.00000000' })]))
    const raw = { raw: 'a row', reason: 'odd', openTime: plus(daysAgo(9), hour) }
    await load(
      pool,
      aBatch(old, [], {
        answered: { from: daysAgo(12), to: daysAgo(10) },
        rejected: [raw],
        absentBefore: daysAgo(0),
      }),
    )
    const recent = (await coverage(pool, coinId)).slice(-3)
    const { rows: truth } = await pool.query(
      `select min(price) as low, max(price) as high, round(avg(price), 8) as average_price, count(*)::integer as samples
       from market_data where timestamp < $1`,
      [toIso(daysAgo(31))],
    )
    const outcome = await retain(pool)
    expect(outcome).toMatchObject({
      dropped: [minutePartition(9), pricePartition(32)],
      rows: 80,
      heldBack: [],
    })
    expect(outcome.bytes).toBeGreaterThan(0)
    expect(await partitionsNow(pool)).toEqual(
      [
        minutePartition(7),
        minutePartition(1),
        minutePartition(0),
        pricePartition(1),
        pricePartition(0),
      ].toSorted(),
    )
    expect(await coverage(pool, coinId)).toEqual(recent)
    const { rows: left } = await pool.query(
      `select (select count(*)::integer from candle_revisions) as revisions,
         (select count(*)::integer from quarantined_rows) as quarantined`,
    )
    expect(left).toEqual([{ revisions: 0, quarantined: 0 }])
    expect(await daily(pool, coinId)).toMatchObject([
      { ...truth[0], day: toIso(daysAgo(32)).slice(0, 10), resolved: true },
    ])
    expect(await retain(pool)).toMatchObject({ dropped: [], rows: 0, heldBack: [] })
  })

  test('drops again what was loaded beyond the limit on purpose', async ({ freshDatabase: { pool } }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    for (const _ of ['first', 'again']) {
      await someCandles(pool, coinId, daysAgo(20), 10)
      expect(await retain(pool)).toMatchObject({ dropped: [minutePartition(20)] })
      expect((await coverage(pool, coinId)).some((line) => line.includes(toIso(daysAgo(20))))).toBe(false)
    }
  })

  test('keeps what is old enough but more than half, until somebody agrees, and does the rest', async ({
    freshDatabase: { pool },
  }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    await someCandles(pool, coinId, daysAgo(9), 500)
    await somePrices(pool, coinId, daysAgo(32), 10)
    const refused = retain(pool)
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow(/more than half of ohlcv_data_1m .*beacon retention --yes/)
    expect(await partitionsNow(pool)).toContain(minutePartition(9))
    expect(await partitionsNow(pool)).not.toContain(pricePartition(32))
    expect(await retain(pool, { agreed: true })).toMatchObject({ dropped: [minutePartition(9)] })
  })

  test('believes no clock that another one contradicts', async ({ freshDatabase: { pool } }) => {
    const coinId = await aCoin(pool)
    await someCandles(pool, coinId, daysAgo(9), 1)
    await someCandles(pool, coinId, daysAgo(3), 10)
    const before = await partitionsNow(pool)
    // The clock is right, and nothing has come in for days: it might as well be wrong.
    await expect(retain(pool)).rejects.toThrow(/nothing is deleted: .*newest candle or price/)
    const settings = readSettings({})
    const { refusal, partitions } = await readRetentionPlan({ pool, settings, clock: systemClock }, false)
    expect(refusal).toMatch('newest candle')
    expect(partitions.map(({ decision }) => decision)).toEqual(['held-back', 'stays'])
    await freshData(pool, coinId)
    const ahead = retain(pool, { now: plus(systemClock.now(), 2 * day) })
    await expect(ahead).rejects.toThrow(Misconfigured)
    await expect(ahead).rejects.toThrow(/nothing is deleted: the clock here .*database/)
    expect(await partitionsNow(pool)).toEqual(expect.arrayContaining(before))
    // Less than a day off is no contradiction, with a candle that has just closed.
    await someCandles(pool, coinId, floorTo('1m', plus(systemClock.now(), -minute)), 1)
    expect(await retain(pool, { now: plus(systemClock.now(), 20 * hour) })).toMatchObject({
      dropped: [minutePartition(9)],
    })
  })

  test('deletes old rows of other tables, as each entry says, and no younger ones', async ({
    freshDatabase: { pool },
  }) => {
    await pool.query(
      `insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at)
       select gen_random_uuid(), 'a', 'a', 'a', 1, '{}', 'done', $1::timestamp - n * interval '1 day'
       from generate_series(0, 59) as n`,
      [toIso(daysAgo(0))],
    )
    await pool.query(
      `insert into quarantined_rows (source, market, reason, kind, raw, quarantined_at, last_seen_at)
       select 'a', n::text, 'odd', 'odd', n::text, $1::timestamp - interval '99 days', $1::timestamp - n * interval '1 day'
       from generate_series(0, 99) as n`,
      [toIso(daysAgo(0))],
    )
    expect(await retain(pool)).toMatchObject({
      deleted: { ingest_runs: 30, quarantined_rows: 10, view_refreshes: 0 },
    })
    expect(await retain(pool)).toMatchObject({ deleted: { ingest_runs: 0, quarantined_rows: 0 } })
  })

  test('tells of an entry that names no table, or no column of it', async ({ freshDatabase: { pool } }) => {
    const settings = readSettings({})
    for (const entry of ['coin', 'coins'])
      await expect(
        retain(pool, {
          settings: withEntry(settings, entry),
        }),
      ).rejects.toThrow(`correct the entry retention.${entry}`)
  })
})

/** As if the configuration had one entry more; its column exists nowhere. */
function withEntry(settings: Settings, table: string): Settings {
  const { ingest_runs: example } = settings.retention
  if (!example) throw new Error('there is no entry for ingest_runs')
  return { ...settings, retention: { [table]: { ...example, by: 'created_ago' } } }
}

describe('a run in the way of others', () => {
  test('leaves a partition in its table while a reader has it open, and deletes it within minutes after', async ({
    freshDatabase: { pool },
  }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    await someCandles(pool, coinId, daysAgo(9), 10)
    const defaults = readSettings({})
    const settings = { ...defaults, database: { ...defaults.database, lockTimeout: 100 } }
    const reader = await pool.connect()
    await reader.query('begin; select count(*) from ohlcv_data')
    const { dropped, heldBack } = await retain(pool, { settings })
    expect(dropped).toEqual([])
    expect(heldBack).toEqual([
      { partition: minutePartition(9), reason: expect.stringMatching(/session \d+ of .* uses it: end that/) },
    ])
    // Every query still finds its rows, and they can be loaded anew.
    const { rows } = await pool.query('select count(*)::integer as count from ohlcv_data')
    expect(rows).toEqual([{ count: 111 }])
    await someCandles(pool, coinId, daysAgo(9), 10)
    expect(await retry(pool, settings)).toEqual([])
    expect(await listHolds(databaseOf(pool))).toMatchObject([
      { name: minutePartition(9), hold: { kind: 'lock' } },
    ])
    await reader.query('commit')
    reader.release()
    expect(await retry(pool, settings)).toEqual([minutePartition(9)])
    expect(await listHolds(databaseOf(pool))).toEqual([])
    expect(await retry(pool, settings)).toBeUndefined()
  })

  test('lets readers and writers go on', async ({ freshDatabase: { pool } }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    for (const days of [12, 11, 10, 9]) await someCandles(pool, coinId, daysAgo(days), 10)
    await someCandles(pool, coinId, daysAgo(2), 100)
    for (const days of [3, 4, 5, 6]) await someCandles(pool, coinId, daysAgo(days), 10)
    let isDone = false
    let [reads, writes] = [0, 0]
    const reading = async () => {
      for (; !isDone; reads += 1)
        await pool.query('select count(*) from ohlcv_data join coins on coins.id = coin_id')
    }
    const writing = async () => {
      for (; !isDone; writes += 1) await someCandles(pool, coinId, plus(daysAgo(0), writes * minute), 1)
    }
    const running = retain(pool).finally(() => {
      isDone = true
    })
    await Promise.all([reading(), reading(), writing(), writing(), running])
    expect((await running).dropped).toEqual([12, 11, 10, 9].map(minutePartition))
    expect(Math.min(reads, writes)).toBeGreaterThan(3)
  })

  test('is told to stop between two partitions, and refuses to run twice at once', async ({
    freshDatabase: { pool },
  }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    for (const days of [33, 32]) await somePrices(pool, coinId, daysAgo(days), 10)
    const stop = new AbortController()
    let second: Promise<unknown> = Promise.resolve()
    const steps = async (name: string) => {
      if (name !== 'gone') return
      second = retain(pool).catch((error) => error)
      await second
      stop.abort()
    }
    await expect(retain(pool, { signal: stop.signal, steps })).rejects.toThrow(Aborted)
    expect(await second).toMatchObject({ message: expect.stringContaining('already') })
    expect(await partitionsNow(pool)).not.toContain(pricePartition(33))
    expect(await retain(pool)).toMatchObject({ dropped: [pricePartition(32)] })
  })
})

describe('a partition that is old enough', () => {
  test('stays when prices come between the plan and the proof, and goes with them rolled up', async ({
    freshDatabase: { pool },
  }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    await somePrices(pool, coinId, daysAgo(32), 10)
    const steps = async (name: string) => {
      if (name === 'prepared') await somePrices(pool, coinId, plus(daysAgo(32), 12 * hour), 1)
    }
    expect(await retain(pool, { steps })).toMatchObject({ dropped: [pricePartition(32)], heldBack: [] })
    expect(await daily(pool, coinId)).toMatchObject([{ samples: 11, resolved: true }])
  })

  test('is not deleted once its rows have changed after they were archived', async ({
    freshDatabase: { pool },
  }) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'beacon-retention-'))
    try {
      const settings = readSettings({ BEACON_DATA_DIR: dataDir })
      const coinId = await aCoin(pool)
      await freshData(pool, coinId)
      await someCandles(pool, coinId, daysAgo(100), 20, '1h')
      await someCandles(pool, coinId, daysAgo(10), 24, '1h')
      const steps = async (name: string) => {
        if (name === 'prepared')
          await pool.query(`update ohlcv_data set volume = 7 where timestamp = $1`, [toIso(daysAgo(100))])
      }
      const partition = partitionAt(candleTable('1h', 'day'), daysAgo(100)).name
      expect(await retain(pool, { settings, steps })).toMatchObject({
        dropped: [],
        heldBack: [
          { partition: partition, reason: expect.stringContaining('it has changed since it was archived') },
        ],
      })
      const { rows } = await pool.query('select candles from summary_days')
      expect(rows).toEqual([])
      expect(await retry(pool, settings)).toEqual([partition])
    } finally {
      await rm(dataDir, { recursive: true, force: true })
    }
  })

  test('that somebody else has begun to detach is named, and holds up no other', async ({
    freshDatabase: { pool },
  }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    for (const days of [10, 9]) await someCandles(pool, coinId, daysAgo(days), 10)
    const reader = await pool.connect()
    await reader.query('begin; select count(*) from ohlcv_data')
    const theirs = await pool.connect()
    await theirs.query(`set lock_timeout = '50ms'`)
    const detaching = theirs.query(
      `alter table ohlcv_data_1m detach partition ${minutePartition(9)} concurrently`,
    )
    await expect(detaching).rejects.toThrow('lock timeout')
    await reader.query('commit')
    for (const client of [reader, theirs]) client.release(true)
    expect(await retain(pool)).toMatchObject({
      dropped: [minutePartition(10)],
      heldBack: [
        {
          partition: minutePartition(9),
          reason: expect.stringContaining(
            `alter table ohlcv_data_1m detach partition ${minutePartition(9)} finalize`,
          ),
        },
      ],
    })
  })
})

describe('the job', () => {
  test('archives before it drops where the policy says so', async ({ freshDatabase: { pool } }) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'beacon-retention-'))
    try {
      const settings = readSettings({ BEACON_DATA_DIR: dataDir })
      await using working = await startWorking(pool, { now: systemClock.now(), settings: () => settings })
      const coinId = await aCoin(pool)
      await freshData(pool, coinId)
      await someCandles(pool, coinId, daysAgo(100), 20, '1h')
      await someCandles(pool, coinId, daysAgo(10), 24, '1h')
      const partition = partitionAt(candleTable('1h', 'day'), daysAgo(100)).name
      expect(await enforceRetention.run(working.context, { agreed: false }, keptReport())).toMatchObject({
        dropped: [partition],
        rows: 20,
      })
      expect(await listArchives(databaseOf(pool))).toMatchObject([
        { partition: partition, state: 'dropped', written: { content: { rows: 20 } } },
      ])
    } finally {
      await rm(dataDir, { recursive: true, force: true })
    }
  })

  test('needs no refresh of the summary, whose days are kept with the deletion', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, { now: systemClock.now() })
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    await someCandles(pool, coinId, daysAgo(9), 20)
    await pool.query('delete from view_refreshes')
    const run = () => enforceRetention.run(working.context, { agreed: false }, keptReport())
    expect(await run()).toMatchObject({ dropped: [minutePartition(9)] })
  })

  test('after weeks away deletes what has become old meanwhile, and still asks where a lowered keep makes it old', async ({
    freshDatabase: { pool },
  }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    const everyWeek = readSettings({})
    await ensureAhead(pool, everyWeek)
    for (const days of [30, 20, 10, 5, 4, 3]) await someCandles(pool, coinId, daysAgo(days), 200)
    expect(await retain(pool)).toMatchObject({ dropped: [30, 20, 10].map(minutePartition) })
    const minutes = everyWeek.timeframes['1m']
    if (!minutes) throw new Error('there is a policy for 1m')
    const lowered = {
      ...everyWeek,
      timeframes: { ...everyWeek.timeframes, '1m': { ...minutes, keep: 2 * day } },
    }
    await expect(retain(pool, { settings: lowered })).rejects.toThrow(Misconfigured)
    const { partitions } = await readRetentionPlan({ pool, settings: lowered, clock: systemClock }, false)
    expect(partitions.find(({ partition }) => partition.name === minutePartition(5))?.reason).toMatch(
      /because its keep was lowered from 7 days to 2 days$/,
    )
    // Once somebody has agreed, it is the policy.
    expect(await retain(pool, { settings: lowered, agreed: true })).toMatchObject({
      dropped: [5, 4, 3].map(minutePartition),
    })
    await someCandles(pool, coinId, daysAgo(5), 1_440)
    expect(await retain(pool, { settings: lowered })).toMatchObject({ dropped: [minutePartition(5)] })
  })

  test('runs half an hour after midnight, and once more when it was missed', () => {
    expect(enforceRetention.schedules?.(readSettings({}), [])).toEqual([
      {
        id: 'enforce-retention',
        pattern: '30 0 * * *',
        payload: { agreed: false },
        whenMissed: 'run-once',
        missedDelayMs: 5 * minute,
      },
    ])
  })
})
