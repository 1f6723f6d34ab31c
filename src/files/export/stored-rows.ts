import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Aborted } from '../../fault.ts'
import { readParquet } from '../../lifecycle/archive/parquet/read-parquet.ts'
import {
  type FilePlace,
  type LivePlace,
  placesOf,
  type RowPlace,
  rowPlacesOf,
} from '../../lifecycle/archive/row-places.ts'
import type { LocalFile } from '../../lifecycle/archive/storage/local-files.ts'
import { earlier, type Instant, plus, toIso } from '../../market/instant.ts'
import { contains, intersect, type Range, subtract } from '../../market/range.ts'
import { fieldsOf, linesOf } from '../../store/candles/copy-lines.ts'
import { fromMs } from '../../store/coverage/multirange.ts'
import {
  type ArchiveColumn,
  exportRows,
  ownTable,
  readAtOneMoment,
  readShape,
} from '../../store/lifecycle/archives/archive-content.ts'
import { type Archive, listArchives, rowArchivesOf } from '../../store/lifecycle/archives.ts'
import { measurePartitions, relationOf } from '../../store/lifecycle/list-partitions.ts'
import { holdPartitions, rangeTablesOf } from '../../store/lifecycle/range-tables.ts'
import { type Database, databaseOf, inTransaction, type Transaction } from '../../store/transaction.ts'
import {
  copyLengthMs,
  type ExportedSeries,
  type ExportedTable,
  instantOf,
  type Row,
} from './exported-table.ts'

export type StoredRowsDeps = Readonly<{ pool: Pool; localFile: LocalFile; signal: AbortSignal }>

export type RowRequest = ExportedSeries & Readonly<{ table: ExportedTable; range: Range }>

type OnRows = (rows: readonly Row[], upTo: Instant) => Promise<void>

/** As in the table. */
export async function readColumns(pool: Pool, table: ExportedTable): Promise<readonly ArchiveColumn[]> {
  const { columns } = await readShape(databaseOf(pool), ownTable(table.name))
  return table.columns.map((name) => {
    const column = columns.find((one) => one.name === name)
    if (!column) throw new Error(`table ${table.name} has no column ${name}`)
    return column
  })
}

/**
 * Reads a series in time order from table and archive in one snapshot, in memory of a COPY chunk or an archived
 * partition. `upTo`: time reached. Returns the files read.
 */
export async function readStoredRows(
  deps: StoredRowsDeps,
  request: RowRequest,
  onRows: OnRows,
): Promise<readonly Archive[]> {
  const { pool, localFile } = deps
  const columns = await readColumns(pool, request.table)
  const parents = await rangeTablesOf(
    databaseOf(pool),
    request.table.isPartitioned ? [request.table.name] : [],
  )
  // Before the transaction, which would idle during downloads.
  for (const place of await placesIn(databaseOf(pool), request, parents))
    if (place.kind === 'file') await localFile(place.archive)
  return inTransaction(
    pool,
    async (tx) => {
      await readAtOneMoment(tx)
      await holdPartitions(tx, parents)
      const places = await placesIn(tx.db, request, parents)
      for (const segment of segmentsOf(places, request))
        await readSegment({ ...deps, tx, columns }, request, segment, onRows)
      return places.flatMap((place) => (place.kind === 'file' ? place.archive : []))
    },
    'maintenance',
  )
}

/** Earliest possible time; undefined if empty. */
export async function firstTimeOf(pool: Pool, request: RowRequest): Promise<Instant | undefined> {
  const db = databaseOf(pool)
  const parents = await rangeTablesOf(db, request.table.isPartitioned ? [request.table.name] : [])
  const time = sql.identifier(request.table.time)
  const { rows } = await db.execute<{ ms: string | null }>(sql`
    select extract(epoch from min(${time})) * 1000 as ms from ${sql.identifier(request.table.name)}
    where ${conditionOf(request, request.range)}`)
  const places = await placesIn(db, request, parents)
  const ms = rows[0]?.ms
  const times = [
    ...(ms == null ? [] : [fromMs(ms)]),
    ...places.flatMap((place) => (place.kind === 'file' || place.partition ? (place.range?.from ?? []) : [])),
  ]
  return times.length === 0 ? undefined : times.reduce(earlier)
}

/** In order of precedence. */
async function placesIn(db: Database, request: RowRequest, parents: readonly string[]): Promise<RowPlace[]> {
  const { table, timeframe, range } = request
  const places = table.isPartitioned
    ? placesOf(
        await measurePartitions(db, parents),
        (await listArchives(db)).filter((one) => one.partition !== undefined && parents.includes(one.table)),
      )
    : rowPlacesOf(await rowArchivesOf(db, table.name))
  return places.filter(
    (place) =>
      place.timeframe === timeframe &&
      (place.range === undefined || intersect(place.range, range) !== undefined),
  )
}

/** Parts of the range with the additional places that may have rows. */
type Segment = Readonly<{ range: Range; beside: readonly (FilePlace | LivePlace)[] }>

function segmentsOf(places: readonly RowPlace[], { range, timeframe }: RowRequest): Segment[] {
  const beside = places.filter((place) => place.kind === 'file' || place.partition !== undefined)
  const bounds = beside.flatMap((place) => (place.range ? [place.range.from, place.range.to] : []))
  const cuts = [...new Set([range.from, ...bounds.filter((at) => contains(range, at)), range.to])].toSorted(
    (a, b) => a - b,
  )
  return cuts.slice(1).flatMap((to, index) => {
    const from = cuts[index] ?? to
    const own = beside.filter(({ range: one }) => one === undefined || intersect(one, { from, to }))
    return own.length === 0
      ? chunksOf({ from, to }, copyLengthMs(timeframe)).map((part) => ({ range: part, beside: [] }))
      : [{ range: { from, to }, beside: own }]
  })
}

function chunksOf({ from, to }: Range, lengthMs: number): Range[] {
  const chunks: Range[] = []
  for (let at = from; at < to; at = plus(at, lengthMs))
    chunks.push({ from: at, to: earlier(plus(at, lengthMs), to) })
  return chunks
}

type SegmentDeps = StoredRowsDeps & Readonly<{ tx: Transaction; columns: readonly ArchiveColumn[] }>

async function readSegment(
  deps: SegmentDeps,
  request: RowRequest,
  { range, beside }: Segment,
  onRows: OnRows,
): Promise<void> {
  const live = liveRows(deps, request, range, undefined)
  if (beside.length === 0) {
    for await (const rows of live) await onRows(rows, lastTimeOf(rows, request, range))
    return onRows([], range.to)
  }
  const timePlace = request.table.columns.indexOf(request.table.time)
  const byTime = new Map<Instant, Row>()
  const addAbsent = (rows: readonly Row[]) => {
    for (const row of rows) {
      const time = instantOf(row[timePlace] ?? '0')
      if (!byTime.has(time)) byTime.set(time, row)
    }
  }
  for await (const rows of live) addAbsent(rows)
  for (const place of beside) {
    const rows =
      place.kind === 'file' ? fileRows(deps, request, range, place) : liveRows(deps, request, range, place)
    for await (const some of rows) addAbsent(some)
  }
  const sorted = [...byTime].toSorted(([a], [b]) => a - b).map(([, row]) => row)
  await onRows(sorted, range.to)
}

function lastTimeOf(rows: readonly Row[], { table }: RowRequest, { from }: Range): Instant {
  const text = rows.at(-1)?.[table.columns.indexOf(table.time)]
  return text == null ? from : instantOf(text)
}

/** From the table, or from a hidden partition. */
async function* liveRows(
  { tx, columns, signal }: SegmentDeps,
  request: RowRequest,
  range: Range,
  place: LivePlace | undefined,
): AsyncGenerator<Row[]> {
  const chunks = exportRows(tx, {
    relation: relationOf(place?.partition ?? ownTable(request.table.name)),
    columns,
    key: [request.table.time],
    where: conditionOf(request, place?.range ? (intersect(place.range, range) ?? range) : range),
  })
  for await (const lines of linesOf(chunks)) {
    throwIfStopped(signal)
    yield lines.map(fieldsOf)
  }
}

function conditionOf({ table, coinId, timeframe }: RowRequest, { from, to }: Range): SQL {
  const time = sql.identifier(table.time)
  return sql`coin_id = ${coinId} ${timeframe === undefined ? sql`` : sql`and timeframe = ${timeframe}`}
    and ${time} >= ${toIso(from)}::timestamp and ${time} < ${toIso(to)}::timestamp`
}

async function* fileRows(
  { localFile, columns, signal }: SegmentDeps,
  { table, coinId }: RowRequest,
  range: Range,
  { archive, except }: FilePlace,
): AsyncGenerator<Row[]> {
  const path = await localFile(archive)
  const ranges = subtract(range, except)
  const places = columns.map(({ name }) => archive.columns.findIndex((one) => one.name === name))
  const [coinPlace, timePlace] = ['coin_id', table.time].map((name) =>
    archive.columns.findIndex((one) => one.name === name),
  )
  for await (const group of readParquet(path, archive.columns, { column: 'coin_id', value: coinId })) {
    throwIfStopped(signal)
    const rows: Row[] = []
    for (let row = 0; row < group.rows; row += 1) {
      if (group.columns[coinPlace ?? -1]?.[row] !== coinId) continue
      const time = instantOf(group.columns[timePlace ?? -1]?.[row] ?? '0')
      if (!ranges.some((one) => contains(one, time))) continue
      rows.push(places.map((place) => group.columns[place]?.[row] ?? null))
    }
    yield rows
  }
}

function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new Aborted('the export was stopped; no file was written')
}
