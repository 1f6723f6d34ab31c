import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { type Instant, minute } from '../../src/market/instant.ts'
import { readDiscarded } from '../../src/store/quarantine/discarded.ts'
import { reasonKind } from '../../src/store/quarantine/repeated-rejections.ts'
import {
  discard,
  findQuarantined,
  listQuarantined,
  type Origin,
  quarantine,
  resolveAnswered,
} from '../../src/store/quarantine.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { aCandle, aCoin, aSeries, minutes, now, writeCoverage } from './loading.ts'

const resolving = { by: 'ada', now }

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
    await discard(db, ids.slice(1), { ...resolving, why: 'a test' })
    expect(await count({})).toBe(1)
    expect(await count({ state: 'resolved' })).toBe(1)
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
    expect(await discard(db, ids, { ...resolving, why: 'a test of the exchange' })).toHaveLength(2)
    expect(await discard(db, ids, { by: 'eve', now, why: 'no' })).toEqual([])
    const [row] = await findQuarantined(db, ids[0] ?? '')
    expect(row?.resolved).toEqual({ as: 'discarded', at: now, by: 'ada', why: 'a test of the exchange' })
    // The same row once more is the same row, and stays settled.
    await inTransaction(pool, (tx) => quarantine(tx.db, origin, rows))
    const found = await listQuarantined(db, { coinId: origin.coinId, state: 'all' }, 10)
    expect(found.rows.map(({ resolved }) => resolved?.as)).toEqual(['discarded', 'discarded'])
  })

  test('is settled by what the ledger knows of its open time', async ({ pool }) => {
    const { ids, series } = await keep(pool, [1, 2, 3, 4])
    const db = databaseOf(pool)
    await inTransaction(pool, async (tx) => {
      const elsewhere = { ...series, source: 'okx' } as const
      await writeCoverage(
        tx.db,
        elsewhere,
        { ...findings, stored: [minutes(1, 2)], 'no-trades': [minutes(4, 5)] },
        now,
      )
      const here = { ...findings, 'no-trades': [minutes(1, 3)], refused: [minutes(3, 5)] }
      await writeCoverage(tx.db, series, here, now)
    })
    const resolved = await resolveAnswered(db, ids, resolving)
    expect(ids.map((id) => resolved.get(id))).toEqual(['loaded', 'withdrawn', undefined, undefined])
    const [first] = await findQuarantined(db, ids[0] ?? '')
    expect(first).toMatchObject({ isStored: true, resolved: { as: 'loaded', by: 'ada', why: undefined } })
  })

  test('that was discarded and is loaded after all keeps its history', async ({ pool }) => {
    const { ids, series } = await keep(pool, [1])
    const db = databaseOf(pool)
    await discard(db, ids, { ...resolving, why: 'a test' })
    await inTransaction(pool, (tx) =>
      writeCoverage(tx.db, series, { ...findings, stored: [minutes(1, 2)] }, now),
    )
    await resolveAnswered(db, ids, { by: 'eve', now })
    const [row] = await findQuarantined(db, ids[0] ?? '')
    expect(row?.resolved).toMatchObject({
      as: 'loaded',
      by: 'eve',
      why: 'discarded by ada at 2024-03-02 12:00: a test',
    })
  })
})

describe('the same rejection again', () => {
  const later = plus(now, 5 * minute)
  const newestOf = async (pool: Pool, coinId: string) =>
    (await listQuarantined(databaseOf(pool), { coinId, state: 'all' }, 10)).rows

  test('is one row with a count, its newest values and both times, though its raw text is another', async ({
    pool,
  }) => {
    const { origin } = await keep(pool, [1], 'open 10 is below low 12')
    const again = {
      raw: [1, 'at 12:05'],
      reason: 'open 9.5 is below low 12.25',
      openTime: minutes(1, 2).from,
    }
    const runId = randomUUID()
    await inTransaction(pool, (tx) => quarantine(tx.db, { ...origin, runId, now: later }, [again]))
    expect(await newestOf(pool, origin.coinId)).toMatchObject([
      {
        timesSeen: 2,
        quarantinedAt: now,
        lastSeenAt: later,
        reason: again.reason,
        raw: '[1,"at 12:05"]',
        runId,
      },
    ])
  })

  type Changed = Readonly<{
    origin?: Partial<Origin>
    row?: Partial<{ reason: string; openTime: Instant }>
    without?: 'timeframe' | 'openTime'
  }>

  test.for<[string, Changed]>([
    ['of another kind', { row: { reason: 'negative' } }],
    ['of another open time', { row: { openTime: minutes(2, 3).from } }],
    ['of no open time', { without: 'openTime' }],
    ['of another market', { origin: { market: 'another' } }],
    ['of another source', { origin: { source: 'okx' } }],
    ['of another timeframe', { origin: { timeframe: '5m' } }],
    ['of a price', { without: 'timeframe' }],
  ])('is another row where it is %s', async ([_, { origin: over, row, without }], { pool }) => {
    const { origin } = await keep(pool, [1])
    const { timeframe, ...others } = { ...origin, ...over }
    const { openTime, ...rest } = {
      raw: [1],
      reason: 'high is below low',
      openTime: minutes(1, 2).from,
      ...row,
    }
    const from = without === 'timeframe' ? others : { ...others, timeframe }
    const rejected = without === 'openTime' ? rest : { ...rest, openTime }
    await inTransaction(pool, (tx) => quarantine(tx.db, from, [rejected]))
    expect((await newestOf(pool, origin.coinId)).map(({ timesSeen }) => timesSeen)).toEqual([1, 1])
  })

  test('of two coins with one market is a row for each', async ({ pool }) => {
    const { origin, rows } = await keep(pool, [1])
    const coinId = await aCoin(pool)
    await inTransaction(pool, (tx) => quarantine(tx.db, { ...origin, coinId }, rows))
    expect(await newestOf(pool, coinId)).toHaveLength(1)
    expect(await newestOf(pool, origin.coinId)).toMatchObject([{ timesSeen: 1 }])
  })

  test('in one answer is one sighting that holds both rows', async ({ pool }) => {
    const { origin, series } = await keep(pool, [])
    const twice = [1, 2].map((raw) => ({ raw, reason: 'two rows differ', openTime: minutes(1, 2).from }))
    await inTransaction(pool, (tx) => quarantine(tx.db, origin, twice))
    expect(await newestOf(pool, series.coinId)).toMatchObject([{ timesSeen: 1, raw: '[1,2]' }])
  })

  test('stays as it was decided by hand, and is open again where its candle had come', async ({ pool }) => {
    const { ids, series, origin, rows } = await keep(pool, [1, 2, 3])
    const db = databaseOf(pool)
    await discard(db, ids.slice(0, 1), { ...resolving, why: 'a test' })
    await inTransaction(pool, (tx) =>
      writeCoverage(
        tx.db,
        series,
        { ...findings, stored: [minutes(2, 3)], 'no-trades': [minutes(3, 4)] },
        now,
      ),
    )
    await resolveAnswered(db, ids.slice(1), resolving)
    await inTransaction(pool, (tx) => quarantine(tx.db, { ...origin, now: later }, rows))
    const found = await newestOf(pool, series.coinId)
    const inOrder = found.toSorted((a, b) => (a.openTime ?? 0) - (b.openTime ?? 0))
    expect(inOrder.map(({ resolved }) => resolved?.as)).toEqual(['discarded', undefined, undefined])
    expect(found.map(({ timesSeen }) => timesSeen)).toEqual([2, 2, 2])
  })

  test('never seems to be from before the first, whichever clock is wrong', async ({ pool }) => {
    const { origin, rows } = await keep(pool, [1])
    await inTransaction(pool, (tx) => quarantine(tx.db, { ...origin, now: plus(now, -minute) }, rows))
    expect(await newestOf(pool, origin.coinId)).toMatchObject([{ quarantinedAt: now, lastSeenAt: now }])
  })

  test('is another one where a candle that can be accepted has other values', async ({ pool }) => {
    const { origin } = await keep(pool, [1])
    const keepAcceptable = (volume: string) => {
      const acceptable = aCandle(minutes(1, 2).from, { volume })
      const row = { raw: volume, reason: 'cut short', openTime: acceptable.openTime, acceptable }
      return inTransaction(pool, (tx) => quarantine(tx.db, origin, [row]))
    }
    await keepAcceptable('1')
    await keepAcceptable('2')
    await keepAcceptable('1')
    const found = (await newestOf(pool, origin.coinId)).filter(({ reason }) => reason === 'cut short')
    expect(found.map(({ values, timesSeen }) => [values?.volume, timesSeen]).toSorted()).toEqual([
      ['1', 2],
      ['2', 1],
    ])
  })

  test('differs by numbers and times alone', () => {
    const kinds = (...reasons: string[]) => new Set(reasons.map(reasonKind)).size
    expect(kinds('price -1 is negative', 'price -0.00002 is negative')).toBe(1)
    expect(
      kinds(
        'opens in the future, at 2024-03-01T12:05:00.001Z',
        'opens in the future, at 2025-01-01T00:00:00Z',
      ),
    ).toBe(1)
    expect(kinds('open 1 is below low 2', 'close 1 is below low 2', 'open 1 is above high 2')).toBe(3)
    expect(reasonKind('x'.repeat(1_000))).toHaveLength(200)
  })
})

describe('a discarded open time', () => {
  test('is one whose rows are all settled, some by hand', async ({ pool }) => {
    const { ids, series, origin } = await keep(pool, [1, 2, 3, 5, 9])
    const db = databaseOf(pool)
    await discard(db, ids, { ...resolving, why: 'a test' })
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
    const discarded = await discard(db, [second], { ...resolving, why: 'an outage' })
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
      { ...resolving, why: 'an outage' },
    )
    expect(await readDiscarded(db, series, minutes(0, 9))).toEqual([minutes(7, 8)])
  })
})
