import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { hour, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { readUnresolvedOf } from '../../src/store/coverage/series.ts'
import { repairStates } from '../../src/store/coverage/states.ts'
import type { Series } from '../../src/store/coverage.ts'
import {
  checkDeeply,
  type Discrepancy,
  forgetMissingRows,
  planDeepCheck,
} from '../../src/store/digests/deep-check.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { aBatch, aCoin, aSeries, candlesIn, load, minutes, now, start, writeCoverage } from './loading.ts'

const day = 24 * 60

async function check(pool: Pool): Promise<{ found: Discrepancy[]; candles: number; steps: number }> {
  const found: Discrepancy[] = []
  let steps = 0
  const plan = await planDeepCheck(pool)
  const { candles, discrepancies } = await checkDeeply(pool, plan, {
    signal: new AbortController().signal,
    now: plus(now, 24 * hour),
    onDiscrepancy: (one) => {
      found.push(one)
    },
    onProgress: (done) => {
      expect(done).toBe(steps + 1)
      steps = done
    },
  })
  expect(discrepancies).toBe(found.length)
  expect(steps).toBe(plan.parts.length)
  return { found, candles, steps }
}

/** A series of three days of 1m, in as many partitions, with a hole that its source has and one that it does not. */
async function aStoredSeries(pool: Pool): Promise<Series> {
  const series = await aSeries(pool)
  const candles = candlesIn(minutes(-day, 2 * day)).filter((_, index) => index % 100 !== 0)
  const resolved = { answered: minutes(-day, 2 * day), absentBefore: minutes(2 * day, 2 * day).from }
  await load(pool, aBatch(series, candles, resolved))
  return series
}

const update = (pool: Pool, { coinId }: Series, state: string, change: string) =>
  pool.query(`update candle_coverage set ranges = ${change} where coin_id = $1 and state = $2`, [
    coinId,
    state,
  ])

const part = ({ from, to }: AlignedRange) => `tsmultirange(tsrange('${toIso(from)}', '${toIso(to)}'))`

const at = ({ coinId, timeframe }: Series, range: AlignedRange) => ({ coinId, timeframe, range })

describe('the ledger and the tables', () => {
  test('agree after a load, in every partition, and with what is stored from several sources', async ({
    freshDatabase: { pool },
  }) => {
    const series = await aStoredSeries(pool)
    await load(pool, aBatch({ ...series, source: 'kraken' }, candlesIn(minutes(50, 70))))
    const hourly = { ...series, timeframe: '1h' as const }
    await load(pool, aBatch(hourly, candlesIn({ from: start, to: plus(start, 30 * hour) }, '1h')))
    // One minute of those that were absent at first came from the other source.
    expect(await check(pool)).toMatchObject({
      found: [],
      candles: 3 * day - Math.ceil((3 * day) / 100) + 1 + 30,
    })
  })

  test('disagree where a row was deleted, and agree again once that is forgotten and loaded', async ({
    freshDatabase: { pool },
  }) => {
    const [series] = [await aStoredSeries(pool), await aStoredSeries(pool)]
    await pool.query('delete from ohlcv_data where coin_id = $1 and timestamp in ($2, $3, $4)', [
      series.coinId,
      toIso(minutes(5, 6).from),
      toIso(minutes(7, 8).from),
      toIso(minutes(day + 7, 0).from),
    ])
    const missingRows = { kind: 'row-missing', ...at(series, minutes(5, 8)), candles: 2 } as const
    const { found } = await check(pool)
    expect(found).toEqual([
      { ...missingRows, partition: 'ohlcv_data_1m_y2024m03d01' },
      {
        kind: 'row-missing',
        ...at(series, minutes(day + 7, day + 8)),
        candles: 1,
        partition: 'ohlcv_data_1m_y2024m03d02',
      },
    ])
    expect(await forgetMissingRows(pool, missingRows, now)).toBe(2)
    const { missing } = await readUnresolvedOf(databaseOf(pool), { ...series, range: minutes(1, 100) })
    expect(missing).toEqual([minutes(5, 6), minutes(7, 8)])
    expect((await check(pool)).found).toHaveLength(1)
    await load(pool, aBatch(series, candlesIn(minutes(5, 8))))
    expect(await forgetMissingRows(pool, missingRows, now)).toBe(0)
  })

  test('disagree where a row was added, even of a coin that nothing is recorded of', async ({
    freshDatabase: { pool },
  }) => {
    const series = await aStoredSeries(pool)
    const stranger = await aCoin(pool)
    const insert = (coinId: string, minute: number) =>
      pool.query(`insert into ohlcv_data values ($1, $2, '1m', 1, 1, 1, 1, 1)`, [
        coinId,
        toIso(minutes(minute, minute).from),
      ])
    // The hundredth candle of the first day was absent.
    await insert(series.coinId, 60)
    await insert(stranger, 3)
    expect((await check(pool)).found).toEqual([
      {
        kind: 'row-unrecorded',
        ...at(series, minutes(60, 61)),
        candles: 1,
        partition: 'ohlcv_data_1m_y2024m03d01',
      },
      {
        kind: 'row-unrecorded',
        coinId: stranger,
        timeframe: '1m',
        range: minutes(3, 4),
        candles: 1,
        partition: 'ohlcv_data_1m_y2024m03d01',
      },
    ])
  })

  test('disagree where what is recorded was moved, or its partition is gone', async ({
    freshDatabase: { pool },
  }) => {
    const series = await aSeries(pool)
    await load(pool, aBatch(series, candlesIn(minutes(10, 20))))
    await update(pool, series, 'stored', part(minutes(12, 22)))
    const kinds = async () =>
      (await check(pool)).found.map(({ kind, range }) => [kind, ...[range.from, range.to].map(toIso)])
    const isoOf = ({ from, to }: AlignedRange) => [toIso(from), toIso(to)]
    expect(await kinds()).toEqual([
      ['row-missing', ...isoOf(minutes(20, 22))],
      ['row-unrecorded', ...isoOf(minutes(10, 12))],
    ])
    await update(pool, series, 'stored', part(minutes(10, 20)))
    expect(await kinds()).toEqual([])
    await pool.query('drop table ohlcv_data_1m_y2024m03d01')
    expect((await check(pool)).found).toEqual([
      { kind: 'row-missing', ...at(series, minutes(10, 20)), candles: 10, partition: undefined },
    ])
  })
})

describe('the states of one series', () => {
  const findings = { stored: [minutes(0, 10)], 'no-trades': [minutes(10, 20)], refused: [minutes(20, 25)] }

  test.for([
    ['no-trades', part(minutes(8, 20)), 'states-overlap', 'stored and no-trades', minutes(8, 10)],
    ['refused', part(minutes(9, 10)), 'states-overlap', 'stored and refused', minutes(9, 10)],
    ['refused', part(minutes(18, 25)), 'states-overlap', 'no-trades and refused', minutes(18, 20)],
    ['provisional', part(minutes(9, 11)), 'state-alone', 'provisional without stored', minutes(10, 11)],
    [
      'recheck-after-month',
      part(minutes(10, 30)),
      'state-alone',
      'recheck-after-month without no-trades or refused',
      minutes(25, 30),
    ],
    [
      'recheck-after-day',
      part(minutes(10, 26)),
      'state-alone',
      'recheck-after-day without recheck-after-month',
      minutes(25, 26),
    ],
    ['no-trades', `tsmultirange(tsrange('2030-01-01', '2030-01-02'))`, 'in-future', 'no-trades', undefined],
  ] as const)('disagree: %s as %s', async ([state, change, kind, states, range], { pool }) => {
    const series = await aSeries(pool)
    await load(pool, aBatch(series, candlesIn(minutes(0, 10)), { finalBefore: minutes(9, 10).from }))
    await inTransaction(pool, (tx) =>
      writeCoverage(tx.db, series, { ...findings, stored: [] }, plus(start, hour)),
    )
    expect((await check(pool)).found).toEqual([])
    await update(pool, series, state, change)
    const { found } = await check(pool)
    const place = { coinId: series.coinId, timeframe: '1m', source: 'binance' }
    expect(found).toContainEqual({ kind, states, ...place, range: range ?? expect.anything() })
    await repairStates(pool, series, now)
    expect((await check(pool)).found).toEqual([])
  })
})
