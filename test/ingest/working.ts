import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import type { Candle } from '../../src/market/candle.ts'
import { type Instant, minute } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import type { Timeframe } from '../../src/market/timeframe.ts'
import type { Report } from '../../src/queue/job.ts'
import { closedCandles } from '../../src/replay/candles.ts'
import type { ReplayOptions } from '../../src/replay/exchange.ts'
import { findMarket } from '../../src/replay/markets.ts'
import type { Context } from '../../src/runtime/context.ts'
import { SeriesRanges } from '../../src/runtime/series-ranges.ts'
import { baseUrlVariables } from '../../src/settings/base-url-variable.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { trackMarket, upsertCoin } from '../../src/store/coins.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { recordingLog } from '../queue/fleet.ts'
import { halfPast, type Playing, play } from '../replay/playing.ts'
import { readEnvironment } from '../support/read-environment.ts'

const defaults = readSettings({})
/** A loaded machine takes seconds for an answer: that neither makes a source a slow one, nor two transactions of one. */
const candles = { ...defaults.candles, retryPolicy: minute, pageTimeout: 10 * minute }

type Enqueued = Readonly<{ jobName: string; payloads: readonly object[] }>

/** All that a job reaches, on a real database and a replayed exchange whose clock stands in the test's hand. */
export type Working = Readonly<{
  context: Context
  exchange: Playing
  log: ReturnType<typeof recordingLog>
  /** What jobs have put into queues. */
  enqueued: readonly Enqueued[]
  [Symbol.asyncDispose](): Promise<void>
}>

type WorkingOptions = Readonly<{
  now?: Instant
  faults?: ReplayOptions['faults']
  settings?: (settings: Settings) => Settings
  signal?: AbortSignal
}>

export async function startWorking(pool: Pool, options: WorkingOptions = {}): Promise<Working> {
  const { now = halfPast, faults = [], settings: adjust = (settings) => settings, signal } = options
  const exchange = await play({ limits: 'none', faults }, now)
  const log = recordingLog()
  const enqueued: Enqueued[] = []
  const http = openHttpClient({
    clock: exchange.clock,
    budget: unlimitedBudget,
    timeoutMs: 20_000,
    maxBodyBytes: 20_000_000,
  })
  const settings = { ...defaults, candles, environment: readEnvironment(baseUrlVariables(exchange.urls)) }
  const context: Context = {
    clock: exchange.clock,
    steadyClock: exchange.clock,
    log,
    settings: adjust(settings),
    pool,
    http,
    partitions: new Map(),
    seriesRanges: new SeriesRanges(),
    enqueue: async ({ name }, payloads) => {
      enqueued.push({ jobName: name, payloads: payloads as readonly object[] })
      return payloads.map(() => randomUUID())
    },
    signal: signal ?? new AbortController().signal,
    runId: randomUUID(),
  }
  return {
    context,
    exchange,
    log,
    enqueued,
    [Symbol.asyncDispose]: async () => {
      http.close()
      await exchange.close()
    },
  }
}

/** The klines that were asked for, as the half-open ranges of their queries. */
export const klinesAsked = ({ exchange }: Working): { symbol: string; from: number; to: number }[] =>
  exchange.requests
    .filter(({ path }) => path.startsWith('/api/v3/klines'))
    .map(({ path }) => {
      const query = new URL(path, 'http://localhost').searchParams
      return {
        symbol: query.get('symbol') ?? '',
        from: Number(query.get('startTime')),
        to: Number(query.get('endTime')) + 1,
      }
    })

/** Follows a market of the replay exchange. */
export async function follow(pool: Pool, symbol: string, now: Instant = halfPast): Promise<string> {
  const coinId = findMarket(symbol)?.coinId ?? symbol.toLowerCase()
  await inTransaction(pool, async (tx) => {
    await upsertCoin(tx.db, coinId, { symbol, name: symbol }, now)
    await trackMarket(tx, { coinId, source: 'binance', symbol }, now)
  })
  return coinId
}

/** What the exchange has closed, as the table keeps it. */
export const truth = (
  symbol: string,
  timeframe: Timeframe,
  range: Range,
  now: Instant = halfPast,
): Candle[] =>
  closedCandles(symbol, timeframe, range, now).map(({ openTime, open, high, low, close, volume }) => ({
    openTime,
    open,
    high,
    low,
    close,
    volume,
  }))

/** A report that keeps what it is told, of the first try of a job or of a later one. */
export function keptReport(attempt = 1): Report & { lines: string[]; steps: [number, number][] } {
  const lines: string[] = []
  const steps: [number, number][] = []
  return {
    attempt,
    lines,
    steps,
    progress: async (done, total) => {
      steps.push([done, total])
    },
    log: async (line) => {
      lines.push(line)
    },
  }
}

export const count = async (pool: Pool, table: string): Promise<number> => {
  const { rows } = await databaseOf(pool).execute<{ count: number }>(
    `select count(*)::integer as count from ${table}`,
  )
  return rows[0]?.count ?? 0
}
