import type { Pool } from 'pg'
import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import { type Instant, minute, plus, toIso } from '../../market/instant.ts'
import {
  type AlignedRange,
  alignTo,
  candleCount,
  intersect,
  isEmpty,
  type Range,
} from '../../market/range.ts'
import type { AlignedInstant, Timeframe } from '../../market/timeframe.ts'
import { didYouMean } from '../../settings/did-you-mean.ts'
import type { Settings } from '../../settings.ts'
import { type ArchiveFile, binanceArchive } from '../../sources/binance-archive.ts'
import { candlesPerPage, reachableFrom } from '../../sources/source.ts'
import type { Coin } from '../../store/coins.ts'
import { readMissing, readRejected } from '../../store/coverage/missing-candles.ts'
import type { Series } from '../../store/coverage.ts'
import { type BoundedPartition, isBounded, readPartitions } from '../../store/partitions/catalog.ts'
import { candleTable } from '../../store/partitions.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type ArchiveUse, planArchive } from '../archive/plan-archive.ts'
import { finalClose, obtainable } from '../kept-history.ts'
import { type CandleMarket, candleSource, requireCandleMarket } from '../markets.ts'
import { expiredParts } from '../past-retention.ts'

export type BackfillRequest = Readonly<{
  coinIds: readonly string[]
  timeframes: readonly Timeframe[]
  range: Range
  /** `binance-archive`: Binance's market through its files. */
  source?: string
  archive?: ArchiveUse
  retryRejected?: true
}>

export type SeriesWork = Readonly<{
  series: Series
  symbol: string
  wanted: AlignedRange
  /** Requested, but no longer available at the source. */
  outOfReach: AlignedRange | undefined
  missing: readonly AlignedRange[]
  candles: number
  /** Requested candles already stored or known absent. */
  known: number
  rejected: readonly AlignedRange[]
  files: readonly ArchiveFile[]
  /** Start of the source's own candles; earlier ones are made of trades. */
  candlesFrom: AlignedInstant | undefined
  /** Requested candles that the next retention run would delete. */
  expiring: number
  keepMs: number | undefined
  ending: 'drop' | 'archive' | undefined
}>

/** Missing candles per series. Throws InvalidInput for an impossible request. */
export async function workOf(
  pool: Pool,
  settings: Settings,
  coins: readonly Coin[],
  request: BackfillRequest,
  now: Instant,
): Promise<SeriesWork[]> {
  const wanted = request.coinIds.flatMap((coinId) => {
    const market = marketOf(coins, coinId, isArchive(request) ? 'binance' : request.source)
    const use = archiveUse(settings, market, request)
    return request.timeframes.map((timeframe) =>
      wantedOf(settings, { market, use }, timeframe, request.range, now),
    )
  })
  const db = databaseOf(pool)
  const ranges = wanted.map(({ series, reach }) => ({ ...series, range: reach.wanted }))
  const missing = await readMissing(db, ranges, request.retryRejected ? 'retry-rejected' : 'skip-rejected')
  const rejected = request.retryRejected ? [] : await readRejected(db, ranges)
  const tables = [...new Set(request.timeframes.map((timeframe) => candleTable(timeframe, 'day').name))]
  const partitions = (await readPartitions(db, tables)).filter(isBounded)
  return wanted.map((series, place) =>
    planSeries(series, { missing: missing[place] ?? [], rejected: rejected[place] ?? [], partitions }, now),
  )
}

/** Jobs run later; candles that expire at the source meanwhile are made of trades. */
export const waitingMs = 10 * minute

const isArchive = ({ source }: BackfillRequest): boolean => source === binanceArchive.id

/** A replaced Binance host may have no archive. Throws InvalidInput. */
function archiveUse(
  { environment: { baseUrls } }: Settings,
  { source: { id } }: CandleMarket,
  request: BackfillRequest,
): ArchiveUse {
  if (id !== 'binance') return 'never'
  const mayAsk = baseUrls.binance === undefined || baseUrls[binanceArchive.id] !== undefined
  if (!isArchive(request)) return mayAsk ? (request.archive ?? 'by-cost') : 'never'
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
      `no coin "${coinId}" is tracked.${near} Track it with: ${commandLine`beacon coins add ${coinId} --market SOURCE:SYMBOL`}`,
    )
  }
  return requireCandleMarket(coin, source)
}

type WantedOfRequest = Readonly<{
  series: Series
  market: CandleMarket
  use: ArchiveUse
  policy: NonNullable<Settings['timeframes'][Timeframe]>
  reach: Pick<SeriesWork, 'wanted' | 'outOfReach'>
}>

function wantedOf(
  settings: Settings,
  { market, use }: Readonly<{ market: CandleMarket; use: ArchiveUse }>,
  timeframe: Timeframe,
  range: Range,
  now: Instant,
): WantedOfRequest {
  const policy = settings.timeframes[timeframe]
  if (!policy || !market.source.candles.timeframes.includes(timeframe)) {
    throw new InvalidInput(
      `timeframe ${timeframe} is not configured, or ${market.source.id} has no such candles; configured timeframes: ${Object.keys(settings.timeframes).join(', ')}`,
    )
  }
  const series: Series = { coinId: market.coinId, timeframe, source: market.source.id }
  // Ends at the last closed candle.
  const closed = { from: range.from, to: finalClose(settings, timeframe, now) }
  const wished = alignTo(timeframe, intersect(range, closed) ?? { from: range.from, to: range.from })
  return { series, market, use, policy, reach: withinReach(market, timeframe, wished, now) }
}

/** What the database knows of the request. */
type Found = Pick<SeriesWork, 'missing' | 'rejected'> & Readonly<{ partitions: readonly BoundedPartition[] }>

function planSeries(
  { series, market, use, policy, reach }: WantedOfRequest,
  { missing, rejected, partitions }: Found,
  now: Instant,
): SeriesWork {
  const { timeframe } = series
  const table = candleTable(timeframe, policy.partition)
  const own = partitions.filter((partition) => partition.table === table.name)
  const { candles } = market.source
  const perPage = candlesPerPage(candles, timeframe)
  const { files } = planArchive({ symbol: market.symbol, timeframe, pageSize: perPage, use }, missing, now)
  const expired =
    policy.keep === undefined ? [] : expiredParts(timeframe, table, own, missing, plus(now, -policy.keep))
  const countOf = (ranges: readonly AlignedRange[]) =>
    ranges.reduce((sum, part) => sum + candleCount(part, timeframe), 0)
  return {
    series,
    symbol: market.symbol,
    ...reach,
    missing,
    candles: countOf(missing),
    known: countOf([reach.wanted]) - countOf(missing) - countOf(rejected),
    rejected,
    files,
    candlesFrom: candles.trades ? reachableFrom(candles, timeframe, plus(now, waitingMs)) : undefined,
    expiring: countOf(expired),
    keepMs: policy.keep,
    ending: policy.then,
  }
}

function withinReach(
  market: CandleMarket,
  timeframe: Timeframe,
  wished: AlignedRange,
  now: Instant,
): Pick<SeriesWork, 'wanted' | 'outOfReach'> {
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
