import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { repairGaps } from '../../jobs/repair-gaps.ts'
import { fillRange } from '../../src/ingest/fill-range.ts'
import { planRepair, takeTurns } from '../../src/ingest/gaps/repair-plan.ts'
import { day, hour, minute, toInstant, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { binance } from '../../src/sources/binance.ts'
import { readCandles } from '../../src/store/candles.ts'
import { listCoins } from '../../src/store/coins.ts'
import { readUnresolvedOf, type Unresolved } from '../../src/store/coverage/series.ts'
import type { Findings, Series } from '../../src/store/coverage.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { follow, keptReport, klinesAsked, startWorking, truth, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { minutes, start, writeCoverage } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'

const open = floorTo('1m', halfPast)

/** From so many minutes before the open one to so many. */
const back = (from: number, to: number): AlignedRange => ({
  from: plus(open, -from * minute),
  to: plus(open, -to * minute),
})

/** Candles of a minute alone, whose history is as long as is said. */
const onlyMinutes =
  (historyMs: number) =>
  (settings: Settings): Settings => ({
    ...settings,
    timeframes: { '1m': { partition: 'year', ahead: 3, history: historyMs, keep: undefined } },
  })

const startMinutes = (pool: Pool, historyMs = hour) =>
  startWorking(pool, { settings: onlyMinutes(historyMs) })

const repair = ({ context }: Working) => repairGaps.run(context, { source: 'binance' }, keptReport())

const seriesOf = (coinId: string): Series => ({ coinId, timeframe: '1m', source: 'binance' })

const find = (pool: Pool, series: Series, findings: Partial<Findings>, now = halfPast) =>
  inTransaction(pool, (tx) =>
    writeCoverage(tx.db, series, { stored: [], 'no-trades': [], refused: [], ...findings }, now),
  )

async function fill({ context }: Working, coinId: string, range: AlignedRange): Promise<void> {
  const [market] = (await listCoins(databaseOf(context.pool))).find(({ id }) => id === coinId)?.markets ?? []
  await fillRange(context, {
    series: seriesOf(coinId),
    source: binance,
    symbol: market?.symbol ?? '',
    range,
    lane: 'repair',
  })
}

/** Takes away what a lost disk, or a wrong answer, would. */
async function lose(pool: Pool, coinId: string, { from, to }: AlignedRange): Promise<void> {
  const range = [coinId, toIso(from), toIso(to)]
  await pool.query('delete from ohlcv_data where coin_id = $1 and timestamp >= $2 and timestamp < $3', range)
  await pool.query(
    'update candle_coverage set ranges = ranges - tsmultirange(tsrange($2, $3)) where coin_id = $1',
    range,
  )
}

const stored = (pool: Pool, coinId: string, range: AlignedRange) =>
  readCandles(databaseOf(pool), { coinId, timeframe: '1m' }, range, 100_000)

const unresolved = (pool: Pool, coinId: string, range: AlignedRange) =>
  readUnresolvedOf(databaseOf(pool), { ...seriesOf(coinId), range })

describe('an hour’s repair', () => {
  test('asks once for the small holes of a page, and leaves what is longer to backfills', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startMinutes(pool, 20 * day)
    const coinId = await follow(pool, 'BTCUSDT')
    const there = back(2_000, 1_000)
    await fill(working, coinId, there)
    for (const hole of [back(1_900, 1_890), back(1_500, 1_499), back(1_200, 1_150)])
      await lose(pool, coinId, hole)
    const before = klinesAsked(working).length
    expect(await repair(working)).toMatchObject({ asked: 1, waiting: 0, requests: 1, new: 61, revised: 0 })
    // With a candle on either side, between which an absence would be believed.
    const asked = back(1_901, 1_149)
    expect(klinesAsked(working).slice(before)).toEqual([{ symbol: 'BTCUSDT', ...asked }])
    expect(await stored(pool, coinId, there)).toEqual(truth('BTCUSDT', '1m', there))
    // The newest page is live ingest's.
    const [{ jobName, payloads } = { jobName: '', payloads: [] }] = working.enqueued
    expect(jobName).toBe('backfill-candles')
    expect(payloads.map((payload) => ({ lane: 'backfill', ...payload }).lane)).toEqual([
      'repair',
      'repair',
      'repair',
    ])
    expect([payloads[0], payloads.at(-1)]).toMatchObject([
      { coinId, from: toIso(plus(open, -20 * day)) },
      { coinId, to: toIso(there.from) },
    ])
    expect(await repair(working)).toMatchObject({ asked: 0, requests: 0, backfills: 3 })
  })

  test('asks for an absence when it is a day old and when it is a month old, and never again', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startMinutes(pool)
    const coinId = await follow(pool, 'BTCUSDT')
    const silence = back(60, 30)
    await find(pool, seriesOf(coinId), { 'no-trades': [silence] })
    working.exchange.setFaults([{ when: 'always', fault: { name: 'no-rows' } }])
    const askedAfter = async (ms: number) => {
      working.exchange.clock.move(ms)
      return (await repair(working)).asked
    }
    expect(await askedAfter(22 * hour)).toBe(0)
    // Of thirty minutes, twenty are a day old by then.
    expect(await askedAfter(hour + 20 * minute)).toBe(1)
    expect(klinesAsked(working).at(-1)).toMatchObject({ from: back(61, 0).from })
    expect(await unresolved(pool, coinId, silence)).toMatchObject({
      'recheck-after-day': [back(40, 30)],
      'recheck-after-month': [silence],
    })
    expect(await askedAfter(hour)).toBe(1)
    expect(await askedAfter(hour)).toBe(0)
    expect(await askedAfter(29 * day)).toBe(1)
    expect(await askedAfter(day)).toBe(0)
    expect(await askedAfter(300 * day)).toBe(0)
    expect(await unresolved(pool, coinId, silence)).toEqual({
      missing: [],
      provisional: [],
      'recheck-after-day': [],
      'recheck-after-month': [],
    })
  })

  test('brings what the source has by then: what was absent, and what was refused', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startMinutes(pool)
    const coinId = await follow(pool, 'BTCUSDT')
    const [silence, fault] = [back(60, 50), back(49, 48)]
    await find(pool, seriesOf(coinId), { 'no-trades': [silence], refused: [fault] })
    working.exchange.clock.move(day)
    expect(await repair(working)).toMatchObject({ asked: 1, new: 14 })
    const both = { from: silence.from, to: fault.to }
    expect(await stored(pool, coinId, both)).toEqual(truth('BTCUSDT', '1m', both))
    expect(await unresolved(pool, coinId, both)).toMatchObject({ missing: [], 'recheck-after-month': [] })
  })

  test('lets what was discarded by hand be', async ({ freshDatabase: { pool } }) => {
    await using working = await startMinutes(pool)
    const coinId = await follow(pool, 'BTCUSDT')
    const fault = back(49, 48)
    await find(pool, seriesOf(coinId), { refused: [fault] })
    await pool.query(
      `insert into quarantined_rows (source, market, coin_id, timeframe, timestamp, reason, kind, raw, quarantined_at, last_seen_at, resolution, resolved_at, resolved_by, resolved_reason)
       values ('binance', 'BTCUSDT', $1, '1m', $2, 'high below low', 'high below low', '[]', $2, $2, 'discarded', $2, 'ops', 'never was')`,
      [coinId, toIso(fault.from)],
    )
    working.exchange.clock.move(day)
    expect(await repair(working)).toMatchObject({ asked: 0, requests: 0 })
  })

  test('looks again at candles that stayed provisional, and notices what has changed', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startMinutes(pool)
    const coinId = await follow(pool, 'BTCUSDT')
    const [there, last] = [back(10, 0), back(1, 0)]
    await fill(working, coinId, there)
    // The newest candle closed half a minute ago, and was seen then.
    working.exchange.clock.move(-5_000)
    await fill(working, coinId, there)
    expect((await unresolved(pool, coinId, there)).provisional).toEqual([last])
    expect(await repair(working)).toMatchObject({ asked: 0 })
    working.exchange.clock.move(2 * hour)
    const revision = { name: 'revision', openTime: last.from, column: 5, value: '1.25000000' } as const
    working.exchange.setFaults([{ when: 'always', fault: revision }])
    expect(await repair(working)).toMatchObject({ asked: 1, requests: 1, revised: 1 })
    // Changed, it is to be seen once more.
    expect((await unresolved(pool, coinId, there)).provisional).toEqual([last])
    expect(await repair(working)).toMatchObject({ asked: 1, revised: 0, unchanged: 3 })
    expect(await repair(working)).toMatchObject({ asked: 0 })
  })

  test('of a market that has ended asks for all that it owes, up to its end', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startMinutes(pool, 2 * hour)
    const coinId = await follow(pool, 'BTCUSDT')
    await pool.query('update instruments set listed_to = $1', [toIso(back(30, 0).from)])
    expect(await repair(working)).toMatchObject({ asked: 1, new: 91 })
    // With the candle before, as for any other hole.
    const lifetime = back(121, 30)
    expect(await stored(pool, coinId, back(180, 0))).toEqual(truth('BTCUSDT', '1m', lifetime))
  })

  test('lets one market fail without the others, and tells which', async ({ freshDatabase: { pool } }) => {
    await using working = await startMinutes(pool)
    const unknown = await follow(pool, 'NOPEUSDT')
    const coinId = await follow(pool, 'BTCUSDT')
    const silence = back(60, 50)
    for (const id of [unknown, coinId]) await find(pool, seriesOf(id), { 'no-trades': [silence] })
    working.exchange.clock.move(day)
    const failed = repair(working)
    await expect(failed).rejects.toMatchObject({ code: 'PARTLY_FAILED', remedy: 'give-up' })
    await expect(failed).rejects.toThrow(new RegExp(`^1 of the markets failed: ${unknown} 1m: `))
    expect(await stored(pool, coinId, silence)).toHaveLength(10)
  })
})

test('a repair is scheduled for each source that candles are read from, those of ended markets too', async ({
  freshDatabase: { pool },
}) => {
  await follow(pool, 'BTCUSDT')
  await follow(pool, 'ETHUSDT')
  const schedules = async () =>
    repairGaps.schedules?.(readSettings({}), await listCoins(databaseOf(pool))).map(({ payload }) => payload)
  expect(await schedules()).toEqual([{ source: 'binance' }])
  await pool.query('update instruments set listed_to = $1', [toIso(halfPast)])
  expect(await schedules()).toEqual([{ source: 'binance' }])
  await pool.query('update instruments set tracked_to = $1', [toIso(halfPast)])
  expect(await schedules()).toEqual([])
})

test('a run asks no more than so much, and begins with another series each hour', () => {
  const requests = [['a1', 'a2', 'a3'], ['b1'], ['c1', 'c2']]
  const turn = (hours: number, most: number) => takeTurns(requests, most, plus(toInstant(0), hours * hour))
  expect(turn(0, 4)).toEqual({ asked: ['a1', 'a2', 'a3', 'b1'], waiting: 2 })
  expect(turn(1, 4)).toEqual({ asked: ['b1', 'c1', 'c2', 'a1'], waiting: 2 })
  expect(turn(5, 10)).toEqual({ asked: ['c1', 'c2', 'a1', 'a2', 'a3', 'b1'], waiting: 0 })
  expect(takeTurns([], 4, toInstant(0))).toEqual({ asked: [], waiting: 0 })
})

describe('the plan of a repair', () => {
  const now = plus(start, 40 * day)
  const plan = (parts: Partial<Unresolved>, kept = minutes(0, 10_000)) =>
    planRepair(
      { missing: [], provisional: [], 'recheck-after-day': [], 'recheck-after-month': [], ...parts },
      { kept, lasting: minutes(-5_000, 10_000), pageSize: 1_000 },
      '1m',
      now,
    )

  test('is empty where nothing is due', () => {
    expect(plan({})).toEqual({ requests: [], longRanges: [] })
    const young = { from: plus(now, -day), to: plus(now, -hour) }
    expect(
      planRepair(
        { missing: [], provisional: [], 'recheck-after-day': [young], 'recheck-after-month': [young] },
        { kept: young, lasting: young, pageSize: 60 },
        '1m',
        now,
      ),
    ).toEqual({ requests: [], longRanges: [] })
  })

  test('joins what fits into a page, whatever it is due for, and cuts what does not', () => {
    expect(
      plan({
        missing: [minutes(10, 20)],
        provisional: [minutes(300, 301)],
        'recheck-after-day': [minutes(900, 910)],
        'recheck-after-month': [minutes(900, 910), minutes(2_000, 3_500)],
      }).requests,
    ).toEqual([minutes(9, 911), minutes(1_999, 2_999), minutes(2_999, 3_501)])
  })

  test('does not ask itself for what backfills will, nor for what is owed outside of its scope', () => {
    const missing = [minutes(-100, -90), minutes(100, 1_200)]
    expect(plan({ missing, 'recheck-after-month': [minutes(-50, -40)] })).toEqual({
      requests: [minutes(-51, -39)],
      longRanges: [minutes(100, 1_200)],
    })
  })
})
