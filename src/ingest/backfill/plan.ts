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
 * The requests are exact where the source has every candle that no file is asked for: what a short page or a file leaves
 * out comes on top, and years before a listing cost less. They are an estimate where trades have to be asked for.
 */
export type SeriesPlan = SeriesWork &
  WalkCost &
  SeriesStorage &
  Readonly<{
    /** As if this series were alone. */
    durationMs: number
  }>

/** What a source is asked for, and how long that takes. */
export type SourceLoad = SourcePace & Readonly<{ weight: number; durationMs: number }>

export type BackfillPlan = WalkCost &
  SeriesStorage &
  Readonly<{
    series: readonly SeriesPlan[]
    candles: number
    known: number
    archive: ArchiveCost
    /** Each source that is asked, the archive as one of its own. They are asked side by side. */
    sources: readonly SourceLoad[]
    durationMs: number
    expiring: number
  }>

/** Works out what a wish costs while these stops stand. Throws InvalidInput for what cannot be wished. */
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

/** What all pages together cost, job by job: each begins a page of its own. */
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

/** The payload of one job of a backfill. */
export type BackfillChunk = Readonly<{
  source: AnySourceId
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

const jobRange = z.object({
  coinId: z.string(),
  timeframe: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
})

/** Whether a job with this payload works on what the plan is about. */
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

/** What the plan says of one of its jobs. */
export function jobPlanOf({ source, timeframe, from, to, archive }: BackfillChunk, now: Instant): JobPlan {
  const isFile = archive !== undefined
  if (isFile) return { requests: 0, weight: 0, isEstimate: false, isFile }
  const range = toAlignedRange(timeframe, {
    from: toInstant(Date.parse(from)),
    to: toInstant(Date.parse(to)),
  })
  return { ...costOf(candleSource(source).candles, timeframe, range, plus(now, waitingMs)), isFile }
}

/**
 * `from-start`: as few jobs and requests as can be. `on-grid`: cut at the same instants whenever it is done, so that
 * work that is found again while it still waits is the same work.
 */
export type Cutting = 'from-start' | 'on-grid'

/** A series and what is to be had of it; where `candlesFrom` is left out, all of it comes before. */
type Cuttable = Pick<SeriesWork, 'series' | 'symbol' | 'missing'> &
  Partial<Pick<SeriesWork, 'files' | 'candlesFrom'>>

/**
 * Cuts what is owed into jobs: one for each file, and the rest so short that live work can go in between. A job holds as
 * many whole pages of candles as fit into `candlesPerJob`, one at the least, and asks about two dozen times at the most.
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

/** The jobs of several series. They take turns: those that write the same series would wait for each other. */
export function chunksOfAll(works: readonly Cuttable[], candlesPerJob: number): BackfillChunk[] {
  const lists = works.map((work) => chunksOf(work, candlesPerJob, 'from-start'))
  const longest = lists.reduce((most, { length }) => Math.max(most, length), 0)
  return Array.from({ length: longest }, (_, turn) => lists.flatMap((list) => list[turn] ?? [])).flat()
}

/** What no file is asked for, cut into jobs. */
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

/** On the grid the border lies on it too, so that it does not move with every minute. */
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

/** A job asks for no more than it can ask in half a minute of most budgets. */
const requestsPerJob = 24

/** How many candles a job may have where it asks for pages of them, and where it asks for trades. */
function jobLengths(candles: CandleTraits, timeframe: Timeframe, candlesPerJob: number) {
  const perPage = candlesPerPage(candles, timeframe)
  const pages = Math.max(1, Math.min(requestsPerJob, Math.floor(candlesPerJob / perPage)))
  const { trades } = candles
  const ofTradesMs = trades ? (requestsPerJob * trades.pageSize * day) / trades.perDay : 0
  const ofTrades = Math.max(1, Math.min(candlesPerJob, Math.floor(ofTradesMs / timeframeMs[timeframe])))
  return { ofPages: pages * perPage, ofTrades }
}
