import type { Pool } from 'pg'
import { InvalidInput } from '../fault.ts'
import { sliceOf } from '../http/budget.ts'
import { type Instant, plus, toIso } from '../market/instant.ts'
import { alignTo, candleCount, intersect, isEmpty, type Range, split, splitOnGrid } from '../market/range.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import type { Settings } from '../settings.ts'
import { candlesPerPage } from '../sources/source.ts'
import type { Coin } from '../store/coins.ts'
import { readOwed, type Series } from '../store/coverage.ts'
import { candleTable, listPartitions, partitionsOf } from '../store/partitions.ts'
import { databaseOf } from '../store/transaction.ts'
import { settledClose } from './kept-history.ts'
import { type CandleMarket, candleMarketOf, candleSource } from './markets.ts'

/** What somebody wants to have. */
export type BackfillWish = Readonly<{
  coinIds: readonly string[]
  timeframes: readonly Timeframe[]
  range: Range
  source?: string
}>

export type SeriesPlan = Readonly<{
  series: Series
  symbol: string
  wanted: Range
  /** What is not there yet. */
  owed: readonly Range[]
  candles: number
  requests: number
  weight: number
  /** Candles that the next retention run would remove again, and its limit. */
  expiring: number
  keepMs: number | undefined
}>

export type BackfillPlan = Readonly<{
  series: readonly SeriesPlan[]
  candles: number
  requests: number
  weight: number
  /** At the part of each source's limit that backfills may use. */
  durationMs: number
  /** Leaves that are not there yet. */
  partitions: readonly string[]
  expiring: number
}>

/** Works out what a wish costs. Throws InvalidInput for what cannot be wished. */
export async function planBackfill(
  pool: Pool,
  settings: Settings,
  coins: readonly Coin[],
  wish: BackfillWish,
  now: Instant,
): Promise<BackfillPlan> {
  const series: SeriesPlan[] = []
  for (const coinId of wish.coinIds) {
    const market = marketOf(coins, coinId, wish.source)
    for (const timeframe of wish.timeframes)
      series.push(await planSeries(pool, settings, market, timeframe, wish.range, now))
  }
  const total = (pick: (plan: SeriesPlan) => number) => series.reduce((sum, plan) => sum + pick(plan), 0)
  return {
    series,
    candles: total(({ candles }) => candles),
    requests: total(({ requests }) => requests),
    weight: total(({ weight }) => weight),
    durationMs: durationOf(settings, series),
    partitions: await missingPartitions(pool, settings, series),
    expiring: total(({ expiring }) => expiring),
  }
}

function marketOf(coins: readonly Coin[], coinId: string, source: string | undefined): CandleMarket {
  if (source !== undefined) candleSource(source)
  const coin = coins.find(({ id }) => id === coinId)
  if (!coin) {
    const near = didYouMean(
      coinId,
      coins.map(({ id }) => id),
    )
    throw new InvalidInput(
      `no coin "${coinId}" is followed.${near} Add it with: beacon coins add ${coinId} --market SOURCE:SYMBOL`,
    )
  }
  const market = candleMarketOf(coin, source)
  if (market) return market
  throw new InvalidInput(
    `${coinId} has no market ${source ? `on ${source}` : 'with candles'}. Add one with: beacon coins add ${coinId} --market ${source ?? 'SOURCE'}:SYMBOL`,
  )
}

async function planSeries(
  pool: Pool,
  settings: Settings,
  market: CandleMarket,
  timeframe: Timeframe,
  range: Range,
  now: Instant,
): Promise<SeriesPlan> {
  const policy = settings.timeframes[timeframe]
  if (!policy || !market.source.candles.timeframes.includes(timeframe)) {
    throw new InvalidInput(
      `timeframe ${timeframe} is not kept here; there is ${Object.keys(settings.timeframes).join(', ')}`,
    )
  }
  const series: Series = { coinId: market.coinId, timeframe, source: market.source.id }
  // A candle still open cannot be had: the range ends where the last closed one does.
  const closed = { from: range.from, to: settledClose(settings, timeframe, now) }
  const wanted = alignTo(timeframe, intersect(range, closed) ?? { from: range.from, to: range.from })
  const owed = isEmpty(wanted) ? [] : await readOwed(databaseOf(pool), series, wanted, 'retry-refused')
  const { weight } = market.source.candles
  const perPage = candlesPerPage(market.source.candles, timeframe)
  const requests = owed.reduce((sum, part) => sum + Math.ceil(candleCount(part, timeframe) / perPage), 0)
  const expired =
    policy.keep === undefined ? [] : expiredParts(series, policy.partition, owed, plus(now, -policy.keep))
  return {
    series,
    symbol: market.symbol,
    wanted,
    owed,
    candles: owed.reduce((sum, part) => sum + candleCount(part, timeframe), 0),
    requests,
    weight: requests * weight,
    expiring: expired.reduce((sum, part) => sum + candleCount(part, timeframe), 0),
    keepMs: policy.keep,
  }
}

/** What of the ranges lies in leaves that are wholly past the limit. */
function expiredParts(
  { timeframe }: Series,
  length: Parameters<typeof candleTable>[1],
  ranges: readonly Range[],
  limit: Instant,
): Range[] {
  return ranges.flatMap((range) =>
    partitionsOf(candleTable(timeframe, length), range)
      .filter((leaf) => leaf.range.to <= limit)
      .flatMap((leaf) => intersect(leaf.range, range) ?? []),
  )
}

function durationOf({ budget, environment }: Settings, series: readonly SeriesPlan[]): number {
  if (environment.unlimitedBudget) return 0
  const bySource = new Map<string, number>()
  for (const {
    series: { source },
    weight,
  } of series)
    bySource.set(source, (bySource.get(source) ?? 0) + weight)
  const durations = [...bySource].map(([id, weight]) => {
    const slices = candleSource(id).rateLimits.map((limit) => sliceOf(limit, budget))
    return Math.max(...slices.map((slice) => (weight / slice.backfill) * slice.durationMs))
  })
  // Sources are asked side by side.
  return Math.max(0, ...durations)
}

async function missingPartitions(
  pool: Pool,
  settings: Settings,
  series: readonly SeriesPlan[],
): Promise<string[]> {
  const planned = new Set(
    series.flatMap(({ series: { timeframe }, owed }) => {
      const table = candleTable(timeframe, settings.timeframes[timeframe]?.partition ?? 'month')
      return owed.flatMap((range) => partitionsOf(table, range).map(({ name }) => name))
    }),
  )
  const tables = [...new Set(series.map(({ series: { timeframe } }) => `ohlcv_data_${timeframe}`))]
  for (const { name } of await listPartitions(pool, tables)) planned.delete(name)
  return [...planned].sort()
}

/** The payload of one job of a backfill. */
export type BackfillChunk = Readonly<{
  source: string
  symbol: string
  coinId: string
  timeframe: Timeframe
  from: string
  to: string
}>

/**
 * `from-start`: as few jobs and requests as can be. `on-grid`: cut at the same instants whenever it is done, so that
 * work that is found again while it still waits is the same work.
 */
export type Cutting = 'from-start' | 'on-grid'

/** Cuts what is owed into jobs that are short enough for live work to go in between. */
export function chunksOf(
  { series, symbol, owed }: Pick<SeriesPlan, 'series' | 'symbol' | 'owed'>,
  candlesPerChunk: number,
  cutting: Cutting,
): BackfillChunk[] {
  const { source, coinId, timeframe } = series
  const cut = cutting === 'on-grid' ? splitOnGrid : split
  return owed
    .flatMap((range) => cut(range, candlesPerChunk * timeframeMs[timeframe]))
    .map(({ from, to }) => ({ source, symbol, coinId, timeframe, from: toIso(from), to: toIso(to) }))
}
