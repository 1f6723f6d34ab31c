import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { acceptQuarantined } from '../../src/ingest/quarantine/accept.ts'
import { planVerification } from '../../src/ingest/verify/verification-plan.ts'
import { verifyCandles } from '../../src/ingest/verify.ts'
import { readRevisions } from '../../src/store/candles/revisions.ts'
import { listCoins } from '../../src/store/coins.ts'
import { readCoverage } from '../../src/store/coverage.ts'
import { listQuarantined, type QuarantinedRow } from '../../src/store/quarantine.ts'
import { listRuns } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { interruptDetaching } from '../store/partitions/hand-made.ts'
import { at, plus } from '../support/at.ts'
import { test } from '../support/database.ts'
import { backfillFebruary, cutShort, february, sufferOutage } from './outage.ts'
import { follow, startWorking, type Working } from './working.ts'

const accepting = { by: 'ada', now: at('2024-03-01T12:00Z'), why: 'the outage of 8 February' }

const rowsOf = async (pool: Pool, coinId: string, range = february): Promise<QuarantinedRow[]> =>
  (await listQuarantined(databaseOf(pool), { coinId, state: 'all', range }, 1_000)).rows

const accept = ({ context }: Working, rows: readonly QuarantinedRow[], why = accepting.why) =>
  acceptQuarantined(context, rows, { ...accepting, why })

/** Loads the month, and returns the row of the hour that was cut short. */
async function loadMonth(working: Working): Promise<{ coinId: string; row: QuarantinedRow }> {
  const { pool } = working.context
  sufferOutage(working)
  const coinId = await follow(pool, 'BTCUSDT')
  await backfillFebruary(working, { coinId })
  const [row] = await rowsOf(pool, coinId, cutShort)
  if (!row) throw new Error('no row was quarantined')
  return { coinId, row }
}

const storedAt = async (pool: Pool, coinId: string) =>
  (
    await pool.query<{ close: string; volume: string }>(
      `select close, volume from ohlcv_data where coin_id = $1 and timestamp = '2018-02-08 00:00'`,
      [coinId],
    )
  ).rows

describe('a candle that an outage cut short', () => {
  test('is stored once it is accepted, with its coverage, by a run of its own', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const { coinId, row } = await loadMonth(working)
    expect(await accept(working, [row])).toMatchObject({
      accepted: [row.id],
      loaded: [],
      new: 1,
      received: 1,
    })
    expect(await storedAt(pool, coinId)).toEqual([
      row.values && { close: row.values.close, volume: row.values.volume },
    ])
    const series = { coinId, timeframe: '1h' } as const
    expect(await readCoverage(databaseOf(pool), series, cutShort)).toEqual([
      { state: 'stored', source: 'binance', range: cutShort },
    ])
    const [resolved] = await rowsOf(pool, coinId, cutShort)
    expect(resolved?.resolved).toEqual({ as: 'accepted', at: accepting.now, by: 'ada', why: accepting.why })
    const [run] = await listRuns(databaseOf(pool), 1)
    expect(run).toMatchObject({
      job: 'accept-quarantine',
      status: 'done',
      payload: { coinId, timeframe: '1h', source: 'binance', from: '2018-02-08T00:00:00.000Z' },
    })
  })

  test('stays rejected while its partition is half detached, and the message has the statement that helps', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const { coinId, row } = await loadMonth(working)
    await interruptDetaching(pool, 'ohlcv_data_1h', 'ohlcv_data_1h_y2018m02')
    const accepting = accept(working, [row])
    await expect(accepting).rejects.toThrow(/^1 candle was not stored, of bitcoin 1h from 2018-02-08 00:00/)
    await expect(accepting).rejects.toThrow(/detach partition public\.ohlcv_data_1h_y2018m02 finalize/)
    const [open] = await rowsOf(pool, coinId, cutShort)
    expect(open?.resolved).toBeUndefined()
    const [run] = await listRuns(databaseOf(pool), 1)
    expect(run).toMatchObject({ job: 'accept-quarantine', status: 'failed' })
  })

  test('stays as it was accepted when its source gives it again, and is no difference', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const { coinId, row } = await loadMonth(working)
    await accept(working, [row])
    await pool.query(`delete from candle_coverage where coin_id = $1`, [coinId])
    expect(await backfillFebruary(working, { coinId })).toMatchObject({
      received: 640,
      new: 0,
      revised: 0,
      unchanged: 597,
      quarantined: 43,
    })
    const [resolved] = await rowsOf(pool, coinId, cutShort)
    expect(resolved?.resolved?.as).toBe('accepted')
    const [coin] = await listCoins(databaseOf(pool))
    if (!coin) throw new Error('the coin is not followed')
    const { context } = working
    const request = { coin, timeframe: '1h', range: february, seed: 'any' } as const
    const plan = await planVerification(databaseOf(pool), context.settings, request, context.clock.now())
    const retryPolicy = { signal: context.signal, onPause: () => {}, onProgress: () => {} }
    expect(await verifyCandles(context, plan, retryPolicy)).toMatchObject({
      identical: 597,
      counts: { revised: 0, missing: 0, extra: 0, refused: 0 },
      quarantined: 43,
    })
  })

  test('is replaced, and kept as a revision, when another state of it is accepted later', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const { coinId, row } = await loadMonth(working)
    await accept(working, [row])
    await pool.query(
      `insert into quarantined_rows (source, market, coin_id, timeframe, timestamp, reason, kind, raw, candle, quarantined_at, last_seen_at)
       select source, market, coin_id, timeframe, timestamp, reason, 'another', 'another', jsonb_set(candle, '{volume}', '"445500"'), quarantined_at, last_seen_at
       from quarantined_rows where id = $1`,
      [row.id],
    )
    const [other] = (await rowsOf(pool, coinId, cutShort)).filter(({ resolved }) => resolved === undefined)
    if (!other) throw new Error('the other row is not open')
    expect(await accept(working, [other])).toMatchObject({ new: 0, revised: 1 })
    expect(await storedAt(pool, coinId)).toMatchObject([{ volume: '445500.00000000' }])
    expect(await readRevisions(databaseOf(pool), { coinId, timeframe: '1h' }, february, 10)).toHaveLength(1)
  })

  test('leaves a sound candle that came meanwhile in its place', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    const { coinId, row } = await loadMonth(working)
    working.exchange.setFaults([])
    await backfillFebruary(working, { coinId, lane: 'repair' })
    const before = await storedAt(pool, coinId)
    await expect(accept(working, [row])).rejects.toThrow(
      /^the table has a 1h candle of 2018-02-08 00:00 UTC already, and keeps it\. Resolve its rows with: beacon quarantine retry [0-9a-f]{8}$/,
    )
    expect(await storedAt(pool, coinId)).toEqual(before)
    expect((await rowsOf(pool, coinId, cutShort))[0]?.resolved).toBeUndefined()
  })

  test('takes the other open rows of its candle with it, and was perhaps discarded before', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const { coinId, row } = await loadMonth(working)
    await pool.query(
      `insert into quarantined_rows (source, market, coin_id, timeframe, timestamp, reason, kind, raw, quarantined_at, last_seen_at)
       select source, market, coin_id, timeframe, timestamp + interval '28 minutes', 'off the grid', 'off the grid', 'beside', quarantined_at, last_seen_at
       from quarantined_rows where id = $1`,
      [row.id],
    )
    await pool.query(
      `update quarantined_rows set resolution = 'discarded', resolved_at = now(), resolved_by = 'eve', resolved_reason = 'no' where id = $1`,
      [row.id],
    )
    const [named] = (await rowsOf(pool, coinId, cutShort)).filter(({ id }) => id === row.id)
    const done = await accept(working, named ? [named] : [])
    expect([done.accepted, done.loaded.length]).toEqual([[row.id], 1])
    expect((await rowsOf(pool, coinId, cutShort)).map(({ resolved }) => resolved?.as).toSorted()).toEqual([
      'accepted',
      'loaded',
    ])
  })
})

test('a row that can never be stored is not accepted, nor any that is named with it', async ({
  freshDatabase: { pool },
}) => {
  await using working = await startWorking(pool)
  const { coinId, row } = await loadMonth(working)
  const [beside] = await rowsOf(pool, coinId, { from: cutShort.to, to: february.to })
  if (!beside) throw new Error('no row is beside the grid')
  const refusals = [
    [beside, '2018-02-09T09:28:14.789Z is not on the 1h grid'],
    [{ ...row, openTime: undefined }, 'its open time cannot be read'],
    [{ ...row, timeframe: undefined }, 'it is a price, and only candles can be'],
    [{ ...row, timeframe: '7m' }, 'it names no coin and timeframe'],
    [{ ...row, timeframe: '15m' }, '15m is not configured. Configured timeframes: 1m, 5m, 1h, 1d'],
    [
      { ...row, values: undefined, reason: 'open 1 is below low 2' },
      `it has no candle that can be stored (open 1 is below low 2). Ask for it again with: beacon quarantine retry ${row.id.slice(0, 8)}`,
    ],
    [{ ...row, openTime: plus(accepting.now, 0) }, 'its candle has not closed yet'],
    [
      { ...row, resolved: { as: 'loaded', at: accepting.now, by: 'eve', why: undefined } },
      'it is resolved already: loaded at 2024-03-01 12:00 UTC by eve',
    ],
  ] as const
  for (const [refused, why] of refusals) {
    await expect(accept(working, [row, refused])).rejects.toThrow(
      `row ${refused.id.slice(0, 8)} cannot be accepted: ${why}`,
    )
  }
  await expect(accept(working, [row, { ...row, id: beside.id }])).rejects.toThrow('are of the same candle')
  expect(await storedAt(pool, coinId)).toEqual([])
  expect((await rowsOf(pool, coinId, cutShort))[0]?.resolved).toBeUndefined()
})
