import { Aborted, concernsAll, Fault } from '../fault.ts'
import { fillRange } from '../ingest/fill-range.ts'
import { keptHistory } from '../ingest/kept-history.ts'
import { type CandleMarket, candleMarketOf } from '../ingest/markets.ts'
import type { Instant } from '../market/instant.ts'
import { type AlignedRange, candleCount, intersect } from '../market/range.ts'
import { type AlignedInstant, floorTo, plusCandles } from '../market/timeframe.ts'
import type { Context } from '../runtime/context.ts'
import { type JoinedSignal, joinSignals } from '../runtime/joined-signal.ts'
import { listCoins } from '../store/coins.ts'
import { readMissing } from '../store/coverage/missing-candles.ts'
import type { Series } from '../store/coverage.ts'
import { ensureView } from '../store/lifecycle/view-definitions.ts'
import { listRefreshes, recordRefresh, summaryFingerprint } from '../store/lifecycle/view-refreshes.ts'
import { refreshView } from '../store/lifecycle/views.ts'
import { databaseOf } from '../store/transaction.ts'

const timeframe = '1h'

export type Summarised = Readonly<{
  view: string
  rows: number
  durationMs: number
  /** Missing hourly candles of yesterday, by coin. */
  incomplete: Readonly<Record<string, number>>
}>

/** End of the last complete day. */
const lastMidnight = (now: Instant): AlignedInstant => floorTo('1d', now)

/** Whether a day ended since the refresh, or earlier candles changed. */
export async function isOutdated({ pool, clock }: Pick<Context, 'pool' | 'clock'>, view: string) {
  const db = databaseOf(pool)
  const [last] = await listRefreshes(db, view, 1)
  if (!last || last.coversTo < lastMidnight(clock.now())) return true
  return last.fingerprint !== (await summaryFingerprint(db, last.coversTo))
}

/** Fetches yesterday's missing candles within the time limit, refreshes the view and records what is missing. */
export async function summarise(context: Context, view: string): Promise<Summarised> {
  const { pool, clock, runId } = context
  const db = databaseOf(pool)
  await ensureView(pool, view, clock.now())
  const coversTo = lastMidnight(clock.now())
  const yesterday = { from: plusCandles(coversTo, -1, '1d'), to: coversTo }
  await fetchMissing(context, yesterday)
  const fingerprint = await summaryFingerprint(db, coversTo)
  const incomplete = Object.fromEntries(
    (await missingOf(context, yesterday)).map(({ market, missing }) => [
      market.coinId,
      missing.reduce((sum, range) => sum + candleCount(range, timeframe), 0),
    ]),
  )
  const startedAt = performance.now()
  const { rows } = await refreshView(pool, view)
  const durationMs = Math.round(performance.now() - startedAt)
  const refreshedAt = clock.now()
  await recordRefresh(db, {
    view,
    refreshedAt,
    durationMs,
    rows,
    coversTo,
    fingerprint,
    incomplete,
    runId,
  })
  return { view, rows, durationMs, incomplete }
}

type Incomplete = Readonly<{ market: CandleMarket; series: Series; missing: readonly AlignedRange[] }>

/** Markets with missing hourly candles. */
async function missingOf({ pool, settings, clock }: Context, within: AlignedRange): Promise<Incomplete[]> {
  if (settings.timeframes[timeframe] === undefined) return []
  const db = databaseOf(pool)
  const now = clock.now()
  const tracked = (await listCoins(db))
    .flatMap((coin) => candleMarketOf(coin) ?? [])
    .filter((market) => market.source.candles.timeframes.includes(timeframe))
    .flatMap((market) => {
      const range = intersect(within, keptHistory(settings, market, timeframe, now))
      const series = { coinId: market.coinId, timeframe, source: market.source.id } as const
      return range ? [{ market, series, range }] : []
    })
  const wanted = tracked.map(({ series, range }) => ({ ...series, range }))
  const missing = await readMissing(db, wanted, 'skip-rejected')
  return tracked.flatMap(({ market, series }, place) => {
    const ranges = missing[place] ?? []
    return ranges.length > 0 ? [{ market, series, missing: ranges }] : []
  })
}

/** Sources in parallel; one that fails entirely is skipped. */
async function fetchMissing(context: Context, day: AlignedRange): Promise<void> {
  const incomplete = await missingOf(context, day)
  const sources = new Set(incomplete.map(({ series }) => series.source))
  const ending = joinSignals([context.signal], context.settings.summaries.waitForCandles)
  const ends = await Promise.allSettled(
    [...sources].map((source) => {
      const markets = incomplete.filter(({ series }) => series.source === source)
      return fetchOfSource(context, ending, source, markets)
    }),
  )
  ending.release()
  // Thrown late: a job must not end while parts of it run.
  const broken = ends.find((end) => end.status === 'rejected')
  if (broken) throw broken.reason
}

async function fetchOfSource(
  context: Context,
  { signal, isLate }: JoinedSignal,
  source: string,
  markets: readonly Incomplete[],
): Promise<void> {
  for (const market of markets) {
    const failure = await tryToFetch({ ...context, signal }, market)
    if (failure === undefined) continue
    if (context.signal.aborted) throw failure
    const reason = isLate() && failure instanceof Aborted ? 'the time for it is up' : failure.message
    context.log.warn('summary.incomplete', { source, coinId: market.series.coinId, reason })
    if (concernsAll(failure)) return
  }
}

/** Returns the fault that ended it. */
async function tryToFetch(
  context: Context,
  { market: { source, symbol }, series, missing }: Incomplete,
): Promise<Fault | undefined> {
  try {
    for (const range of missing) await fillRange(context, { series, source, symbol, range, lane: 'live' })
    return undefined
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
}
