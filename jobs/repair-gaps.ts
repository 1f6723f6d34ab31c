import { z } from 'zod'
import { concernsAll, Fault, PartlyFailed } from '../src/fault.ts'
import { chunksOf } from '../src/ingest/backfill/plan.ts'
import { addFilled, type Filled, nothingFilled } from '../src/ingest/candle-writer.ts'
import { fillRange } from '../src/ingest/fill-range.ts'
import { subtractAll } from '../src/ingest/gaps/causes.ts'
import { planRepair, type RepairPlan, takeTurns } from '../src/ingest/gaps/repair-plan.ts'
import { keptHistory, lastingHistory } from '../src/ingest/kept-history.ts'
import { type CandleMarket, candleMarketOf } from '../src/ingest/markets.ts'
import { MarketsFailed } from '../src/ingest/markets-failed.ts'
import { later, minute } from '../src/market/instant.ts'
import type { AlignedRange } from '../src/market/range.ts'
import { plusCandles, type Timeframe, timeframes } from '../src/market/timeframe.ts'
import { defineJob, type Outcome } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { type AnySourceId, anySourceId, queueOfSource } from '../src/settings/source-ids.ts'
import { candlesPerPage } from '../src/sources/source.ts'
import { type Coin, listCoins } from '../src/store/coins.ts'
import { keyOf, nothingUnresolved, readUnresolved, type Unresolved } from '../src/store/coverage/series.ts'
import type { Series } from '../src/store/coverage.ts'
import { readDiscarded } from '../src/store/quarantine/discarded.ts'
import { type Database, databaseOf } from '../src/store/transaction.ts'
import { backfillCandles } from './backfill-candles.ts'

/** Limits a run to less than an hour on slow sources. */
const mostRequests = 200

/** Hourly: missing candles of a source, and absences due for a recheck. */
export const repairGaps = defineJob({
  name: 'repair-gaps',
  changes: ['backfills', 'new', 'revised', 'quarantined'],
  summary: 'Request missing candles again, and what the source did not have a day and a month ago',
  payload: z.strictObject({ source: anySourceId }),
  queueOf: ({ source }) => queueOfSource(source),
  idOf: ({ source }) => `repair-gaps_${queueOfSource(source)}`,
  priority: 5,
  schedules: (_settings, coins) =>
    sourcesOf(coins).map((source) => ({
      id: `repair-gaps_${queueOfSource(source)}`,
      // No candle longer than a minute closes then.
      pattern: '23 37 * * * *',
      payload: { source },
      whenMissed: 'run-once' as const,
      // After live ingest and its backfills.
      missedDelayMs: 2 * minute,
    })),
  run: async (context, { source }, report) => {
    const repairs = await planAll(context, source)
    const chunks = repairs.flatMap(({ series, market: { symbol }, plan: { longRanges } }) =>
      chunksOf({ series, symbol, missing: longRanges }, context.settings.candles.chunk, 'on-grid'),
    )
    if (chunks.length > 0) {
      await context.enqueue(
        backfillCandles,
        chunks.map((chunk) => ({ ...chunk, lane: 'repair' as const })),
      )
    }
    const requests = repairs.map(({ series, market, plan }) =>
      plan.requests.map((range): Request => ({ series, market, range })),
    )
    const { asked, waiting } = takeTurns(requests, mostRequests, context.clock.now())
    const { filled, failures } = await askAll(context, asked, (done) => report.progress(done, asked.length))
    const { ignored: _ignored, ...accounting } = filled
    const outcome = { asked: asked.length, waiting, backfills: chunks.length, ...accounting }
    throwIfFailed(failures, new Set(asked.map(({ series }) => series.coinId)).size, outcome)
    return outcome
  },
})

/** Includes ended markets, which only this job completes. */
const sourcesOf = (coins: readonly Coin[]) => [
  ...new Set(coins.flatMap((coin) => candleMarketOf(coin)?.source.id ?? [])),
]

type Repair = Readonly<{ series: Series; market: CandleMarket; plan: RepairPlan }>

async function planAll({ pool, settings, clock }: Context, source: AnySourceId): Promise<Repair[]> {
  const db = databaseOf(pool)
  const now = clock.now()
  const tracked = (await listCoins(db))
    .flatMap((coin) => candleMarketOf(coin) ?? [])
    .filter((market) => market.source.id === source)
    .flatMap((market) =>
      timeframes
        .filter((name) => settings.timeframes[name] && market.source.candles.timeframes.includes(name))
        .map((timeframe) => {
          const series: Series = { coinId: market.coinId, timeframe, source }
          return { series, market, lasting: lastingHistory(settings, market, timeframe, now) }
        }),
    )
  const unresolved = await readUnresolved(
    db,
    tracked.map(({ series, lasting }) => ({ ...series, range: lasting })),
  )
  const repairs: Repair[] = []
  for (const { series, market, lasting } of tracked) {
    const known = await withoutDiscarded(db, series, lasting, unresolved.get(keyOf(series)))
    const { timeframe } = series
    const pageSize = candlesPerPage(market.source.candles, timeframe)
    const history = keptHistory(settings, market, timeframe, now)
    const kept = market.listedTo === undefined ? withoutLivePage(history, timeframe, pageSize) : history
    repairs.push({ series, market, plan: planRepair(known, { kept, lasting, pageSize }, timeframe, now) })
  }
  return repairs
}

/** Drops rechecks of discarded candles. */
async function withoutDiscarded(
  db: Database,
  series: Series,
  within: AlignedRange,
  unresolved: Unresolved = nothingUnresolved,
): Promise<Unresolved> {
  if (unresolved['recheck-after-month'].length === 0) return unresolved
  const discarded = await readDiscarded(db, series, within)
  return {
    ...unresolved,
    'recheck-after-day': subtractAll(unresolved['recheck-after-day'], discarded),
    'recheck-after-month': subtractAll(unresolved['recheck-after-month'], discarded),
  }
}

/** Live ingest requests the newest page itself. */
const withoutLivePage = (
  { from, to }: AlignedRange,
  timeframe: Timeframe,
  pageSize: number,
): AlignedRange => ({ from, to: later(from, plusCandles(to, -pageSize, timeframe)) })

type Request = Omit<Repair, 'plan'> & Readonly<{ range: AlignedRange }>

type Failure = Readonly<{ coinId: string; timeframe: Timeframe; fault: Fault }>

async function askAll(
  context: Context,
  requests: readonly Request[],
  onProgress: (done: number) => Promise<void>,
): Promise<{ filled: Filled; failures: Failure[] }> {
  let filled = nothingFilled
  const failures: Failure[] = []
  for (const [index, { series, market, range }] of requests.entries()) {
    const { coinId, timeframe } = series
    // A failed market would fail again.
    if (failures.some((failure) => failure.coinId === coinId)) continue
    const { source, symbol } = market
    try {
      filled = addFilled(filled, await fillRange(context, { series, source, symbol, range, lane: 'repair' }))
    } catch (error) {
      if (!(error instanceof Fault) || concernsAll(error)) throw error
      failures.push({ coinId, timeframe, fault: error })
    }
    await onProgress(index + 1)
  }
  return { filled, failures }
}

function throwIfFailed(failures: readonly Failure[], coins: number, done: Outcome): void {
  if (failures.length === 0) return
  const reported = failures.map(({ coinId, timeframe, fault }) => `${coinId} ${timeframe}: ${fault.message}`)
  const message = `${failures.length} of the markets failed: ${reported.join('; ')}`
  const faults = failures.map(({ fault }) => fault)
  if (failures.length === coins) throw new MarketsFailed(message, faults)
  const named = failures.map(({ coinId, timeframe, fault }) => ({
    coinId,
    timeframe,
    error: fault.message,
  }))
  throw new PartlyFailed(message, { outcome: { ...done, failures: named }, faults })
}
