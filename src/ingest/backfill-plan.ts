import type { Pool } from 'pg'
import { InvalidInput } from '../fault.ts'
import { paceOf } from '../http/pace.ts'
import { type Instant, plus, toIso } from '../market/instant.ts'
import {
  alignTo,
  candleCount,
  intersect,
  isEmpty,
  type Range,
  split,
  splitOnGrid,
  subtract,
} from '../market/range.ts'
import { type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import type { Settings } from '../settings.ts'
import { type ArchiveFile, type ArchiveKind, binanceArchive } from '../sources/binance-archive.ts'
import { candlesPerPage } from '../sources/source.ts'
import type { Coin } from '../store/coins.ts'
import { readOwed, type Series } from '../store/coverage.ts'
import { candleTable, listPartitions, partitionsOf } from '../store/partitions.ts'
import { databaseOf } from '../store/transaction.ts'
import { type ArchiveCost, type ArchiveUse, archiveCost, planArchive } from './archive/plan-archive.ts'
import { obtainable, settledClose } from './kept-history.ts'
import { type CandleMarket, candleMarketOf, candleSource } from './markets.ts'

/** What somebody wants to have. */
export type BackfillWish = Readonly<{
  coinIds: readonly string[]
  timeframes: readonly Timeframe[]
  range: Range
  /** `binance-archive` is Binance's market by way of its files. */
  source?: string
  /** Whether files stand in for requests; by cost unless said otherwise. */
  archive?: ArchiveUse
}>

export type SeriesPlan = Readonly<{
  series: Series
  symbol: string
  wanted: Range
  /** What was wished too, but can no longer be had from the source. */
  outOfReach: Range | undefined
  /** What is not there yet. */
  owed: readonly Range[]
  candles: number
  /** The files that some of it comes in. */
  files: readonly ArchiveFile[]
  /** For what no file is asked for; what the files turn out to leave out comes on top. */
  requests: number
  weight: number
  /** Candles that the next retention run would remove again, and its limit. */
  expiring: number
  keepMs: number | undefined
}>

export type BackfillPlan = Readonly<{
  series: readonly SeriesPlan[]
  candles: number
  archive: ArchiveCost
  requests: number
  weight: number
  /** At the pace of the budget, while nothing else asks the source. */
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
    const market = marketOf(coins, coinId, isArchive(wish) ? 'binance' : wish.source)
    const use = archiveUse(settings, market, wish)
    for (const timeframe of wish.timeframes)
      series.push(await planSeries(pool, settings, { market, use }, timeframe, wish.range, now))
  }
  const total = (pick: (plan: SeriesPlan) => number) => series.reduce((sum, plan) => sum + pick(plan), 0)
  return {
    series,
    candles: total(({ candles }) => candles),
    archive: archiveCost(series.flatMap(({ files }) => files)),
    requests: total(({ requests }) => requests),
    weight: total(({ weight }) => weight),
    durationMs: durationOf(settings, series),
    partitions: await missingPartitions(pool, settings, series),
    expiring: total(({ expiring }) => expiring),
  }
}

const isArchive = ({ source }: BackfillWish): boolean => source === binanceArchive.id

/** Whoever names another host for Binance means its archive too, and may not have one. Throws InvalidInput. */
function archiveUse(
  { environment: { baseUrls } }: Settings,
  { source: { id } }: CandleMarket,
  wish: BackfillWish,
): ArchiveUse {
  if (id !== 'binance') return 'never'
  const mayAsk = baseUrls.binance === undefined || baseUrls[binanceArchive.id] !== undefined
  if (!isArchive(wish)) return mayAsk ? (wish.archive ?? 'by-cost') : 'never'
  if (mayAsk) return 'always'
  throw new InvalidInput(
    'BINANCE_BASE_URL replaces the host of binance: set BINANCE_ARCHIVE_BASE_URL too, or unset both',
  )
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
  { market, use }: Readonly<{ market: CandleMarket; use: ArchiveUse }>,
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
  const wished = alignTo(timeframe, intersect(range, closed) ?? { from: range.from, to: range.from })
  const { wanted, outOfReach } = withinReach(market, timeframe, wished, now)
  const owed = isEmpty(wanted) ? [] : await readOwed(databaseOf(pool), series, wanted, 'retry-refused')
  const { weight } = market.source.candles
  const perPage = candlesPerPage(market.source.candles, timeframe)
  const { files, rest } = planArchive({ symbol: market.symbol, timeframe, pageSize: perPage, use }, owed, now)
  const requests = rest.reduce((sum, part) => sum + Math.ceil(candleCount(part, timeframe) / perPage), 0)
  const expired =
    policy.keep === undefined ? [] : expiredParts(series, policy.partition, owed, plus(now, -policy.keep))
  return {
    series,
    symbol: market.symbol,
    wanted,
    outOfReach,
    owed,
    candles: owed.reduce((sum, part) => sum + candleCount(part, timeframe), 0),
    files,
    requests,
    weight: requests * weight,
    expiring: expired.reduce((sum, part) => sum + candleCount(part, timeframe), 0),
    keepMs: policy.keep,
  }
}

/** Divides a wish by what can be had. Throws InvalidInput when that is nothing of it. */
function withinReach(
  market: CandleMarket,
  timeframe: Timeframe,
  wished: Range,
  now: Instant,
): Pick<SeriesPlan, 'wanted' | 'outOfReach'> {
  const { coinId, source, symbol, listedTo } = market
  const { from, to } = obtainable(market, timeframe, now)
  if (isEmpty(wished)) return { wanted: wished, outOfReach: undefined }
  if (wished.from >= to && listedTo !== undefined) {
    throw new InvalidInput(
      `${source.id}:${symbol} ended at ${toIso(listedTo)}: ask for a --from before that, or for another --source that ${coinId} has a market on`,
    )
  }
  const wanted = intersect(wished, { from, to })
  if (!wanted) {
    throw new InvalidInput(
      `${source.id} has no ${timeframe} candles of ${symbol} from before ${toIso(from)}: ask for a later --from, or for another --source that ${coinId} has a market on`,
    )
  }
  return { wanted, outOfReach: wished.from < from ? { from: wished.from, to: from } : undefined }
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
  const { requests } = archiveCost(series.flatMap(({ files }) => files))
  if (requests > 0) bySource.set(binanceArchive.id, requests)
  const durations = [...bySource].map(([id, weight]) => {
    const { rateLimits } = id === binanceArchive.id ? binanceArchive : candleSource(id)
    return weight * paceOf(rateLimits, budget.share).perPointMs
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
  /** The file to read it from, where there is one. */
  archive?: ArchiveKind
  /** Asked for again, it goes before what was never asked for. */
  lane?: 'repair'
}>

/**
 * `from-start`: as few jobs and requests as can be. `on-grid`: cut at the same instants whenever it is done, so that
 * work that is found again while it still waits is the same work.
 */
export type Cutting = 'from-start' | 'on-grid'

/**
 * Cuts what is owed into jobs: one for each file, and the rest so short that live work can go in between.
 */
export function chunksOf(
  { series, symbol, owed, files = [] }: Pick<SeriesPlan, 'series' | 'symbol' | 'owed'> & Partial<SeriesPlan>,
  candlesPerChunk: number,
  cutting: Cutting,
): BackfillChunk[] {
  const { source, coinId, timeframe } = series
  const cut = cutting === 'on-grid' ? splitOnGrid : split
  const chunk = ({ from, to }: Range) => ({
    source,
    symbol,
    coinId,
    timeframe,
    from: toIso(from),
    to: toIso(to),
  })
  const inFiles = files.flatMap(({ kind, range }) => {
    const parts = owed.flatMap((part) => intersect(part, range) ?? [])
    const [first, last] = [parts[0], parts.at(-1)]
    return first && last ? [{ ...chunk({ from: first.from, to: last.to }), archive: kind }] : []
  })
  const taken = files.map(({ range }) => range)
  const rest = owed.flatMap((range) => subtract(range, taken))
  return [
    ...inFiles,
    ...rest.flatMap((range) => cut(range, candlesPerChunk * timeframeMs[timeframe]).map(chunk)),
  ]
}
