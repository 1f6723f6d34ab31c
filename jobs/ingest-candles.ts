import { z } from 'zod'
import { concernsAll, Fault, PartlyFailed } from '../src/fault.ts'
import { chunksOf } from '../src/ingest/backfill/plan.ts'
import { type CheckedPage, checkedPages } from '../src/ingest/fill-range.ts'
import { Gathering, withoutWaiting } from '../src/ingest/gathering.ts'
import { keptHistory } from '../src/ingest/kept-history.ts'
import { loadPages } from '../src/ingest/load-pages.ts'
import { type CandleMarket, candleMarketOf, sourcesInUse } from '../src/ingest/markets.ts'
import { MarketsFailed } from '../src/ingest/markets-failed.ts'
import { earlier, later, second } from '../src/market/instant.ts'
import { type AlignedRange, intersect, isEmpty } from '../src/market/range.ts'
import { plusCandles, type Timeframe, timeframeMs, timeframes } from '../src/market/timeframe.ts'
import { defineJob } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { anySourceId, queueOfSource } from '../src/settings/source-ids.ts'
import { candlesPerPage } from '../src/sources/source.ts'
import { type Accounting, addAccounting, nothingReceived } from '../src/store/candles.ts'
import { listCoins } from '../src/store/coins.ts'
import { keyOf, nothingUnresolved, readUnresolved, type Unresolved } from '../src/store/coverage/series.ts'
import type { Series } from '../src/store/coverage.ts'
import { type Unplaced, unplacedFault } from '../src/store/partitions/leave-out.ts'
import { noteOutcome } from '../src/store/runs.ts'
import { databaseOf } from '../src/store/transaction.ts'

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

type Total = Accounting & { requests: number; roundedValues: number }

/** Work of one tick; answers are written together. */
class Tick {
  readonly #context: Context
  readonly #gathering = new Gathering()
  readonly #unplaced: Unplaced[] = []
  #total: Total = { ...nothingReceived, requests: 0, roundedValues: 0 }

  constructor(context: Context) {
    this.#context = context
  }

  async take({ batch, requests, roundedValues }: CheckedPage): Promise<void> {
    const { steadyClock } = this.#context
    this.#total.requests += requests
    this.#total.roundedValues += roundedValues
    this.#gathering.add(batch, steadyClock.now())
    if (this.#gathering.isEnough(steadyClock.now())) await this.write()
  }

  async end(): Promise<Total> {
    await this.write()
    return this.#total
  }

  get unplaced(): Fault | undefined {
    return unplacedFault(this.#unplaced, 'candle')
  }

  async write(): Promise<void> {
    if (this.#gathering.isEmpty()) return
    const { accounting, unplaced } = await loadPages(this.#context, this.#gathering.take())
    this.#total = { ...this.#total, ...addAccounting(this.#total, accounting) }
    this.#unplaced.push(...unplaced)
  }
}

async function ingestAll(
  context: Context,
  markets: readonly CandleMarket[],
  timeframe: Timeframe,
): Promise<Total> {
  const waiting = await findWork(context, markets, timeframe)
  const failures: { coinId: string; fault: Fault }[] = []
  const tick = new Tick(context)
  const work = async () => {
    for (let market = waiting.shift(); market; market = waiting.shift()) {
      try {
        await ingestMarket(context, tick, market)
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
  // Thrown late: a job must not end while parts run, and loaded data is kept.
  const total = await tick.end()
  const broken = ends.find((end) => end.status === 'rejected')
  const { unplaced } = tick
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
  tick: Tick,
  { series, market: { source, symbol }, wanted, unresolved }: MarketWork,
): Promise<void> {
  const { settings } = context
  const { recent, older } = divide(wanted, unresolved, {
    timeframe: series.timeframe,
    pageSize: candlesPerPage(source.candles, series.timeframe),
    recheck: settings.candles.recheck,
  })
  const pages = checkedPages(context, { series, source, symbol, range: recent, lane: 'live' })
  const answers = withoutWaiting(pages, settings.candles.pageTimeout, () => tick.write())
  for await (const page of answers) await tick.take(page)
  if (older.length === 0) return
  // More than a page is left to a backfill, queued only after the market answered.
  const chunks = chunksOf({ series, symbol, missing: older }, settings.candles.chunk, 'on-grid')
  await context.enqueue('backfill-candles', chunks)
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
