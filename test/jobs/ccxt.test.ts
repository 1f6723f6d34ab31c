import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { jobs, queuesWith } from '../../jobs/catalog.ts'
import { ingestCandles } from '../../jobs/ingest-candles.ts'
import { syncInstruments } from '../../jobs/sync-instruments.ts'
import { sourcesInUse } from '../../src/ingest/markets.ts'
import { minute, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import type { FaultPlan } from '../../src/replay/faults.ts'
import { type AnySourceId, queueOfSource, type SourceId } from '../../src/settings/source-ids.ts'
import type { Settings } from '../../src/settings.ts'
import { readCandles } from '../../src/store/candles.ts'
import { readSources } from '../../src/store/coins/instruments.ts'
import { listCoins, trackMarket, upsertCoin } from '../../src/store/coins.ts'
import { readCoverage } from '../../src/store/coverage.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { keptReport, startWorking, truth, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { aCoin } from '../store/loading.ts'
import { at, plus } from '../support/at.ts'
import { test } from '../support/database.ts'

/** Half a day with five minutes in which the exchange itself was away; some exchanges fill them. */
const range: AlignedRange = { from: at('2024-02-25T12:00Z'), to: at('2024-02-26T00:00Z') }
const candles = 715

/** ccxt's sources ask the same replayed exchanges as ours. */
const throughCcxt = (settings: Settings): Settings => {
  const { baseUrls } = settings.environment
  const { binance = '', okx = '' } = baseUrls
  const both = { ...baseUrls, 'ccxt:binance': binance, 'ccxt:okx': okx }
  return { ...settings, environment: { ...settings.environment, baseUrls: both } }
}

const working = (pool: Pool, faults: FaultPlan = []): Promise<Working> =>
  startWorking(pool, { faults, settings: throughCcxt })

/** Brings the range in from the source, into a coin of its own, and tells all that is known of it then. */
async function load(pool: Pool, { context }: Working, source: AnySourceId, symbol: string) {
  const coinId = await aCoin(pool)
  const [from, to] = [toIso(range.from), toIso(range.to)]
  const outcome = await backfillCandles.run(
    context,
    { source, symbol, coinId, timeframe: '1m', from, to },
    keptReport(),
  )
  const db = databaseOf(pool)
  const { rows: quarantined } = await pool.query<{ reason: string }>(
    `select reason from quarantined_rows where source = $1 order by reason`,
    [source],
  )
  const coverage = await readCoverage(db, { coinId, timeframe: '1m' }, range)
  return {
    outcome,
    stored: await readCandles(db, { coinId, timeframe: '1m' }, range, 10_000),
    coverage: coverage.map(({ source: _source, ...known }) => known),
    reasons: quarantined.map(({ reason }) => reason),
  }
}

describe('a backfill through ccxt', () => {
  test.for([
    ['ccxt:binance', 'binance', 'BTC/USDT', 'BTCUSDT'],
    ['ccxt:okx', 'okx', 'BTC/USDT', 'BTC-USDT'],
  ] as const)(
    'from %s leaves the same candles and the same gaps as ours',
    async ([id, own, symbol, ownSymbol], { pool }) => {
      await using both = await working(pool)
      const ours = await load(pool, both, own, ownSymbol)
      const theirs = await load(pool, both, id, symbol)
      expect(ours.stored.length).toBeGreaterThanOrEqual(candles)
      expect(theirs.stored).toEqual(ours.stored)
      expect(theirs.coverage).toEqual(ours.coverage)
      expect(theirs.outcome).toMatchObject({ new: ours.stored.length, quarantined: 0, roundedValues: 0 })
    },
  )

  test('quarantines the same rows for the same reasons, and rounds the same values', async ({ pool }) => {
    const first = { when: { nth: 1 }, path: '/api/v3/klines' } as const
    const faults = [
      { ...first, fault: { name: 'high-below-low', row: 7 } },
      {
        when: { nth: 2 },
        path: '/api/v3/klines',
        fault: { name: 'value', row: 0, column: 'volume', value: '1.123456789' },
      },
    ] satisfies FaultPlan
    const done = []
    for (const [id, symbol] of [
      ['binance', 'BTCUSDT'],
      ['ccxt:binance', 'BTC/USDT'],
    ] as const) {
      await using lied = await working(pool, faults)
      done.push(await load(pool, lied, id, symbol))
    }
    const [ours, theirs] = done
    expect(ours?.reasons).toHaveLength(1)
    expect(theirs).toEqual({
      ...ours,
      outcome: { ...ours?.outcome, requests: theirs?.outcome.requests },
    })
  })
})

describe('a market that is followed through ccxt', () => {
  test('is ingested, looked up in its listing, and scheduled under names without a colon', async ({
    pool,
  }) => {
    await using live = await working(pool)
    const coinId = await aCoin(pool)
    await inTransaction(pool, async (tx) => {
      await upsertCoin(tx.db, coinId, { symbol: 'ETH', name: 'Ethereum' }, halfPast)
      await trackMarket(tx, { coinId, source: 'ccxt:binance', symbol: 'ETH/USDT' }, halfPast)
    })
    const { context } = live
    const tracked = (await listCoins(databaseOf(pool))).filter(({ id }) => id === coinId)
    expect(sourcesInUse(tracked).map(({ source }) => source.id)).toEqual(['ccxt:binance'])
    const outcome = await ingestCandles.run(
      context,
      { source: 'ccxt:binance', timeframe: '1m' },
      keptReport(),
    )
    expect(outcome).toMatchObject({ markets: 1, new: 1_000, quarantined: 0 })
    const newest = { from: plus(halfPast, -4.5 * minute), to: plus(halfPast, -0.5 * minute) }
    const stored = await readCandles(databaseOf(pool), { coinId, timeframe: '1m' }, newest, 10)
    expect(stored).toEqual(truth('ETHUSDT', '1m', newest))
    expect(await syncInstruments.run(context, { source: 'ccxt:binance' }, keptReport())).toMatchObject({
      tracked: 1,
      ended: 0,
    })

    const queues = queuesWith(await readSources(databaseOf(pool)))
    const scheduled = jobs.flatMap((job) =>
      (job.schedules?.(context.settings, tracked) ?? []).map(({ id, payload }) => ({
        id,
        queue: job.queueOf(job.payload.parse(payload)),
        jobId: job.idOf?.(payload),
      })),
    )
    expect(scheduled.filter(({ queue }) => queue === 'ccxt-binance').length).toBeGreaterThan(4)
    expect(scheduled.map(({ queue }) => queue).filter((queue) => !queues.includes(queue))).toEqual([])
    expect(JSON.stringify(scheduled)).not.toContain('ccxt:')
  })

  test('has a queue of its own as long as anything is known of it', () => {
    expect(queueOfSource('ccxt:bitvavo')).toBe('ccxt-bitvavo')
    const always = queuesWith([])
    expect(always).toContain('binance' satisfies SourceId)
    expect(queuesWith(['binance', 'ccxt:bitvavo'])).toEqual([...always, 'ccxt-bitvavo'])
  })
})
