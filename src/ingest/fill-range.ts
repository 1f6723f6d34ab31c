import type { HttpClient, Lane } from '../http/request.ts'
import { checkCandles } from '../market/candle-check.ts'
import { earlier, plus } from '../market/instant.ts'
import { candleCount, type Range } from '../market/range.ts'
import { floorTo } from '../market/timeframe.ts'
import type { Context } from '../runtime/context.ts'
import type { CandleSource } from '../sources/source.ts'
import { walkCandles } from '../sources/walk.ts'
import {
  type Accounting,
  addAccounting,
  type CandleBatch,
  loadCandles,
  nothingReceived,
} from '../store/candles.ts'
import type { Series } from '../store/coverage.ts'
import { withPartitions } from '../store/partition-cache.ts'
import { candleTable } from '../store/partitions.ts'
import { inTransaction } from '../store/transaction.ts'

/** A stretch of one series to be brought in from its source. */
export type Filling = Readonly<{
  series: Series
  source: CandleSource
  /** The market in the source's own spelling. */
  symbol: string
  range: Range
  lane: Lane
  /** Told after each committed page how many candles of the range have been dealt with. */
  onProgress?: (candles: number) => Promise<void> | void
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

/** Asks for a range page by page and writes each page, with its coverage, in a transaction of its own. */
export async function fillRange(reach: FillReach, filling: Filling): Promise<Filled> {
  const { series, source, symbol, range, lane } = filling
  const { timeframe } = series
  const walk = walkCandles(
    { http: reach.http, baseUrls: reach.settings.environment.baseUrls },
    source,
    { symbol, timeframe, range, asOf: reach.clock.now() },
    { lane, signal: reach.signal },
  )
  let filled = nothingFilled
  for await (const { rows, answered, answeredAt, requests } of walk) {
    const checked = checkCandles(rows, { timeframe, range: answered, now: answeredAt })
    const accounting = await loadPage(reach, {
      series,
      symbol,
      answered,
      checked,
      // By the clock that is behind: a source whose clock runs ahead would make late candles absent ones.
      settledBefore: floorTo(
        timeframe,
        plus(earlier(answeredAt, reach.clock.now()), -reach.settings.candles.absentAfter),
      ),
      now: reach.clock.now(),
      runId: reach.runId,
    })
    filled = {
      ...addAccounting(filled, accounting),
      requests: filled.requests + requests,
      ignored: filled.ignored + checked.ignored,
      roundedValues: filled.roundedValues + checked.roundedValues,
    }
    await filling.onProgress?.(candleCount({ from: range.from, to: answered.to }, timeframe))
  }
  return filled
}

/** Writes one page of candles with its coverage in one transaction, and makes sure of their partitions before. */
export async function loadPage(
  { pool, partitions, settings }: Pick<FillReach, 'pool' | 'partitions' | 'settings'>,
  batch: CandleBatch,
): Promise<Accounting> {
  const { timeframe } = batch.series
  const table = candleTable(timeframe, settings.timeframes[timeframe]?.partition ?? 'month')
  const openTimes = batch.checked.candles.map(({ openTime }) => openTime)
  return withPartitions(
    { pool, partitions, lockTimeoutMs: settings.database.lockTimeout },
    table,
    openTimes,
    () => inTransaction(pool, (tx) => loadCandles(tx, batch), 'load'),
  )
}
