import { z } from 'zod'
import { concernsAll, Fault, PartlyFailed } from '../src/fault.ts'
import { chunksOf } from '../src/ingest/backfill/plan.ts'
import { CandleWriter, type Filled } from '../src/ingest/candle-writer.ts'
import { checkedPages } from '../src/ingest/fill-range.ts'
import { keptHistory } from '../src/ingest/kept-history.ts'
import { type CandleMarket, candleMarketOf, sourcesInUse } from '../src/ingest/markets.ts'
import { MarketsFailed } from '../src/ingest/markets-failed.ts'
import { earlier, later, second } from '../src/market/instant.ts'
import { type AlignedRange, intersect, isEmpty } from '../src/market/range.ts'
import { plusCandles, type Timeframe, timeframeMs, timeframes } from '../src/market/timeframe.ts'
import { defineJob } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { anySourceId, queueOfSource } from '../src/settings/source-ids.ts'
import { candlesPerPage } from '../src/sources/source.ts'
import { listCoins } from '../src/store/coins.ts'
import { keyOf, nothingUnresolved, readUnresolved, type Unresolved } from '../src/store/coverage/series.ts'
import type { Series } from '../src/store/coverage.ts'
import { unplacedFault } from '../src/store/partitions/leave-out.ts'
import { noteOutcome } from '../src/store/runs.ts'
import { databaseOf } from '../src/store/transaction.ts'
import { backfillCandles } from './backfill-candles.ts'

const payload = z.strictObject({ source: anySourceId, timeframe: z.enum(timeframes) })

export const ingestCandles = defineJob({
  name: 'ingest-candles',
  summary: 'After each close: the newest candles of every market of a source',
  changes: ['new', 'revised', 'quarantined'],
  payload,
  queueOf: ({ source }) => queueOfSource(source),
  idOf: ({ source, timeframe }) => `ingest-candles_${queueOfSource(source)}_${timeframe}`,
  priority: 0,
  schedules: (settings, coins) =>
    sourcesInUse(coins).flatMap(({ source, trackedFrom }) =>
      source.candles.timeframes
        .filter((timeframe) => settings.timeframes[timeframe] !== undefined)
        .map((timeframe) => ({
          id: `ingest-candles_${queueOfSource(source.id)}_${timeframe}`,
          pattern: patternAfterClose(timeframe, settings.candles.settleDelay),
          payload: { source: source.id, timeframe },
          whenMissed: 'run-once' as const,
          changedAt: trackedFrom,
        })),
    ),
  run: async (context, { source, timeframe }) => {
    const coins = await listCoins(databaseOf(context.pool))
    const markets = coins
      .flatMap((coin) => candleMarketOf(coin) ?? [])
      // Ended markets have no new candles; their missing ones are for backfills.
      .filter((market) => market.source.id === source && market.listedTo === undefined)
    const results = await ingestAll(context, markets, timeframe)
    return { markets: markets.length, ...results }
  },
})

/** Cron pattern with seconds, `delayMs` after each close. */
export function patternAfterClose(timeframe: Timeframe, delayMs: number): string {
  const seconds = Math.ceil(delayMs / second)
  const length = timeframeMs[timeframe]
  const minutes = length / 60_000
  if (minutes < 60) return `${seconds} ${minutes === 1 ? '*' : `*/${minutes}`} * * * *`
  const hours = minutes / 60
  return `${seconds} 0 ${hours === 1 ? '*' : hours === 24 ? '0' : `*/${hours}`} * * *`
}

type Total = Omit<Filled, 'ignored'>

async function ingestAll(
  context: Context,
  markets: readonly CandleMarket[],
  timeframe: Timeframe,
): Promise<Total> {
  const waiting = await findWork(context, markets, timeframe)
  const failures: { coinId: string; fault: Fault }[] = []
  // Answers of all markets are written together.
  const writer = new CandleWriter(context)
  const work = async () => {
    for (let market = waiting.shift(); market; market = waiting.shift()) {
      try {
        await ingestMarket(context, writer, market)
      } catch (error) {
        // Only this market failed, unless the fault is the source's or ours.
        if (!(error instanceof Fault) || concernsAll(error)) {
          waiting.length = 0
          throw error
        }
        failures.push({ coinId: market.series.coinId, fault: error })
      }
    }
  }
  const ends = await Promise.allSettled(
    Array.from({ length: context.settings.candles.parallelMarkets }, work),
  )
  // Only now: a job must not end while a part of it goes on, and what has come is kept whatever became of the rest.
  await writer.write()
  const { ignored: _ignored, ...total } = writer.filled
  const broken = ends.find((end) => end.status === 'rejected')
  const unplaced = unplacedFault(writer.unplaced, 'candle')
  if (!broken && failures.length === 0 && !unplaced) return total
  const faults = failures.map(({ fault }) => fault)
  const named = failures.map(({ coinId, fault }) => ({ coinId, error: fault.message }))
  const outcome = { markets: markets.length, ...total, failures: named }
  const isPartial = broken === undefined && unplaced === undefined && failures.length < markets.length
  const others = unplaced ? `; ${unplaced.message}` : ''
  const message = `${failures.length} of ${markets.length} markets failed: ${named.map(failureText).join('; ')}${others}`
  if (isPartial) throw new PartlyFailed(message, { outcome, faults })
  // A failed run may have loaded other markets.
  await noteOutcome(databaseOf(context.pool), context.runId, outcome)
  if (broken) throw broken.reason
  if (unplaced && failures.length === 0) throw unplaced
  throw new MarketsFailed(message, [...faults, ...(unplaced ? [unplaced] : [])])
}

type Failure = Readonly<{ coinId: string; error: string }>

const failureText = ({ coinId, error }: Failure): string => `${coinId}: ${error}`

/** What to request of one market. */
type MarketWork = Readonly<{
  series: Series
  market: CandleMarket
  wanted: AlignedRange
  unresolved: Unresolved
}>

/** One query for all markets; a tick has hundreds. */
async function findWork(
  { settings, clock, pool }: Context,
  markets: readonly CandleMarket[],
  timeframe: Timeframe,
): Promise<MarketWork[]> {
  const now = clock.now()
  const works = markets.map((market) => ({
    market,
    series: { coinId: market.coinId, timeframe, source: market.source.id },
    wanted: keptHistory(settings, market, timeframe, now),
  }))
  const all = await readUnresolved(
    databaseOf(pool),
    works.map(({ series, wanted }) => ({ ...series, range: wanted })),
  )
  return works.map((work) => ({ ...work, unresolved: all.get(keyOf(work.series)) ?? nothingUnresolved }))
}

async function ingestMarket(
  context: Context,
  writer: CandleWriter,
  { series, market: { source, symbol }, wanted, unresolved }: MarketWork,
): Promise<void> {
  const { settings } = context
  const { recent, older } = divide(wanted, unresolved, {
    timeframe: series.timeframe,
    pageSize: candlesPerPage(source.candles, series.timeframe),
    recheck: settings.candles.recheck,
  })
  const pages = checkedPages(context, { series, source, symbol, range: recent, lane: 'live' })
  await writer.takeAll(pages, settings.candles.pageTimeout)
  if (older.length === 0) return
  // More than a page is left to a backfill, queued only after the market answered.
  const chunks = chunksOf({ series, symbol, missing: older }, settings.candles.chunk, 'on-grid')
  await context.enqueue(backfillCandles, chunks)
}

/**
 * Splits unresolved ranges into a recent page, requested now, and older missing ranges. The newest few closed and all
 * provisional candles are in the recent page, as exchanges correct them.
 */
export function divide(
  wanted: AlignedRange,
  { missing, provisional }: Pick<Unresolved, 'missing' | 'provisional'>,
  { timeframe, pageSize, recheck }: Readonly<{ timeframe: Timeframe; pageSize: number; recheck: number }>,
): { recent: AlignedRange; older: AlignedRange[] } {
  if (isEmpty(wanted)) return { recent: wanted, older: [] }
  const page: AlignedRange = {
    from: later(wanted.from, plusCandles(wanted.to, -pageSize, timeframe)),
    to: wanted.to,
  }
  const recheckFrom = later(page.from, plusCandles(wanted.to, -recheck, timeframe))
  const from = [...missing, ...provisional]
    .flatMap((range) => intersect(range, page)?.from ?? [])
    .reduce(earlier, recheckFrom)
  const olderPart = { from: wanted.from, to: page.from }
  return {
    recent: { from, to: wanted.to },
    older: missing.flatMap((range) => intersect(range, olderPart) ?? []),
  }
}
