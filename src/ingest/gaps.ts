import type { Pool } from 'pg'
import { earlier, type Instant, later, plus } from '../market/instant.ts'
import { alignTo, candleCount, type Range, subtract } from '../market/range.ts'
import { floorTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'
import { type CoverageRange, readCoverage, readFirstStored } from '../store/coverage.ts'
import { databaseOf } from '../store/transaction.ts'
import { keptHistory, obtainablePart, settledClose } from './kept-history.ts'
import { type CandleMarket, candleMarketOf } from './markets.ts'

/**
 * Why candles are not there. `not-fetched`: nobody has asked yet, or nobody was answered. `no-trades`: the source has
 * none. `before-first`: nor has it any earlier one. `refused`: it has, but they lie in quarantine. `late`: closed so
 * recently that the source may still be writing them down.
 */
export type GapCause = 'not-fetched' | 'no-trades' | 'before-first' | 'refused' | 'late'

export type Gap = Readonly<{
  coinId: string
  timeframe: Timeframe
  source: string
  range: Range
  candles: number
  cause: GapCause
}>

/** Everything that is missing of these coins inside the range, or inside the history that the daemon keeps. */
export async function findGaps(
  pool: Pool,
  settings: Settings,
  coins: readonly Coin[],
  timeframes: readonly Timeframe[],
  range: Range | undefined,
  now: Instant,
): Promise<Gap[]> {
  const db = databaseOf(pool)
  const gaps: Gap[] = []
  for (const coin of coins) {
    const market = candleMarketOf(coin)
    if (!market) continue
    for (const timeframe of timeframes) {
      const wanted = closedPart(settings, market, timeframe, range, now)
      const series = { coinId: coin.id, timeframe, source: market.source.id }
      const known = await readCoverage(db, series, wanted)
      // What another source lacks, this one may have.
      const coverage = known.filter(({ state, source }) => state === 'stored' || source === series.source)
      const settledBefore = floorTo(timeframe, plus(now, -settings.candles.absentAfter))
      const firstStored = await readFirstStored(db, series)
      const missing = gapsOf(wanted, coverage, timeframe, settledBefore, firstStored)
      gaps.push(...missing.map((gap) => ({ ...series, ...gap })))
    }
  }
  return gaps
}

/** The range asked about as far as it is closed by now and can be had, or the history that the daemon keeps. */
function closedPart(
  settings: Settings,
  market: CandleMarket,
  timeframe: Timeframe,
  range: Range | undefined,
  now: Instant,
): Range {
  if (range === undefined) return keptHistory(settings, market, timeframe, now)
  const { from, to } = alignTo(timeframe, range)
  const closed = { from, to: later(from, earlier(to, settledClose(settings, timeframe, now))) }
  return obtainablePart(market, timeframe, closed, now)
}

/**
 * What of `wanted` is not stored, by cause, ascending. `firstStored` is the first open time of the whole series, which
 * may lie before what is wanted. Pure, so that it can be read and tested by itself.
 */
export function gapsOf(
  wanted: Range,
  coverage: readonly CoverageRange[],
  timeframe: Timeframe,
  settledBefore: Instant,
  firstStored: Instant | undefined,
): Omit<Gap, 'coinId' | 'timeframe' | 'source'>[] {
  const inState = (state: CoverageRange['state']) =>
    coverage.filter((known) => known.state === state).map(({ range }) => range)
  const stored = inState('stored')
  const withoutStored = (ranges: readonly Range[]) => ranges.flatMap((range) => subtract(range, stored))
  const known: [GapCause, Range][] = [
    ...withoutStored(inState('refused')).map((range): [GapCause, Range] => ['refused', range]),
    ...withoutStored(inState('no-trades')).map((range): [GapCause, Range] => [
      firstStored === undefined || range.to <= firstStored ? 'before-first' : 'no-trades',
      range,
    ]),
  ]
  const open = subtract(
    wanted,
    coverage.map(({ range }) => range),
  ).map((range): [GapCause, Range] => [
    range.to > settledBefore && range.to - range.from <= 5 * timeframeMs[timeframe] ? 'late' : 'not-fetched',
    range,
  ])
  return [...known, ...open]
    .map(([cause, range]) => ({ cause, range, candles: candleCount(range, timeframe) }))
    .sort((a, b) => a.range.from - b.range.from)
}
