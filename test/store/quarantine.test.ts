import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { writeCoverage } from '../../src/store/coverage.ts'
import {
  discard,
  findQuarantined,
  listQuarantined,
  quarantine,
  readDiscarded,
  settleAnswered,
} from '../../src/store/quarantine.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { aCoin, aSeries, minutes, now } from './loading.ts'

const settling = { by: 'ada', now }

/** Keeps a row for each of these minutes aside, all for the same reason unless another is named. */
async function keep(pool: Pool, at: readonly number[], reason = 'high is below low') {
  const series = await aSeries(pool)
  const rows = at.map((minute) => ({ raw: [minute], reason, openTime: minutes(minute, minute + 1).from }))
  const origin = { ...series, market: series.coinId, runId: randomUUID(), now }
  await inTransaction(pool, (tx) => quarantine(tx.db, origin, rows))
  const kept = await listQuarantined(databaseOf(pool), { coinId: series.coinId, state: 'open' }, 100)
  const ids = kept.rows.toSorted((a, b) => (a.openTime ?? 0) - (b.openTime ?? 0)).map(({ id }) => id)
  return { series, origin, rows, ids }
}

const findings = { stored: [], 'no-trades': [], refused: [] }

describe('a row in quarantine', () => {
  test('is listed by source, coin, timeframe, part of its reason and state', async ({ pool }) => {
    const { series, ids } = await keep(pool, [1, 2])
    const db = databaseOf(pool)
    const count = async (filter: object) =>
      (await listQuarantined(db, { coinId: series.coinId, state: 'open', ...filter }, 1)).total
    await discard(db, ids.slice(1), { ...settling, why: 'a test' })
    expect(await count({})).toBe(1)
    expect(await count({ state: 'settled' })).toBe(1)
    expect(await count({ state: 'all' })).toBe(2)
    expect(await count({ state: 'all', source: 'binance', timeframe: '1m', reason: 'BELOW' })).toBe(2)
    for (const other of [{ source: 'okx' }, { timeframe: '1h' }, { reason: '%' }, { coinId: 'nobody' }])
      expect(await count({ state: 'all', ...other })).toBe(0)
    const { rows, total } = await listQuarantined(db, { coinId: series.coinId, state: 'all' }, 1)
    expect([rows.length, total]).toEqual([1, 2])
  })

  test('is found by the beginning of its id', async ({ pool }) => {
    const { ids } = await keep(pool, [1])
    const [id = ''] = ids
    const db = databaseOf(pool)
    expect((await findQuarantined(db, id.slice(0, 13).toUpperCase())).map((row) => row.id)).toEqual([id])
    expect(await findQuarantined(db, '%')).toEqual([])
  })

  test('that is settled by hand says who, when and why, and only once', async ({ pool }) => {
    const { ids, origin, rows } = await keep(pool, [1, 2])
    const db = databaseOf(pool)
    expect(await discard(db, ids, { ...settling, why: 'a test of the exchange' })).toHaveLength(2)
    expect(await discard(db, ids, { by: 'eve', now, why: 'no' })).toEqual([])
    const [row] = await findQuarantined(db, ids[0] ?? '')
    expect(row?.settled).toEqual({ as: 'discarded', at: now, by: 'ada', why: 'a test of the exchange' })
    // The same row once more is the same row, and stays settled.
    await inTransaction(pool, (tx) => quarantine(tx.db, origin, rows))
    const found = await listQuarantined(db, { coinId: origin.coinId, state: 'all' }, 10)
    expect(found.rows.map(({ settled }) => settled?.as)).toEqual(['discarded', 'discarded'])
  })

  test('is settled by what the ledger knows of its open time', async ({ pool }) => {
    const { ids, series } = await keep(pool, [1, 2, 3, 4])
    const db = databaseOf(pool)
    await inTransaction(pool, async (tx) => {
      const elsewhere = { ...series, source: 'okx' }
      await writeCoverage(
        tx.db,
        elsewhere,
        { ...findings, stored: [minutes(1, 2)], 'no-trades': [minutes(4, 5)] },
        now,
      )
      const here = { ...findings, 'no-trades': [minutes(1, 3)], refused: [minutes(3, 5)] }
      await writeCoverage(tx.db, series, here, now)
    })
    const settled = await settleAnswered(db, ids, settling)
    expect(ids.map((id) => settled.get(id))).toEqual(['loaded', 'withdrawn', undefined, undefined])
    const [first] = await findQuarantined(db, ids[0] ?? '')
    expect(first).toMatchObject({ isStored: true, settled: { as: 'loaded', by: 'ada', why: undefined } })
  })

  test('that was discarded and is loaded after all keeps its history', async ({ pool }) => {
    const { ids, series } = await keep(pool, [1])
    const db = databaseOf(pool)
    await discard(db, ids, { ...settling, why: 'a test' })
    await inTransaction(pool, (tx) =>
      writeCoverage(tx.db, series, { ...findings, stored: [minutes(1, 2)] }, now),
    )
    await settleAnswered(db, ids, { by: 'eve', now })
    const [row] = await findQuarantined(db, ids[0] ?? '')
    expect(row?.settled).toMatchObject({
      as: 'loaded',
      by: 'eve',
      why: 'discarded by ada at 2024-03-02 12:00: a test',
    })
  })
})

describe('a discarded open time', () => {
  test('is one whose rows are all settled, some by hand', async ({ pool }) => {
    const { ids, series, origin } = await keep(pool, [1, 2, 3, 5, 9])
    const db = databaseOf(pool)
    await discard(db, ids, { ...settling, why: 'a test' })
    const another = { raw: ['another'], reason: 'negative', openTime: minutes(3, 4).from }
    await inTransaction(pool, (tx) => quarantine(tx.db, origin, [another]))
    expect(await readDiscarded(db, series, minutes(0, 9))).toEqual([minutes(1, 3), minutes(5, 6)])
    expect(await readDiscarded(db, { ...series, source: 'okx' }, minutes(0, 9))).toEqual([])
    expect(await readDiscarded(db, { ...series, coinId: await aCoin(pool) }, minutes(0, 9))).toEqual([])
  })

  test('holds the rows of its candle, on the grid or beside it, and no other candle', async ({ pool }) => {
    const { ids, series, origin } = await keep(pool, [1, 2, 4])
    const db = databaseOf(pool)
    const beside = { raw: ['beside'], reason: 'off the grid', openTime: plus(minutes(2, 3).from, 28_789) }
    await inTransaction(pool, (tx) => quarantine(tx.db, origin, [beside]))
    const [, second = ''] = ids
    const discarded = await discard(db, [second], { ...settling, why: 'an outage' })
    expect(discarded).toHaveLength(2)
    expect(await readDiscarded(db, series, minutes(0, 9))).toEqual([minutes(2, 3)])
    const open = await listQuarantined(db, { coinId: series.coinId, state: 'open' }, 10)
    expect(open.rows.map(({ openTime }) => openTime).toSorted()).toEqual([
      minutes(1, 2).from,
      minutes(4, 5).from,
    ])
  })

  test('is made of whole candles where its only row is off the grid', async ({ pool }) => {
    const { series, origin } = await keep(pool, [])
    const db = databaseOf(pool)
    const openTime = plus(minutes(7, 8).from, 14_789)
    await inTransaction(pool, (tx) =>
      quarantine(tx.db, origin, [{ raw: ['beside'], reason: 'off the grid', openTime }]),
    )
    const { rows } = await listQuarantined(db, { coinId: series.coinId, state: 'open' }, 1)
    await discard(
      db,
      rows.map(({ id }) => id),
      { ...settling, why: 'an outage' },
    )
    expect(await readDiscarded(db, series, minutes(0, 9))).toEqual([minutes(7, 8)])
  })
})
