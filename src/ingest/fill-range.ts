import type { HttpClient, Lane } from '../http/request.ts'
import { checkCandles } from '../market/candle-check.ts'
import { earlier, plus } from '../market/instant.ts'
import { candleCount, type Range } from '../market/range.ts'
import { floorTo } from '../market/timeframe.ts'
import type { Context } from '../runtime/context.ts'
import { inSpan } from '../runtime/trace.ts'
import type { CandleProvider } from '../sources/source.ts'
import { walkCandles } from '../sources/walk.ts'
import {
  type Accounting,
  addAccounting,
  type CandleBatch,
  nothingReceived,
  toBatch,
} from '../store/candles.ts'
import type { Series } from '../store/coverage.ts'
import { Gathering, withoutDawdling } from './gathering.ts'
import { finalBefore } from './kept-history.ts'
import { type LoadReach, loadPages } from './load-pages.ts'

/** A stretch of one series to be brought in from its source. */
export type Filling = Readonly<{
  series: Series
  source: CandleProvider
  /** The market in the source's own spelling. */
  symbol: string
  range: Range
  lane: Lane
  /** Told after each commit how many candles of the range have been dealt with, and what that came to. */
  onProgress?: (candles: number, filled: Filled) => Promise<void> | void
}>

export type Filled = Accounting & Readonly<{ requests: number; ignored: number; roundedValues: number }>

export const nothingFilled: Filled = { ...nothingReceived, requests: 0, ignored: 0, roundedValues: 0 }

export const addFilled = (a: Filled, b: Filled): Filled => ({
  ...addAccounting(a, b),
  requests: a.requests + b.requests,
  ignored: a.ignored + b.ignored,
  roundedValues: a.roundedValues + b.roundedValues,
})

export type FillReach = Readonly<{ http: HttpClient }> &
  Pick<Context, 'pool' | 'clock' | 'settings' | 'signal' | 'runId' | 'partitions'>

/**
 * Asks for a range page by page and writes them with their coverage, several in one transaction. Where the walk fails,
 * what came before is written all the same.
 */
export async function fillRange(reach: FillReach, filling: Filling): Promise<Filled> {
  const { series, range } = filling
  const gathering = new Gathering()
  let filled = nothingFilled
  let pending = nothingFilled
  let reached = range.from
  const commit = async () => {
    if (gathering.isEmpty()) return
    const accounting = await loadPages(reach, gathering.take())
    filled = addFilled(filled, { ...pending, ...accounting })
    pending = nothingFilled
    await filling.onProgress?.(candleCount({ from: range.from, to: reached }, series.timeframe), filled)
  }
  try {
    const pages = withoutDawdling(checkedPages(reach, filling), reach.settings.candles.patience, commit)
    for await (const { batch, ...counts } of pages) {
      gathering.add(batch, reach.clock.now())
      pending = addFilled(pending, { ...nothingFilled, ...counts })
      reached = batch.answered.to
      if (gathering.isEnough(reach.clock.now())) await commit()
    }
  } finally {
    await commit()
  }
  return filled
}

/** One page, ready to be written, and what it took. */
export type CheckedPage = Readonly<{ batch: CandleBatch }> &
  Pick<Filled, 'requests' | 'ignored' | 'roundedValues'>

/** Asks for a range page by page, and checks what comes. */
export async function* checkedPages(
  reach: FillReach,
  { series, source, symbol, range, lane }: Filling,
): AsyncGenerator<CheckedPage, void> {
  const { timeframe } = series
  const { clock, settings, runId, signal } = reach
  const walk = walkCandles(
    { http: reach.http, baseUrls: settings.environment.baseUrls },
    source,
    { symbol, timeframe, range, asOf: clock.now() },
    { lane, signal },
  )
  for await (const { rows, answered, answeredAt, requests } of walk) {
    const checked = await inSpan('check', { attributes: { 'beacon.coin': series.coinId } }, (tell) => {
      const sorted = checkCandles(rows, { timeframe, range: answered, now: answeredAt })
      tell({ 'beacon.rows': sorted.candles.length, 'beacon.rows.rejected': sorted.rejected.length })
      return sorted
    })
    const now = clock.now()
    // By the clock that is behind: a source whose clock runs ahead would make late candles absent ones.
    const seenAt = earlier(answeredAt, now)
    const batch = toBatch({
      series,
      symbol,
      answered,
      checked,
      settledBefore: floorTo(timeframe, plus(seenAt, -settings.candles.absentAfter)),
      finalBefore: finalBefore(settings, timeframe, seenAt),
      now,
      runId,
    })
    yield { batch, requests, ignored: checked.ignored, roundedValues: checked.roundedValues }
  }
}

/** Writes one page of candles with its coverage in one transaction, and makes sure of their partitions before. */
export const loadPage = (reach: LoadReach, page: CandleBatch): Promise<Accounting> => loadPages(reach, [page])
