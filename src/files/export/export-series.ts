import type { Pool } from 'pg'
import { findGaps } from '../../ingest/gaps.ts'
import { earlier, type Instant } from '../../market/instant.ts'
import { type AlignedRange, alignTo, allTime, isEmpty, type Range } from '../../market/range.ts'
import { ceilTo, floorTo, type Timeframe } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import { readCoverage } from '../../store/coverage.ts'
import type { Archive } from '../../store/lifecycle/archives.ts'
import { databaseOf } from '../../store/transaction.ts'
import type { RowWriter } from '../formats/row-writer.ts'
import { CandleGaps, type GapMode } from './candle-gaps.ts'
import type { ExportedTable, Row } from './exported-table.ts'
import type { CoinSeries } from './layout.ts'
import type { WrittenSeries } from './manifest.ts'
import { firstTimeOf, readStoredRows, type StoredRowsDeps } from './stored-rows.ts'

export type SeriesDeps = StoredRowsDeps & Readonly<{ settings: Settings; now: Instant }>

export type SeriesRequest = Readonly<{
  table: ExportedTable
  series: CoinSeries
  /** Closed candles only. */
  range: Range
  /** Begins with the first stored row, not as requested. */
  isFromFirst: boolean
  gaps: GapMode
  /** Indexes of output columns in a row. */
  places: readonly number[]
}>

/** Without `from`: from the first stored row. */
export type RequestedRange = Readonly<{ from: Instant | undefined; to: Instant }>

/** In time order. `onProgress` receives the time reached. */
export async function exportSeries(
  deps: SeriesDeps,
  request: SeriesRequest,
  writer: RowWriter,
  onProgress: (upTo: Instant) => void,
): Promise<WrittenSeries> {
  const { series, range } = request
  return series.timeframe === undefined
    ? exportPlain(deps, request, writer, onProgress)
    : exportCandles(deps, request, { timeframe: series.timeframe, range }, writer, onProgress)
}

/** Defaults to the first stored row. */
export async function rangeOf(
  { pool, now }: Readonly<{ pool: Pool; now: Instant }>,
  table: ExportedTable,
  { coinId, timeframe }: CoinSeries,
  range: RequestedRange,
): Promise<Range> {
  const to =
    timeframe === undefined ? range.to : earlier(ceilTo(timeframe, range.to), floorTo(timeframe, now))
  const first =
    range.from ?? (await firstTimeOf(pool, { table, coinId, timeframe, range: { ...allTime, to } }))
  const from = first === undefined ? to : timeframe === undefined ? first : ceilTo(timeframe, first)
  return { from: earlier(from, to), to }
}

async function exportPlain(
  deps: SeriesDeps,
  { table, series, places, range }: SeriesRequest,
  writer: RowWriter,
  onProgress: (upTo: Instant) => void,
): Promise<WrittenSeries> {
  const { coinId, timeframe } = series
  let rows = 0
  if (!isEmpty(range))
    await readStoredRows(deps, { table, coinId, timeframe, range }, async (some, upTo) => {
      rows += some.length
      await writer.write(some.map((row) => project(row, places)))
      onProgress(upTo)
    })
  return { coinId, timeframe, range, rows, marked: 0, sources: [], gaps: [] }
}

const project = (row: Row, places: readonly number[]): Row => places.map((place) => row[place] ?? null)

async function exportCandles(
  deps: SeriesDeps,
  { table, series: { coin, coinId }, places, gaps: mode, isFromFirst }: SeriesRequest,
  { timeframe, range }: Readonly<{ timeframe: Timeframe; range: Range }>,
  writer: RowWriter,
  onProgress: (upTo: Instant) => void,
): Promise<WrittenSeries> {
  const { pool, settings, now } = deps
  const aligned: AlignedRange = alignTo(timeframe, range)
  const known = isEmpty(aligned) ? [] : await findGaps(pool, settings, [coin], [timeframe], aligned, now)
  const from = isFromFirst ? undefined : aligned.from
  const gaps = new CandleGaps({ coinId, timeframe }, { from, to: aligned.to }, mode, known)
  let rows = 0
  const put = async (batches: Iterable<readonly Row[]>) => {
    for (const batch of batches) {
      rows += batch.length
      await writer.write(batch.map((row) => project(row, places)))
    }
  }
  const archives = isEmpty(aligned)
    ? []
    : await readStoredRows(deps, { table, coinId, timeframe, range: aligned }, async (some, upTo) => {
        await put(gaps.take(some))
        onProgress(upTo)
      })
  await put(gaps.end())
  return {
    coinId,
    timeframe,
    range: { from: gaps.first ?? aligned.from, to: aligned.to },
    rows,
    marked: gaps.marked,
    sources: await sourcesOf(deps, { coinId, timeframe }, aligned, archives),
    gaps: gaps.gaps,
  }
}

/** From coverage of the table and of the files read. */
async function sourcesOf(
  { pool }: SeriesDeps,
  series: Readonly<{ coinId: string; timeframe: Timeframe }>,
  range: AlignedRange,
  archives: readonly Archive[],
): Promise<string[]> {
  const live = isEmpty(range) ? [] : await readCoverage(databaseOf(pool), series, range)
  const archived = archives.flatMap(({ coverage }) =>
    coverage.filter(({ coinId }) => coinId === series.coinId),
  )
  const stored = [...live, ...archived].filter(({ state }) => state === 'stored')
  return [...new Set(stored.map(({ source }) => source))].toSorted()
}
