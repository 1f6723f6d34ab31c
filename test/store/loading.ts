import { randomUUID } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'
import { expect } from 'vitest'
import type { AlignedCandle } from '../../src/market/candle.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import type { Instant } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { type AlignedInstant, floorTo, timeframeMs } from '../../src/market/timeframe.ts'
import { encodeCandles } from '../../src/store/candles/candle-rows-writer.ts'
import { type Accounting, type CandleBatch, loadBatches, nothingReceived } from '../../src/store/candles.ts'
import { upsertCoin } from '../../src/store/coins.ts'
import { type Findings, lockSeries, type Series, writeCoverages } from '../../src/store/coverage.ts'
import { withPartitions } from '../../src/store/partitions/partition-cache.ts'
import { candleTable } from '../../src/store/partitions.ts'
import { type Database, databaseOf, inTransaction, type Transaction } from '../../src/store/transaction.ts'
import { at, plus } from '../support/at.ts'

export { at }

/** The first minute of the day that most sentences speak of. */
export const start = at('2024-03-01T00:00:00Z')
export const now = at('2024-03-02T12:00:00Z')
export const minutes = (from: number, to: number): AlignedRange => ({
  from: plus(start, from * 60_000),
  to: plus(start, to * 60_000),
})

let coins = 0

/** A coin that no other sentence knows, so that sentences may share a database. */
export async function aCoin(pool: Pool, called = 'coin'): Promise<string> {
  coins += 1
  const id = `${called}-${process.pid}-${coins}`
  await upsertCoin(databaseOf(pool), id, { symbol: 'COIN', name: 'A coin' }, now)
  return id
}

export const aSeries = async (pool: Pool, parts: Partial<Series> = {}): Promise<Series> => ({
  coinId: parts.coinId ?? (await aCoin(pool)),
  timeframe: '1m',
  source: 'binance',
  ...parts,
})

type CandleText = Partial<Record<'open' | 'high' | 'low' | 'close' | 'volume', string>>

/** A sane candle; prices and volume have the eight decimals that the table gives back. */
export const aCandle = (openTime: AlignedInstant, text: CandleText = {}): AlignedCandle => ({
  openTime,
  open: toDecimal(text.open ?? '10.00000000'),
  high: toDecimal(text.high ?? '12.00000000'),
  low: toDecimal(text.low ?? '9.00000000'),
  close: toDecimal(text.close ?? '11.00000000'),
  volume: toDecimal(text.volume ?? '100.00000000'),
})

/** One candle for each open time of the range. */
export function candlesIn(
  { from, to }: AlignedRange,
  timeframe: Series['timeframe'] = '1m',
): AlignedCandle[] {
  const length = timeframeMs[timeframe]
  return Array.from({ length: (to - from) / length }, (_, index) => aCandle(plus(from, index * length)))
}

/** An answer that speaks for exactly its candles' span, of which all has settled. */
export function aBatch(
  series: Series,
  candles: readonly AlignedCandle[],
  parts: Partial<CandleBatch> = {},
): CandleBatch {
  const length = timeframeMs[series.timeframe]
  return {
    ...{ series, rows: encodeCandles(series, candles), rejected: [] },
    symbol: 'COINUSDT',
    answered: {
      from: candles[0]?.openTime ?? start,
      to: plus(candles.at(-1)?.openTime ?? plus(start, -length), length),
    },
    absentBefore: floorTo(series.timeframe, now),
    now,
    runId: randomUUID(),
    ...parts,
  }
}

/** Writes one answer. */
export async function loadCandles(tx: Transaction, batch: CandleBatch): Promise<Accounting> {
  const [accounting] = await loadBatches(tx, [batch])
  return accounting ?? nothingReceived
}

/** Writes the coverage of one answer. */
export async function writeCoverage(
  db: Database,
  series: Series,
  findings: Findings,
  now: Instant,
): Promise<void> {
  await lockSeries(db, [series])
  await writeCoverages(db, [{ series, findings }], now)
}

/** Makes the partitions and loads one answer in a transaction of its own. */
export const load = (pool: Pool, batch: CandleBatch): Promise<Accounting> =>
  withPartitions(
    { pool, partitions: new Map(), lockTimeoutMs: 2_000 },
    candleTable(batch.series.timeframe, 'day'),
    batch.rows.openTimes,
    () => inTransaction(pool, (tx) => loadCandles(tx, batch)),
  )

/** The backend's process id, by which another session can end it. */
export async function pidOf(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid ?? 0
}

/** Ends a session as an operator or a failing server would, and returns once it is gone. */
export async function endSession(pool: Pool, pid: number): Promise<void> {
  await pool.query('select pg_terminate_backend($1)', [pid])
  await expect.poll(() => sessions(pool, 'pid = $1', pid)).toBe(0)
}

/** Resolves when so many sessions of this database wait for a lock. */
export const waiting = (pool: Pool, count: number) =>
  expect.poll(() => sessions(pool, `wait_event_type = 'Lock' and $1 = 0`, 0)).toBe(count)

async function sessions(pool: Pool, condition: string, value: number): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::integer as count from pg_stat_activity where datname = current_database() and ${condition}`,
    [value],
  )
  return rows[0]?.count ?? 0
}
