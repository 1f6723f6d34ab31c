import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { enforceRetention, type RetentionOutcome, retryHeld } from '../../src/lifecycle/retention.ts'
import { safekeepingsOf } from '../../src/lifecycle/retention-safekeeping.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { day, type Instant, minute, toInstant } from '../../src/market/instant.ts'
import { type AlignedInstant, type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import type { Steps } from '../../src/store/lifecycle/delete-partitions.ts'
import { recordRefresh } from '../../src/store/lifecycle/view-refreshes.ts'
import { withPartitions } from '../../src/store/partitions/partition-cache.ts'
import { partitionAt } from '../../src/store/partitions.ts'
import { loadPrices } from '../../src/store/prices.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { keptReport } from '../ingest/working.ts'
import { aBatch, candlesIn, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'

// The database's clock cannot be set: what is old is old as seen from now.
const now = systemClock.now()
const midnight = toInstant(Math.floor(now / day) * day)

/** A midnight before the last one. */
export const daysAgo = (days: number): AlignedInstant => plus(midnight, -days * day)

const priceTable = { name: 'market_data', length: 'day' } as const
export const pricePartition = (days: number): string => partitionAt(priceTable, daysAgo(days)).name
export const minutePartition = (days: number): string =>
  partitionAt({ name: 'ohlcv_data_1m', length: 'day' }, daysAgo(days)).name

/** So many candles from an instant on, with their coverage. */
export async function someCandles(
  pool: Pool,
  coinId: string,
  from: AlignedInstant,
  count: number,
  timeframe: Timeframe = '1m',
): Promise<void> {
  const candles = candlesIn({ from, to: plus(from, count * timeframeMs[timeframe]) }, timeframe)
  await load(pool, aBatch({ coinId, timeframe, source: 'binance' }, candles))
}

/** So many prices of a coin, five minutes apart; they go up and down, and need eight decimals. */
export async function somePrices(pool: Pool, coinId: string, from: Instant, count: number): Promise<void> {
  const prices = Array.from({ length: count }, (_, index) => ({
    coinId,
    price: {
      market: 'coin',
      timestamp: plus(from, index * 5 * minute),
      price: toDecimal(`${10 + ((index * 7) % 11)}.0000000${index % 10}`),
      volume24h: toDecimal(`${1_000 + index}.25`),
      ...(index % 3 === 0 ? { marketCap: toDecimal(`${5_000 + index}.5`), rank: index + 1 } : {}),
    },
  }))
  await withPartitions(
    { pool, partitions: new Map(), lockTimeoutMs: 2_000 },
    priceTable,
    prices.map(({ price }) => price.timestamp),
    () => inTransaction(pool, (tx) => loadPrices(tx, prices)),
  )
}

/** Nobody calls the newest candle old, what is about to go is less than half, and the last day has been summarised. */
export async function freshData(pool: Pool, coinId: string): Promise<void> {
  await someCandles(pool, coinId, daysAgo(1), 100)
  await someCandles(pool, coinId, daysAgo(0), 1)
  await somePrices(pool, coinId, daysAgo(1), 100)
  await somePrices(pool, coinId, daysAgo(0), 1)
  await summarised(pool)
}

/** As if the summary had been refreshed since the last midnight. */
const summarised = (pool: Pool): Promise<void> =>
  recordRefresh(databaseOf(pool), {
    view: 'daily_price_summary',
    refreshedAt: now,
    durationMs: 1,
    rows: 0,
    coversTo: midnight,
    fingerprint: '',
    incomplete: {},
    runId: randomUUID(),
  })

const defaults = readSettings({})

export type Retaining = Readonly<{
  agreed?: boolean
  steps?: Steps
  settings?: Settings
  signal?: AbortSignal
  now?: Instant
}>

/** One run, as the job does it, with what it has told. */
export async function retain(
  pool: Pool,
  { agreed = false, steps, settings = defaults, signal, now: instant = now }: Retaining = {},
): Promise<RetentionOutcome & { lines: string[] }> {
  const report = keptReport()
  const clock = { now: () => instant }
  const outcome = await enforceRetention(
    {
      pool,
      settings,
      clock,
      signal: signal ?? new AbortController().signal,
      safekeepings: safekeepingsOf({ pool, settings, clock }),
      ...(steps === undefined ? {} : { steps }),
    },
    agreed,
    report,
  )
  return { ...outcome, lines: report.lines }
}

/** Tries what the last run could not delete again, as the job does every few minutes. */
export async function retry(
  pool: Pool,
  settings: Settings = defaults,
): Promise<readonly string[] | undefined> {
  const clock = { now: () => now }
  const { signal } = new AbortController()
  const safekeepings = safekeepingsOf({ pool, settings, clock })
  const outcome = await retryHeld({ pool, settings, clock, signal, safekeepings }, keptReport())
  return outcome?.dropped
}

/** Tables with the name of a leaf, attached or not, that hold the day. */
export async function partitionsNow(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relname ~ '_y[0-9]{4}' order by relname`,
  )
  return rows.map(({ name }) => name)
}
