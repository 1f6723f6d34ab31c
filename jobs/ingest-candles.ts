import { z } from 'zod'
import { Aborted, Blocked, Fault, Malformed, RateLimited, Refused, Unavailable } from '../src/fault.ts'
import { chunksOf } from '../src/ingest/backfill-plan.ts'
import { type Filled, fillRange } from '../src/ingest/fill-range.ts'
import { keptHistory } from '../src/ingest/kept-history.ts'
import { type CandleMarket, candleMarketOf, sourcesInUse } from '../src/ingest/markets.ts'
import { later, plus, second } from '../src/market/instant.ts'
import { intersect, isEmpty, type Range } from '../src/market/range.ts'
import { type Timeframe, timeframeMs, timeframes } from '../src/market/timeframe.ts'
import { defineJob } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { sourceIds } from '../src/settings/source-ids.ts'
import { candlesPerPage } from '../src/sources/source.ts'
import { type Accounting, addAccounting, nothingReceived } from '../src/store/candles.ts'
import { listCoins } from '../src/store/coins.ts'
import { readOwed, type Series } from '../src/store/coverage.ts'
import { databaseOf } from '../src/store/transaction.ts'

const payload = z.strictObject({ source: z.enum(sourceIds), timeframe: z.enum(timeframes) })

/** After each close: the newest candles of every followed market, and whatever was missed since. */
export const ingestCandles = defineJob({
  name: 'ingest-candles',
  summary: 'After each close: the newest candles of every market of a source',
  payload,
  queueOf: ({ source }) => source,
  idOf: ({ source, timeframe }) => `ingest-candles_${source}_${timeframe}`,
  priority: 0,
  schedules: (settings, coins) =>
    sourcesInUse(coins).flatMap(({ source, followedFrom }) =>
      source.candles.timeframes
        .filter((timeframe) => settings.timeframes[timeframe] !== undefined)
        .map((timeframe) => ({
          id: `ingest-candles_${source.id}_${timeframe}`,
          pattern: patternAfterClose(timeframe, settings.candles.settleDelay),
          payload: { source: source.id, timeframe },
          whenMissed: 'run-once' as const,
          changedAt: followedFrom,
        })),
    ),
  run: async (context, { source, timeframe }) => {
    const coins = await listCoins(databaseOf(context.pool))
    const markets = coins
      .flatMap((coin) => candleMarketOf(coin) ?? [])
      // One that has ended has no new candle; what it still owes is for a backfill.
      .filter((market) => market.source.id === source && market.listedTo === undefined)
    const results = await ingestAll(context, markets, timeframe)
    return { markets: markets.length, ...results }
  },
})

/** The cron pattern, with seconds, that fires `delayMs` after each close of the timeframe. */
export function patternAfterClose(timeframe: Timeframe, delayMs: number): string {
  const seconds = Math.ceil(delayMs / second)
  const length = timeframeMs[timeframe]
  const minutes = length / 60_000
  if (minutes < 60) return `${seconds} ${minutes === 1 ? '*' : `*/${minutes}`} * * * *`
  const hours = minutes / 60
  return `${seconds} 0 ${hours === 1 ? '*' : hours === 24 ? '0' : `*/${hours}`} * * *`
}

type Total = Accounting & { requests: number; roundedValues: number }

async function ingestAll(
  context: Context,
  markets: readonly CandleMarket[],
  timeframe: Timeframe,
): Promise<Total> {
  const waiting = [...markets]
  const failures: string[] = []
  let canRetry = false
  let total: Total = { ...nothingReceived, requests: 0, roundedValues: 0 }
  const work = async () => {
    for (let market = waiting.shift(); market; market = waiting.shift()) {
      try {
        const filled = await ingestMarket(context, market, timeframe)
        total = {
          ...addAccounting(total, filled),
          requests: total.requests + filled.requests,
          roundedValues: total.roundedValues + filled.roundedValues,
        }
      } catch (error) {
        // One market's trouble is its own; the source's, or ours, is everybody's.
        if (!(error instanceof Fault) || concernsAll(error)) {
          waiting.length = 0
          throw error
        }
        canRetry ||= error instanceof Malformed
        failures.push(`${market.coinId}: ${error.message}`)
      }
    }
  }
  const ends = await Promise.allSettled(
    Array.from({ length: context.settings.candles.parallelMarkets }, work),
  )
  // Only now: a job must not end while a part of it goes on.
  const broken = ends.find((end) => end.status === 'rejected')
  if (broken) throw broken.reason
  if (failures.length === 0) return total
  const message = `${failures.length} of ${markets.length} markets failed: ${failures.join('; ')}`
  throw canRetry ? new Malformed(message) : new Refused(message)
}

const concernsAll = (fault: Fault): boolean =>
  [RateLimited, Unavailable, Blocked, Aborted].some((kind) => fault instanceof kind)

async function ingestMarket(context: Context, market: CandleMarket, timeframe: Timeframe): Promise<Filled> {
  const { settings, clock, pool } = context
  const { coinId, source, symbol } = market
  const series: Series = { coinId, timeframe, source: source.id }
  const wanted = keptHistory(settings, market, timeframe, clock.now())
  const owed = await readOwed(databaseOf(pool), series, wanted, 'settle-for-refused')
  const { recent, older } = divide(
    wanted,
    owed,
    timeframe,
    candlesPerPage(source.candles, timeframe),
    settings.candles.recheck,
  )
  const filled = await fillRange(context, { series, source, symbol, range: recent, lane: 'live' })
  // More than a page is history: it must not hold up the next tick. Asked for only once the market has answered.
  const chunks = chunksOf({ series, symbol, owed: older }, settings.candles.chunk, 'on-grid')
  if (chunks.length > 0) await context.enqueue('backfill-candles', chunks)
  return filled
}

/**
 * Divides what is owed into one recent stretch of at most a page, asked for at once, and the older rest. The newest
 * few closed candles belong to the recent stretch even when they are there: exchanges correct them.
 */
export function divide(
  wanted: Range,
  owed: readonly Range[],
  timeframe: Timeframe,
  pageSize: number,
  recheck: number,
): { recent: Range; older: Range[] } {
  if (isEmpty(wanted)) return { recent: wanted, older: [] }
  const page: Range = {
    from: later(wanted.from, plus(wanted.to, -pageSize * timeframeMs[timeframe])),
    to: wanted.to,
  }
  const recheckFrom = later(page.from, plus(wanted.to, -recheck * timeframeMs[timeframe]))
  const owedHere = owed.flatMap((range) => intersect(range, page) ?? [])
  const from = owedHere.reduce((first, range) => (range.from < first ? range.from : first), recheckFrom)
  const olderPart: Range = { from: wanted.from, to: page.from }
  return {
    recent: { from, to: wanted.to },
    older: owed.flatMap((range) => intersect(range, olderPart) ?? []),
  }
}
