import type { Pool } from 'pg'
import { z } from 'zod'
import type { Pause } from '../../http/pauses.ts'
import { day, earlier, type Instant, later, plus, toInstant, toIso } from '../../market/instant.ts'
import {
  type AlignedRange,
  intersect,
  split,
  splitOnGrid,
  subtract,
  toAlignedRange,
} from '../../market/range.ts'
import { plusCandles, type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { AnySourceId } from '../../settings/source-ids.ts'
import type { Settings } from '../../settings.ts'
import { type ArchiveKind, binanceArchive } from '../../sources/binance-archive.ts'
import { type CandleTraits, candlesPerPage, costOf, type WalkCost } from '../../sources/source.ts'
import type { Coin } from '../../store/coins.ts'
import { type ArchiveCost, archiveCost } from '../archive/plan-archive.ts'
import { candleSource } from '../markets.ts'
import { durationOf, readPaces, type SourcePace } from './pace.ts'
import type { JobPlan } from './result.ts'
import { type BackfillRequest, type SeriesWork, waitingMs, workOf } from './series-work.ts'
import { type SeriesStorage, storageOf } from './storage.ts'

/**
 * Requests are exact if the source has every requested candle; pages cut short or gaps in files add some, empty years
 * need fewer. Estimated for trades.
 */
export type SeriesPlan = SeriesWork &
  WalkCost &
  SeriesStorage &
  Readonly<{
    durationMs: number
  }>

export type SourceLoad = SourcePace & Readonly<{ weight: number; durationMs: number }>

export type BackfillPlan = WalkCost &
  SeriesStorage &
  Readonly<{
    series: readonly SeriesPlan[]
    candles: number
    known: number
    archive: ArchiveCost
    /** The archive counts as a source. Sources work in parallel. */
    sources: readonly SourceLoad[]
    durationMs: number
    expiring: number
  }>

/** Throws InvalidInput for an impossible request. */
export async function planBackfill(
  pool: Pool,
  settings: Settings,
  coins: readonly Coin[],
  request: BackfillRequest,
  now: Instant,
  pauses: readonly Pause[] = [],
): Promise<BackfillPlan> {
  const works = await workOf(pool, settings, coins, request, now)
  const asked = new Set(works.map(({ series }) => series.source))
  if (works.some(({ files }) => files.length > 0)) asked.add(binanceArchive.id)
  const paces = await readPaces(pool, settings, [...asked], pauses, now)
  const storage = await storageOf(pool, settings, works)
  const series = works.map((work, index): SeriesPlan => {
    const stored = storage[index] ?? { partitions: [], bytes: 0 }
    const costed = { ...work, ...walkCost(work, settings.candles.chunk, now), ...stored }
    return { ...costed, durationMs: longestOf(loadsOf([costed], paces)) }
  })
  const total = (pick: (plan: SeriesPlan) => number) => series.reduce((sum, plan) => sum + pick(plan), 0)
  const sources = loadsOf(series, paces)
  return {
    series,
    candles: total(({ candles }) => candles),
    known: total(({ known }) => known),
    archive: archiveCost(series.flatMap(({ files }) => files)),
    requests: total(({ requests }) => requests),
    weight: total(({ weight }) => weight),
    isEstimate: series.some(({ isEstimate }) => isEstimate),
    sources,
    durationMs: longestOf(sources),
    partitions: [...new Set(series.flatMap(({ partitions }) => partitions))].toSorted(),
    bytes: total(({ bytes }) => bytes),
    expiring: total(({ expiring }) => expiring),
  }
}

/** Cost per job, as each starts a new page. */
function walkCost(work: SeriesWork, candlesPerJob: number, now: Instant): WalkCost {
  const { candles } = candleSource(work.series.source)
  const costs = jobRangesOf(work, candlesPerJob, 'from-start').map((jobRange) =>
    costOf(candles, work.series.timeframe, jobRange, plus(now, waitingMs)),
  )
  return {
    requests: costs.reduce((sum, { requests }) => sum + requests, 0),
    weight: costs.reduce((sum, { weight }) => sum + weight, 0),
    isEstimate: costs.some(({ isEstimate }) => isEstimate),
  }
}

function loadsOf(
  plans: readonly Pick<SeriesPlan, 'series' | 'weight' | 'files'>[],
  paces: readonly SourcePace[],
): SourceLoad[] {
  return paces.flatMap(({ source, ...pace }) => {
    const ofSource = plans.filter(({ series }) => series.source === source)
    const weight =
      source === binanceArchive.id
        ? archiveCost(plans.flatMap(({ files }) => files)).requests
        : ofSource.reduce((sum, plan) => sum + plan.weight, 0)
    return weight === 0
      ? []
      : [{ source, weight, ...pace, durationMs: durationOf({ source, ...pace }, weight) }]
  })
}

const longestOf = (loads: readonly SourceLoad[]): number =>
  Math.max(0, ...loads.map(({ durationMs }) => durationMs))

export type BackfillChunk = Readonly<{
  source: AnySourceId
  symbol: string
  coinId: string
  timeframe: Timeframe
  from: string
  to: string
  archive?: ArchiveKind
  lane?: 'repair'
}>

const jobRange = z.object({
  coinId: z.string(),
  timeframe: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
})

/** Whether a job with this payload belongs to the plan. */
export function isForPlan(payload: unknown, { series }: BackfillPlan): boolean {
  const { success, data } = jobRange.safeParse(payload)
  return (
    success &&
    series.some(
      ({ series: { coinId, timeframe }, wanted }) =>
        coinId === data.coinId &&
        timeframe === data.timeframe &&
        Date.parse(data.from) < wanted.to &&
        Date.parse(data.to) > wanted.from,
    )
  )
}

export function jobPlanOf({ source, timeframe, from, to, archive }: BackfillChunk, now: Instant): JobPlan {
  const isFile = archive !== undefined
  if (isFile) return { requests: 0, weight: 0, isEstimate: false, isFile }
  const range = toAlignedRange(timeframe, {
    from: toInstant(Date.parse(from)),
    to: toInstant(Date.parse(to)),
  })
  return { ...costOf(candleSource(source).candles, timeframe, range, plus(now, waitingMs)), isFile }
}

/** `from-start`: fewest jobs and requests. `on-grid`: stable cuts, so that repeated work has the same job id. */
export type Cutting = 'from-start' | 'on-grid'

type Cuttable = Pick<SeriesWork, 'series' | 'symbol' | 'missing'> &
  Partial<Pick<SeriesWork, 'files' | 'candlesFrom'>>

/**
 * Cuts missing candles into jobs: one per file, the rest in whole pages up to `candlesPerJob` (at least one page) and
 * about 24 requests, so that live work fits between.
 */
export function chunksOf(work: Cuttable, candlesPerJob: number, cutting: Cutting): BackfillChunk[] {
  const { series, symbol, missing, files = [] } = work
  const { source, coinId, timeframe } = series
  const chunk = ({ from, to }: AlignedRange) => ({
    source,
    symbol,
    coinId,
    timeframe,
    from: toIso(from),
    to: toIso(to),
  })
  const inFiles = files.flatMap(({ kind, range }) => {
    const parts = missing.flatMap((part) => intersect(part, range) ?? [])
    const [first, last] = [parts[0], parts.at(-1)]
    return first && last ? [{ ...chunk({ from: first.from, to: last.to }), archive: kind }] : []
  })
  return [...inFiles, ...jobRangesOf(work, candlesPerJob, cutting).map(chunk)]
}

/** Interleaved, as jobs of one series wait for each other. */
export function chunksOfAll(works: readonly Cuttable[], candlesPerJob: number): BackfillChunk[] {
  const lists = works.map((work) => chunksOf(work, candlesPerJob, 'from-start'))
  const longest = lists.reduce((most, { length }) => Math.max(most, length), 0)
  return Array.from({ length: longest }, (_, turn) => lists.flatMap((list) => list[turn] ?? [])).flat()
}

function jobRangesOf(work: Cuttable, candlesPerJob: number, cutting: Cutting): AlignedRange[] {
  const { series, missing, files = [] } = work
  const lengths = jobLengths(candleSource(series.source).candles, series.timeframe, candlesPerJob)
  const cut = cutting === 'on-grid' ? splitOnGrid : split
  const taken = files.map(({ range }) => range)
  return missing
    .flatMap((range) => subtract(range, taken))
    .flatMap((range) => {
      const { older, newer } = dividedByReach(work, range, lengths.ofTrades, cutting)
      return [
        ...cut(older, series.timeframe, lengths.ofTrades),
        ...cut(newer, series.timeframe, lengths.ofPages),
      ]
    })
}

/** On the grid the border is aligned too, so it does not move each minute. */
function dividedByReach(
  { series: { source, timeframe }, candlesFrom }: Cuttable,
  range: AlignedRange,
  candlesPerJob: number,
  cutting: Cutting,
): Readonly<{ older: AlignedRange; newer: AlignedRange }> {
  const { trades } = candleSource(source).candles
  if (!trades) return { older: { from: range.from, to: range.from }, newer: range }
  const reach = candlesFrom ?? range.to
  const before = (reach / timeframeMs[timeframe]) % candlesPerJob
  const exact =
    cutting === 'from-start' || before === 0 ? reach : plusCandles(reach, candlesPerJob - before, timeframe)
  const border = later(range.from, earlier(exact, range.to))
  return { older: { from: range.from, to: border }, newer: { from: border, to: range.to } }
}

/** Half a minute of most budgets. */
const requestsPerJob = 24

/** Candles per job, for pages and for trades. */
function jobLengths(candles: CandleTraits, timeframe: Timeframe, candlesPerJob: number) {
  const perPage = candlesPerPage(candles, timeframe)
  const pages = Math.max(1, Math.min(requestsPerJob, Math.floor(candlesPerJob / perPage)))
  const { trades } = candles
  const ofTradesMs = trades ? (requestsPerJob * trades.pageSize * day) / trades.perDay : 0
  const ofTrades = Math.max(1, Math.min(candlesPerJob, Math.floor(ofTradesMs / timeframeMs[timeframe])))
  return { ofPages: pages * perPage, ofTrades }
}
