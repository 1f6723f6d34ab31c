import { UnknownMarket } from '../fault.ts'
import type { HttpClient, Lane } from '../http/request.ts'
import { earlier, plus } from '../market/instant.ts'
import { type AlignedRange, candleCount } from '../market/range.ts'
import { floorTo } from '../market/timeframe.ts'
import type { Context } from '../runtime/context.ts'
import { inSpan } from '../runtime/trace.ts'
import type { CandleProvider } from '../sources/source.ts'
import { walkCandles } from '../sources/walk.ts'
import type { CandleBatch } from '../store/candles.ts'
import type { Series } from '../store/coverage.ts'
import { throwIfUnplaced } from '../store/partitions/leave-out.ts'
import { CandleWriter, type CheckedPage, type Filled } from './candle-writer.ts'
import { finalBefore } from './kept-history.ts'
import { prepareRows } from './prepare-rows.ts'

export type Filling = Readonly<{
  series: Series
  source: CandleProvider
  symbol: string
  range: AlignedRange
  lane: Lane
  /** Called after each commit. */
  onProgress?: (candles: number, filled: Filled) => Promise<void> | void
}>

export type FillDeps = Readonly<{ http: HttpClient }> &
  Pick<Context, 'pool' | 'clock' | 'steadyClock' | 'settings' | 'signal' | 'runId' | 'partitions' | 'onBatch'>

export type Fillings = Omit<Filling, 'range'> & Readonly<{ ranges: readonly AlignedRange[] }>

/** Requests a range in pages and stores it, like `fillRanges`. */
export const fillRange = (deps: FillDeps, { range, ...filling }: Filling): Promise<Filled> =>
  fillRanges(deps, { ...filling, ranges: [range] })

/**
 * Requests ranges in pages and stores several pages with coverage per transaction; earlier pages are kept on failure.
 * Candles without a partition are reported at the end as Misconfigured or Unavailable.
 */
export async function fillRanges(deps: FillDeps, filling: Fillings): Promise<Filled> {
  const writer = new CandleWriter<PassedPage>(deps, (pages, filled) =>
    filling.onProgress?.(pages.at(-1)?.passed ?? 0, filled),
  )
  try {
    await writer.takeAll(pagesOfAll(deps, filling), deps.settings.candles.pageTimeout)
  } finally {
    await writer.write()
  }
  throwIfUnplaced(writer.unplaced, 'candle')
  return writer.filled
}

/** A page, and how many candles of all ranges lie before its end. */
type PassedPage = CheckedPage & Readonly<{ passed: number }>

/** The pages of one range after the other. */
async function* pagesOfAll(
  deps: FillDeps,
  { ranges, ...filling }: Fillings,
): AsyncGenerator<PassedPage, void> {
  const { timeframe } = filling.series
  let before = 0
  for (const range of ranges) {
    for await (const page of checkedPages(deps, { ...filling, range })) {
      const { to } = page.batch.answered
      yield { ...page, passed: before + candleCount({ from: range.from, to }, timeframe) }
    }
    before += candleCount(range, timeframe)
  }
}

/** Asks for a range page by page, and checks what comes. */
export async function* checkedPages(
  deps: FillDeps,
  { series, source, symbol, range, lane }: Filling,
): AsyncGenerator<CheckedPage, void> {
  const { timeframe } = series
  const { clock, settings, runId, signal } = deps
  const walk = walkCandles(
    { http: deps.http, baseUrls: settings.environment.baseUrls },
    source,
    { symbol, timeframe, range, asOf: clock.now() },
    { lane, signal },
  )
  for await (const { rows, answered, answeredAt, requests } of withCheckOf(walk, series.coinId, symbol)) {
    const prepared = await inSpan('check', { attributes: { 'beacon.coin': series.coinId } }, (annotate) => {
      const found = prepareRows(series, rows, { timeframe, range: answered, now: answeredAt })
      annotate({ 'beacon.rows': found.rows.openTimes.length, 'beacon.rows.rejected': found.rejected.length })
      return found
    })
    const now = clock.now()
    // The earlier clock: a fast source clock would make late candles absent.
    const seenAt = earlier(answeredAt, now)
    const batch: CandleBatch = {
      series,
      symbol,
      answered,
      rows: prepared.rows,
      rejected: prepared.rejected,
      absentBefore: floorTo(timeframe, plus(seenAt, -settings.candles.absentAfter)),
      finalBefore: finalBefore(settings, timeframe, seenAt),
      now,
      runId,
    }
    yield { batch, requests, ignored: prepared.ignored, roundedValues: prepared.roundedValues }
  }
}

/** UnknownMarket means renamed, delisted or misspelt: name the listing. */
async function* withCheckOf<T>(
  walk: AsyncIterable<T>,
  coinId: string,
  symbol: string,
): AsyncGenerator<T, void> {
  try {
    yield* walk
  } catch (error) {
    if (!(error instanceof UnknownMarket)) throw error
    throw new UnknownMarket(
      `${error.message}: see what became of ${symbol} (${coinId}) with: beacon coins sync`,
      { cause: error },
    )
  }
}
