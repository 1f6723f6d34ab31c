import type { Pool } from 'pg'
import { type Instant, plus } from '../market/instant.ts'
import { alignTo, candleCount, type Range, subtract } from '../market/range.ts'
import { floorTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'
import { type CoverageRange, readCoverage } from '../store/coverage.ts'
import { databaseOf } from '../store/transaction.ts'
import { candleMarketOf } from './markets.ts'

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
  const gaps: Gap[] = []
  for (const coin of coins) {
    const market = candleMarketOf(coin)
    if (!market) continue
    for (const timeframe of timeframes) {
      const wanted = wantedRange(settings, timeframe, range, now)
      const coverage = await readCoverage(databaseOf(pool), { coinId: coin.id, timeframe }, wanted)
      const series = { coinId: coin.id, timeframe, source: market.source.id }
      gaps.push(
        ...gapsOf(
          wanted,
          coverage,
          timeframe,
          floorTo(timeframe, plus(now, -settings.candles.absentAfter)),
        ).map((gap) => ({ ...series, ...gap })),
      )
    }
  }
  return gaps
}

function wantedRange(
  { timeframes, candles }: Settings,
  timeframe: Timeframe,
  range: Range | undefined,
  now: Instant,
): Range {
  const closed = floorTo(timeframe, plus(now, -candles.settleDelay))
  const from = range?.from ?? plus(now, -(timeframes[timeframe]?.history ?? 0))
  const wanted = alignTo(timeframe, { from, to: range && range.to < closed ? range.to : closed })
  return wanted.from < wanted.to ? wanted : { from: wanted.from, to: wanted.from }
}

/** What of `wanted` is not stored, by cause, ascending. Pure, so that it can be read and tested by itself. */
export function gapsOf(
  wanted: Range,
  coverage: readonly CoverageRange[],
  timeframe: Timeframe,
  settledBefore: Instant,
): Omit<Gap, 'coinId' | 'timeframe' | 'source'>[] {
  const inState = (state: CoverageRange['state']) =>
    coverage.filter((known) => known.state === state).map(({ range }) => range)
  const stored = inState('stored')
  const firstStored = stored.reduce((first, range) => Math.min(first, range.from), Number.POSITIVE_INFINITY)
  const withoutStored = (ranges: readonly Range[]) => ranges.flatMap((range) => subtract(range, stored))
  const known: [GapCause, Range][] = [
    ...withoutStored(inState('refused')).map((range): [GapCause, Range] => ['refused', range]),
    ...withoutStored(inState('no-trades')).map((range): [GapCause, Range] => [
      range.to <= firstStored ? 'before-first' : 'no-trades',
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
