import { describe, expect } from 'vitest'
import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { planRetries, retryQuarantined } from '../../src/ingest/quarantine/retry.ts'
import { hour, plus, toIso } from '../../src/market/instant.ts'
import { listCoins } from '../../src/store/coins.ts'
import { listQuarantined, type QuarantinedRow } from '../../src/store/quarantine.ts'
import { listRuns } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { at } from '../store/loading.ts'
import { test } from '../support/database.ts'
import { follow, keptReport, klinesAsked, startWorking, truth, type Working } from './working.ts'

const morning = at('2024-03-01T00:00:00Z')
const hours = (from: number, to: number) => ({
  from: plus(morning, from * hour),
  to: plus(morning, to * hour),
})

/** Loads nine hours of which one is not believed, and returns the row that was kept aside. */
async function loadFault(working: Working, coinId: string, symbol: string, row: number) {
  const { from, to } = hours(0, 9)
  working.exchange.setFaults([
    { path: '/api/v3/klines', when: { nth: 1 }, fault: { name: 'high-below-low', row } },
  ])
  await backfillCandles.run(
    working.context,
    { source: 'binance', symbol, coinId, timeframe: '1h', from: toIso(from), to: toIso(to) },
    keptReport(),
  )
  const [kept, ...others] = await open(working, coinId)
  if (!kept || others.length > 0) throw new Error('not one row was kept aside')
  return kept
}

const open = async ({ context }: Working, coinId: string): Promise<QuarantinedRow[]> => {
  const { rows } = await listQuarantined(databaseOf(context.pool), { coinId, state: 'open' }, 100)
  return rows
}

async function retry({ context }: Working, rows: readonly QuarantinedRow[]) {
  const now = context.clock.now()
  const plan = planRetries(context.settings, await listCoins(databaseOf(context.pool)), rows, now)
  const retryPolicy = { signal: context.signal, onPause: () => {} }
  return { plan, retried: await retryQuarantined(context, plan, { by: 'ada', now }, retryPolicy) }
}

describe('a retry of quarantined rows', () => {
  test('asks for exactly their candles, loads them, settles the rows and stands in the record of runs', async ({
    pool,
  }) => {
    await using working = await startWorking(pool)
    const coinId = await follow(pool, 'BTCUSDT')
    const row = await loadFault(working, coinId, 'BTCUSDT', 4)
    expect(row.openTime).toBe(hours(4, 5).from)
    const before = klinesAsked(working).length
    const { retried } = await retry(working, [row])
    expect(klinesAsked(working).slice(before)).toEqual([{ symbol: 'BTCUSDT', ...hours(4, 5) }])
    expect([...retried.resolved.values()]).toEqual(['loaded'])
    expect(await open(working, coinId)).toEqual([])
    const { rows: stored } = await pool.query('select from ohlcv_data where coin_id = $1', [coinId])
    expect(stored).toHaveLength(truth('BTCUSDT', '1h', hours(0, 9)).length)
    const [run] = await listRuns(databaseOf(pool), 1)
    expect(run).toMatchObject({
      job: 'retry-quarantine',
      queue: 'binance',
      status: 'done',
      payload: { coinId, timeframe: '1h', from: toIso(hours(4, 5).from), to: toIso(hours(4, 5).to) },
      outcome: { new: 1, requests: 1 },
    })
  })

  test('leaves open what is still not believed, and settles what its source has taken back', async ({
    pool,
  }) => {
    await using working = await startWorking(pool)
    const coinId = await follow(pool, 'ETHUSDT')
    const row = await loadFault(working, coinId, 'ETHUSDT', 2)
    const faultOf = (fault: { name: 'high-below-low'; row: number } | { name: 'no-rows' }) =>
      working.exchange.setFaults([{ path: '/api/v3/klines', when: 'always', fault }])
    faultOf({ name: 'high-below-low', row: 0 })
    expect((await retry(working, [row])).retried.resolved).toEqual(new Map())
    expect(await open(working, coinId)).toHaveLength(1)
    faultOf({ name: 'no-rows' })
    expect((await retry(working, [row])).retried.resolved).toEqual(new Map([[row.id, 'withdrawn']]))
  })

  test('says of each row that cannot be asked for why not, and asks for nothing', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await follow(pool, 'XRPUSDT')
    const row: QuarantinedRow = {
      id: '00000000-0000-4000-8000-000000000001',
      source: 'binance',
      market: 'XRPUSDT',
      coinId,
      timeframe: '1h',
      openTime: morning,
      reason: 'negative',
      raw: '[]',
      values: undefined,
      runId: undefined,
      quarantinedAt: morning,
      lastSeenAt: morning,
      timesSeen: 1,
      isStored: false,
      resolved: undefined,
    }
    const resolved = { as: 'loaded', at: morning, by: 'ada', why: undefined } as const
    const { plan } = await retry(working, [
      { ...row, timeframe: undefined },
      { ...row, openTime: undefined },
      { ...row, openTime: hours(12, 13).from },
      { ...row, source: 'okx' },
      { ...row, coinId: undefined },
      { ...row, resolved },
      { ...row, isStored: true },
    ])
    expect(plan.leftAlone.map(({ why }) => why)).toEqual([
      'it is a price of its moment, which no source gives again',
      'it could not be dated, so there is no candle to ask for',
      'its candle has not closed yet',
      `${coinId} is no longer tracked on okx`,
      'its candle is unknown',
      'it is resolved: loaded',
    ])
    expect(plan.requests).toEqual([])
    expect(working.exchange.requests).toEqual([])
  })
})
